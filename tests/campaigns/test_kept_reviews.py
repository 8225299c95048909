"""A large waterfall is counted once, by whoever comes first, and shown to every tab while it is fresh."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse
from rq import Queue
from rq.serializers import JSONSerializer

from campaigns import jobs
from campaigns.choices import CampaignStatus
from campaigns.models import KeptReview, Segment, Variant
from campaigns.services import campaigns, kept_reviews, reviews
from config import roles
from customers import clock
from customers.choices import ConsentSource
from customers.models import Customer
from customers.services import consent
from notifications.models import Delivery, FrequencyCap, ProviderAccount, QuietHours, Template
from tests import cast
from tests.campaigns import shop
from tests.staff import BACKEND

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def draft(monkeypatch, empty_queue):
    """A draft for more people than a page counts by itself."""
    monkeypatch.setattr(kept_reviews, "LARGE", 10)
    shop.account()
    cast.crowd(20)
    return shop.draft(planned_for=clock.now() + timedelta(days=1))


@pytest.fixture
def browser(client, django_user_model):
    roles.write()
    marketer = django_user_model.objects.create_user("marketer", is_staff=True)
    marketer.groups.add(Group.objects.get(name="marketer"))
    client.force_login(marketer, backend=BACKEND)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def page(browser, campaign, **fields):
    """The review as the page shows it; with fields, what its fragment asks for."""
    name = "review_count" if fields else "review_now"
    address = reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])
    return (browser.post(address, fields) if fields else browser.get(address)).content.decode()


def counted(draft):
    """The draft's waterfall, counted a moment ago."""
    kept_reviews.ask(draft, now=clock.now())
    assert kept_reviews.count(draft.pk, now=clock.now(), ends=clock.now)
    return kept_reviews.fresh(draft, now=clock.now())


def test_a_worker_counts_while_the_page_waits_and_the_page_then_shows_it(draft, browser, empty_queue):
    assert "20 messages" not in page(browser, draft)
    assert not KeptReview.objects.exists()
    assert "Counting whom" in page(browser, draft, look=1)
    (job,) = Queue("bulk", connection=empty_queue, serializer=JSONSerializer).jobs
    assert job.func_name == "campaigns.jobs.count_reviews"

    assert jobs.count_reviews() == {"counted": 1}

    for shown in (page(browser, draft, look=1), page(browser, draft)):
        assert "20 messages" in shown and "As of" in shown and "Count again" in shown


def test_without_a_worker_the_page_counts_by_itself_after_some_seconds(draft, browser):
    page(browser, draft, look=1)
    KeptReview.objects.update(asked_at=clock.now() - timedelta(seconds=5))

    assert "20 messages" in page(browser, draft, look=1)
    assert "20 messages" in page(browser, draft)


def test_a_small_campaign_is_counted_by_the_page_and_not_kept(draft, browser, monkeypatch):
    monkeypatch.setattr(kept_reviews, "LARGE", 20)

    assert "20 messages" in page(browser, draft)
    assert "20 messages" in page(browser, draft, look=1)
    assert not KeptReview.objects.exists()


def test_two_tabs_have_it_counted_once(draft, browser, empty_queue):
    page(browser, draft, look=1), page(browser, draft, look=1)

    assert Queue("bulk", connection=empty_queue, serializer=JSONSerializer).count == 1
    assert jobs.count_reviews() == {"counted": 1}
    assert jobs.count_reviews() == {"counted": 0}


def test_two_workers_at_one_moment_count_it_once(draft):
    now = clock.now()
    kept_reviews.ask(draft, now=now)
    both, done = Barrier(2), []

    def work():
        both.wait()
        done.append(kept_reviews.count(draft.pk, now=now, ends=clock.now))
        connection.close()

    workers = [Thread(target=work) for _each in range(2)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]

    assert sorted(done) == [False, True]


def test_what_was_kept_is_what_would_be_counted(draft):
    cast.wang_wei(), cast.zhang_min(), cast.chen_jie()
    now = clock.now()

    kept = kept_reviews.estimate_of(counted(draft), now=now)
    found = reviews.review(draft, now=now).estimate

    assert vars(kept) == vars(found)
    assert reviews.review(draft, now=now, counted=kept).estimate is kept


def test_count_again_sees_who_came_since(draft, browser):
    counted(draft)
    cast.crowd(5, first_phone=13600000000)
    assert "20 messages" in page(browser, draft)

    assert "Counting whom" in page(browser, draft, again=1)
    jobs.count_reviews()

    assert "25 messages" in page(browser, draft)


