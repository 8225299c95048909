"""Corrected numbers: the right one takes the wrong one's place, and the one message that did not arrive follows it."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from customers.choices import Channel, FollowUpOutcome
from customers.models import FollowUp
from customers.services import customers, follow_ups
from notifications.models import Delivery, Message
from notifications.services import resending

OF_DELIVERY = re.compile(r"^delivery-([0-9]{1,18})(?:/call-\d+)?$")


@dataclass(frozen=True)
class Corrected:
    """What came of a correction: the message that follows, or why none does."""

    message: Message | None
    obstacle: str


def delivery_of(follow_up: FollowUp) -> Delivery | None:
    """The delivery that a follow-up is about: named by its occasion, or the last text about its order that failed."""
    rows = Delivery.objects.select_related("message", "customer").filter(customer=follow_up.customer_id)
    if named := OF_DELIVERY.match(follow_up.occasion):
        return rows.filter(pk=int(named[1])).first()
    if follow_up.order_id is None:
        return None
    rows = rows.filter(concerns__order=follow_up.order_id, status__in=resending.STATUSES, message__is_test=False)
    return rows.filter(message__channel=Channel.SMS).order_by("-pk").first()


def obstacle(delivery: Delivery | None) -> str:
    """Why nothing follows a corrected number, as a sentence; empty where the message does."""
    if delivery is None:
        return _("No message is known that did not arrive, so none is sent again.")
    if delivery.message.channel != Channel.SMS or delivery.status not in resending.STATUSES:
        return _("The message is not one that can be sent again, so none is.")
    return " ".join(resending.obstacles(delivery.message))


def correct(follow_up: FollowUp, number: str, *, note: str, by: AbstractBaseUser, now: datetime) -> Corrected:
    """
    Finish a follow-up with a corrected number, and send the one message that did not arrive again.

    1. Close the follow-up and put the number in the place of the wrong one, both or neither.
    2. Send that message again, to this customer alone: screened, capped and counted like any other.

    Raises CannotFollowUp or CannotSave, and has changed nothing then. A message that may not follow is no error.
    """
    with transaction.atomic():
        follow_ups.finish(follow_up, FollowUpOutcome.WRONG_NUMBER, note, by, now)
        customers.correct_number(follow_up.customer, number, now=now)
    delivery = delivery_of(follow_up)
    if words := obstacle(delivery):
        return Corrected(None, words)
    try:
        twins = resending.resend(
            [delivery.message], statuses=[delivery.status], delivery_id=delivery.pk, seen=1, by=by, now=now
        )
    except resending.CannotResend as refusal:
        return Corrected(None, str(refusal))
    return Corrected(twins[0], "")
