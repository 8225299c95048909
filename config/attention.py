"""What needs a person, each as a sentence with a link."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import reports
from campaigns.services import approvals
from config import second_factor
from customers.choices import ImportStatus
from customers.models import SpreadsheetImport
from notifications.choices import AlertKind, DeliveryStatus, SignatureStatus
from notifications.models import Alert, DeliveryTally, Message, ProviderAccount, Receipt, Reply, Template
from notifications.providers.base import spoken

LOOKS_BACK = timedelta(days=7)
COUNTED_AT_MOST = 10_000
ALERTS_SHOWN = 10


@dataclass(frozen=True)
class Point:
    """One thing to look at: how urgent ("bad" or "warn"), in words, and where."""

    tone: str
    icon: str
    words: str
    link: str


def points(request: HttpRequest, *, now: datetime) -> list[Point]:
    """What this reader can look into, the urgent first."""
    user = request.user
    found: list[Point] = []
    if user.has_perm("notifications.view_alert"):
        found += _alerts()
    if user.has_perm("notifications.view_provideraccount"):
        found += _accounts()
    if user.has_perm("notifications.view_message"):
        found += _messages(now)
    if user.has_perm("notifications.view_receipt"):
        found += _callbacks(now)
    if user.has_perm("notifications.view_reply"):
        found += _replies()
    if user.has_perm("campaigns.view_campaign"):
        found += _campaigns(now)
        found += _approvals()
    if user.has_perm("customers.view_spreadsheetimport"):
        found += _imports(now)
    if user.has_perm("notifications.view_signature"):
        found += _signatures()
    if user.is_superuser and not second_factor.app_of(user):
        words = _("Your account can do everything and is guarded by a password alone. Set up two-step sign-in.")
        found.append(Point("warn", "lock", words, reverse("second_factor_settings")))
    return sorted(found, key=lambda point: point.tone != "bad")


def _alerts() -> list[Point]:
    """What is open and has no line of its own below or above the page."""
    alerts = Alert.objects.open().filter(
        kind__in=[AlertKind.BRAKE, AlertKind.REJECTED_TEXT, AlertKind.GATEWAY, AlertKind.BUDGET]
    )
    shown = alerts.exclude(cause__startswith="account-").exclude(cause__startswith="campaign-")[:ALERTS_SHOWN]
    return [
        Point(
            "bad",
            "notifications_active",
            alert.in_words,
            alert.page or reverse("admin:notifications_alert_changelist"),
        )
        for alert in shown
    ]


def _accounts() -> list[Point]:
    """Accounts that do not send."""
    accounts = list(ProviderAccount.objects.filter(is_active=True))
    if not accounts:
        words = _("No provider account is active: nothing can be sent.")
        return [Point("bad", "cell_tower", words, reverse("admin:notifications_provideraccount_changelist"))]
    return [
        Point(
            "bad",
            "pause_circle",
            _("The account “%(name)s” is paused: %(reason)s")
            % {"name": account, "reason": spoken(account.paused_for, gettext=_)},
            reverse("admin:notifications_provideraccount_change", args=[account.pk]),
        )
        for account in accounts
        if account.paused_for
    ]


def _messages(now: datetime) -> list[Point]:
    """Messages that are paused, and deliveries in doubt."""
    found = []
    paused = Message.objects.filter(paused_at__isnull=False, send_until__gt=now).count()
    if paused:
        words = ngettext("%d message is paused.", "%d messages are paused.", paused) % paused
        link = f"{reverse('admin:notifications_message_changelist')}?condition=paused"
        found.append(Point("warn", "pause_circle", words, link))
    return found + _unknown(now)


def _unknown(now: datetime) -> list[Point]:
    """Deliveries that are being asked for, and those about which nobody can tell anything."""
    recent = Message.objects.filter(send_until__gte=now - LOOKS_BACK).values("id")
    unknown = DeliveryTally.objects.filter(message__in=recent, status=DeliveryStatus.UNKNOWN)
    untold = unknown.filter(reason="cannot_tell").aggregate(total=Sum("count"))["total"] or 0
    asked = unknown.exclude(reason="cannot_tell").aggregate(total=Sum("count"))["total"] or 0
    link = f"{reverse('admin:notifications_delivery_changelist')}?state=unknown"
    found = []
    if untold:
        words = ngettext(
            "Nobody can tell whether %d message went out: decide whether to send it again.",
            "Nobody can tell whether %d messages went out: decide whether to send them again.",
            untold,
        )
        found.append(Point("warn", "help", words % untold, f"{link}&reason=cannot_tell"))
    if asked:
        words = ngettext(
            "The outcome of %d delivery is unknown: the provider is being asked.",
            "The outcome of %d deliveries is unknown: the provider is being asked.",
            asked,
        )
        found.append(Point("warn", "help", words % asked, link))
    return found


def _replies() -> list[Point]:
    """Replies that wait for a person."""
    count = Reply.objects.needing_attention()[:COUNTED_AT_MOST].count()
    if not count:
        return []
    words = ngettext("%d reply waits for a person.", "%d replies wait for a person.", count)
    return [Point("warn", "forum", words % count, reverse("admin:notifications_reply_changelist"))]


def _callbacks(now: datetime) -> list[Point]:
    """Callbacks that were not understood in full."""
    lately = Receipt.objects.filter(received_at__gte=now - LOOKS_BACK).exclude(problem="")
    count = lately[:COUNTED_AT_MOST].count()
    if not count:
        return []
    words = ngettext(
        "%d callback of a provider was not understood in full.",
        "%d callbacks of providers were not understood in full.",
        count,
    )
    link = f"{reverse('admin:notifications_receipt_changelist')}?show=problems"
    return [Point("warn", "webhook", words % count, link)]


def _campaigns(now: datetime) -> list[Point]:
    """Campaigns that missed their time, or cannot start although it has come."""
    return [
        Point(
            "bad",
            "event_busy",
            trouble.sentence,
            reverse("admin:campaigns_campaign_change", args=[trouble.campaign.pk]),
        )
        for trouble in reports.troubles(since=now - LOOKS_BACK)
    ]


def _approvals() -> list[Point]:
    """Scheduled campaigns whose text or signature a provider has taken back."""
    return [
        Point("bad", "approval", flag.words, reverse("admin:campaigns_campaign_live", args=[flag.campaign.pk]))
        for flag in approvals.flagged()
    ]


def _imports(now: datetime) -> list[Point]:
    """Imports that stopped, or wait for somebody to look at them."""
    words = {
        ImportStatus.FAILED: ("bad", _("The import of “%(name)s” stopped by an error.")),
        ImportStatus.UPLOADED: ("warn", _("The file “%(name)s” waits for your review.")),
    }
    recent = SpreadsheetImport.objects.filter(status__in=list(words), created_at__gte=now - LOOKS_BACK).order_by(
        "-id"
    )[:3]
    return [
        Point(
            words[one.status][0],
            "upload_file",
            words[one.status][1] % {"name": one},
            reverse("admin:customers_spreadsheetimport_change", args=[one.pk]),
        )
        for one in recent
    ]


def _signatures() -> list[Point]:
    """Templates in use whose signature carriers would block."""
    blocked = Template.objects.filter(archived_at=None).exclude(signature__status=SignatureStatus.APPROVED).count()
    if not blocked:
        return []
    words = ngettext(
        "%d template has a signature that is not approved.",
        "%d templates have a signature that is not approved.",
        blocked,
    )
    return [Point("warn", "approval", words % blocked, reverse("admin:notifications_signature_changelist"))]
