"""Telling: alerts on their way to the staff's chats and mailboxes."""

import smtplib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import F
from django.utils.translation import gettext, override

from customers import clock
from customers.msgid import _
from notifications import secrets
from notifications.choices import AlertChannelKind
from notifications.models import Alert, AlertChannel, AlertNotice
from notifications.providers import bots
from notifications.providers.base import spoken
from notifications.providers.bots import NotTold
from notifications.providers.http import HttpClient, Limits

# Whoever claims notices has so long to send them before somebody else tries.
CLAIM = timedelta(minutes=2)
TRIES = 6
# What nobody could be told for so long is seen on the page of alerts.
STALE = timedelta(hours=12)
AT_ONCE = 20
LIMITS = Limits(connect=3.0, read=5.0, total=10.0, answer=64 * 1024)

UNREADABLE = _("The address was stored under another SECRET_KEY. Enter it again.")
NO_MAIL_SERVER = _("No mail server is set. Have an administrator set EMAIL_URL.")
MAIL_REFUSED = _("The mail server did not take the e-mail. Check EMAIL_URL and the recipients.")


@dataclass(frozen=True)
class Note:
    """A text in a channel's language, with a subject for mailboxes."""

    subject: str
    text: str


def send_due(*, now: datetime, moment: Callable[[], datetime]) -> Counter:
    """Tell each channel, in one text, what waits for it; answers the number of alerts told and not told."""
    total: Counter = Counter()
    for channel in AlertChannel.objects.filter(is_active=True):
        notices = _claim(channel, now)
        if notices:
            total.update(_tell(channel, notices, moment))
    return total


def test(channel: AlertChannel) -> None:
    """Say a sentence in a channel. Raises NotTold."""
    with override(channel.language):
        words = gettext("This is a test from “%(name)s”. Alerts of the shop arrive here.") % {"name": channel.name}
        note = Note(gettext("Test"), words)
    try:
        _say(channel, note)
    except NotTold as trouble:
        AlertChannel.objects.filter(pk=channel.pk).update(problem=str(trouble)[:200])
        raise
    AlertChannel.objects.filter(pk=channel.pk).update(problem="")


def _claim(channel: AlertChannel, now: datetime) -> list[AlertNotice]:
    """Take what waits for a channel; nobody else sends it for the time of the claim."""
    waiting = AlertNotice.objects.filter(
        channel=channel, sent_at=None, send_after__lte=now, tries__lt=TRIES, alert__raised_at__gt=now - STALE
    )
    mine = []
    for notice in waiting.select_related("alert").order_by("id")[:AT_ONCE]:
        still = AlertNotice.objects.filter(pk=notice.pk, sent_at=None, send_after=notice.send_after)
        if still.update(send_after=now + CLAIM, tries=F("tries") + 1):
            mine.append(notice)
    return mine


def _tell(channel: AlertChannel, notices: Sequence[AlertNotice], moment: Callable[[], datetime]) -> Counter:
    mine = AlertNotice.objects.filter(pk__in=[notice.pk for notice in notices])
    try:
        _say(channel, _note(channel, [notice.alert for notice in notices]))
    except NotTold as trouble:
        words = str(trouble)[:200]
        # The first tries come soon; a bot that blocks for ten minutes is asked again after them.
        pause = timedelta(seconds=30 * 2 ** min(notices[0].tries, 5))
        mine.update(problem=words, send_after=moment() + pause)
        AlertChannel.objects.filter(pk=channel.pk).update(problem=words)
        return Counter(not_told=len(notices))
    mine.update(sent_at=moment(), problem="")
    AlertChannel.objects.filter(pk=channel.pk).exclude(problem="").update(problem="")
    return Counter(told=len(notices))


def _note(channel: AlertChannel, alerts: Sequence[Alert]) -> Note:
    """The alerts as one text, each with its link."""
    with override(channel.language):
        lines = []
        for alert in alerts:
            lines.append(f"【{alert.get_kind_display()}】{alert.in_words}")
            if alert.page:
                lines.append(settings.PUBLIC_URL + alert.page)
        subject = alerts[0].get_kind_display()
        if len(alerts) > 1:
            subject = gettext("%(first)s and %(count)d more") % {"first": subject, "count": len(alerts) - 1}
        return Note(subject, "\n".join([gettext("Hongyan needs you:"), *lines]))


def _say(channel: AlertChannel, note: Note) -> None:
    if channel.kind == AlertChannelKind.EMAIL:
        _mail(channel, note)
        return
    try:
        url = secrets.decrypt(channel.encrypted_address)
        secret = secrets.decrypt(channel.encrypted_secret) if channel.encrypted_secret else ""
    except secrets.Unreadable as trouble:
        raise NotTold(UNREADABLE) from trouble
    client = HttpClient(private_hosts=settings.GATEWAY_PRIVATE_HOSTS, limits=LIMITS)
    try:
        # Bots believe a signature for an hour of their own time; the shop's clock may be shifted by months.
        timestamp = clock.real_now().timestamp()
        bots.tell(channel.kind, note.text, url=url, secret=secret, timestamp=timestamp, client=client)
    finally:
        client.close()


def _mail(channel: AlertChannel, note: Note) -> None:
    if not settings.EMAIL_IS_SET:
        raise NotTold(NO_MAIL_SERVER)
    recipients = [address.strip() for address in channel.recipients.replace(";", ",").split(",") if address.strip()]
    try:
        EmailMessage(f"[Hongyan] {note.subject}", note.text, None, recipients, connection=get_connection()).send()
    except (smtplib.SMTPException, OSError) as trouble:
        raise NotTold(MAIL_REFUSED) from trouble


def problem_in_words(channel: AlertChannel) -> str:
    """Why a channel could not be told the last time, in the reader's language."""
    return spoken(channel.problem, gettext=gettext)
