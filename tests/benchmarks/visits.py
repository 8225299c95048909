"""Every page worth visiting: all lists with each filter, search and far page, and the pages behind them."""

import html
import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple
from urllib.parse import unquote, urlencode

from django.contrib import admin
from django.contrib.admin import BooleanFieldListFilter, ChoicesFieldListFilter, ListFilter, ModelAdmin
from django.db.models import Max
from django.test import Client
from django.urls import NoReverseMatch, reverse

from campaigns import segmentation
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Segment
from customers.admin.large_list import LargeListMixin
from customers.choices import RowOutcome
from customers.models import Customer, SpreadsheetImport
from notifications.models import Delivery, Message
from tests.benchmarks import texts

FAR = 10**6
# So many answers of one filter are tried.
MOST_VALUES = 12
# The last page that a narrowed list of more than 10,000 matches offers.
LAST_NARROWED = 200
PEOPLE_SEARCHES = ("赵", "赵娜", "赵娜娜", "nobody", "13000004999", "4999", "C4999", "customer3@example.com")
SEARCHES = {"customer": PEOPLE_SEARCHES, "delivery": PEOPLE_SEARCHES, "suppression": ("13000000077", "nobody@x.cn")}
LINK = re.compile(r'href="(/admin/[^"#]*)"')
# Filters whose answers no menu lists.
TYPED = {"city": ("杭州", "城市0", "nowhere")}
COMBINED = {
    "customer": (
        "q=赵&tier=1",
        "q=赵&consent=sms.marketing.withdrawn",
        "tag=13&consent=sms.marketing.never&last_contact=never",
        "city=城市0&tier=4&birth_month=2",
        "q=4999&tier=2",
    )
}


class Visit(NamedTuple):
    """A page to ask for; one that is heavy by nature is shown, and held to no limit."""

    name: str
    path: str
    posted: dict | None = None
    is_heavy: bool = False


def all_of(client: Client) -> Iterator[Visit]:
    """Every visit, as far as the person may see the page."""
    yield Visit("dashboard", reverse("admin:index"))
    yield Visit("system status", reverse("system_status"))
    yield from _links_on(client, "dashboard", reverse("admin:index"))
    for model, model_admin in admin.site._registry.items():
        yield from _visits_of(client, model._meta.model_name, model_admin)
    yield from _campaign_pages(client)
    yield from _import_pages(client)
    yield from _other_pages()


def _visits_of(client: Client, name: str, model_admin: ModelAdmin) -> Iterator[Visit]:
    """The list of a model, and the pages of adding and changing one."""
    prefix = f"admin:{model_admin.opts.app_label}_{name}"
    try:
        address = reverse(f"{prefix}_changelist")
    except NoReverseMatch:
        return
    answer = client.get(address)
    if answer.status_code != 200 or "cl" not in (getattr(answer, "context_data", None) or {}):
        return
    for query in _queries(name, model_admin, answer.context_data["cl"].filter_specs):
        yield Visit(f"{name} list {unquote(query)}".strip(), f"{address}?{query}" if query else address)
    yield Visit(f"{name} add", reverse(f"{prefix}_add"))
    newest = model_admin.model._default_manager.aggregate(newest=Max("pk"))["newest"]
    if newest is not None:
        yield Visit(f"{name} page", reverse(f"{prefix}_change", args=[newest]))


def _queries(name: str, model_admin: ModelAdmin, filters: list[ListFilter]) -> Iterator[str]:
    """Everything that can be asked of one list."""
    is_large = isinstance(model_admin, LargeListMixin)
    yield ""
    if is_large:
        yield "p=2"
        yield f"p={FAR}"
    if model_admin.search_fields:
        for term in SEARCHES.get(name, ("1", "nobody")):
            yield f"q={term}"
    answers = {parameter: _some(values) for parameter, values in map(_answers, filters) if values}
    for parameter, values in answers.items():
        for value in values:
            yield _query({parameter: value})
        if is_large:
            yield _query({parameter: values[0], "p": LAST_NARROWED})
    if is_large:
        for first, second in combinations(answers, 2):
            yield _query({first: answers[first][0], second: answers[second][0]})
            yield _query({first: answers[first][-1], second: answers[second][-1]})
        for parameter, values in answers.items():
            yield _query({"q": SEARCHES.get(name, ("1",))[0], parameter: values[0]})
    yield from COMBINED.get(name, ())


