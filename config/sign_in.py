"""Limits on guessing passwords that go beyond one user and one address."""

import ipaddress

from axes.models import AccessFailureLog
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.http import HttpRequest


class AddressLimit(BaseBackend):
    """
    Refuses an address that has failed too often, whatever names it tried.

    The lock-out of django-axes counts one name at one address; a list of names with one common password each stays
    below it.
    """

    def authenticate(self, request: HttpRequest | None, **credentials) -> None:
        """Say nothing, or raise PermissionDenied, which ends the attempt."""
        if request is None:
            return
        failures = AccessFailureLog.objects.filter(
            ip_address=client_address(request), attempt_time__gt=Now() - settings.SIGN_IN_WINDOW
        )
        if failures.count() >= settings.SIGN_IN_FAILURES_PER_ADDRESS:
            request.axes_locked_out = True
            raise PermissionDenied


def client_address(request: HttpRequest) -> str | None:
    """The address of the browser, as the outermost proxy of our own saw it."""
    claimed = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        # Everything further left was written by the client and may be invented.
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        claimed = hops[-settings.TRUSTED_PROXIES :][0].strip() or claimed
    try:
        return str(ipaddress.ip_address(claimed))
    except ValueError:
        return None
