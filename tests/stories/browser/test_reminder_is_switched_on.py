"""Three clicks from the gallery to a reminder that works, with its backtest before and its report after."""

import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from campaigns.models import Reminder, ReminderOccasion
from customers import clock
from customers.models import Customer
from notifications.models import Delivery
from tests import cast
from tests.campaigns import reminding
from tests.gateway import wait_until
from tests.stories.browser.person import PHONE, Person

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]

GALLERY = "/admin/campaigns/reminder/gallery/"
PAST = 70


def look(person: Person, name: str, *, phone: bool = False) -> None:
    """Keep a picture of the page for those who want to see it."""
    if folder := os.environ.get("SCREENSHOTS"):
        language = {"zh-hans": "zh", "en": "en"}[person.language]
        if phone:
            person.page.set_viewport_size(PHONE)
        person.page.screenshot(path=str(Path(folder) / f"{name}.{'phone.' * phone}{language}.png"), full_page=True)
        person.page.set_viewport_size({"width": 1440, "height": 900})


def a_month_of_orders() -> None:
    """Orders of the last weeks, most of them paid at once, some after hours and some never."""
    chance = random.Random(20)
    ids = cast.crowd(PAST)
    now = clock.now()
    for place, customer in enumerate(Customer.objects.filter(pk__in=ids).order_by("pk")):
        at = now - timedelta(days=chance.randrange(1, 29), hours=chance.randrange(24), minutes=chance.randrange(60))
        is_paid = place % 5 == 0
        order = reminding.order(customer, f"2026{place:06}", at=at)
        if is_paid:
            reminding.pay(order)
        order.lines.create(key="1", product="厄瓜多尔玫瑰11枝", quantity=1, price="128.00")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_three_clicks_switch_on_a_reminder_that_reaches_who_has_not_paid(shop, log_in, language):
    a_month_of_orders()
    marketer = log_in("marketer", language)

    marketer.open(GALLERY)
    marketer.check_on_the_phone()
    look(marketer, "reminder-gallery")
    look(marketer, "reminder-gallery", phone=True)
    marketer.page.locator('[data-entry="unpaid"]').click()
    expect(marketer.page.locator("#take")).to_be_visible()
    marketer.check_on_the_phone(marketer.page.locator("#take"))
    look(marketer, "reminder-choose")
    marketer.page.locator("#take").click()
    expect(marketer.page.locator("#backtest-total")).to_be_visible()
    assert int(marketer.page.locator("#backtest-total").get_attribute("data-count")) > PAST // 2
    marketer.check_on_the_phone(marketer.page.locator("#switch-on"))
    look(marketer, "reminder-backtest")
    look(marketer, "reminder-backtest", phone=True)
    assert not Delivery.objects.exists()
    marketer.page.locator("#switch-on").click()
    expect(marketer.page.locator("#switch-off")).to_be_visible()

    reminder = Reminder.objects.get()
    # A first notice would wait five minutes for others to the same customer.
    Reminder.objects.update(merge_within=timedelta(0))
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    moment = clock.now() - timedelta(minutes=20) + timedelta(seconds=3)
    reminding.order(li_na, "9001", at=moment)
    paid = reminding.order(wang_wei, "9002", at=moment)
    reminding.pay(paid)
    assert wait_until(lambda: ReminderOccasion.objects.filter(order__number="9001").exists(), seconds=30), shop.said()

    marketer.open(f"/admin/campaigns/reminder/{reminder.pk}/page/")
    expect(marketer.page.locator("[data-report]")).to_have_count(1)
    expect(marketer.page.locator("#backtest-total")).to_be_visible()
    look(marketer, "reminder-report")
    assert not ReminderOccasion.objects.filter(order=paid).exists()

    marketer.open(f"/admin/campaigns/reminder/{reminder.pk}/change/")
    expect(marketer.page.locator("#id_valid_for_0")).to_have_value("12")
    expect(marketer.page.locator("#id_valid_for_1")).to_have_value("hours")
    expect(marketer.page.locator("#id_steps-0-length_1")).to_have_value("minutes")
    marketer.check_on_the_phone()
    look(marketer, "reminder-form")
    look(marketer, "reminder-form", phone=True)
    marketer.open("/admin/campaigns/reminder/")
    expect(marketer.page.locator("#after-paid [data-count]")).to_have_attribute("data-count", "0")
    look(marketer, "reminder-list")
