"""What every page of the admin tells: a stop, a silent worker, a shifted clock, a practice deployment."""

from datetime import timedelta

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from config import pulse
from customers import clock
from customers.models import ClockOffset
from notifications.models import ProviderAccount
from notifications.services import switch


def on_every_page(request: HttpRequest) -> dict:
    """Context of the frame around each page."""
    if not request.user.is_authenticated:
        return {}
    return {"shell": SimpleLazyObject(lambda: _shell())}


def _shell() -> dict:
    """The notices, asked for once a page."""
    now = clock.now()
    is_silent, since = pulse.silent_since(now)
    return {
        "is_silent": is_silent,
        "silent_since": since,
        "clock_offset": clock_offset(),
        "stopped": switch.stopped(),
        "now": now,
    }


def clock_offset() -> timedelta:
    """How far the clock of the deployment is shifted."""
    return ClockOffset.objects.values_list("offset", flat=True).first() or timedelta(0)


def is_practice() -> bool:
    """Whether nothing can leave the house, because every account is a sandbox."""
    accounts = ProviderAccount.objects.values_list("is_sandbox", flat=True)
    return all(accounts)


def environment(request: HttpRequest) -> list[str] | None:
    """The badge beside the page title: staff must know when nothing is really sent."""
    if not request.user.is_authenticated or not is_practice():
        return None
    return [_("Practice mode"), "info"]