def _answers(spec: ListFilter) -> tuple[str, list[str]]:
    """The parameter of a filter and the values that its menu offers."""
    parameter = getattr(spec, "parameter_name", None) or getattr(spec, "lookup_kwarg", "")
    if parameter in TYPED:
        return parameter, list(TYPED[parameter])
    if isinstance(spec, ChoicesFieldListFilter):
        return parameter, [str(value) for value, _label in spec.field.flatchoices if value != ""]
    if isinstance(spec, BooleanFieldListFilter):
        return parameter, ["0", "1"]
    found: list[str] = []
    for value, label in getattr(spec, "lookup_choices", ()):
        # A group of the menu: its name, then its answers.
        found += [str(each) for each, _words in label] if isinstance(label, list | tuple) else [str(value)]
    return parameter, found


def _some(values: list[str]) -> list[str]:
    """All of a few; of many the first, the last and some between."""
    step = -(-len(values) // MOST_VALUES)
    return list(dict.fromkeys([*values[::step], values[-1]]))


def _query(parameters: dict) -> str:
    return urlencode(parameters, safe=",:")


def _links_on(client: Client, name: str, address: str) -> Iterator[Visit]:
    """The lists that the numbers on a page lead to."""
    found = LINK.findall(client.get(address).content.decode())
    for link in sorted({html.unescape(each) for each in found if "?" in each}):
        yield Visit(f"{name} → {unquote(link.removeprefix('/admin/'))}", link)


def _campaign_pages(client: Client) -> Iterator[Visit]:
    """The live pages in every state, and the waterfall, which screens the whole audience."""
    for status in (CampaignStatus.RUNNING, CampaignStatus.FINISHED, CampaignStatus.CANCELED, CampaignStatus.SCHEDULED):
        campaign = Campaign.objects.filter(status=status).order_by("id").last()
        for page in ("live", "live_now"):
            yield Visit(f"campaign {page} ({status})", reverse(f"admin:campaigns_campaign_{page}", args=[campaign.pk]))
        yield from _links_on(client, f"live ({status})", reverse("admin:campaigns_campaign_live", args=[campaign.pk]))
    for campaign in Campaign.objects.filter(status=CampaignStatus.DRAFT):
        yield Visit(f"review: {campaign}", reverse("admin:campaigns_campaign_review", args=[campaign.pk]))
        waterfall = reverse("admin:campaigns_campaign_review_now", args=[campaign.pk])
        yield Visit(f"waterfall: {campaign}", waterfall, is_heavy=True)
        for code in ("matched", "will_send", "no_consent", "over_cap"):
            address = reverse("admin:campaigns_campaign_people", args=[campaign.pk, code])
            yield Visit(f"people of the waterfall: {campaign}, {code}", address, is_heavy=True)


def _import_pages(client: Client) -> Iterator[Visit]:
    """The result of a large file, and the rows behind its numbers."""
    imported = SpreadsheetImport.objects.order_by("-pk").first()
    result = reverse("admin:customers_spreadsheetimport_change", args=[imported.pk])
    rows = reverse("admin:customers_importedrow_changelist")
    yield from _links_on(client, "import result", result)
    yield Visit("rows of a file, far", f"{rows}?spreadsheet_import={imported.pk}&p={FAR}")
    for outcome in RowOutcome:
        yield Visit(f"rows of a file, {outcome}", f"{rows}?spreadsheet_import={imported.pk}&outcome={outcome}")


def _other_pages() -> Iterator[Visit]:
    """Fragments and pages that no list leads to by itself."""
    busiest = Delivery.objects.filter(message=Message.objects.order_by("-id").first(), status="sent").first()
    customer = busiest.customer_id if busiest else Customer.objects.first().pk
    yield Visit("customer page, much sent", reverse("admin:customers_customer_change", args=[customer]))
    yield Visit("customer's messages", reverse("admin:notifications_customer_deliveries", args=[customer]))
    for segment in Segment.objects.order_by("id"):
        conditions = json.dumps(segment.conditions, ensure_ascii=False)
        words = segmentation.as_sentence(segment.conditions)
        count, people = reverse("admin:campaigns_segment_count"), reverse("admin:campaigns_segment_people")
        yield Visit(f"segment count: {words}", count, {"conditions": conditions})
        yield Visit(f"segment people: {words}", f"{people}?{urlencode({'conditions': conditions})}")
    draft = {"body": texts.BODY, "channel": "sms", "purpose": "marketing"}
    yield Visit("template preview", reverse("admin:notifications_template_preview"), draft)
