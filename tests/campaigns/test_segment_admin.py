"""The pages of segments: the builder, its count, its people, and the filter that somebody wants to keep."""

import json
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.urls import reverse

from campaigns import segmentation
from campaigns.models import Segment
from campaigns.services import campaigns
from customers import clock
from customers.models import Customer, SpreadsheetImport, Tag, Tier
from tests import cast, staff
from tests.campaigns import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer():
    return staff.signed_in("marketer")


@pytest.fixture
def people():
    tea = Tag.objects.create(name="Tea")
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    li_na.tags.add(tea)
    return {"tea": tea, "Li Na": li_na, "Wang Wei": wang_wei}


def _url(name, *args, **query):
    address = reverse(f"admin:campaigns_segment_{name}", args=args)
    return f"{address}?{urlencode(query)}" if query else address


def _ask(field, operator, value=None):
    return {"field": field, "operator": operator, "value": value}


def _text(response):
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


def _initial(page):
    """The conditions with which the builder opens."""
    (raw,) = re.findall(r'<textarea name="conditions"[^>]*>(.*?)</textarea>', page)
    return json.loads(raw.replace("&quot;", '"'))


def test_a_segment_is_saved_as_it_was_clicked(marketer, people):
    conditions = [[_ask("tag", "any", [str(people["tea"].pk)])]]

    marketer.post(_url("add"), {"name": "Tea lovers", "conditions": json.dumps(conditions)})

    segment = Segment.objects.get()
    assert segment.conditions == [[_ask("tag", "any", [people["tea"].pk])]]
    assert segment.created_by.username == "marketer"


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ("[[{", "cannot be read"),
        ('{"a": 1}', "cannot be read"),
        ('[[{"field": "password", "operator": "any", "value": "x"}]]', "asks something unknown"),
        ('[[{"field": "name", "operator": "starts_with", "value": ""}]]', "Name: Enter a text."),
        ('[[{"field": "tag", "operator": "any", "value": [404]}]]', "no longer exists"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_conditions_that_cannot_be_asked_are_not_saved(marketer, conditions, sentence):
    page = _text(marketer.post(_url("add"), {"name": "Strange", "conditions": conditions}))

    assert sentence in page
    assert not Segment.objects.exists()


def test_the_count_stands_beside_the_conditions_with_a_way_to_the_people(marketer, people):
    conditions = json.dumps([[_ask("tag", "any", [people["tea"].pk])]])

    page = _text(marketer.post(_url("count"), {"conditions": conditions}))

    assert '<strong class="hy-number">1</strong>' in page
    assert "has any of the tags Tea" in page
    (link,) = re.findall(r'href="([^"]+)"', page)
    listed = _text(marketer.get(link.replace("&amp;", "&")))
    assert str(people["Li Na"]) in listed and str(people["Wang Wei"]) not in listed


@pytest.mark.parametrize("raw", ["", "null", "[[", "x" * 30_000, "[" * 19_000, '[[{"field":"tag"}]]'])
def test_the_count_answers_whatever_is_sent(marketer, people, raw):
    assert marketer.post(_url("count"), {"conditions": raw}).status_code == 200
    assert marketer.get(_url("people"), {"conditions": raw, "older_than": "abc"}).status_code == 200


def test_an_unfinished_condition_is_told_and_not_counted(marketer):
    page = _text(marketer.post(_url("count"), {"conditions": json.dumps([[_ask("tier", "at_least", "")]])}))

    assert "Tier: Choose a value." in page


def test_people_are_paged_through_newest_first(marketer):
    ids = cast.crowd(60)

    first = _text(marketer.get(_url("people", conditions="[]")))
    (query,) = re.findall(r'class="hy-button" href="\?([^"]+)"', first)
    second = _text(marketer.get(f"{_url('people')}?{query.replace('&amp;', '&')}"))

    shown = [int(key) for key in re.findall(r"/admin/customers/customer/(\d+)/", first + second)]
    assert shown == sorted(ids, reverse=True)


def test_phone_numbers_are_masked_for_who_may_not_see_them(people):
    page = _text(staff.signed_in("auditor").get(_url("people", conditions="[]")))

    assert "138****0001" in page and "13800000001" not in page


def test_the_filter_of_the_customer_list_becomes_a_segment(marketer, people):
    tier = Tier.objects.create(name="Gold")
    uploaded = SpreadsheetImport.objects.create(file_name="members.xlsx", created_at=clock.now())
    query = urlencode(
        {
            "q": "李",
            "tag": people["tea"].pk,
            "tier": tier.pk,
            "city": "杭州市",
            "consent": "sms.marketing.granted",
            "birth_month": "5",
            "import": uploaded.pk,
            "p": "3",
        }
    )

    page = _text(marketer.get(_url("add", **{"from": query})))

    assert _initial(page) == [
        [_ask("name", "starts_with", "李")],
        [_ask("tag", "any", [people["tea"].pk])],
        [_ask("tier", "any", [tier.pk])],
        [_ask("city", "any", ["杭州市"])],
        [_ask("consent", "granted", "sms:marketing")],
        [_ask("birthday", "month", [5])],
        [_ask("import", "in", uploaded.pk)],
    ]
    assert "was left out" not in page


def test_the_segment_made_from_the_list_holds_the_people_of_the_list(marketer, people):
    query = urlencode({"tag": people["tea"].pk, "consent": "sms.marketing.granted"})
    listed = marketer.get(f"{reverse('admin:customers_customer_changelist')}?{query}")

    conditions, left_out = segmentation.conditions_from(query)

    on_the_list = {customer.pk for customer in listed.context["cl"].result_list}
    assert not left_out
    assert set(segmentation.people(conditions, now=clock.now()).values_list("pk", flat=True)) == on_the_list


@pytest.mark.parametrize("query", ["q=13800000001", "tag=404", "consent=sms.marketing.maybe", "password=x", "tag=%00"])
def test_what_a_segment_cannot_ask_is_left_out_and_said(marketer, query):
    page = _text(marketer.get(_url("add", **{"from": query})))

    assert _initial(page) == []
    assert "cannot be kept in a segment and was left out" in page


def test_editing_a_segment_says_which_scheduled_campaigns_feel_it(marketer):
    shop.account()
    cast.crowd(20)
    campaign = shop.draft(planned_for=clock.now() + timedelta(days=1))
    campaigns.schedule(campaign, version=1, seen=20, by=None, now=clock.now())
    conditions = json.dumps([[_ask("city", "any", "杭州市")]])

    page = _text(
        marketer.post(
            _url("change", campaign.segment_id),
            {"name": "Everybody", "conditions": conditions, "seen": campaign.segment.updated_at.isoformat()},
            follow=True,
        )
    )

    assert "so reach other people now: New Year greeting" in page
    assert "New Year greeting" in _text(marketer.get(_url("change", campaign.segment_id)))


def test_a_segment_in_use_is_not_deleted(marketer):
    segment = shop.draft().segment

    marketer.post(_url("delete", segment.pk), {"post": "yes"})

    assert Segment.objects.filter(pk=segment.pk).exists()


def test_a_stale_tab_overwrites_no_segment_and_is_told_so(marketer):
    segment = Segment.objects.create(name="Tea")
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', _text(marketer.get(_url("change", segment.pk))))
    marketer.post(_url("change", segment.pk), {"name": "Theirs", "conditions": "[]", "seen": seen})

    page = _text(marketer.post(_url("change", segment.pk), {"name": "Mine", "conditions": "[]", "seen": seen}))

    segment.refresh_from_db()
    assert "Somebody else saved this segment" in page
    assert segment.name == "Theirs"


def test_who_may_only_look_reads_the_sentence_and_changes_nothing(people):
    segment = Segment.objects.create(name="Tea", conditions=[[_ask("tag", "any", [people["tea"].pk])]])
    auditor = staff.signed_in("auditor")

    page = _text(auditor.get(_url("change", segment.pk)))

    assert "has any of the tags Tea" in page and 'x-data="segmentBuilder"' not in page
    assert auditor.post(_url("change", segment.pk), {"name": "Mine", "conditions": "[]"}).status_code == 403
    assert auditor.get(_url("add")).status_code == 403


def test_staff_without_a_role_learn_nothing(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("new", is_staff=True), backend=staff.BACKEND)

    assert client.post(_url("count"), {"conditions": "[]"}).status_code == 403
    assert client.get(_url("people", conditions="[]")).status_code == 403


def test_the_list_shows_each_segment_as_a_sentence_even_a_broken_one(marketer, people):
    Segment.objects.create(name="Fine", conditions=[[_ask("tag", "none", [people["tea"].pk])]])
    Segment.objects.create(name="Broken", conditions=[[_ask("soul", "any", "x")]])

    page = _text(marketer.get(_url("changelist")))

    assert "has none of the tags Tea" in page and "asks something unknown" in page


def test_names_from_customers_are_shown_as_text(marketer):
    Customer.objects.create(name="<script>alert(1)</script>", city="<b>x</b>")
    Tag.objects.create(name="</script><script>alert(2)</script>")

    for page in (marketer.get(_url("people", conditions="[]")), marketer.get(_url("add"))):
        assert "<script>alert(" not in page.content.decode()