def test_after_ten_minutes_it_is_counted_anew(draft):
    kept = counted(draft)

    assert kept_reviews.fresh(draft, now=kept.counted_at + timedelta(minutes=9))
    assert not kept_reviews.fresh(draft, now=kept.counted_at + timedelta(minutes=10))
    assert kept_reviews.ask(draft, now=kept.counted_at + timedelta(minutes=10))


@pytest.mark.parametrize(
    "change",
    [
        lambda: Segment.objects.update(conditions=[[{"field": "city", "operator": "any", "value": ["杭州"]}]]),
        lambda: Template.objects.update(body="{{ name }},新年好!", version=2),
        lambda: Variant.objects.update(share=50),
        lambda: ProviderAccount.objects.update(price="0.05"),
        lambda: FrequencyCap.objects.create(name="每天一条", limit=1, window="days"),
        lambda: QuietHours.objects.create(channel="sms", purpose="marketing"),
        lambda: type(KeptReview.objects.get().campaign).objects.update(timing="now"),
        lambda: type(KeptReview.objects.get().campaign).objects.update(cap_policy="hold"),
    ],
)
def test_whatever_staff_change_is_counted_anew(draft, change):
    counted(draft)

    change()
    changed = type(draft).objects.select_related("segment").get(pk=draft.pk)

    assert not kept_reviews.fresh(changed, now=clock.now())
    assert kept_reviews.ask(changed, now=clock.now())


def test_a_change_during_the_count_is_not_shown_under_the_old_numbers(draft):
    kept_reviews.ask(draft, now=clock.now())
    Variant.objects.update(share=50)

    kept_reviews.count(draft.pk, now=clock.now(), ends=clock.now)
    Variant.objects.update(share=100)

    assert not kept_reviews.fresh(draft, now=clock.now())


def test_a_count_whose_worker_was_killed_is_found_again(draft):
    now = clock.now()
    kept_reviews.ask(draft, now=now)
    KeptReview.objects.claim(now - timedelta(minutes=2), fingerprint=kept_reviews.fingerprint(draft))

    assert jobs.count_reviews() == {"counted": 1}
    assert kept_reviews.fresh(draft, now=clock.now())


def test_what_cannot_be_counted_says_why_instead_of_waiting_for_ever(draft, browser):
    Template.objects.update(body="{{ 7*7 }}")
    page(browser, draft, look=1)
    jobs.count_reviews()

    assert "The campaign cannot go out yet" in page(browser, draft, look=1)


def test_a_queue_that_was_emptied_loses_no_count(draft, browser, empty_queue):
    page(browser, draft, look=1)
    empty_queue.flushall()

    assert jobs.count_reviews() == {"counted": 1}


def test_a_large_campaign_is_scheduled_by_the_numbers_that_were_seen_and_not_counted_again(draft):
    kept = counted(draft)
    KeptReview.objects.update(result=kept.result | {"will_send": 19})

    campaigns.schedule(draft, version=draft.version, seen=19, by=None, now=clock.now())

    draft.refresh_from_db()
    assert draft.status == CampaignStatus.SCHEDULED
    assert draft.estimate["will_send"] == 19


def test_a_large_campaign_that_grew_since_it_was_counted_is_looked_at_again(draft):
    counted(draft)
    cast.crowd(20, first_phone=13800000000)

    with pytest.raises(reviews.CannotSchedule, match="from 20 to 40"):
        campaigns.schedule(draft, version=draft.version, seen=20, by=None, now=clock.now())


def test_a_large_campaign_whose_numbers_are_old_is_looked_at_again(draft):
    counted(draft)
    KeptReview.objects.update(counted_at=clock.now() - timedelta(minutes=11))

    with pytest.raises(reviews.CannotSchedule, match="ten minutes old"):
        campaigns.schedule(draft, version=draft.version, seen=20, by=None, now=clock.now())

    draft.refresh_from_db()
    assert draft.status == CampaignStatus.DRAFT


def test_whoever_opted_out_after_the_count_gets_nothing_from_a_large_campaign(draft):
    counted(draft)
    campaigns.schedule(draft, version=draft.version, seen=20, by=None, now=clock.now())
    someone = Customer.objects.order_by("pk").last()
    consent.withdraw([someone.pk], channels=["sms"], source=ConsentSource.STAFF, wording="电话", now=clock.now())

    campaigns.launch(draft.pk, now=clock.now())

    delivery = Delivery.objects.get(customer_id=someone.pk)
    assert (delivery.status, delivery.reason) == ("skipped", "opted_out")
