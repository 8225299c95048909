"""What an entry of the gallery is: a rule with its texts, as data."""

from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.choices import FollowUpFor
from customers.choices import Channel, Purpose
from notifications.choices import NightPolicy

EVERYWHERE = (Channel.SMS, Channel.EMAIL, Channel.INBOX)
NOT_BY_SMS = (Channel.EMAIL, Channel.INBOX)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON, MORNING = time(12), time(10)


class Group(models.TextChoices):
    """The shelves of the gallery, in the order in which they are shown."""

    LIFE_CYCLE = "life_cycle", _("The way of an order")
    EXCEPTIONS = "exceptions", _("When something goes wrong")
    SERVICES = "services", _("Appointments, memberships and bills")
    WIN_BACK = "win_back", _("Winning customers back")


@dataclass(frozen=True)
class Step:
    """One message of a rule: how long after the fact, and the starter texts for one notice and for several."""

    text: str
    delay: timedelta = timedelta(0)
    merged: str = ""
    is_optional: bool = False


@dataclass(frozen=True)
class Entry:
    """
    One ready-made rule: what it looks for, what it says and when it stops.

    `does` is the sentence on its card; `refused_by_sms` says why gateways do not carry it as SMS, or when they may
    not. `call_script` is what a person says who calls; both are translated when the rule is made.
    """

    key: str
    group: Group
    title: Promise
    does: Promise
    trigger: str
    steps: tuple[Step, ...]
    purpose: Purpose
    valid_for: timedelta
    stops: tuple[str, ...] = ()
    order_status: str = ""
    exception_kind: str = ""
    event_kind: str = ""
    order_date: str = ""
    at_hour: time | None = None
    first_order: str = ""
    night: str = NightPolicy.WAIT
    merge_within: timedelta = timedelta(0)
    goal: str = ""
    goal_within: timedelta = DAY
    channels: tuple[Channel, ...] = EVERYWHERE
    refused_by_sms: Promise | str = ""
    follow_up: str = ""
    follow_up_for: str = FollowUpFor.VIP
    valuable_from: Decimal | None = None
    call_within: timedelta = 4 * HOUR
    call_script: Promise | str = ""
