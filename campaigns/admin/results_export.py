"""The results of a campaign as a workbook: a sheet that sums up, and a sheet with everybody it was meant for."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from campaigns.admin import review, waterfall
from campaigns.models import Campaign, Variant
from customers import clock
from customers.admin import audit
from customers.admin.list_export import Wanted, answer
from customers.choices import ExportFormat
from customers.services import exports
from notifications import screening
from notifications.admin.delivery_export import DeliveryResource
from notifications.admin.states import STATES
from notifications.models import Delivery, Message
from notifications.services.progress import Progress, progress

Line = Sequence[object]


class ResultResource(DeliveryResource):
    """The people of one campaign, each with the text that was meant for them."""

    def __init__(self, *, shows_addresses: bool = False):
        super().__init__(shows_addresses=shows_addresses)
        self._texts: dict[int, str] = {}

    def message_head(self) -> str:
        """The head of the column that says which text it was."""
        return _("Text")

    def message_words(self, message: Message) -> str:
        """The template behind the message."""
        if message.pk not in self._texts:
            variant = Variant.objects.select_related("template").filter(message=message).first()
            self._texts[message.pk] = str(variant or message)
        return self._texts[message.pk]


@require_POST
def export(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """The workbook of one campaign: at once, or by a worker where it reached many."""
    if not request.user.has_perm(RESULTS.permission):
        audit.refuse(request, _("Tried to export without the permission."), model=Campaign, key=campaign_id)
    campaign = review.find(admin, request, campaign_id)
    question = f"campaign={campaign.pk}"
    keys = list(_asked(question, request.user).values_list("pk", flat=True)[: exports.AT_ONCE + 1])
    if not keys:
        messages.warning(request, _("Nobody was written to yet, so there are no results."))
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    wanted = Wanted(
        kind=RESULTS,
        model=Campaign,
        file_format=ExportFormat.XLSX,
        question=question,
        described=f"{campaign._meta.verbose_name}: {campaign}",
        keys=keys,
        back=reverse("admin:campaigns_campaign_live", args=[campaign.pk]),
        key=campaign.pk,
    )
    return answer(request, wanted)


def _campaign(question: str) -> Campaign:
    return Campaign.objects.select_related("segment").get(pk=QueryDict(question)["campaign"])


def _asked(question: str, person: AbstractBaseUser) -> QuerySet[Delivery]:
    return Delivery.objects.filter(message__in=_campaign(question).message_ids).order_by("message_id", "id")


def _sheets(question: str) -> Iterator[tuple[str, Iterator[Line]]]:
    campaign = _campaign(question)
    yield _("Summary"), _summary(campaign, now=clock.now())


def _summary(campaign: Campaign, *, now: datetime) -> Iterator[Line]:
    """The campaign, what was reviewed, what became of it by state and reason, and each text by itself."""
    yield _("Campaign"), campaign.name
    yield _("Segment"), str(campaign.segment)
    yield _("Channel"), campaign.get_channel_display()
    yield _("Status"), campaign.get_status_display()
    for words, moment in (
        (_("Scheduled for"), campaign.scheduled_for),
        (_("Launched at"), campaign.launched_at),
        (_("Finished at"), campaign.finished_at),
        (_("Numbers as of"), now),
    ):
        yield words, localtime(moment).replace(tzinfo=None) if moment else None
    if campaign.estimate:
        yield ()
        yield _("What was reviewed"), _("People"), _("Billed SMS"), _("Cost (yuan)")
        for row in waterfall.rows(campaign.estimate):
            yield row.label, row.count, row.segments or None, row.cost or None
    found = progress(campaign.message_ids, now=now)
    yield ()
    yield from _outcomes(found)
    yield ()
    yield from _by_text(campaign, found, now)


def _outcomes(found: Progress) -> Iterator[Line]:
    yield _("State"), _("Reason"), _("People"), _("Billed SMS"), _("Cost (yuan)")
    for part in found.parts:
        reason = str(screening.label_of(part.reason)) if part.reason and part.state != "held" else ""
        yield str(STATES[part.state]), reason, part.count, part.segments or None, part.cost or None
    segments = sum(part.segments for part in found.parts)
    yield _("Altogether"), "", found.total, segments or None, found.cost or None


def _by_text(campaign: Campaign, found: Progress, now: datetime) -> Iterator[Line]:
    """One line per text, one column per state that anybody is in."""
    states = [state for state in STATES if found.count(state)]
    yield _("Text"), _("Share in percent"), *(str(STATES[state]) for state in states), _("People"), _("Cost (yuan)")
    for variant in campaign.variants.select_related("template"):
        theirs = progress([variant.message_id] if variant.message_id else [], now=now)
        counts = (theirs.count(state) or None for state in states)
        yield str(variant.template), variant.share, *counts, theirs.total, theirs.cost or None


RESULTS = exports.KINDS.add(
    exports.Kind(
        key="campaign_results",
        label=gettext_lazy("Campaign results"),
        permission="campaigns.export_campaign",
        asked=_asked,
        resource=ResultResource,
        formats=(ExportFormat.XLSX,),
        sheets_before=_sheets,
        sheet_name=gettext_lazy("People"),
    )
)
VIEWS = [("export/", "export", export)]
