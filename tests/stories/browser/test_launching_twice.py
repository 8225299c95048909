"""A double click on launch, and a second tab: the campaign goes out once, and the second tab is told."""

from collections import Counter

import pytest
from playwright.sync_api import expect

from tests.gateway import wait_until
from tests.stories.browser.campaign_pages import EVERYBODY, path
from tests.stories.watching import is_finished

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]


def test_a_double_click_and_a_second_tab_send_once(log_in, draft, gateway):
    marketer = log_in("marketer")
    second_tab = marketer.another_tab()
    marketer.open(path(draft, "review"))
    second_tab.open(path(draft, "review"))
    second_tab.page.locator("#commit").wait_for()

    marketer.page.locator("#commit").dblclick()
    marketer.page.wait_for_url("**/live/")
    second_tab.page.locator("#commit").click()

    second_tab.page.wait_for_url("**/live/")
    expect(second_tab.page.locator("body")).to_contain_text(
        second_tab.words("The campaign was scheduled already: it is “%s”.").partition(":")[0]
    )
    assert wait_until(lambda: is_finished(draft), seconds=60)
    assert Counter(gateway.numbers()) == {str(13900000000 + place): 1 for place in range(EVERYBODY)}
