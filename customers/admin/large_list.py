"""Lists over tables that are too long to be counted or sorted on every click."""

import math
from collections.abc import Sequence

from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from unfold.views import ChangeList

# Ten thousand keys out of an index take 10 ms, counting a million 150 ms and more with every filter.
COUNTED_AT_MOST = 10_000


class BoundedPaginator(Paginator):
    """Pages of a list of which only the first 10,000 matches are counted."""

    template_name = "admin/large_list_pagination.html"

    def __init__(self, *args, is_whole_table: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.is_whole_table = is_whole_table

    @cached_property
    def first_keys(self) -> list[int]:
        """The keys of the first 10,001 matches: one question answers who is on the page and how many there are."""
        return list(self.object_list.values_list("pk", flat=True)[: COUNTED_AT_MOST + 1])

    @property
    def counted(self) -> int:
        """The number of matches, or 10,001 where there are more."""
        return len(self.first_keys)

    @cached_property
    def count(self) -> int:
        """How many matches can be paged through."""
        if self.counted <= COUNTED_AT_MOST:
            return self.counted
        return max(self._estimate(), COUNTED_AT_MOST) if self.is_whole_table else COUNTED_AT_MOST

    @property
    def size(self) -> str:
        """The number of matches in words."""
        names = self.object_list.model._meta
        if self.counted <= COUNTED_AT_MOST:
            name = names.verbose_name if self.counted == 1 else names.verbose_name_plural
            return _("%(count)s %(name)s") % {"count": f"{self.counted:,}", "name": name}
        words = _("About %(count)s %(name)s") if self.is_whole_table else _("More than %(count)s %(name)s")
        return words % {"count": f"{self.count:,}", "name": names.verbose_name_plural}

    def page_of_keys(self, number: int) -> list[int]:
        """The keys of one page; the index alone answers, so that the last page costs little."""
        start = (number - 1) * self.per_page
        end = start + self.per_page
        if end <= self.counted or self.counted <= COUNTED_AT_MOST:
            return self.first_keys[start:end]
        if self.is_whole_table and start > self.count / 2:
            # From the near end: walking past five million keys takes a second.
            nearest = self.object_list.reverse().values_list("pk", flat=True)
            return list(nearest[max(0, self.count - end) : self.count - start])[::-1]
        return list(self.object_list.values_list("pk", flat=True)[start:end])

    def _estimate(self) -> int:
        """What the last ANALYZE of PostgreSQL counted."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
                [self.object_list.model._meta.db_table],
            )
            return cursor.fetchone()[0]


class PartsPaginator(BoundedPaginator):
    """Pages of several queries, read one after the other until 10,000 matches are found."""

    def __init__(self, *args, parts: Sequence[QuerySet], **kwargs):
        super().__init__(*args, **kwargs)
        self.parts = parts

    @cached_property
    def first_keys(self) -> list[int]:
        """The keys of the first 10,001 matches."""
        keys: list[int] = []
        for part in self.parts:
            room = COUNTED_AT_MOST + 1 - len(keys)
            if room <= 0:
                break
            keys += part.values_list("pk", flat=True)[:room]
        return keys


class LargeChangeList(ChangeList):
    """A list that finds the keys of its page first, and reads whole rows for those alone."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page, without counting the table."""
        self.paginator = self.get_paginator(request)
        self.result_count = self.paginator.count
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_count)
        self.can_show_all = False
        self.multi_page = self.result_count > self.list_per_page
        last_page = max(1, math.ceil(self.result_count / self.list_per_page))
        self.page_num = min(max(1, self.page_num), last_page)
        keys = self.paginator.page_of_keys(self.page_num)
        self.result_list = self.model_admin.rows_of_page(request, keys)

    def get_paginator(self, request: HttpRequest) -> BoundedPaginator:
        """The pages of the list."""
        return BoundedPaginator(self.queryset, self.list_per_page, is_whole_table=not self._is_narrowed())

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        """Newest first, whatever the address asks for: every other order would sort the table."""
        return ["-pk"]

    def _is_narrowed(self) -> bool:
        return bool(self.query or self.get_filters_params())


class LargeListMixin:
    """Admin of a table with a million rows: newest first, paged by key, nothing counted."""

    ordering = ["-id"]
    paginator = BoundedPaginator
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        """The list class."""
        return LargeChangeList

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Model]:
        """The rows with these keys, newest first; override it to fetch what the columns show."""
        return list(self.get_queryset(request).filter(pk__in=keys).order_by("-pk"))
