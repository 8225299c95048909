# Paths are relative throughout: make cannot handle a folder whose name holds a space.
.PHONY: up down test soak lint messages bench clean
.DELETE_ON_ERROR:

# PYTHON=/usr/bin/python3.12 make up, where the usual names lead to something else.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$name"; break; fi; done)
python := .venv/bin/python
pip := $(python) -m pip --disable-pip-version-check --quiet

up: .venv/for-up
	@$(python) manage.py up

down:
	@if [ -x $(python) ]; then $(python) manage.py down; else echo "Nothing was running."; fi

test: .venv/for-tests lint
	@$(python) -m pytest

lint: .venv/for-tests
	@$(python) -m ruff check .
	@$(python) -m ruff format --check --quiet .
	@.venv/bin/lint-imports

# Brings the Chinese catalog up to date with the code, and names what is not translated.
messages: .venv/for-tests
	@$(python) -m tests.translations

bench: .venv/for-tests
	@$(python) -m tests.benchmarks

# A storm of faults by a seed: make soak SEED=7 MINUTES=10. Without a seed it takes one and prints it.
MINUTES ?= 10
soak: .venv/for-tests
	@$(python) -m tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

clean: down
	@rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache
	@echo "Removed the virtualenv and caches; the data in var/ stays."

$(python):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Hongyan needs Python 3.11 or newer. Install it, or name it: make up PYTHON=/path/to/python3" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "PYTHON=$(PYTHON) is not Python 3.11 or newer." >&2; exit 1; }
	@echo "Making the virtualenv .venv with $(PYTHON)."
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; \
		echo "The virtualenv could not be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# What runs: the dependencies alone, in the versions of the lock.
.venv/for-up: requirements.lock | $(python)
	@echo "Installing what Hongyan needs (170 MB, once)."
	@$(python) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > .venv/runtime.txt
	@$(pip) install --requirement .venv/runtime.txt --constraint requirements.lock
	@touch $@

# What is in the lock: the same and the tools of the tests.
.venv/for-tests: requirements.lock | $(python)
	@echo "Installing what Hongyan and its tests need (450 MB, once)."
	@$(pip) install --requirement requirements.lock
	@touch $@ .venv/for-up
