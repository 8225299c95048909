"""Encrypts every stored secret under the newest key: after it, older keys can be taken out of the environment."""

from django.core.management.base import BaseCommand, CommandError

from notifications.services import secret_rotation


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_arguments, **_options) -> None:
        """Rotate, and say what is left to do."""
        rotated = secret_rotation.rotate()
        self.stdout.write(
            f"{rotated.changed} secrets are encrypted under the newest key, {rotated.unchanged} were so already."
        )
        if rotated.unreadable:
            raise CommandError(
                "No key of this deployment reads these; enter them again in the admin, or add the key that they "
                f"were stored under to SECRETS_KEY: {', '.join(rotated.unreadable)}"
            )
