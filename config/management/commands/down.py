"""`manage.py down`: stops what `up`, or a killed `up`, left running."""

from django.core.management.base import BaseCommand

from config import embedded, running


class Command(BaseCommand):
    """Stop the programs, then the embedded servers."""

    help = "Stops everything that runs from this folder; the data stays."
    requires_system_checks: list[str] = []

    def handle(self, **options) -> None:
        """Stop, and say what there was to stop."""
        was_up = running.stop_holder()
        leftovers = running.end_leftovers()
        had_servers = embedded.is_alive(postgres=True, valkey=True)
        embedded.stop()
        if was_up or leftovers or had_servers:
            self.stdout.write("Everything is stopped.")
        else:
            self.stdout.write("Nothing was running.")
