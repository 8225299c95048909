#!/usr/bin/env python
"""Django's command line, with the embedded servers started first where no addresses are set."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from config import embedded

# These stop or replace the servers: starting them first would be in the way.
WITHOUT_SERVERS = {"down"}


def main() -> None:
    """Run one command of Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if WITHOUT_SERVERS.isdisjoint(sys.argv[1:2]):
        embedded.start_where_needed()
    else:
        embedded.set_addresses()
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        sys.exit(f"hongyan: {problem}")


if __name__ == "__main__":
    main()
