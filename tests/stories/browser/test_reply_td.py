"""A customer replies TD to a greeting: through the gateway's push, the worker, and the pages of the staff."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from customers.models import Consent, Customer, Suppression
from notifications.models import Delivery, Reply
from notifications.services import deliveries
from tests import cast
from tests.gateway import wait_until
from tests.notifications.test_sending import freeze
from tests.stories.browser.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]

LI_NA, STRANGER = "13800000001", "13900000009"
LIST = "/admin/notifications/reply/"


def look(person: Person, name: str) -> None:
    """Keep a picture of the page for those who want to see it."""
    if folder := os.environ.get("SCREENSHOTS"):
        person.page.screenshot(path=str(Path(folder) / f"{name}-{person.language}.png"), full_page=True)


def say(gateway, number: str, text: str) -> None:
    """Reply as a customer, as the form of the sandbox gateway does."""
    assert gateway.call("POST", "/reply", {"number": number, "text": text}) == (200, '{"pushed":true}')


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_reply_reaches_staff_and_an_opt_out_holds_at_once(shop, gateway, noon, log_in, language):
    li_na = cast.li_na()
    deliveries.plan(freeze(cast.template(), now=noon), Customer.objects.present(), occasion="greeting", now=noon)
    assert wait_until(lambda: Delivery.objects.filter(status="delivered").count() == 1), shop.said()

    for number, text in ((LI_NA, "什么时候发货？"), (LI_NA, "别再发了"), (LI_NA, " ｔｄ 。"), (STRANGER, "退订")):
        say(gateway, number, text)
    assert wait_until(lambda: Reply.objects.count() == 4), shop.said()

    clerk = log_in("clerk", language)
    look(clerk, "overview")
    clerk.open(LIST)
    look(clerk, "replies")
    rows = clerk.page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    clerk.check_on_the_phone()
    clerk.page.get_by_role("button", name=clerk.words("No opt-out")).click()
    expect(clerk.page.locator(".hy-acts", has_text="clerk")).to_have_count(1)
    look(clerk, "decided")
    clerk.open(f"/admin/customers/customer/{li_na.pk}/change/")
    expect(clerk.page.locator("#deliveries .hy-said")).to_have_count(3)
    look(clerk, "customer")
    clerk.page.locator("#deliveries").get_by_role("button", name=clerk.words("Answered")).click()
    expect(clerk.page.locator("#deliveries .hy-acts", has_text="clerk")).to_have_count(2)

    assert set(Consent.objects.filter(customer=li_na, channel="sms").values_list("status", flat=True)) == {"withdrawn"}
    assert Suppression.objects.get().address == STRANGER
    assert not Reply.objects.needing_attention().exists()
