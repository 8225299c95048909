"""The process in which one benchmark runs: python -m tests.benchmarks.inside NAME PLACE SIZE ROUNDS."""

import json
import sys
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

from tests.benchmarks import servers
from tests.benchmarks.measuring import Scale


def main() -> None:
    """Make the tables, run the benchmark, and leave its figures in PLACE."""
    name, place, size, rounds = sys.argv[1:]
    servers.clean_up_when_told_to_end()
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    # Whatever knows models can be imported only now.
    benchmark = import_module(f"tests.benchmarks.{name}")
    figures = benchmark.run(Scale(size, int(rounds)), Path(place)).as_dict()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        figures["postgres"] = cursor.fetchone()[0]
    (Path(place) / "figures.json").write_text(json.dumps(figures, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
