"""The closed vocabularies of messages and deliveries."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DeliveryStatus(models.TextChoices):
    """The stored states of a delivery; `sending` is read from its submission."""

    QUEUED = "queued", _("Queued")
    SKIPPED = "skipped", _("Not sent")
    CANCELED = "canceled", _("Canceled")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    UNDELIVERED = "undelivered", _("Undelivered")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Outcome unknown")


HANDED_OVER = [DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.UNDELIVERED]


class SubmissionStatus(models.TextChoices):
    """The life of one provider call."""

    QUEUED = "queued", _("Waiting")
    LEASED = "leased", _("Taken by a worker")
    CALLED = "called", _("Handed to the provider")
    SETTLED = "settled", _("Answered")
    LOST = "lost", _("No answer known")
    EMPTY = "empty", _("Nothing left to send")


class CapPolicy(models.TextChoices):
    """What happens to a customer who has had enough messages."""

    SKIP = "skip", _("Leave them out")
    HOLD = "hold", _("Wait until the cap allows it")


class NightPolicy(models.TextChoices):
    """What a message of a class without hard hours does at night."""

    BY_CLASS = "", _("As the quiet hours of its class say")
    SEND = "send", _("Goes out at any hour")
    WAIT = "wait", _("Waits for the morning, as long as it is still of use")


class HeldFor(models.TextChoices):
    """Why a delivery waits beyond its hour."""

    CAP = "cap", _("Frequency cap")
    QUIET_HOURS = "quiet_hours", _("Quiet hours")
    RETRY = "retry", _("Provider asked to try later")
    CANARY = "canary", _("Waits for the receipts of the first part")
    PACE = "pace", _("Waits for its turn: the account sends at a limited pace")
    BUDGET = "budget", _("Daily budget of the account is used up")
    NUMBER = "number", _("The provider's limit for this number")


class CapWindow(models.TextChoices):
    """How a frequency cap counts time."""

    HOURS = "hours", _("Rolling hours")
    DAYS = "days", _("Rolling days of 24 hours")
    CALENDAR_DAY = "calendar_day", _("Calendar day")
    CALENDAR_WEEK = "calendar_week", _("Calendar week from Monday")


class SignatureStatus(models.TextChoices):
    """Whether the carriers have registered an SMS signature."""

    DRAFT = "draft", _("Not submitted")
    PENDING = "pending", _("In review")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")


class GatewayKind(models.TextChoices):
    """Which adapter speaks to a provider account."""

    GENERIC_HTTP = "generic_http", _("JSON over HTTP")
    ALIYUN_SMS = "aliyun_sms", _("Aliyun SMS")
    TENCENT_SMS = "tencent_sms", _("Tencent Cloud SMS")
    SMTP = "smtp", _("Mail server (SMTP)")
    INBOX = "inbox", _("In-app inbox")


# They compose each message themselves, from a text that they have approved and its parameters.
COMPOSING_GATEWAYS = [GatewayKind.ALIYUN_SMS, GatewayKind.TENCENT_SMS]


class RegistrationState(models.TextChoices):
    """How far a text or a signature is with a provider: RegistrationStatus of the adapters, in words."""

    IN_REVIEW = "in_review", _("In review")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    GONE = "gone", _("No longer there")
    UNKNOWN = "unknown", _("Unclear")


class CallbackKind(models.TextChoices):
    """What a provider was told to push to an address; a callback of the other kind is understood as well."""

    RECEIPTS = "receipts", _("Receipts")
    REPLIES = "replies", _("Replies")


class ReplyMeaning(models.TextChoices):
    """What a customer's reply says about further messages, as far as its words tell."""

    OPT_OUT = "opt_out", _("Opt-out")
    SUGGESTION = "suggestion", _("Perhaps an opt-out")
    CONVERSATION = "conversation", _("Conversation")


class ReplyHandling(models.TextChoices):
    """What a member of staff made of a reply."""

    OPTED_OUT = "opted_out", _("Taken as an opt-out")
    NO_OPT_OUT = "no_opt_out", _("No opt-out")
    ANSWERED = "answered", _("Answered")


class StopReason(models.TextChoices):
    """Why nothing at all is handed over."""

    STAFF = "staff", _("Stopped by staff")
    RESTORED = "restored", _("Safe mode: the database looks like a restored backup")


class BrakeKind(models.TextChoices):
    """What made the automatic brake stop a message."""

    ERRORS = "errors", _("Too many calls failed")
    OPT_OUTS = "opt_outs", _("Too many opt-outs")
    COMPLAINTS = "complaints", _("Too many complaints")
    CANARY = "canary", _("The first part did not arrive")


class AlertKind(models.TextChoices):
    """What staff are told of at once."""

    GATEWAY = "gateway_down", _("Gateway down")
    BALANCE = "balance", _("Balance used up")
    BUDGET = "budget", _("Daily budget used up")
    BRAKE = "brake", _("Stopped by the brake")
    REJECTED_TEXT = "rejected_text", _("Text rejected")
    NO_WORKERS = "no_workers", _("No workers")
    MISSED = "missed", _("Campaign missed its time")
    STOPPED = "stopped", _("Everything is stopped")
    SAFE_MODE = "safe_mode", _("Safe mode")
    REMINDER = "reminder", _("A reminder tells staff")


class AlertChannelKind(models.TextChoices):
    """By what staff are told."""

    DINGTALK = "dingtalk", _("DingTalk group bot")
    WECOM = "wecom", _("WeCom group bot")
    FEISHU = "feishu", _("Feishu group bot")
    EMAIL = "email", _("E-mail")
