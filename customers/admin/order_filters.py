"""Filters of the order list; each is answered by one index."""

from datetime import datetime, timedelta

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from customers import clock
from customers.choices import OrderStatus, Platform

UNKNOWN = "unknown"
SPANS = {
    "today": (_("today"), 1),
    "7": (_("in the last 7 days"), 7),
    "30": (_("in the last 30 days"), 30),
    "90": (_("in the last 90 days"), 90),
}


class StatusFilter(SimpleListFilter):
    """How far the order is; the words that are not understood are a status of their own here."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The statuses, first of all those that are not understood."""
        known = [(status.value, status.label) for status in OrderStatus if status]
        return [(UNKNOWN, OrderStatus.UNKNOWN.label), *known]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The orders in it."""
        value = self.value()
        if value == UNKNOWN:
            return queryset.filter(status=OrderStatus.UNKNOWN)
        return queryset.filter(status=value) if value in OrderStatus.values and value else queryset


class PlatformFilter(SimpleListFilter):
    """Where the order was placed."""

    title = _("platform")
    parameter_name = "platform"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The platforms."""
        return list(Platform.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The orders of one platform."""
        return queryset.filter(platform=self.value()) if self.value() in Platform.values else queryset


class OrderedFilter(SimpleListFilter):
    """When the order was placed."""

    title = _("ordered")
    parameter_name = "ordered"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Spans that end today."""
        return [(value, label) for value, (label, _days) in SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The orders of the span, in the shop's days."""
        if self.value() not in SPANS:
            return queryset
        first = clock.shop_date(clock.now()) - timedelta(days=SPANS[self.value()][1] - 1)
        begins = datetime(first.year, first.month, first.day, tzinfo=clock.shop_zone())
        return queryset.filter(ordered_at__gte=begins)
