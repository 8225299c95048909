"""Messages: freezing a template, pausing, resuming, canceling, and the test to oneself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, Purpose
from customers.models import Customer
from notifications import personal, rendering
from notifications.choices import CapPolicy, DeliveryStatus, NightPolicy, SignatureStatus, SubmissionStatus
from notifications.models import Delivery, Hold, Message, Submission, Template
from notifications.services import gateways, registrations

TEST_WINDOW = timedelta(minutes=30)


class CannotFreeze(Exception):
    """The template may not be sent; the words say why and what to do."""


@dataclass(frozen=True)
class CancelResult:
    """How many people were spared, and how many the provider already had."""

    canceled: int
    handed_over: int


def check(template: Template) -> None:
    """Raise CannotFreeze unless the template can be sent as it stands."""
    if template.archived_at is not None:
        raise CannotFreeze(_("The template “%s” is archived. Choose another one.") % template)
    if template.channel == Channel.SMS and template.signature.status != SignatureStatus.APPROVED:
        raise CannotFreeze(
            _(
                "The signature %s is not approved. Carriers block unregistered signatures:"
                " register it, then mark it as approved."
            )
            % template.signature
        )
    try:
        rendering.compiled(template)
    except rendering.Refused as refusal:
        words = refusal.sentence(gettext)
        raise CannotFreeze(
            _("The template “%(name)s” cannot be sent: %(words)s") % {"name": template, "words": words}
        ) from refusal
    if words := registrations.why_not(template):
        raise CannotFreeze(words)


def freeze(
    template: Template,
    *,
    name: str,
    price: Decimal,
    cap_policy: str = CapPolicy.SKIP,
    send_after: datetime,
    send_until: datetime,
    by,
    now: datetime,
    is_test: bool = False,
    stop_when: Sequence[str] = (),
    night: str = NightPolicy.BY_CLASS,
) -> Message:
    """Make the message that says what the template says now; raises CannotFreeze."""
    check(template)
    needs_opt_out = template.channel == Channel.SMS and Purpose(template.purpose).needs_consent
    is_letter = template.channel in rendering.LETTER_CHANNELS
    return Message.objects.create(
        template=template,
        template_version=template.version,
        name=name[:120],
        channel=template.channel,
        purpose=template.purpose,
        signature=template.signature.name,
        body=template.body,
        subject=template.subject.strip() if is_letter else "",
        html=template.html if is_letter else "",
        opt_out_wording=template.opt_out_wording if needs_opt_out else "",
        cap_policy=cap_policy,
        is_test=is_test,
        stop_when=list(stop_when),
        night=night,
        price=price,
        send_after=send_after,
        send_until=send_until,
        created_at=now,
        created_by=by,
    )


def pause(message_ids: Sequence[int], *, now: datetime, reason: str = "") -> int:
    """Stop everything of these messages that has not been handed over; answers how many changed."""
    return Message.objects.filter(id__in=message_ids).pause(now, reason=reason)


def resume(message_ids: Sequence[int]) -> int:
    """Let paused messages go on; answers how many changed."""
    return Message.objects.filter(id__in=message_ids).resume()


def cancel(message_ids: Sequence[int], *, now: datetime) -> CancelResult:
    """
    Close messages for good.

    1. Mark the messages: waits for every transaction that is writing `called_at`, and stops the next.
    2. Cancel the deliveries that no called submission carries.
    3. Empty the submissions and holds they leave behind.
    """
    with transaction.atomic():
        Message.objects.filter(id__in=message_ids).cancel(now)
        canceled = _cancel_deliveries(message_ids, now)
        Hold.objects.filter(message_id__in=message_ids).delete()
        Submission.objects.filter(
            message_id__in=message_ids,
            status__in=[SubmissionStatus.QUEUED, SubmissionStatus.LEASED],
        ).update(status=SubmissionStatus.EMPTY, token=None, lease_until=None)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(sum(count), 0) FROM notifications_deliverytally"
                " WHERE message_id = ANY(%s) AND status = ANY(%s)",
                [list(message_ids), ["sent", "delivered", "undelivered", "unknown", "queued"]],
            )
            handed_over = int(cursor.fetchone()[0])
    return CancelResult(canceled=canceled, handed_over=handed_over)


def _cancel_deliveries(message_ids: Sequence[int], now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE notifications_delivery d SET status = %s, reason = 'staff', finished_at = %s
            WHERE d.message_id = ANY(%s) AND d.finished_at IS NULL AND d.reason = '' AND d.status = %s AND NOT EXISTS (
                SELECT FROM notifications_submission s
                WHERE s.id = d.submission_id AND s.called_at IS NOT NULL
            )
            """,
            [DeliveryStatus.CANCELED, now, list(message_ids), DeliveryStatus.QUEUED],
        )
        return cursor.rowcount


def send_test(template: Template, *, number: str, customer: Customer | None, by, now: datetime) -> Message:
    """
    Send a template to a staff member's own number, with a customer's values or else the examples.

    The message is marked as a test: no consent, caps or quiet hours apply to it and no statistics
    count it. Raises CannotFreeze.
    """
    account = gateways.account_for(template.channel)
    values = {key: variable.example for key, variable in rendering.VARIABLES.items()}
    if customer is not None:
        values |= personal.values_for([customer.pk], channel=template.channel, variables=rendering.OF_CUSTOMER)[
            customer.pk
        ]
    values["shop"] = template.signature.name
    with transaction.atomic():
        message = freeze(
            template,
            name=gettext("Test: %s") % template.name,
            price=account.price if account else Decimal(0),
            send_after=now,
            send_until=now + TEST_WINDOW,
            by=by,
            now=now,
            is_test=True,
        )
        submission = Submission.objects.create(
            message=message, queue=Purpose.TRANSACTIONAL.queue, send_after=now, size=1
        )
        Delivery.objects.create(
            message=message,
            occasion=f"test-{message.pk}",
            address=number,
            submission=submission,
            values=values,
            created_at=now,
        )
    return message
