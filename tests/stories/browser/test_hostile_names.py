"""Names that are formulas, HTML or template code: shown as they are, sent as they are, and never carried out."""

import pytest
from playwright.sync_api import expect

from tests.customers.files import table
from tests.gateway import wait_until
from tests.stories.browser.campaign_pages import path
from tests.stories.browser.person import Person
from tests.stories.watching import is_finished

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]
NAMES = {
    "13800000001": "=cmd|'/C calc'!A0",
    "13800000002": "<img src=x onerror=alert(1)>",
    "13800000003": "{{7*7}}",
    "13800000004": "{% for x in name %}x{% endfor %}",
    "13800000005": '"><script>alert(2)</script>',
}
CITY = "<b>杭州</b>"
TAG = "<script>alert(3)</script>"


@pytest.fixture
def marketer(log_in) -> Person:
    """A marketer at her desk; a dialog on any page of hers is a fault."""
    return log_in("marketer")


def read_everywhere(person: Person, *pages: str) -> None:
    """The names stand on each of the pages as they were written, and the tag is nothing but text."""
    for page in pages:
        person.open(page)
        for name in NAMES.values():
            expect(person.page.locator("main, body").first).to_contain_text(name)
        assert person.page.locator("img[src=x]").count() == 0


def test_hostile_names_are_shown_and_sent_as_they_are_written(marketer, draft, gateway):
    rows = [
        {"姓名": name, "手机号": phone, "城市": CITY, "标签": TAG, "短信同意": "是"} for phone, name in NAMES.items()
    ]
    marketer.upload({"name": "=cmd().csv", "mimeType": "text/csv", "buffer": table(*rows)})
    for name in NAMES.values():
        expect(marketer.page.locator("#import-page")).to_contain_text(name)
    marketer.start_import()
    read_everywhere(marketer, "/admin/customers/customer/")
    marketer.open("/admin/customers/customer/?q=13800000002")
    marketer.page.locator("#result_list a").first.click()
    expect(marketer.page.locator("#id_name")).to_have_value(NAMES["13800000002"])

    marketer.open(path(draft, "review"))
    marketer.page.locator("#commit").click()

    marketer.page.wait_for_url("**/live/")
    assert wait_until(lambda: is_finished(draft), seconds=60)
    texts = {entry["number"]: entry["text"] for entry in gateway.ledger()}
    for number, name in NAMES.items():
        assert texts[number] == f"【鸿雁花店】{name},新年快乐!拒收请回复R"
    read_everywhere(marketer, "/admin/notifications/delivery/", gateway.url)
