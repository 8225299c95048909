"""The last contact, as the customer list filters and shows it."""

from datetime import timedelta

import pytest

from campaigns import segmentation
from customers import clock
from customers.choices import Channel, Purpose
from notifications import caps
from notifications.models import RecentSends
from tests import cast
from tests.customers import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(db):
    return shop.browser(shop.staff("view_customer"))


def contacted(person, *days_ago: int) -> None:
    """This person got an SMS so many days ago, oldest first; so did the number."""
    now = clock.now()
    sends = [
        caps.pack(now - timedelta(days=days), channel=Channel.SMS, purpose=Purpose.MARKETING) for days in days_ago
    ]
    RecentSends.objects.create(subject=person.pk, sends=sends)
    RecentSends.objects.create(subject=-person.pk, sends=sends)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("within_7", ["李娜"]),
        ("within_30", ["王伟", "李娜"]),
        ("before_30", ["陈洁", "张敏"]),
        ("before_90", ["陈洁"]),
        ("never", ["陈洁"]),
    ],
)
def test_the_list_is_narrowed_by_the_latest_message_that_counts(clerk, answer, names):
    contacted(cast.li_na(), 200, 2)
    contacted(cast.wang_wei(), 20)
    contacted(cast.zhang_min(), 80, 60)
    cast.chen_jie()

    assert shop.names_in(clerk.get(shop.LIST, {"last_contact": answer})) == names


def test_the_list_shows_the_day_of_the_last_contact(clerk):
    contacted(cast.li_na(), 40, 2)
    day = clock.shop_date(clock.now() - timedelta(days=2))

    assert day.strftime("%m/%d/%Y") in shop.sentences(clerk.get(shop.LIST))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_answers_are_offered_in_both_languages(language):
    reader = shop.browser(shop.staff("view_customer"), language)

    assert 'value="within_1"' in reader.get(shop.LIST).content.decode()


@pytest.mark.parametrize("answer", ["within_7", "before_90", "never"])
def test_the_filter_becomes_the_same_question_of_a_segment(clerk, answer):
    contacted(cast.li_na(), 200, 2)
    contacted(cast.wang_wei(), 100)
    cast.chen_jie()

    conditions, left_out = segmentation.conditions_from(f"last_contact={answer}")

    listed = shop.names_in(clerk.get(shop.LIST, {"last_contact": answer}))
    assert left_out == []
    assert sorted(segmentation.people(conditions, now=clock.now()).values_list("name", flat=True)) == sorted(listed)
