"""Shifting the clock of a deployment that cannot really send."""

from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from customers.models import ClockOffset
from notifications.models import ProviderAccount

FURTHEST = timedelta(days=3660)


class CannotShift(Exception):
    """The clock stays as it is; the words say why."""


@transaction.atomic
def shift(offset: timedelta, by: AbstractBaseUser | None = None) -> None:
    """
    Set how far the deployment's time lies ahead of PostgreSQL's; zero sets it back.

    Raises CannotShift while any account is a real one, and for more than ten years. A trigger
    keeps the same promise whoever writes.
    """
    if abs(offset) > FURTHEST:
        raise CannotShift(_("The clock can be shifted by ten years at most."))
    # The lock keeps a real account from being saved between this question and its answer's use.
    accounts = ProviderAccount.objects.select_for_update().values_list("is_sandbox", flat=True)
    if offset and not all(accounts):
        raise CannotShift(
            _(
                "A real provider account exists, so customers would get messages at wrong hours. The clock "
                "can be shifted only while every account is a sandbox."
            )
        )
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": offset})
