"""Runs the benchmarks, each in a process and with servers of its own: python -m tests.benchmarks [names] [--quick]."""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import report, servers

# What each of them answers, in the order in which they run.
BENCHMARKS = {
    "sending": "messages a second, against one job per message and django-post_office",
    "clouds": "messages a second over Aliyun and Tencent Cloud, against our own protocol",
    "planning": "planning and screening, against a bare INSERT … SELECT",
    "caps": "frequency caps decided and taken a second",
    "receipts": "receipts of carriers, applied by one worker",
    "importing": "a spreadsheet, against a bare merge and django-import-export",
    "marking": "the shop's own file back, against openpyxl that loads and saves it",
    "large_imports": "a million rows and their memory, against the same reader and a plain INSERT … SELECT",
    "reminders": "what twenty rules take to find what came due among a million orders",
    "pages": "every page of the admin at full size",
    "api": "order events told one at a time over HTTP",
}
# Those that are measured beside other software.
WITH_RIVALS = {"sending", "clouds", "importing", "large_imports"}


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(BENCHMARKS)}; without: all")
    parser.add_argument("--quick", dest="size", action="store_const", const="quick", help="a tenth of the size")
    parser.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="to try the benchmark itself")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured; medians are shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a target is missed")
    parser.set_defaults(size="full")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One benchmark, with servers of its own."""
    report.say(f"{name}: {BENCHMARKS[name]} …")
    settings = "tests.benchmarks.settings" if name in WITH_RIVALS else "config.settings"
    with servers.own() as place:
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.inside",
            name,
            str(place),
            options.size,
            str(options.rounds),
        ]
        environment = servers.environment(place, settings=settings)
        with subprocess.Popen(command, cwd=servers.ROOT, env=environment) as process:
            try:
                code = process.wait()
            except BaseException:
                # It ends its own gateway and workers.
                process.terminate()
                raise
        if code:
            sys.exit(f"The benchmark {name} did not finish; what it said stands above.")
        return json.loads((place / "figures.json").read_text())


def main() -> int:
    """Run, print tables to standard error and one JSON document to standard output."""
    options = read_arguments()
    servers.clean_up_when_told_to_end()
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    document: dict[str, Any] = {"machine": machine, "size": options.size, "rounds": options.rounds, "benchmarks": {}}
    for name in options.names or BENCHMARKS:
        document["benchmarks"][name] = run(name, options)
        report.show(name, document["benchmarks"][name])
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if options.json:
        options.json.write_text(text)
    sys.stdout.write(text)
    missed = [
        target for found in document["benchmarks"].values() for target in found["targets"] if not target["is_met"]
    ]
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
