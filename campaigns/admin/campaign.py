"""Campaigns: the list, the form, and the way to review, start and watch them."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns.admin import live, results_export, review, words
from campaigns.admin.campaign_form import CampaignForm, VariantInline
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign
from notifications.choices import DeliveryStatus
from notifications.models import DeliveryTally

BAR = [
    DeliveryStatus.DELIVERED,
    DeliveryStatus.SENT,
    DeliveryStatus.QUEUED,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.UNDELIVERED,
    DeliveryStatus.FAILED,
    DeliveryStatus.SKIPPED,
    DeliveryStatus.CANCELED,
]


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    """Campaigns, from draft to finish."""

    form = CampaignForm
    inlines = [VariantInline]
    list_display = ["name", "state", "segment_name", "when", "results"]
    list_filter = ["status", "segment"]
    list_filter_sheet = True
    list_select_related = ["segment"]
    search_fields = ["name"]
    ordering = ["-id"]
    actions = None
    warn_unsaved_form = True
    conditional_fields = {
        "planned_for": "timing == 'at'",
        "holiday": "timing == 'holiday'",
        "holiday_time": "timing == 'holiday'",
    }
    fieldsets = [
        (None, {"fields": ["name", ("segment", "channel"), "version"]}),
        (
            gettext_lazy("Sending time"),
            {
                "fields": [
                    "timing",
                    "planned_for",
                    "holiday",
                    "holiday_time",
                    ("valid_hours", "cap_policy"),
                    "has_canary",
                ]
            },
        ),
    ]

    class Media:
        js = ["hongyan/campaigns.js"]
        css = {"all": ["hongyan/campaigns.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Campaigns with whether they are paused, and their sums by status."""
        sums = {}
        for status in BAR:
            tally = DeliveryTally.objects.filter(message__variant__campaign=OuterRef("pk"), status=status)
            grouped = tally.order_by().values("message__variant__campaign").annotate(total=Sum("count"))
            sums[f"sum_{status}"] = Subquery(grouped.values("total"))
        return super().get_queryset(request).with_pause().annotate(**sums)

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Only drafts are edited."""
        return super().has_change_permission(request, obj) and (obj is None or obj.status == CampaignStatus.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Only drafts are deleted; what was sent is evidence."""
        return super().has_delete_permission(request, obj) and obj is not None and obj.status == CampaignStatus.DRAFT

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """The form of a draft; everything else is watched, not edited."""
        campaign = self.get_object(request, object_id) if str(object_id).isdigit() else None
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, form_url, extra_context)
        is_draft = campaign.status == CampaignStatus.DRAFT
        if request.method == "GET" and not self.has_change_permission(request, campaign):
            return redirect(f"admin:campaigns_campaign_{'review' if is_draft else 'live'}", campaign.pk)
        if request.method == "POST" and not is_draft and self.has_change_permission(request):
            # A tab that was open while somebody else scheduled it: say so instead of a bare 403.
            messages.error(
                request,
                _("The campaign is “%(status)s” by now and cannot be edited. Nothing of this page was saved.")
                % {"status": campaign.get_status_display()},
            )
            return redirect("admin:campaigns_campaign_live", campaign.pk)
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict, **options) -> HttpResponse:
        """The form without the button for a second draft: what follows is the review."""
        return super().render_change_form(request, context | {"show_save_and_add_another": False}, **options)

    def save_model(self, request: HttpRequest, obj: Campaign, form: CampaignForm, change: bool) -> None:
        """Save the draft under its next number, by which a stale page is known."""
        if change:
            obj.version += 1
            obj.save(update_fields=[*CampaignForm.Meta.fields, "version"])
        else:
            obj.created_by = request.user
            super().save_model(request, obj, form, change)

    def response_post_save_add(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """A new draft is looked at before it is committed."""
        return redirect("admin:campaigns_campaign_review", obj.pk)

    def response_post_save_change(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """A changed draft is looked at again."""
        return redirect("admin:campaigns_campaign_review", obj.pk)

    def get_urls(self) -> list[URLPattern]:
        """Review, live page and the acts on them, beside the usual pages."""
        return [
            path(
                f"<int:campaign_id>/{address}",
                self.admin_site.admin_view(self._bound(view)),
                name=f"campaigns_campaign_{name}",
            )
            for address, name, view in [*review.VIEWS, *live.VIEWS, *results_export.VIEWS]
        ] + super().get_urls()

    def _bound(self, view: Callable) -> Callable:
        """A view that knows this admin: its site, its permissions and its stylesheet."""

        def bound(request: HttpRequest, campaign_id: int, **kwargs) -> HttpResponse:
            return view(request, self, campaign_id, **kwargs)

        return bound

    @display(description=gettext_lazy("Status"), ordering="status")
    def state(self, campaign: Campaign) -> SafeString:
        """The status with its color; a stopped campaign says so."""
        return words.pill(campaign)

    @display(description=gettext_lazy("Segment"), ordering="segment__name")
    def segment_name(self, campaign: Campaign) -> SafeString:
        """The segment, with a link to it."""
        link = reverse("admin:campaigns_segment_change", args=[campaign.segment_id])
        return format_html('<a class="hy-link" href="{}">{}</a>', link, campaign.segment)

    @display(description=gettext_lazy("Sending time"), ordering="scheduled_for")
    def when(self, campaign: Campaign) -> str:
        """When it went out, will go out, or is planned to."""
        return words.when(campaign)

    @display(description=gettext_lazy("Results"))
    def results(self, campaign: Campaign) -> SafeString:
        """The parts of its audience as a bar, with its size."""
        parts = [
            (status.value, status.label, count)
            for status in BAR
            if (count := getattr(campaign, f"sum_{status}", 0) or 0)
        ]
        context = {"parts": parts, "total": sum(count for _state, _label, count in parts)}
        return SafeString(render_to_string("admin/campaigns/campaign/small_bar.html", context))
