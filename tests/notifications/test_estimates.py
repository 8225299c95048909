"""The waterfall before sending says exactly what sending then does."""

import pytest

from customers import clock
from customers.choices import Gender
from customers.models import Customer, Suppression, Tier
from notifications.models import Delivery, FrequencyCap
from notifications.services import deliveries, estimates, sending, step_people
from notifications.services.progress import progress
from tests import cast, registered
from tests.gateways.aliyun import Aliyun
from tests.notifications.test_cloud_sending import approved
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [
    "李娜",
    "欧阳若兰",
    "",
    "John Smith",
    "𠮷田",
    "张【三】",
    "名字" * 14,
    "Ann",
    "😀小明",
    "二十四节气的那位老顾客朋友们您好",
]


def funnel(template, *, now, cap_policy="skip"):
    return estimates.estimate(
        Customer.objects.present(),
        variants=[(template, Customer.objects.present())],
        channel="sms",
        purpose=template.purpose,
        cap_policy=cap_policy,
        now=now,
        send_at=now,
    )


def steps(found):
    return {step.code: step.count for step in found.steps}


def various_people():
    """Names of every length, with and without consent, tiers, duplicates and suppressions."""
    gold = Tier.objects.create(name="金卡", rank=2)
    for place, name in enumerate(NAMES):
        person = cast.customer(name, phone=f"1370000000{place}", consent="granted")
        if place % 3 == 0:
            Customer.objects.filter(pk=person.pk).update(tier=gold, gender=Gender.FEMALE, city="杭州")
    cast.wang_wei(), cast.zhang_min(), cast.chen_jie()
    cast.customer("同号", phone="13700000001", consent="granted")
    cast.customer("投诉", phone="13700000099", consent="granted")
    Suppression.objects.create(channel="sms", address="13700000099", scope="all", reason="complained")


@pytest.mark.parametrize(
    "body",
    [
        '{{ name or "顾客" }},新年快乐!',
        "{{ name }}您好" + "满" * 50,
        '{% if tier == "金卡" %}尊贵的{{ name or "会员" }}{{ title }}'
        + "惠" * 40
        + "{% else %}您好{% endif %}{{ shop }}",
        '{{ city or "本地" }}的{{ name|truncate(4) or "您" }},尾号{{ phone_tail }}',
    ],
)
def test_the_estimate_equals_what_is_sent_to_the_segment_and_the_cent(account, gateway, noon, body):
    various_people()
    template = cast.template(body)

    found = funnel(template, now=noon)
    message = freeze(
        template,
        now=noon,
    )
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=noon)
    sending.drain("bulk", seconds=10, clock=clock.now)

    told = progress([message.pk], now=clock.now())
    assert found.total == told.total == Customer.objects.count()
    assert found.will_send == told.count("sent") == len(gateway.numbers())
    assert found.segments == sum(part.segments for part in told.parts)
    assert found.cost == told.cost
    skipped = {part.reason: part.count for part in told.parts if part.state == "skipped"}
    assert steps(found) == skipped


def test_a_file_without_consent_shows_everybody_under_no_consent(account, noon):
    for place in range(5):
        cast.customer("新客", phone=f"1370000000{place}")

    found = funnel(cast.template(), now=noon)

    assert (found.total, found.will_send, steps(found)) == (5, 0, {"no_consent": 5})


def test_people_over_the_cap_leave_or_wait_as_the_campaign_says(account, gateway, noon):
    cast.crowd(20)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    template = cast.template()
    send(freeze(template, now=noon))

    skips = funnel(template, now=clock.now())
    holds = funnel(template, now=clock.now(), cap_policy="hold")

    assert (skips.will_send, steps(skips)) == (0, {"over_cap": 20})
    assert (holds.will_send, holds.will_hold) == (20, 20)
    sent_at = Delivery.objects.latest("sent_at").sent_at
    assert abs((holds.held_until - sent_at).total_seconds() - 86_400) < 0.01
    assert states() == {"sent": 20}


def test_the_people_behind_a_number_are_those_it_counted(account, noon):
    various_people()

    def names(code):
        ids = step_people.people(
            Customer.objects.present(), code=code, channel="sms", purpose="marketing", send_at=noon
        )
        return set(Customer.objects.filter(pk__in=ids).values_list("name", flat=True))

    assert names("opted_out") == {"王伟"}
    assert names("no_consent") == {"陈洁"}
    assert names("suppressed") == {"投诉"}
    assert names("no_address") == {"张敏"}
    assert names("duplicate_address") == {"同号"}
    assert names("") == set(NAMES)


@pytest.mark.parametrize("code", ["", "no_consent", "duplicate_address", "over_cap"])
def test_the_people_behind_a_number_are_found_page_by_page_each_once(account, gateway, noon, monkeypatch, code):
    various_people()
    cast.crowd(6, first_phone=13500000000)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    send(freeze(cast.template(name="先发的"), now=noon), audience=Customer.objects.filter(name__startswith="客户"))
    everybody = Customer.objects.present()
    question = {"code": code, "channel": "sms", "purpose": "marketing", "send_at": noon}
    at_once = step_people.people(everybody, **question)

    monkeypatch.setattr(step_people, "SLICE", 2)
    monkeypatch.setattr(step_people, "WALKED_AT_MOST", 4)
    monkeypatch.setattr(step_people, "CAPPED_AT_ONCE", 2)
    monkeypatch.setattr(step_people, "TWINS_AT_ONCE", 1)
    pages, after = [], 0
    while page := step_people.people(everybody, **question, after=after, limit=2):
        pages += page
        after = page[-1]

    assert pages == at_once == sorted(set(at_once))
    assert at_once or code == "over_cap"


@pytest.fixture
def cloud(tmp_path, settings):
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


def test_values_that_a_cloud_would_refuse_are_counted_before_as_they_are_skipped_then(cloud, noon):
    various_people()
    crowd = cast.crowd(6)
    Customer.objects.filter(pk__in=crowd[:2]).update(name="www.example.com")
    Customer.objects.filter(pk__in=crowd[2:5]).update(name="http://e.cn")
    template = cast.template('{{ name or "顾客" }},新年快乐!')
    approved(template, registered.account_at(cloud, is_sandbox=True))

    found = funnel(template, now=noon)
    send(freeze(template, now=noon))

    skipped = {code: count for code, count in states().items() if code != "sent"}
    assert steps(found) == skipped
    assert skipped["value_with_link"] == 5
    assert found.will_send == states()["sent"] == len(cloud.ledger())
