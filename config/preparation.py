"""What stands before the first page: tables, static files, roles, an administrator, on the first run a demo shop."""

import io
import secrets
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.management import call_command, get_commands
from django.db import Error as DatabaseError
from django.db import connection
from redis import RedisError

from config import safe_mode
from customers import clock, doorbell
from customers.models import Customer
from customers.services import import_layouts
from notifications.choices import GatewayKind
from notifications.models import ProviderAccount

Say = Callable[[str], None]


class NotReachable(Exception):
    """A server without which nothing can start; the text says which."""


def prepare(*, say: Say, environment: dict[str, str]) -> str:
    """
    Bring the deployment to the state its code expects, and return how to log in; safe to repeat.

    `environment` is that of the programs that will run: the demo shop stores addresses from it.
    Raises NotReachable without a database, ValidationError when ADMIN_PASSWORD is too weak for a real one.
    """
    _look_for_servers(say=say)
    say("Preparing the database and the static files.")
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    import_layouts.install_bundled()
    if "roles" in get_commands():
        call_command("roles", stdout=io.StringIO())
    settings.UPLOADS.mkdir(mode=0o700, parents=True, exist_ok=True)
    _follow_the_gateway(environment["SANDBOX_GATEWAY_URL"], mail=environment["SANDBOX_MAIL_URL"])
    if safe_mode.look(now=clock.now()):
        say("Sending is stopped. The page “Stop sending” says why, and lets an owner start it again.")
    if get_user_model().objects.filter(is_superuser=True).exists():
        return "Log in with the name and password you have."
    _load_demo(say=say, environment=environment)
    return _create_administrator()


def _look_for_servers(*, say: Say) -> None:
    """
    Tell which of the servers named in the environment does not answer.

    Without Redis everything starts all the same: it holds nudges, and the workers wait for it.
    """
    try:
        connection.ensure_connection()
    except DatabaseError as trouble:
        raise NotReachable(
            f"DATABASE_URL: PostgreSQL does not answer. Check that it runs, and the name and password.\n{trouble}"
        ) from trouble
    try:
        doorbell.connection().ping()
    except (RedisError, OSError) as trouble:
        say(f"REDIS_URL: Redis does not answer; sending starts when it does. {trouble}")


def _follow_the_gateway(address: str, *, mail: str) -> None:
    """Point this machine's sandbox accounts to the ports its gateway has today."""
    for account in ProviderAccount.objects.filter(is_sandbox=True):
        today = mail if account.gateway == GatewayKind.SMTP else address
        moved = {name: _moved(getattr(account, name), today) for name in ("url", "query_url")}
        ProviderAccount.objects.filter(pk=account.pk).update(**moved)


def _moved(url: str, address: str) -> str:
    parts = urlsplit(url)
    if parts.hostname != "127.0.0.1":
        return url
    return parts._replace(netloc=urlsplit(address).netloc).geturl()


def _load_demo(*, say: Say, environment: dict[str, str]) -> None:
    wanted = settings.EMBEDDED and settings.DEMO and "demo" in get_commands()
    if wanted and not Customer.objects.exists():
        say("Loading the demo shop. This takes a moment; DEMO=0 starts with an empty one.")
        # Its own process, because ours was configured before the ports were known.
        demo = [sys.executable, "manage.py", "demo"]
        loaded = subprocess.run(demo, cwd=settings.ROOT, env=environment, check=False)
        if loaded.returncode:
            say("The demo shop could not be loaded, so the shop is empty. Try again with: manage.py demo")


def _create_administrator() -> str:
    name, given = settings.ADMIN_USER, settings.ADMIN_PASSWORD
    password = given or secrets.token_urlsafe(12)
    if not settings.EMBEDDED:
        validate_password(password)
    get_user_model().objects.create_superuser(name, settings.ADMIN_EMAIL, password)
    if given:
        return f"Log in as {name} with the password from ADMIN_PASSWORD."
    return f"Log in as {name} with the password {password} (shown only this once)."
