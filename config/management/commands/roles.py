"""`manage.py roles`: writes the groups of the four roles."""

from django.core.management.base import BaseCommand, CommandError

from config import roles


class Command(BaseCommand):
    """Make the groups owner, marketer, clerk and auditor hold exactly what their roles allow."""

    help = "Make the groups owner, marketer, clerk and auditor hold exactly what their roles allow."

    def handle(self, **options) -> None:
        """Write the groups and say how many permissions each holds."""
        try:
            counts = roles.write()
        except LookupError as problem:
            raise CommandError(str(problem)) from problem
        for name, count in counts.items():
            self.stdout.write(f"{name}: {count} permissions")
