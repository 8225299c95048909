"""`manage.py confirm_restore`: ends safe mode after a backup was restored."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from config import safe_mode
from customers import clock
from notifications.choices import StopReason
from notifications.services import switch


class Command(BaseCommand):
    """Tell what was found; with --yes, trust the database and let everything go on."""

    help = "Tells why sending is in safe mode; with --yes, trusts the restored database and sends again."

    def add_arguments(self, parser) -> None:
        """The one question, answered beforehand."""
        parser.add_argument("--yes", action="store_true", help="trust the database as it is and send again")

    def handle(self, *, yes: bool, **options) -> None:
        """Tell, and confirm where asked to."""
        stopped = switch.stopped()
        if stopped is None:
            self.stdout.write("Nothing is stopped.")
            return
        if stopped.reason != StopReason.RESTORED:
            raise CommandError("Staff have stopped sending. It goes on from the page “Stop sending” of the admin.")
        with override("en"):
            self.stdout.write("\n".join(safe_mode.in_words(stopped.found)))
        if not yes:
            waiting = sum(standing.waiting for standing in switch.standings(since=clock.now()))
            self.stdout.write(f"{waiting:,} messages would go out. Confirm with: manage.py confirm_restore --yes")
            return
        safe_mode.trust(now=clock.now())
        self.stdout.write("The database is trusted. Sending goes on.")
