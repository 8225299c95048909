"""Segments: built by clicking, with the number of people beside the conditions."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import segmentation
from campaigns.admin import people_page
from campaigns.admin.builder import SegmentForm
from campaigns.choices import CampaignStatus
from campaigns.models import Segment
from campaigns.services import segments
from customers import clock


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    """Saved questions whose answer is customers."""

    form = SegmentForm
    list_display = ["name", "in_words", "use_count", "created_by"]
    search_fields = ["name"]
    list_select_related = ["created_by"]
    fieldsets = [
        (None, {"fields": ["name", "conditions", "seen"]}),
        (gettext_lazy("Used by"), {"fields": ["used_by"]}),
    ]
    warn_unsaved_form = True
    actions = None

    class Media:
        js = ["hongyan/campaigns.js"]
        css = {"all": ["hongyan/campaigns.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """Segments with the number of campaigns that use them."""
        return super().get_queryset(request).annotate(used=Count("campaigns"))

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        """Who may only look reads the sentence instead of the builder."""
        may_edit = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return ["used_by"] if may_edit else ["name", "sentence", "used_by"]

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> list:
        """A new segment has no users yet."""
        if obj and not self.has_change_permission(request, obj):
            return [(None, {"fields": ["name", "sentence", "used_by"]})]
        return self.fieldsets if obj else self.fieldsets[:1]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The filter of the customer list that somebody wants to keep."""
        initial = super().get_changeform_initial_data(request)
        initial.pop("from", None)
        conditions, left_out = segmentation.conditions_from(request.GET.get("from", ""))
        for sentence in left_out if request.method == "GET" else []:
            messages.warning(request, sentence)
        return initial | {"conditions": conditions}

    def save_model(self, request: HttpRequest, obj: Segment, form: SegmentForm, change: bool) -> None:
        """Save the segment, and say where the change will be felt."""
        if not change:
            obj.created_by = request.user
        obj.updated_at = clock.now()
        super().save_model(request, obj, form, change)
        waiting = segments.waiting_uses(obj).filter(status=CampaignStatus.SCHEDULED) if change else []
        if "conditions" in form.changed_data and waiting:
            names = ", ".join(campaign.name for campaign in waiting[:5])
            messages.warning(
                request,
                _("Scheduled campaigns ask this segment when they start, and so reach other people now: %(names)s.")
                % {"names": names},
            )

    def get_urls(self) -> list[URLPattern]:
        """The live count and the people, beside the usual pages."""
        guarded = self.admin_site.admin_view
        return [
            path("count/", guarded(require_POST(self.count)), name="campaigns_segment_count"),
            path("people/", guarded(require_GET(self.people)), name="campaigns_segment_people"),
            *super().get_urls(),
        ]

    def count(self, request: HttpRequest) -> HttpResponse:
        """How many people the conditions in the builder hold, as a fragment."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context: dict[str, Any] = {}
        try:
            conditions = segmentation.stored(segmentation.from_json(request.POST.get("conditions")))
            context["sentence"] = segmentation.as_sentence(conditions)
            context["count"] = segmentation.count(segmentation.people(conditions, now=clock.now()))
            query = urlencode({"conditions": json.dumps(conditions, ensure_ascii=False)})
            context["people_url"] = f"{reverse('admin:campaigns_segment_people')}?{query}"
        except segmentation.BadConditions as refusal:
            context["refusal"] = str(refusal)
        return render(request, "admin/campaigns/segment/count.html", context)

    def people(self, request: HttpRequest) -> HttpResponse:
        """The people whom conditions hold."""
        if not (self.has_view_permission(request) and request.user.has_perm("customers.view_customer")):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | {"title": _("People of the segment"), "media": self.media}
        older_than = request.GET.get("older_than", "")
        try:
            conditions = segmentation.stored(segmentation.from_json(request.GET.get("conditions")))
            page = segments.page(
                conditions,
                older_than=int(older_than) if older_than.isdecimal() and len(older_than) < 19 else None,
                now=clock.now(),
            )
            context |= {
                "sentence": segmentation.as_sentence(conditions),
                "rows": people_page.rows(page.people, user=request.user),
                "next_query": urlencode(
                    {"conditions": request.GET.get("conditions", ""), "older_than": page.older_than}
                )
                if page.older_than
                else "",
            }
        except segmentation.BadConditions as refusal:
            context["refusal"] = str(refusal)
        except segmentation.TooSlow:
            context["refusal"] = _(
                "The answer takes too long. Add a condition that narrows the segment, and look again."
            )
        return render(request, "admin/campaigns/people.html", context)

    @display(description=gettext_lazy("Who is in it"))
    def in_words(self, segment: Segment) -> str:
        """The conditions as a sentence."""
        try:
            return segmentation.as_sentence(segment.conditions)
        except segmentation.BadConditions as refusal:
            return str(refusal)

    @display(description=gettext_lazy("Who is in it"))
    def sentence(self, segment: Segment) -> str:
        """The conditions as a sentence, on the page of those who may only look."""
        return self.in_words(segment)

    @display(description=gettext_lazy("Campaigns"), ordering="used")
    def use_count(self, segment: Segment) -> SafeString | str:
        """How many campaigns use it, with a link to them."""
        if not segment.used:
            return "–"
        link = f"{reverse('admin:campaigns_campaign_changelist')}?segment__id__exact={segment.pk}"
        return format_html('<a class="hy-link hy-number" href="{}">{}</a>', link, segment.used)

    @display(description="")
    def used_by(self, segment: Segment) -> SafeString:
        """The campaigns built on it."""
        uses = segments.uses(segment)[:20]
        return render_to_string("admin/campaigns/segment/used_by.html", {"campaigns": uses})
