"""The notifications app's models, in reading order."""

from notifications.models.provider_account import ProviderAccount
from notifications.models.account_gauge import AccountGauge, HealthChange
from notifications.models.template import Signature, Template
from notifications.models.registered_text import RegisteredSignature, RegisteredText
from notifications.models.message import Message
from notifications.models.submission import Submission
from notifications.models.delivery import Delivery, DeliveryTally, Hold
from notifications.models.concern import Concern
from notifications.models.inbox_item import InboxItem
from notifications.models.receipt import Receipt
from notifications.models.reply import Reply
from notifications.models.policy import FrequencyCap, QuietHours, RecentSends
from notifications.models.heartbeat import Heartbeat
from notifications.models.sending_switch import DatabaseIdentity, SendingSwitch
from notifications.models.brake import BrakePull, BrakeRule
from notifications.models.alert import Alert, AlertChannel, AlertNotice

__all__ = [
    "AccountGauge",
    "Alert",
    "AlertChannel",
    "AlertNotice",
    "BrakePull",
    "BrakeRule",
    "Concern",
    "DatabaseIdentity",
    "Delivery",
    "DeliveryTally",
    "FrequencyCap",
    "HealthChange",
    "Heartbeat",
    "Hold",
    "InboxItem",
    "Message",
    "ProviderAccount",
    "QuietHours",
    "Receipt",
    "RecentSends",
    "RegisteredSignature",
    "RegisteredText",
    "Reply",
    "SendingSwitch",
    "Signature",
    "Submission",
    "Template",
]
