"""post_office's own command, started and imported before the watch runs: waits for a line, sends, and says "done"."""

import sys

import django
from django.core.management import call_command

PROCESSES = 2


def main() -> None:
    """Send what is queued once a line comes."""
    lock = sys.argv[1]
    django.setup()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    call_command("send_queued_mail", processes=PROCESSES, lockfile=lock, log_level=1)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    # Its processor time can be read for as long as it lives.
    sys.stdin.readline()


if __name__ == "__main__":
    main()
