"""`manage.py demo`: a shop with customers, texts, rules and campaigns, to click through."""

import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db import connection

from campaigns.services.campaigns import CannotLaunch, CannotSchedule
from config.demo import shop
from config.demo.rehearsal import NoGateway
from customers import clock
from customers.models import Customer
from notifications.services.clock import CannotShift


class Command(BaseCommand):
    """Fill an empty embedded database."""

    help = "Loads a demo shop with 2,000 customers into an empty embedded database."

    @no_translations
    def handle(self, **options) -> None:
        """Load it, and say what there is now; a shop that exists is left as it is."""
        if not settings.EMBEDDED:
            raise CommandError(
                "The demo shop goes into the embedded database only, and DATABASE_URL names another server. "
                "Unset DATABASE_URL to try the demo."
            )
        if Customer._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The database has no tables yet. Run: make up")
        began = time.monotonic()
        try:
            loaded = shop.build(now=clock.now())
        except (shop.NotEmpty, CannotShift, CannotSchedule, CannotLaunch, NoGateway) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            f"The demo shop is ready: {loaded.customers:,} customers, {loaded.templates} texts, "
            f"the campaign “{loaded.finished}” is over and “{loaded.scheduled}” waits for its day "
            f"({time.monotonic() - began:.0f} s)."
        )
