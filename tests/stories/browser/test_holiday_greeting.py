"""The main job in the browser: lists in, a greeting written, looked at, scheduled and delivered, in both languages."""

import csv
import re
from collections import Counter
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from customers import clock
from customers.choices import Channel, RowOutcome
from customers.models import ClockOffset, Customer
from notifications import screening
from notifications.services.clock import shift
from tests.customers.files import SAMPLES
from tests.gateway import wait_until
from tests.stories.browser.person import Person, whole

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]
YOUZAN = SAMPLES / "youzan_customers_sample.csv"
SHOPIFY = SAMPLES / "shopify_customers_export_sample.csv"
GREETING = re.compile("^【鸿雁花店】.+,新年快乐!拒收请回复R$")
BLACKLISTED = "黑名单"


def expected(sample) -> list[dict[str, str]]:
    """What must become of each row of a sample."""
    with open(f"{sample}.expected_rows.csv", encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def numbers(sample, **columns: str) -> set[str]:
    """The numbers of the valid rows, of those with these words in other columns."""
    wanted = {"outcome": "valid"} | columns
    return {row["phone"].removeprefix("+86") for row in expected(sample) if wanted.items() <= row.items()}


def blacklisted() -> set[str]:
    """The numbers that the shop's own list calls blacklisted."""
    with YOUZAN.open(encoding="utf-8-sig", newline="") as handle:
        lines = dict(enumerate(csv.DictReader(handle), start=2))
    return {
        row["phone"]
        for row in expected(YOUZAN)
        if row["outcome"] == "valid" and BLACKLISTED in lines[int(row["row"])]["标签"].split(",")
    }


@pytest.fixture(params=["zh-hans", "en"])
def marketer(request, log_in) -> Person:
    """A marketer at her desk."""
    return log_in("marketer", request.param)


def test_a_greeting_reaches_exactly_those_who_agreed(marketer, gateway):
    import_without_consent(marketer)
    build_a_segment(marketer)
    write_a_greeting(marketer)
    review = plan_for_the_next_minutes(marketer)
    nobody_may_be_written_to(marketer)

    import_with_declared_consent(marketer)
    import_with_a_consent_column(marketer)
    see_who_will_be_written_to(marketer, review)
    schedule(marketer)
    let_the_hour_come()
    watch_until_everybody_has_it(marketer)

    allowed = numbers(YOUZAN) - blacklisted() | numbers(SHOPIFY, sms_consent="yes")
    assert Counter(gateway.numbers()) == dict.fromkeys(allowed, 1)


def import_without_consent(person: Person) -> None:
    """The review shows what was guessed and what would happen; the result is what was expected of each row."""
    person.upload(YOUZAN)
    read_columns = person.page.locator(".hy-mapping select[name^='column-']")
    chosen = {select.get_attribute("aria-label"): select.input_value() for select in read_columns.all()}
    guessed = {label.partition("“")[2].partition("”")[0]: field for label, field in chosen.items()}
    assert guessed["客户手机号"] == "phone"
    assert guessed["客户姓名"] == "name"
    assert guessed["标签"] == "tags"
    before = person.tiles()

    person.start_import()

    outcomes = Counter(row["outcome"] for row in expected(YOUZAN))
    wanted = [outcomes["valid"], 0, 0, outcomes["duplicate"], outcomes["invalid"]]
    after = person.tiles()
    assert list(after)[:5] == [person.words(outcome.label) for outcome in RowOutcome]
    assert list(after.values())[:5] == list(before.values())[:5] == wanted
    assert refused_rows(person) == Counter(row["reason"] for row in expected(YOUZAN) if row["outcome"] == "invalid")
    assert Customer.objects.count() == outcomes["valid"]
    assert consent_recorded(person) == 0


def refused_rows(person: Person) -> dict[str, int]:
    """How many rows could not be used, by the reason in the link to them."""
    links = person.page.locator("a.hy-number[href*='reason=']")
    return {
        link.get_attribute("href").partition("reason=")[2].partition("&")[0]: whole(link.inner_text())
        for link in links.all()
    }


def consent_recorded(person: Person) -> int:
    """How many rows brought consent."""
    return person.tiles()[person.words("Consent recorded")]


def build_a_segment(person: Person) -> None:
    """Everybody with a number, without those whom the shop has on its blacklist: by clicking, counted at once."""
    person.open("/admin/campaigns/segment/add/")
    person.page.locator("#id_name").fill("可发短信的顾客")
    add = person.page.locator(".hy-builder > div > button.hy-button")
    add.click()
    first, second = person.page.locator(".hy-group").nth(0), person.page.locator(".hy-group").nth(1)
    first.locator(".hy-condition-field").select_option("address")
    first.locator(".hy-condition-value select").select_option(Channel.SMS)
    add.click()
    second.locator(".hy-condition-field").select_option("tag")
    second.locator(".hy-condition-operator").select_option("none")
    second.locator(".hy-condition-value select").select_option(label=BLACKLISTED)

    count = person.page.locator(".hy-count-number strong")
    expect(count).to_have_text(str(len(numbers(YOUZAN) - blacklisted())))
    person.save()
    person.page.wait_for_url("**/segment/")
    person.check_on_the_phone()


def write_a_greeting(person: Person) -> None:
    """The preview follows every word, with signature and opt-out wording in place."""
    person.open("/admin/notifications/template/add/")
    person.page.locator("#id_name").fill("元旦问候")
    person.page.locator("#id_purpose").select_option("marketing")
    person.page.locator("#id_signature").select_option(label="【鸿雁花店】")
    person.page.locator("#id_body").fill("")
    person.page.locator("[data-insert]").first.click()
    person.page.locator("#id_body").press_sequentially(",新年快乐!")

    expect(person.page.locator("#preview-text")).to_have_text(GREETING)
    person.check_on_the_phone(person.page.locator("[data-insert]").first)
    person.save()
    person.page.wait_for_url("**/template/")
    person.check_on_the_phone()


def plan_for_the_next_minutes(person: Person) -> str:
    """A campaign for a minute ahead; saving it leads to its review, whose address is the answer."""
    person.open("/admin/campaigns/campaign/add/")
    person.page.locator("#id_name").fill("元旦问候")
    person.page.locator("#id_segment").select_option(label="可发短信的顾客")
    person.page.locator("#id_timing").select_option("at")
    moment = (clock.now() + timedelta(minutes=1)).astimezone(clock.shop_zone())
    person.page.locator("#id_planned_for").fill(moment.strftime("%Y-%m-%dT%H:%M"))
    person.page.locator("#id_variants-0-template").select_option(label="元旦问候")
    person.save()
    person.page.wait_for_url("**/review/")
    return person.page.url


def nobody_may_be_written_to(person: Person) -> None:
    """Without consent the waterfall shows all of them in one step, and there is nothing to schedule."""
    everybody = len(numbers(YOUZAN) - blacklisted())

    assert person.waterfall() == {"matched": everybody, "no_consent": everybody, "will_send": 0}
    expect(person.page.locator(".hy-waterfall")).to_contain_text(person.words(screening.NO_CONSENT.label))
    expect(person.page.locator("#commit")).to_have_count(0)
    person.check_on_the_phone()


def import_with_declared_consent(person: Person) -> None:
    """The same file again, now with the marketer's word for it: nothing new but the consent."""
    person.upload(YOUZAN)
    today = clock.shop_date(clock.now()).isoformat()
    person.declare_consent(place="门店会员登记表", day=today, wording="我同意接收本店的短信优惠")
    consent = person.page.locator(".hy-tile").nth(len(RowOutcome)).locator(".hy-tile-value")
    expect(consent).to_have_text(str(len(numbers(YOUZAN))))

    person.start_import()

    assert list(person.tiles().values())[:3] == [0, len(numbers(YOUZAN)), 0]
    assert consent_recorded(person) == len(numbers(YOUZAN))


def import_with_a_consent_column(person: Person) -> None:
    """A file that says of everybody whether they agreed."""
    person.upload(SHOPIFY)

    person.start_import()

    wanted = expected(SHOPIFY)
    # Whoever has no number that can be texted is a customer all the same, reached by e-mail.
    assert list(person.tiles().values())[:5] == [len(wanted), 0, 0, 0, 0]
    invalid = Counter(row["reason"] for row in wanted if row["outcome"] == "invalid")
    refused = refused_rows(person)
    assert refused["empty"] == invalid["empty"]
    assert sum(refused.values()) == invalid.total()


def see_who_will_be_written_to(person: Person, review: str) -> None:
    """Now the waterfall leaves out those alone who have not agreed."""
    person.open(review)

    agreed = len(numbers(YOUZAN) - blacklisted()) + len(numbers(SHOPIFY, sms_consent="yes"))
    refused = len(numbers(SHOPIFY)) - len(numbers(SHOPIFY, sms_consent="yes"))
    steps = person.waterfall()
    assert steps.pop("no_consent", 0) + steps.pop("opted_out", 0) == refused
    assert steps == {"matched": agreed + refused, "will_send": agreed}
    person.check_on_the_phone(person.page.locator("#commit"))


def schedule(person: Person) -> None:
    """One click; the page then waits with her."""
    person.page.locator("#commit").click()
    person.page.wait_for_url("**/live/")
    expect(person.page.locator("#live .hy-pill-accent")).to_have_count(1)
    person.check_on_the_phone(person.page.locator("#ask-cancel"))


def let_the_hour_come() -> None:
    """A minute passes in a moment."""
    offset: timedelta = ClockOffset.objects.get().offset
    shift(offset + timedelta(minutes=1))


def watch_until_everybody_has_it(person: Person) -> None:
    """Whenever she looks, the parts add up to the audience; in the end everybody has it."""
    allowed = len(numbers(YOUZAN) - blacklisted()) + len(numbers(SHOPIFY, sms_consent="yes"))
    audience = person.page.locator("#audience")
    audience.wait_for()

    def parts() -> dict[str, int]:
        found = "[...document.querySelectorAll('#live [data-state]')]"
        return dict(person.page.evaluate(f"{found}.map(part => [part.dataset.state, +part.dataset.count])"))

    def everybody_has_it() -> bool:
        total = person.page.evaluate("+document.querySelector('#audience').dataset.count")
        seen = parts()
        assert sum(seen.values()) == total, seen
        return seen.get("delivered") == allowed

    assert wait_until(everybody_has_it, seconds=60), parts()
    expect(person.page.locator("#live .hy-pill-plain")).to_have_count(1)
    person.check_on_the_phone()
