"""Tiers: their thresholds, and computing who is on which, with a look at what moves before."""

from decimal import Decimal

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST
from unfold.decorators import display

from customers import clock, doorbell
from customers.admin import audit
from customers.admin.lists import GroupingAdmin
from customers.models import Customer, Tier
from customers.services import tiers

# More are computed by a worker, so that nobody waits in front of a page.
COMPUTED_AT_ONCE = 50_000


class TierForm(forms.ModelForm):
    """A tier's thresholds; who reaches one of them is in."""

    class Meta:
        model = Tier
        fields = ["name", "rank", "is_vip", "minimum_spending", "minimum_orders", "within_days"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "minimum_spending" in self.fields:
            self.fields["minimum_spending"].validators.append(MinValueValidator(Decimal(0)))
            self.fields["minimum_spending"].help_text = _(
                "In yuan, refunds subtracted. Who reaches the spending or the number of orders is in; leave both "
                "empty and staff alone give this tier."
            )
            self.fields["rank"].help_text = _("Of several tiers that a customer reaches, the highest rank counts.")
            self.fields["within_days"].validators.append(
                MinValueValidator(1, _("At least one day has to count. Enter 365 for a year."))
            )


@admin.register(Tier)
class TierAdmin(GroupingAdmin):
    """The shop's tiers, from the highest to the lowest."""

    form = TierForm
    list_display = ["name", "rank", "thresholds", "vip", "people"]
    ordering = ["-rank", "name"]
    question = "tier"
    list_before_template = "admin/customers/tier/compute_bar.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> TemplateResponse:
        """The tiers, with the way to compute who is on them."""
        extra = {
            "may_compute": self.has_change_permission(request),
            "can_compute": tiers.computed(),
            "has_tiers": Tier.objects.exists(),
            "customer_count": Customer.objects.present().count(),
        }
        return super().changelist_view(request, extra | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        """Computing, and the three tiers to begin with, beside the usual pages."""
        compute = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.compute))
        starters = self.admin_site.admin_view(require_POST(self.starters))
        return [
            path("compute/", compute, name="customers_tier_compute"),
            path("starters/", starters, name="customers_tier_starters"),
            *super().get_urls(),
        ]

    def compute(self, request: HttpRequest) -> HttpResponse:
        """Show how many customers would move where; move them when somebody confirms."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if not tiers.computed():
            messages.info(request, _("No tier has a threshold yet. Enter a spending or a number of orders first."))
            return redirect("admin:customers_tier_changelist")
        if request.method == "POST":
            return self._compute(request)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Compute tiers"),
            "opts": self.opts,
            "forecast": tiers.foresee(now=clock.now()),
        }
        return render(request, "admin/customers/tier/compute.html", context)

    def _compute(self, request: HttpRequest) -> HttpResponse:
        audit.record_for_all(request, gettext("Computed the tiers."), model=Tier)
        if Customer.objects.count() <= COMPUTED_AT_ONCE:
            moved = tiers.recompute(now=clock.now()).total()
            words = ngettext("%(count)s customer moved.", "%(count)s customers moved.", moved)
            messages.success(request, words % {"count": f"{moved:,}"})
        elif doorbell.ring("customers.jobs.recompute_tiers", queue="default", at_once=1):
            messages.success(request, _("The tiers are being computed; it takes about a minute."))
        else:
            messages.warning(request, _("The queue does not answer. The tiers are computed in the night as ever."))
        return redirect("admin:customers_tier_changelist")

    def starters(self, request: HttpRequest) -> HttpResponse:
        """Make the three tiers that most shops begin with."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            made = tiers.offer_starters()
        except tiers.CannotOffer as refusal:
            messages.warning(request, str(refusal))
        else:
            for tier in made:
                self.log_addition(request, tier, gettext("Made as one of the tiers to begin with."))
            messages.success(request, _("Three tiers are made. Look at their thresholds, then compute."))
        return redirect("admin:customers_tier_changelist")

    @display(description=_("who is in"))
    def thresholds(self, tier: Tier) -> str:
        """The thresholds as a sentence."""
        spent, orders = tier.minimum_spending, tier.minimum_orders
        words = {"amount": f"{spent or 0:,.0f}", "days": f"{tier.within_days:,}"}
        if orders is not None:
            words["orders"] = ngettext("%(count)s order", "%(count)s orders", orders) % {"count": f"{orders:,}"}
        if spent is not None and orders is not None:
            return gettext("¥%(amount)s spent or %(orders)s within %(days)s days") % words
        if spent is not None:
            return gettext("¥%(amount)s spent within %(days)s days") % words
        if orders is not None:
            return gettext("%(orders)s within %(days)s days") % words
        return gettext("whom staff choose")

    @display(description="", label=True)
    def vip(self, tier: Tier) -> str:
        """Whether a person calls them when something goes wrong."""
        return gettext("VIP") if tier.is_vip else ""
