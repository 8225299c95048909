"""The configuration as a Django app: checks, commands."""

from django.apps import AppConfig

from config import checks  # noqa: F401 - importing it registers the checks


class ConfigConfig(AppConfig):
    """Wires the other apps together; has no models."""

    name = "config"
