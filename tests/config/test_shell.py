"""The frame around every page: its notices, its menu, its language, and who may look inside the queues."""

from datetime import timedelta

import cast
import pytest
import staff
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django_rq.models import Dashboard

from config.health import QUEUES
from customers import clock
from customers.models import ClockOffset
from notifications.models import Heartbeat, ProviderAccount

pytestmark = pytest.mark.django_db


def beat(ago: timedelta = timedelta(0)) -> None:
    for queue in QUEUES:
        Heartbeat.objects.update_or_create(name=queue, defaults={"at": clock.now() - ago})


def test_a_silent_worker_is_told_on_every_page():
    beat(ago=timedelta(minutes=5))
    client = staff.signed_in("owner")

    pages = [client.get(reverse(f"admin:{name}")) for name in ("index", "notifications_template_changelist")]

    assert all(b'id="no-worker"' in page.content for page in pages)


def test_a_lively_worker_is_not_spoken_of():
    beat()

    page = staff.signed_in("owner").get(reverse("admin:index"))

    assert b'id="no-worker"' not in page.content


def test_one_silent_queue_of_three_is_told_too():
    beat()
    Heartbeat.objects.filter(name="bulk").update(at=clock.now() - timedelta(minutes=2))

    page = staff.signed_in("clerk").get(reverse("admin:index"))

    assert b'id="no-worker"' in page.content


def test_a_shifted_clock_is_told_on_every_page():
    ClockOffset.objects.filter(id=1).update(offset=timedelta(days=3))

    page = staff.signed_in("owner").get(reverse("admin:index"))

    assert b'id="shifted-clock"' in page.content


def test_the_browser_decides_the_language_and_chinese_is_spoken_where_it_says_nothing():
    chinese = staff.signed_in("owner", language="zh-CN,zh;q=0.9")

    assert b'lang="zh-hans"' in chinese.get(reverse("admin:index")).content
    assert b'lang="en"' in chinese.get(reverse("admin:index"), headers={"accept-language": "en-US"}).content
    assert b'lang="zh-hans"' in chinese.get(reverse("admin:index"), headers={"accept-language": ""}).content
    assert b'lang="zh-hans"' in chinese.get(reverse("admin:index"), headers={"accept-language": "fr"}).content


def test_a_person_can_switch_the_language():
    client = staff.signed_in("owner", language="zh-CN")

    client.post(reverse("set_language"), {"language": "en", "next": "/admin/"})

    assert b'lang="en"' in client.get(reverse("admin:index")).content


@pytest.mark.parametrize(
    ("role", "sees", "never_sees"),
    [
        ("owner", "notifications_provideraccount_changelist", "django_rq_dashboard_changelist"),
        ("marketer", "notifications_template_changelist", "notifications_provideraccount_changelist"),
        ("clerk", "customers_customer_changelist", "auth_user_changelist"),
        ("auditor", "auth_user_changelist", "notifications_template_add"),
    ],
)
def test_the_menu_offers_what_a_role_may_open(role, sees, never_sees):
    page = staff.signed_in(role).get(reverse("admin:index")).content.decode()

    assert f'href="{reverse(f"admin:{sees}")}"' in page
    assert f'href="{reverse(f"admin:{never_sees}")}"' not in page


def queue_pages() -> list[str]:
    """Every address of the queue's own pages, with made-up values for what they ask."""
    values = {"queue_index": 0, "scheduler_index": 0, "connection_index": 0}
    addresses = []
    for pattern in admin.site.get_model_admin(Dashboard).get_urls():
        names = pattern.pattern.converters or pattern.pattern.regex.groupindex
        filled = {name: values.get(name, "x") for name in names if name != "token"}
        if "object_id" not in filled and pattern.name:
            addresses.append(reverse(f"admin:{pattern.name}", kwargs=filled))
    return addresses


@pytest.mark.parametrize("role", ["owner", "marketer", "clerk", "auditor"])
def test_nobody_but_a_superuser_looks_inside_the_queues(role):
    client = staff.signed_in(role)

    answers = {address: client.get(address).status_code for address in queue_pages()}

    assert len(answers) > 10
    assert {address: status for address, status in answers.items() if status not in (403, 404)} == {}


def test_a_superuser_looks_inside_the_queues():
    page = staff.signed_in("superuser").get(reverse("admin:django_rq_dashboard_changelist"))

    assert page.status_code == 200


def test_every_number_of_the_overview_is_a_link():
    client = staff.signed_in("owner")

    tiles = client.get(reverse("admin:index")).context["tiles"]

    assert len(tiles) == 4
    assert {tile["link"]: client.get(tile["link"]).status_code for tile in tiles} == {
        tile["link"]: 200 for tile in tiles
    }


def test_the_overview_greets_a_person_without_a_role():
    client = staff.signed_in("clerk")
    User.objects.get(username="clerk").groups.clear()

    page = client.get(reverse("admin:index"))

    assert page.status_code == 200
    assert "tiles" not in page.context


def test_the_clock_is_shifted_and_set_back_on_the_status_page():
    client = staff.signed_in("owner")
    before = clock.now()

    client.post(reverse("system_status"), {"moment": "2031-02-01T09:00"})
    shifted = clock.now()
    client.post(reverse("system_status"), {"back": "1"})

    assert shifted.astimezone(clock.shop_zone()).strftime("%Y-%m-%d %H:%M") == "2031-02-01 09:00"
    assert clock.now() - before < timedelta(minutes=1)


def test_the_clock_stays_where_customers_really_get_messages():
    ProviderAccount.objects.create(name="real", url="https://gateway.example.com/", callback_token="t" * 40)

    answer = staff.signed_in("owner").post(reverse("system_status"), {"moment": "2031-02-01T09:00"})

    assert answer.status_code == 403
    assert ClockOffset.objects.get().offset == timedelta(0)


def test_a_clerk_does_not_see_the_system_status():
    assert staff.signed_in("clerk").get(reverse("system_status")).status_code == 403


def test_what_needs_attention_is_said_with_a_link():
    account = cast.account("http://127.0.0.1:1")
    ProviderAccount.objects.filter(pk=account.pk).update(paused_for="balance used up")

    points = staff.signed_in("owner").get(reverse("admin:index")).context["attention"]

    link = reverse("admin:notifications_provideraccount_change", args=[account.pk])
    assert [point.words for point in points if point.link == link] == [
        f"The account “{account.name}” is paused: balance used up"
    ]
