"""What lists and pages say about a call: its detail, who has it, what to say, and how much waits."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.choices import FollowUpReason, FollowUpStatus
from customers.models import FollowUp
from notifications import screening
from notifications.admin import follow_up_filters, states

# What to say where nobody wrote anything else; %(name)s is how the customer is called.
SCRIPTS = {
    FollowUpReason.ORDER_EXCEPTION: gettext_lazy(
        "Hello, is this %(name)s? I am calling about your order %(order)s. Something went wrong with it, and I am "
        "sorry for that. Say what happened and what you offer, ask what they would like, and repeat at the end what "
        "happens next and until when."
    ),
    FollowUpReason.HIGH_VALUE: gettext_lazy(
        "Hello, is this %(name)s? Your order %(order)s was canceled, and I wanted to tell you myself. Explain why, "
        "say when the money is back, and offer the same goods or something as good."
    ),
    FollowUpReason.UNDELIVERED: gettext_lazy(
        "Hello, is this %(name)s? We sent you a message that did not arrive. Read it to them, and ask whether they "
        "receive text messages on this number."
    ),
    FollowUpReason.BAD_ADDRESS: gettext_lazy(
        "The number we have does not receive messages. Try it once; where it is wrong, ask for the right one by the "
        "platform's chat, and enter it below: the message that did not arrive follows at once."
    ),
    FollowUpReason.QUESTION: gettext_lazy(
        "Hello, is this %(name)s? You wrote to us. Answer the question; what you cannot answer you find out, and say "
        "when you call again."
    ),
    FollowUpReason.HELD_TOO_LONG: gettext_lazy(
        "Hello, is this %(name)s? We meant to write to you, and the message was not sent in time. Tell them what it "
        "said, as far as it still matters."
    ),
    FollowUpReason.REMINDER: gettext_lazy(
        "Hello, is this %(name)s? I am calling about your order %(order)s. Ask how you can help."
    ),
    FollowUpReason.STAFF: gettext_lazy("Hello, is this %(name)s? Say who you are and what you are calling about."),
}


def script(follow_up: FollowUp) -> str:
    """What to say: the rule's own words, or those that fit the reason."""
    if follow_up.script:
        return follow_up.script
    order = follow_up.order.number if follow_up.order else ""
    return SCRIPTS[FollowUpReason(follow_up.reason)] % {"name": str(follow_up.customer), "order": order}


def detail(follow_up: FollowUp, user: AbstractBaseUser) -> str:
    """What happened, in the reader's language and as far as they may see it."""
    if follow_up.occasion.startswith("delivery-") and follow_up.detail:
        return str(screening.label_of(follow_up.detail))
    return states.shown_text(follow_up.detail, user=user)


def choices(shown: Sequence[tuple], chosen: str, *, user: AbstractBaseUser, now: datetime) -> list[dict]:
    """The parts of the list, each with how many calls wait in it; one question for all."""
    waiting = FollowUp.objects.open().aggregate(
        **{
            "todo": Count("pk"),
            follow_up_filters.MINE: Count("pk", filter=Q(owner=user)),
            follow_up_filters.UNASSIGNED: Count("pk", filter=Q(owner=None)),
            follow_up_filters.OVERDUE: Count("pk", filter=Q(due_at__lt=now)),
        }
    )
    return [
        {
            "query": f"show={value}" if value else "",
            "label": label,
            "count": waiting.get(value or "todo"),
            "is_shown": value == chosen,
            "is_late": value == follow_up_filters.OVERDUE and waiting[value] > 0,
        }
        for value, label in shown
    ]


def owner(follow_up: FollowUp, request: HttpRequest, *, may_work: bool) -> SafeString | str:
    """Who has a call, or the button to take it."""
    if follow_up.owner_id is None and follow_up.status == FollowUpStatus.OPEN and may_work:
        return taken(follow_up, request, "")
    if follow_up.owner_id is None:
        return _("Nobody")
    return _("You") if follow_up.owner_id == request.user.pk else follow_up.owner.get_username()


def taken(follow_up: FollowUp, request: HttpRequest, refusal: str) -> SafeString:
    """The cell of a row in which it is taken: the button, or who has it; with what went wrong, if anything did."""
    context = {"follow_up": follow_up, "refusal": refusal, "is_mine": follow_up.owner_id == request.user.pk}
    return render_to_string("admin/customers/followup/taken.html", context, request)
