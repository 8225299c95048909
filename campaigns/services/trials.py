"""Trials: a campaign's text sent to a staff member's own phone."""

from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import segmentation
from campaigns.models import Campaign
from campaigns.services import audiences
from customers import phone
from customers.choices import Channel
from notifications.models import Message, Template
from notifications.providers.mail_letters import BadAddress, checked_address
from notifications.services import gateways, messages

LIMIT_PER_HOUR = 10


class CannotTest(Exception):
    """The test cannot be sent; the text says why and what to do."""


def send(campaign: Campaign, template: Template, *, number: str, by, now: datetime) -> Message:
    """
    Send one text of a campaign to a staff number, as the first customer of its segment would read it.

    Marked as a test, outside caps and statistics, ten an hour for each person. Raises CannotTest.
    """
    address = _number(campaign.channel, number)
    if not gateways.account_for(campaign.channel):
        raise CannotTest(
            _("No provider account is active for %(channel)s. Activate one under provider accounts.")
            % {"channel": campaign.get_channel_display()}
        )
    with transaction.atomic():
        # Locked, so that ten clicks at once are counted one after the other.
        get_user_model().objects.select_for_update().get(pk=by.pk)
        if sent_lately(by, now=now) >= LIMIT_PER_HOUR:
            raise CannotTest(
                _("You have sent %(limit)d tests within an hour. Wait a while before the next one.")
                % {"limit": LIMIT_PER_HOUR}
            )
        try:
            return messages.send_test(template, number=address, customer=_somebody(campaign, now), by=by, now=now)
        except messages.CannotFreeze as refusal:
            raise CannotTest(str(refusal)) from refusal


def sent_lately(user, *, now: datetime) -> int:
    """How many tests a person sent within the last hour."""
    return Message.objects.filter(is_test=True, created_by=user, created_at__gt=now - timedelta(hours=1)).count()


def _number(channel: str, number: str) -> str:
    if channel == Channel.INBOX:
        raise CannotTest(_("An inbox belongs to a customer, so there is none to test with. Look at the preview."))
    if channel not in (Channel.SMS, Channel.VOICE):
        try:
            return checked_address(number).lower()
        except BadAddress as refusal:
            raise CannotTest(_("Write an e-mail address to which the test is sent.")) from refusal
    understood = phone.normalize(number[:60])
    if not understood.number:
        raise CannotTest(_("“%(number)s” is not a mobile number. Write its eleven digits.") % {"number": number[:30]})
    return understood.number


def _somebody(campaign: Campaign, now: datetime):
    """The first customer of the segment, whose values fill the text; None if there is nobody."""
    try:
        return audiences.people(campaign, now=now).order_by("pk").first()
    except segmentation.BadConditions:
        return None
