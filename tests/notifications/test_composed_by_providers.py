"""Providers compose messages from a text and its parameters: to the character what staff saw before."""

import pytest

from customers import clock
from notifications import rendering
from notifications.providers.base import Outcome, Outgoing
from notifications.providers.base import RegisteredText as Call
from notifications.services import gateways, registrations
from tests import cast, registered
from tests.gateways.aliyun import Aliyun
from tests.gateways.tencent import Tencent

pytestmark = pytest.mark.django_db

PEOPLE = [
    {"name": "李娜", "title": "女士", "city": "杭州"},
    {"name": "", "title": "", "city": ""},
    {"name": "娜${city}{2}%s", "title": "先生", "city": "𠮷林"},
    {"name": "【官方】退订回T", "title": "", "city": "x" * 35},
]
TEXTS = [
    '亲爱的{{ name or "顾客" }}{{ title or "" }}，新年快乐！',
    "【鸿雁花店】{{ '贵宾' if title else '顾客' }}您好，{{ city or '本地' }}门店{{ name or '全场' }}8折，拒收请回复R",
    '您好\n{{ name|default("朋友")|truncate(3) }}。{{ name or "朋友" }}',
    "店庆，全场100%满意",
]


def handed_over(provider, row, template):
    """What we believe was sent to each person, after sending it."""
    compiled, opt_out = rendering.parse(template.body), template.opt_out_wording
    call = Call(row.code, template.signature.name, tuple(row.names))
    batch = []
    for place, person in enumerate(PEOPLE):
        said, parameters = compiled.compose_with_parameters(person, signature=call.signature, opt_out=opt_out)
        batch.append(Outgoing(f"r{place}", f"1380000000{place}", said, call.named(parameters)))
    answers = provider.send(batch, call_reference="c" * 32, registered=call)
    assert [answer.outcome for answer in answers] == [Outcome.TAKEN] * len(PEOPLE)
    return {outgoing.number: outgoing.text for outgoing in batch}


@pytest.mark.parametrize("body", TEXTS)
@pytest.mark.parametrize(
    ("service", "account_at"),
    [(Aliyun, registered.account_at), (Tencent, registered.account_at_tencent)],
    ids=["Aliyun", "Tencent Cloud"],
)
def test_a_provider_composes_what_staff_saw(tmp_path, settings, service, account_at, body):
    template = cast.template(body, name="正文")
    with service(tmp_path / "gateway") as gateway:
        # Approved at once, in the words of each.
        gateway.script.review = {"0": "1", "1": "1", 1: 0}[gateway.script.review]
        settings.GATEWAY_PRIVATE_HOSTS = [gateway.host]
        account = account_at(gateway)
        row = registrations.hand_in(template, account, by=None, now=clock.now())

        believed = handed_over(gateways.provider_for(account), row, template)

        assert {entry["number"]: entry["text"] for entry in gateway.ledger()} == believed
