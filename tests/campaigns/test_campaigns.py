"""Campaigns from draft to finish: every move, every refusal, and two people at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.utils import translation

from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, Variant
from campaigns.services import audiences, campaigns, reviews
from notifications import caps
from notifications.choices import SignatureStatus
from notifications.models import (
    Delivery,
    FrequencyCap,
    Message,
    ProviderAccount,
    QuietHours,
    RecentSends,
    Signature,
    Template,
)
from tests import cast
from tests.campaigns import shop
from tests.campaigns.shop import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def clerk(django_user_model):
    return django_user_model.objects.create_user("clerk")


@pytest.fixture
def crowd():
    shop.account()
    return cast.crowd(20)


@pytest.fixture
def draft(crowd):
    return shop.draft()


def _schedule(campaign, *, by=None, now=NOON, seen=20):
    moment = campaigns.schedule(campaign, version=campaign.version, seen=seen, by=by, now=now)
    campaign.refresh_from_db()
    return moment


def _launched(campaign, *, now=NOON + timedelta(hours=1), **options):
    _schedule(campaign, **options)
    campaigns.launch(campaign.pk, now=now)
    campaign.refresh_from_db()
    return campaign


# Scheduling


def test_scheduling_keeps_what_was_reviewed(draft, clerk):
    moment = _schedule(draft, by=clerk)

    assert moment == draft.scheduled_for == NOON + timedelta(hours=1)
    assert draft.status == CampaignStatus.SCHEDULED
    assert draft.scheduled_by == clerk
    assert (draft.estimate["total"], draft.estimate["will_send"]) == (20, 20)
    assert Decimal(draft.estimate["cost"]) == 20 * Decimal("0.045")


def test_the_waterfall_says_who_is_left_out_and_why(crowd):
    cast.wang_wei(), cast.zhang_min(), cast.chen_jie()

    estimate = reviews.review(shop.draft(), now=NOON).estimate

    assert estimate.total == 23
    assert {step.code: step.count for step in estimate.steps} == {"no_consent": 1, "opted_out": 1, "no_address": 1}
    assert estimate.will_send == 20


def test_an_empty_audience_is_refused(crowd):
    nobody = shop.draft(conditions=[[{"field": "city", "operator": "any", "value": ["Atlantis"]}]])

    with pytest.raises(reviews.CannotSchedule, match="Nobody is in the segment"):
        _schedule(nobody, seen=0)


def test_an_audience_that_is_left_out_as_a_whole_is_refused():
    shop.account()
    cast.wang_wei(), cast.chen_jie()

    with pytest.raises(reviews.CannotSchedule, match="all 2 people are left out"):
        _schedule(shop.draft(), seen=0)


def test_an_unapproved_signature_is_refused(draft):
    Signature.objects.update(status=SignatureStatus.PENDING)

    with pytest.raises(reviews.CannotSchedule, match="is not approved"):
        _schedule(draft)


def test_a_template_that_cannot_be_rendered_is_refused(draft):
    Template.objects.update(body="{{ secret }}")

    with pytest.raises(reviews.CannotSchedule, match="cannot be sent"):
        _schedule(draft)


def test_an_archived_template_is_refused(draft):
    Template.objects.update(archived_at=NOON)

    with pytest.raises(reviews.CannotSchedule, match="is archived"):
        _schedule(draft)


def test_a_time_in_the_past_is_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="has already passed"):
        _schedule(shop.draft(planned_for=NOON - timedelta(minutes=5)))


def test_a_campaign_without_a_time_is_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="Choose the date and time"):
        _schedule(shop.draft(planned_for=None))


def test_a_holiday_without_an_hour_is_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="Choose a holiday and the hour"):
        _schedule(shop.draft(timing=Timing.HOLIDAY, holiday="spring_festival"))


def test_shares_that_do_not_add_up_are_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="add up to 90 %, not 100 %"):
        _schedule(shop.draft(shares=(50, 40)))


def test_a_campaign_without_a_text_is_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="has no text"):
        _schedule(shop.draft(shares=()))


def test_a_channel_without_an_account_is_refused(draft):
    ProviderAccount.objects.update(is_active=False)

    with pytest.raises(reviews.CannotSchedule, match="No provider account is active for SMS"):
        _schedule(draft)


def test_templates_of_different_classes_are_refused(crowd):
    campaign = shop.draft(shares=(50, 50))
    Template.objects.filter(variants=campaign.variants.first()).update(purpose="care")

    with pytest.raises(reviews.CannotSchedule, match="different classes"):
        _schedule(campaign)


def test_a_template_of_another_channel_is_refused(draft):
    Template.objects.update(channel="email")

    with pytest.raises(reviews.CannotSchedule, match="another channel"):
        _schedule(draft)


def test_a_segment_whose_tag_was_deleted_is_refused(crowd):
    stale = shop.draft(conditions=[[{"field": "tag", "operator": "none", "value": [404]}]])

    with pytest.raises(reviews.CannotSchedule, match="cannot be asked"):
        _schedule(stale, seen=0)


def test_an_hour_that_quiet_hours_forbid_is_told_with_the_hour_at_which_it_goes(crowd):
    QuietHours.objects.create(purpose="marketing", channel="sms", quiet_from=time(20, 30), quiet_until=time(9))
    late = shop.draft(planned_for=cast.at("2027-02-05 22:00"))

    found = reviews.review(late, now=NOON)

    assert found.can_start
    assert found.opens_at == cast.at("2027-02-06 09:00")
    assert "Quiet hours hold then" in found.remarks[0]


def test_a_window_that_lies_in_quiet_hours_as_a_whole_is_refused(crowd):
    with pytest.raises(reviews.CannotSchedule, match="quiet hours hold until"):
        _schedule(shop.draft(planned_for=cast.at("2027-02-05 22:00"), valid_hours=2))


def test_a_text_that_went_out_today_already_is_remarked_on(draft):
    _launched(draft)
    twin = Campaign.objects.create(name="Again", segment=draft.segment, planned_for=NOON + timedelta(hours=3))
    Variant.objects.create(campaign=twin, template=draft.variants.first().template)

    found = reviews.review(twin, now=NOON + timedelta(hours=2))

    assert any("sent the same text" in remark for remark in found.remarks)


def test_a_draft_that_somebody_else_changed_is_not_scheduled(draft):
    with pytest.raises(reviews.CannotSchedule, match="changed since you opened the page"):
        campaigns.schedule(draft, version=draft.version - 1, seen=20, by=None, now=NOON)


def test_an_audience_that_doubled_since_is_not_scheduled(draft):
    cast.crowd(20, first_phone=13700000000)

    with pytest.raises(reviews.CannotSchedule, match="went from 20 to 40"):
        _schedule(draft)


def test_a_second_click_schedules_nothing(draft):
    stale = Campaign.objects.get(pk=draft.pk)
    _schedule(draft)

    with pytest.raises(reviews.CannotSchedule, match="scheduled already"):
        campaigns.schedule(stale, version=stale.version, seen=20, by=None, now=NOON)


def test_a_holiday_campaign_goes_out_on_the_holiday(crowd):
    campaign = shop.draft(timing=Timing.HOLIDAY, holiday="spring_festival", holiday_time=time(9, 30))

    assert _schedule(campaign) == cast.at("2027-02-06 09:30")


def test_now_means_now(crowd):
    assert _schedule(shop.draft(timing=Timing.NOW, planned_for=None)) == NOON


def test_a_scheduled_campaign_can_be_taken_back(draft):
    _schedule(draft)

    campaigns.unschedule(draft)

    draft.refresh_from_db()
    assert (draft.status, draft.scheduled_for, draft.estimate) == (CampaignStatus.DRAFT, None, None)
    with pytest.raises(campaigns.CannotUnschedule, match="Draft"):
        campaigns.unschedule(draft)


# Launching


def test_a_launch_freezes_the_text_and_plans_everybody(draft, clerk):
    _schedule(draft, by=clerk)

    counts = campaigns.launch(draft.pk, now=draft.scheduled_for)

    message = Message.objects.get(variant__campaign=draft)
    assert counts == {"queued": 20}
    assert message.created_by == clerk
    assert message.price == Decimal("0.045")
    assert message.send_until - message.send_after == timedelta(hours=12)
    assert set(Delivery.objects.values_list("occasion", flat=True)) == {f"campaign-{draft.pk}:2027-02-05"}


def test_a_campaign_is_launched_once(draft):
    _launched(draft)

    with pytest.raises(campaigns.CannotLaunch, match="started already"):
        campaigns.launch(draft.pk, now=NOON)
    assert Message.objects.count() == 1


def test_a_draft_is_not_launched(draft):
    with pytest.raises(campaigns.CannotLaunch, match="not scheduled"):
        campaigns.launch(draft.pk, now=NOON)


def test_the_variants_divide_the_audience_without_rest_and_without_overlap():
    shop.account()
    everybody = set(cast.crowd(1000))
    campaign = _launched(shop.draft(shares=(50, 30, 20)), seen=1000)

    parts = [
        set(Delivery.objects.filter(message=variant.message_id).values_list("customer_id", flat=True))
        for variant in campaign.variants.all()
    ]

    assert set.union(*parts) == everybody
    assert sum(map(len, parts)) == len(everybody)
    for part, share in zip(parts, (500, 300, 200), strict=True):
        assert abs(len(part) - share) < 60


def test_a_customer_stays_in_the_same_variant_whenever_one_asks(crowd):
    campaign = shop.draft(shares=(50, 50))

    def ask():
        everybody = audiences.people(campaign, now=NOON)
        return [sorted(part.values_list("pk", flat=True)) for _variant, part in audiences.parts(campaign, everybody)]

    assert ask() == ask()


def test_a_text_changed_after_the_review_does_not_go_out(draft):
    _schedule(draft)
    Template.objects.update(body="Something else", version=2)

    with pytest.raises(campaigns.CannotLaunch, match="was changed after the campaign was scheduled"):
        campaigns.launch(draft.pk, now=draft.scheduled_for)
    draft.refresh_from_db()
    assert draft.status == CampaignStatus.SCHEDULED
    assert not Message.objects.exists()


def test_due_campaigns_are_launched_and_others_wait(draft):
    later = shop.draft("Later", planned_for=NOON + timedelta(hours=5))
    _schedule(draft), _schedule(later)

    done = campaigns.launch_due(now=NOON + timedelta(hours=1))

    assert done.launched == [draft.pk]
    later.refresh_from_db()
    assert later.status == CampaignStatus.SCHEDULED


def test_a_campaign_that_cannot_start_says_why_in_both_languages_and_starts_when_it_can(draft):
    _schedule(draft)
    Signature.objects.update(status=SignatureStatus.PENDING)

    assert campaigns.launch_due(now=NOON + timedelta(hours=1)).delayed == [draft.pk]
    draft.refresh_from_db()
    assert set(draft.problem) == {"en", "zh-hans"}
    assert "is not approved" in draft.problem_in_words

    Signature.objects.update(status=SignatureStatus.APPROVED)
    assert campaigns.launch_due(now=NOON + timedelta(hours=2)).launched == [draft.pk]
    draft.refresh_from_db()
    assert draft.problem == {}


def test_a_campaign_two_hours_late_is_missed_and_sends_nothing(draft):
    _schedule(draft)

    done = campaigns.launch_due(now=draft.scheduled_for + timedelta(hours=2, seconds=1))

    draft.refresh_from_db()
    assert done.missed == [draft.pk]
    assert draft.status == CampaignStatus.MISSED
    assert "nobody was written to" in draft.problem_in_words
    assert not Delivery.objects.exists()


def test_a_campaign_for_one_hour_is_missed_after_one_hour(crowd):
    campaign = shop.draft(valid_hours=1)
    _schedule(campaign)

    assert campaigns.launch_due(now=campaign.scheduled_for + timedelta(minutes=61)).missed == [campaign.pk]


def test_a_worker_passes_by_a_campaign_that_another_one_is_launching(transactional_db):
    shop.account()
    cast.crowd(20)
    being_launched, other = shop.draft("New Year"), shop.draft("Spring Festival")
    for campaign in (being_launched, other):
        _schedule(campaign)

    def launch_the_rest():
        try:
            return campaigns.launch_due(now=NOON + timedelta(hours=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Campaign.objects.filter(pk=being_launched.pk).launch(NOON)
        done = pool.submit(launch_the_rest).result(timeout=10)

    assert (done.launched, done.delayed) == ([other.pk], [])


def test_two_launches_in_the_same_second_make_one_run(transactional_db):
    shop.account()
    cast.crowd(200)
    campaign = shop.draft()
    _schedule(campaign, seen=200)

    def launch(_number):
        try:
            return campaigns.launch(campaign.pk, now=NOON + timedelta(hours=1))
        except campaigns.CannotLaunch:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(launch, range(2)))

    assert sorted(map(str, outcomes)) == sorted(["refused", str({"queued": 200})])
    assert Message.objects.count() == 1
    assert Delivery.objects.count() == 200


def test_two_clerks_who_schedule_at_once_schedule_once(transactional_db):
    shop.account()
    cast.crowd(20)
    campaign = shop.draft()

    def schedule(_number):
        try:
            campaigns.schedule(
                Campaign.objects.get(pk=campaign.pk), version=campaign.version, seen=20, by=None, now=NOON
            )
            return "scheduled"
        except reviews.CannotSchedule:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(schedule, range(2))) == ["refused", "scheduled"]


def test_a_cancel_and_a_launch_at_once_end_in_one_of_both_and_never_half(transactional_db):
    shop.account()
    cast.crowd(200)
    campaign = shop.draft()
    _schedule(campaign, seen=200)

    def launch():
        try:
            campaigns.launch(campaign.pk, now=NOON + timedelta(hours=1))
        except campaigns.CannotLaunch:
            return
        finally:
            connection.close()

    def cancel():
        try:
            campaigns.cancel(campaign, by=None, now=NOON + timedelta(hours=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(launch), pool.submit(cancel)]:
            future.result()

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELED
    assert not Delivery.objects.filter(status="queued").exists()
    assert Delivery.objects.count() in (0, 200)


# Running


def test_pause_and_resume_move_the_frozen_messages(draft):
    campaign = _launched(draft)

    campaigns.pause(campaign, now=NOON)
    assert Campaign.objects.with_pause().get(pk=campaign.pk).is_paused
    with pytest.raises(campaigns.CannotPause, match="paused already"):
        campaigns.pause(campaign, now=NOON)

    campaigns.resume(campaign)
    assert not Campaign.objects.with_pause().get(pk=campaign.pk).is_paused
    with pytest.raises(campaigns.CannotResume, match="not paused"):
        campaigns.resume(campaign)


def test_only_a_running_campaign_can_be_paused_or_resumed(draft):
    with pytest.raises(campaigns.CannotPause, match="Draft"):
        campaigns.pause(draft, now=NOON)
    with pytest.raises(campaigns.CannotResume, match="Draft"):
        campaigns.resume(draft)


def test_canceling_says_who_was_spared_and_what_was_handed_over(draft, clerk):
    campaign = _launched(draft)
    Delivery.objects.filter(pk__in=list(Delivery.objects.values_list("pk", flat=True)[:5])).update(
        status="sent", sent_at=NOON
    )

    result = campaigns.cancel(campaign, by=clerk, now=NOON)

    campaign.refresh_from_db()
    assert (result.canceled, result.handed_over) == (15, 5)
    assert (campaign.status, campaign.canceled_by) == (CampaignStatus.CANCELED, clerk)
    with pytest.raises(campaigns.CannotCancel, match="over already"):
        campaigns.cancel(campaign, by=clerk, now=NOON)


def test_a_draft_is_canceled_without_a_trace_at_the_provider(draft):
    result = campaigns.cancel(draft, by=None, now=NOON)

    assert (result.canceled, result.handed_over) == (0, 0)


def test_a_campaign_is_finished_when_nobody_waits_any_longer(draft):
    campaign = _launched(draft)
    one = Delivery.objects.first()
    Delivery.objects.exclude(pk=one.pk).update(status="delivered", sent_at=NOON)

    assert campaigns.finish_done(now=NOON) == 0
    Delivery.objects.filter(pk=one.pk).update(status="unknown")
    assert campaigns.finish_done(now=NOON) == 1
    assert campaigns.finish_done(now=NOON) == 0
    campaign.refresh_from_db()
    assert (campaign.status, campaign.finished_at) == (CampaignStatus.FINISHED, NOON)


def test_a_launch_that_finds_nobody_says_so(draft):
    _schedule(draft)
    ids = list(audiences.people(draft, now=NOON).values_list("pk", flat=True))
    draft.segment.conditions = [[{"field": "city", "operator": "any", "value": ["Atlantis"]}]]
    draft.segment.save()

    assert ids
    assert campaigns.launch(draft.pk, now=draft.scheduled_for) == {}
    draft.refresh_from_db()
    assert "nobody to write to" in draft.problem_in_words


# What the database refuses


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "scheduled", "scheduled_for": None},
        {"status": "running", "scheduled_for": NOON, "launched_at": None},
        {"status": "sent"},
        {"valid_hours": 0},
        {"valid_hours": 721},
    ],
)
def test_the_database_refuses_a_campaign_that_cannot_be(draft, columns):
    with pytest.raises(IntegrityError):
        Campaign.objects.filter(pk=draft.pk).update(**columns)


@pytest.mark.parametrize("share", [0, 101])
def test_the_database_refuses_an_impossible_share(draft, share):
    with pytest.raises(IntegrityError):
        Variant.objects.filter(campaign=draft).update(share=share)


def test_the_people_behind_a_number_are_those_of_the_hour_at_which_it_goes_out(crowd):
    QuietHours.objects.create(purpose="marketing", channel="sms")
    FrequencyCap.objects.create(name="One a day", limit=1, window="calendar_day")
    evening = NOON.replace(hour=22)
    sends = [caps.pack(NOON, channel="sms", purpose="marketing")]
    RecentSends.objects.bulk_create(RecentSends(subject=person, sends=sends) for person in crowd)
    draft = shop.draft(planned_for=evening, valid_hours=24)

    found = reviews.review(draft, now=NOON)
    people = reviews.people_of_step(draft, code="will_send", now=NOON, limit=100)

    assert found.estimate.will_send == len(people) == 20


def test_those_whom_the_cap_only_holds_are_among_those_who_will_get_it(crowd):
    FrequencyCap.objects.create(name="One a day", limit=1, window="days")
    sends = [caps.pack(NOON, channel="sms", purpose="marketing")]
    RecentSends.objects.bulk_create(RecentSends(subject=person, sends=sends) for person in crowd[:5])
    draft = shop.draft(cap_policy="hold", valid_hours=48)

    estimate = reviews.review(draft, now=NOON).estimate
    people = reviews.people_of_step(draft, code="will_send", now=NOON, limit=100)

    assert (estimate.will_send, estimate.will_hold) == (20, 5)
    assert len(people) == 20
