"""The pages of campaigns: what staff see, what is refused, and who may do what."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse
from django.utils import translation

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Segment, Variant
from campaigns.services import campaigns, reviews
from config import roles
from customers import clock, doorbell
from notifications.choices import SignatureStatus
from notifications.models import Delivery, Message, Signature, Template
from tests import cast
from tests.campaigns import shop
from tests.staff import BACKEND

pytestmark = pytest.mark.django_db


@pytest.fixture
def sign_in(client, django_user_model):
    """Sign in as somebody with a role; the pages are then in English."""
    roles.write()

    def as_(role):
        user = django_user_model.objects.create_user(f"a-{role}", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user, backend=BACKEND)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        return user

    return as_


@pytest.fixture
def crowd():
    shop.account()
    return cast.crowd(20)


@pytest.fixture
def draft(crowd):
    """A draft for everybody, tomorrow."""
    return shop.draft(planned_for=clock.now() + timedelta(days=1))


def _url(name, *args):
    return reverse(f"admin:campaigns_{name}", args=args)


def _page(client, name, *args):
    response = client.get(_url(name, *args))
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


def _post(client, name, campaign, **fields):
    """Post and read the page that follows."""
    response = client.post(_url(f"campaign_{name}", campaign.pk), fields, follow=True)
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


def _commit(client, campaign, *, seen=20, **fields):
    return _post(client, "schedule", campaign, version=campaign.version, seen=seen, **fields)


def _form(campaign=None, *, template=None, **changes):
    """What the browser sends when somebody saves the form."""
    variants = list(campaign.variants.all()) if campaign else []
    tomorrow = (clock.now() + timedelta(days=1)).astimezone(clock.shop_zone())
    fields = {
        "name": campaign.name if campaign else "Spring sale",
        "segment": campaign.segment_id if campaign else Segment.objects.create(name="Everybody").pk,
        "channel": "sms",
        "cap_policy": "skip",
        "timing": "at",
        "planned_for": tomorrow.strftime("%Y-%m-%dT%H:%M"),
        "holiday": "",
        "holiday_time": "",
        "valid_hours": "12",
        "version": campaign.version if campaign else "",
        "variants-TOTAL_FORMS": max(1, len(variants)),
        "variants-INITIAL_FORMS": len(variants),
        "variants-MIN_NUM_FORMS": "1",
        "variants-MAX_NUM_FORMS": "1000",
    }
    for number, variant in enumerate(variants):
        fields |= {
            f"variants-{number}-id": variant.pk,
            f"variants-{number}-campaign": campaign.pk,
            f"variants-{number}-template": variant.template_id,
            f"variants-{number}-share": variant.share,
        }
    if template:
        fields |= {"variants-0-template": template.pk, "variants-0-share": "100"}
    return fields | changes


# Writing a draft


def test_a_new_campaign_leads_to_its_review(client, sign_in, crowd):
    marketer = sign_in("marketer")

    response = client.post(_url("campaign_add"), _form(template=cast.template()))

    campaign = Campaign.objects.get()
    assert response.url == _url("campaign_review", campaign.pk)
    assert (campaign.status, campaign.created_by) == (CampaignStatus.DRAFT, marketer)
    assert campaign.variants.get().share == 100


def test_the_form_shows_the_next_days_of_each_holiday(client, sign_in, crowd):
    sign_in("marketer")

    page = _page(client, "campaign_add")

    assert re.search(r"Chinese New Year – \d{4}-\d\d-\d\d, \d{4}-\d\d-\d\d, \d{4}-\d\d-\d\d", page)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"variants-0-share": "90"}, "The shares add up to 90 %"),
        ({"variants-0-share": "0"}, "greater than or equal to 1"),
        ({"variants-0-template": ""}, "This field is required"),
        ({"planned_for": ""}, "Choose the date and time"),
        ({"planned_for": "tomorrow"}, "Enter a valid date/time"),
        ({"timing": "holiday"}, "Choose the holiday."),
        ({"timing": "holiday", "holiday": "doomsday"}, "Select a valid choice"),
        ({"timing": "holiday", "holiday": "christmas"}, "Choose the hour"),
        ({"valid_hours": "0"}, "greater than or equal to 1"),
        ({"valid_hours": "721"}, "less than or equal to 720"),
        ({"channel": "pigeon"}, "Select a valid choice"),
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 101}, "at most 100 characters"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_with_a_sentence(client, sign_in, crowd, changes, sentence):
    sign_in("marketer")

    response = client.post(_url("campaign_add"), _form(template=cast.template()) | changes)

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Campaign.objects.exists()


def test_a_campaign_without_a_text_is_not_saved(client, sign_in, crowd):
    sign_in("marketer")

    response = client.post(_url("campaign_add"), _form(**{"variants-TOTAL_FORMS": "0"}))

    assert "Choose the template" in response.content.decode() or "at least 1" in response.content.decode()
    assert not Campaign.objects.exists()


def test_fields_that_the_form_does_not_have_are_ignored(client, sign_in, draft, django_user_model):
    sign_in("marketer")

    client.post(
        _url("campaign_change", draft.pk),
        _form(draft, name="Renamed", status="finished", launched_at="2020-01-01", estimate="{}", created_by="1"),
    )

    draft.refresh_from_db()
    assert (draft.name, draft.status, draft.launched_at, draft.estimate) == ("Renamed", "draft", None, None)


def test_a_stale_tab_does_not_overwrite_what_somebody_else_saved(client, sign_in, draft):
    sign_in("marketer")
    stale = _form(draft, name="Mine")
    client.post(_url("campaign_change", draft.pk), _form(draft, name="Theirs"))

    response = client.post(_url("campaign_change", draft.pk), stale)

    draft.refresh_from_db()
    assert "Somebody else saved this campaign" in response.content.decode()
    assert (draft.name, draft.version) == ("Theirs", 2)


def test_a_stale_tab_does_not_revive_a_canceled_campaign(client, sign_in, draft):
    sign_in("marketer")
    stale = _form(draft, name="Back again", status="scheduled")
    campaigns.cancel(draft, by=None, now=clock.now())

    response = client.post(_url("campaign_change", draft.pk), stale, follow=True)

    draft.refresh_from_db()
    assert "cannot be edited" in response.content.decode()
    assert (draft.name, draft.status) == ("New Year greeting", CampaignStatus.CANCELED)


def test_only_drafts_can_be_deleted(client, sign_in, draft):
    sign_in("marketer")
    _commit(client, draft)

    assert client.post(_url("campaign_delete", draft.pk), {"post": "yes"}).status_code == 403
    assert Campaign.objects.filter(pk=draft.pk).exists()


def test_what_is_no_draft_any_more_is_watched_instead_of_edited(client, sign_in, draft):
    sign_in("marketer")
    _commit(client, draft)

    response = client.get(_url("campaign_change", draft.pk))

    assert response.url == _url("campaign_live", draft.pk)


# Reviewing and scheduling


def test_the_review_shows_the_waterfall_and_every_number_leads_to_its_people(client, sign_in, draft):
    sign_in("marketer")
    wang_wei, chen_jie = cast.wang_wei(), cast.chen_jie()

    page = _page(client, "campaign_review_now", draft.pk)

    assert "In the segment" in page and "Opted out" in page and "Has not agreed to receive this" in page
    assert "20 messages · ¥0.90" in page
    assert str(wang_wei) in _page(client, "campaign_people", draft.pk, "opted_out")
    assert str(chen_jie) in _page(client, "campaign_people", draft.pk, "no_consent")
    everybody = _page(client, "campaign_people", draft.pk, "matched")
    assert everybody.count("/admin/customers/customer/") >= 22
    assert str(wang_wei) not in _page(client, "campaign_people", draft.pk, "will_send")


def test_an_unknown_step_of_the_waterfall_does_not_exist(client, sign_in, draft):
    sign_in("marketer")

    assert client.get(_url("campaign_people", draft.pk, "nonsense")).status_code == 404


def test_a_step_of_a_campaign_without_a_text_holds_nobody(client, sign_in, draft):
    sign_in("marketer")
    draft.variants.all().delete()

    assert "/admin/customers/customer/1" not in _page(client, "campaign_people", draft.pk, "opted_out")


def test_the_button_schedules_what_was_seen(client, sign_in, draft):
    marketer = sign_in("marketer")

    page = _commit(client, draft)

    draft.refresh_from_db()
    assert "Scheduled for" in page
    assert (draft.status, draft.scheduled_by, draft.scheduled_for) == (
        CampaignStatus.SCHEDULED,
        marketer,
        draft.planned_for,
    )


def test_a_double_click_schedules_once_and_says_so(client, sign_in, draft):
    sign_in("marketer")
    _commit(client, draft)

    page = _commit(client, draft)

    assert "The campaign was scheduled already" in page
    draft.refresh_from_db()
    assert draft.version == 2


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (lambda draft: Signature.objects.update(status=SignatureStatus.REJECTED), "is not approved"),
        (lambda draft: Template.objects.update(archived_at=clock.now()), "is archived"),
        (lambda draft: Template.objects.update(body="{{ secret }}"), "cannot be sent"),
        (lambda draft: Variant.objects.update(share=40), "add up to 40 %"),
        (lambda draft: Variant.objects.all().delete(), "has no text"),
        (
            lambda draft: Campaign.objects.update(planned_for=clock.now() - timedelta(hours=1)),
            "has already passed",
        ),
        (
            lambda draft: Segment.objects.update(
                conditions=[[{"field": "city", "operator": "any", "value": ["Atlantis"]}]]
            ),
            "Nobody is in the segment",
        ),
        (lambda draft: Segment.objects.update(conditions=[[{"field": "soul"}]]), "cannot be asked"),
        (lambda draft: Campaign.objects.update(version=9), "changed since you opened the page"),
    ],
)
def test_what_may_not_go_out_is_refused_on_the_review_and_by_the_button(client, sign_in, draft, trouble, sentence):
    sign_in("marketer")
    trouble(draft)

    page = _commit(client, draft)

    draft.refresh_from_db()
    assert sentence in page
    assert draft.status == CampaignStatus.DRAFT


def test_an_audience_that_changed_since_the_review_is_refused(client, sign_in, draft):
    sign_in("marketer")

    assert "went from 400 to 20" in _commit(client, draft, seen=400)


def test_many_messages_have_to_be_typed(client, sign_in, crowd):
    sign_in("marketer")
    cast.crowd(reviews.CONFIRM_ABOVE, first_phone=13600000000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent")
    campaign = shop.draft(planned_for=clock.now() + timedelta(days=1))

    assert "Type 5020 to confirm" in _page(client, "campaign_review_now", campaign.pk).replace(",", "")
    assert "Type the number of messages, 5,020" in _commit(client, campaign, seen=5020)
    assert "Type the number of messages, 5,020" in _commit(client, campaign, seen=5020, typed="5019")
    assert "Scheduled for" in _commit(client, campaign, seen=5020, typed=" 5,020 ")


@pytest.mark.parametrize("nonsense", ["", "many", "-20", "9" * 40, "２０", "\x00"])
def test_a_tampered_number_schedules_nothing(client, sign_in, draft, nonsense):
    sign_in("marketer")

    client.post(_url("campaign_schedule", draft.pk), {"version": draft.version, "seen": nonsense})

    draft.refresh_from_db()
    assert draft.status == CampaignStatus.DRAFT


def test_now_starts_with_the_next_free_worker(client, sign_in, crowd):
    sign_in("marketer")
    campaign = shop.draft(timing="now", planned_for=None)

    assert "Started. The first messages leave within seconds." in _commit(client, campaign)
    assert campaigns.launch_due(now=clock.now()).launched == [campaign.pk]


def test_nothing_is_lost_when_the_queue_does_not_answer(client, sign_in, crowd, settings):
    sign_in("marketer")
    campaign = shop.draft(timing="now", planned_for=None)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    doorbell.connection.cache_clear()

    try:
        assert "sending will start a little later" in _commit(client, campaign)
    finally:
        doorbell.connection.cache_clear()
    assert campaigns.launch_due(now=clock.now()).launched == [campaign.pk]


def test_a_scheduled_campaign_is_taken_back_for_another_edit(client, sign_in, draft):
    sign_in("marketer")
    _commit(client, draft)

    assert "Taken back" in _post(client, "unschedule", draft)
    draft.refresh_from_db()
    assert draft.status == CampaignStatus.DRAFT
    assert "not waiting any more" in _post(client, "unschedule", draft)


def test_a_review_of_a_broken_template_is_still_a_page(client, sign_in, draft):
    sign_in("marketer")
    Template.objects.update(body="{{ 7*7 }}")

    page = _page(client, "campaign_review_now", draft.pk)

    assert "The campaign cannot go out yet" in page
    assert "Cannot be started yet" in page


def test_a_name_that_is_html_stays_a_name(client, sign_in, draft):
    sign_in("marketer")
    Campaign.objects.update(name="<script>alert(1)</script>")
    Segment.objects.update(name="<img src=x onerror=alert(1)>")

    for page in ("campaign_review", "campaign_review_now", "campaign_change"):
        html = _page(client, page, draft.pk)
        assert "<script>alert(1)" not in html and "<img src=x" not in html
    assert "<script>alert(1)" not in _page(client, "campaign_changelist")


# Watching and steering


@pytest.fixture
def running(draft):
    now = clock.now()
    campaigns.schedule(draft, version=draft.version, seen=20, by=None, now=now)
    campaigns.launch(draft.pk, now=now + timedelta(days=1))
    draft.refresh_from_db()
    return draft


def _numbers(page):
    """The counts on the live page by state, and the audience."""
    states = dict(re.findall(r'data-state="(\w+)" data-count="(\d+)"', page))
    (audience,) = re.findall(r'id="audience" data-count="(\d+)"', page)
    return {state: int(count) for state, count in states.items()}, int(audience)


def test_the_parts_of_the_bar_add_up_to_the_audience_and_lead_to_their_people(client, sign_in, running):
    sign_in("auditor")
    ids = list(Delivery.objects.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=ids[:3]).update(status="sent", sent_at=clock.now())
    Delivery.objects.filter(pk__in=ids[3:5]).update(status="failed", reason="refused_number")
    Delivery.objects.filter(pk__in=ids[5:6]).update(status="skipped", reason="opted_out")

    for name in ("campaign_live", "campaign_live_now"):
        page = _page(client, name, running.pk)
        states, audience = _numbers(page)
        assert audience == sum(states.values()) == 20
        assert states == {"sent": 3, "failed": 2, "skipped": 1, "queued": 14}
    message = running.message_ids[0]
    assert f"message={message}&amp;state=skipped&amp;reason=opted_out" in page
    records = client.get(reverse("admin:notifications_delivery_changelist"), {"message": message, "state": "failed"})
    assert records.content.decode().count("hy-state-failed") == 2


def test_pause_resume_and_cancel_say_what_they_did(client, sign_in, running):
    sign_in("marketer")
    Delivery.objects.filter(pk=Delivery.objects.first().pk).update(status="sent", sent_at=clock.now())

    assert "Paused." in _post(client, "pause", running)
    assert "paused already" in _post(client, "pause", running)
    assert "The campaign goes on." in _post(client, "resume", running)
    assert "not paused" in _post(client, "resume", running)
    assert "19 people are spared. 1 message was handed over before" in _post(client, "cancel", running)
    assert "over already" in _post(client, "cancel", running)


def test_a_missed_campaign_says_why_in_the_readers_language(client, sign_in, draft):
    sign_in("auditor")
    campaigns.schedule(draft, version=draft.version, seen=20, by=None, now=clock.now())
    campaigns.launch_due(now=draft.planned_for + timedelta(hours=3))

    assert "nobody was written to" in _page(client, "campaign_live", draft.pk)


def test_a_text_changed_after_the_review_is_told_before_the_hour_comes(client, sign_in, draft):
    sign_in("marketer")
    _commit(client, draft)
    Template.objects.update(body="Something else", version=2)

    assert "was changed after the campaign was scheduled" in _page(client, "campaign_live", draft.pk)


def test_a_campaign_can_be_copied(client, sign_in, running):
    marketer = sign_in("marketer")

    _post(client, "copy", running)

    twin = Campaign.objects.exclude(pk=running.pk).get()
    assert (twin.status, twin.segment, twin.created_by) == (CampaignStatus.DRAFT, running.segment, marketer)
    assert [v.template_id for v in twin.variants.all()] == [v.template_id for v in running.variants.all()]
    assert twin.message_ids == []


# Tests to oneself


def test_a_test_goes_to_the_number_and_counts_nowhere(client, sign_in, draft):
    marketer = sign_in("marketer")
    variant = draft.variants.get()

    page = _post(client, "test", draft, variant=variant.pk, number="+86 138 0013 8000")

    message = Message.objects.get(is_test=True)
    assert "The test is on its way" in page
    assert message.created_by == marketer
    assert Delivery.objects.get(message=message).address == "13800138000"


@pytest.mark.parametrize("number", ["", "12345", "010-62345678", "1.38E+10", "x" * 500])
def test_a_test_to_what_is_no_mobile_number_is_refused(client, sign_in, draft, number):
    sign_in("marketer")

    page = _post(client, "test", draft, variant=draft.variants.get().pk, number=number)

    assert "is not a mobile number" in page
    assert not Message.objects.exists()


def test_the_eleventh_test_within_an_hour_is_refused(client, sign_in, draft):
    sign_in("marketer")
    variant = draft.variants.get()
    for _number in range(10):
        client.post(_url("campaign_test", draft.pk), {"variant": variant.pk, "number": "13800138000"})

    assert "10 tests within an hour" in _post(client, "test", draft, variant=variant.pk, number="13800138000")
    assert Message.objects.count() == 10


def test_a_test_of_another_campaigns_text_does_not_exist(client, sign_in, draft):
    sign_in("marketer")
    other = shop.draft("Other").variants.get()

    response = client.post(_url("campaign_test", draft.pk), {"variant": other.pk, "number": "13800138000"})

    assert response.status_code == 404


# Who may do what

ACTS = ["schedule", "unschedule", "test", "copy", "pause", "resume", "cancel"]
PAGES = ["review", "review_now", "live", "live_now"]


@pytest.mark.parametrize("role", ["clerk", "auditor"])
@pytest.mark.parametrize("act", ACTS)
def test_who_may_only_look_can_do_nothing(client, sign_in, draft, role, act):
    sign_in(role)
    before = Campaign.objects.values().get(pk=draft.pk)

    response = client.post(
        _url(f"campaign_{act}", draft.pk),
        {"version": 1, "seen": 20, "variant": draft.variants.get().pk, "number": "13800138000"},
    )

    assert response.status_code == 403
    assert Campaign.objects.values().get() == before
    assert not Message.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_no_act_happens_by_following_a_link(client, sign_in, draft, act):
    sign_in("owner")

    assert client.get(_url(f"campaign_{act}", draft.pk)).status_code == 405


@pytest.mark.parametrize("page", PAGES + ACTS)
def test_a_stranger_is_sent_to_the_sign_in(client, draft, page):
    for method in (client.get, client.post):
        response = method(_url(f"campaign_{page}", draft.pk))
        assert response.status_code == 302 and "/login/" in response.url


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_a_role_see_no_campaign(client, django_user_model, draft, page):
    client.force_login(django_user_model.objects.create_user("new", is_staff=True), backend=BACKEND)

    assert client.get(_url(f"campaign_{page}", draft.pk)).status_code == 403
    assert client.get(_url("campaign_people", draft.pk, "matched")).status_code == 403


def test_who_may_only_look_sees_no_button(client, sign_in, draft):
    sign_in("auditor")

    page = _page(client, "campaign_review_now", draft.pk)

    assert 'id="commit"' not in page and "Send a test" not in page


@pytest.mark.parametrize("page", [*PAGES, *ACTS])
def test_a_campaign_that_does_not_exist_is_not_found(client, sign_in, page):
    sign_in("owner")
    method = client.post if page in ACTS else client.get

    assert method(_url(f"campaign_{page}", 404)).status_code == 404


def test_the_list_is_filtered_by_status_and_refuses_other_questions(client, sign_in, draft):
    sign_in("auditor")
    address = _url("campaign_changelist")

    assert draft.name in client.get(address, {"status__exact": "draft"}).content.decode()
    assert draft.name not in client.get(address, {"status__exact": "running"}).content.decode()
    assert client.get(address, {"created_by__password__startswith": "p"}).status_code in (302, 400)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_opens_in_both_languages(client, sign_in, running, language):
    sign_in("owner")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    new = shop.draft("New", planned_for=clock.now() + timedelta(days=2))

    with translation.override(language):
        for name, *args in [
            ("campaign_changelist",),
            ("campaign_add",),
            ("campaign_change", new.pk),
            ("campaign_review", new.pk),
            ("campaign_review_now", new.pk),
            ("campaign_live", running.pk),
            ("campaign_live_now", running.pk),
            ("campaign_people", new.pk, "matched"),
            ("segment_changelist",),
            ("segment_add",),
            ("segment_change", new.segment_id),
            ("segment_people",),
        ]:
            assert client.get(_url(name, *args)).status_code == 200, name
