"""The adapter of Tencent Cloud as the tests talk to it, and what it sends."""

from datetime import UTC, datetime

from notifications.providers.base import Answer, Asked, Outcome, Outgoing, RegisteredText
from notifications.providers.http import Limits
from notifications.providers.tencent_api import TencentSettings
from notifications.providers.tencent_sms import TencentSms
from tests.gateways.tencent import APP_ID, KEY_ID, SECRET, Tencent

TEMPLATE = RegisteredText("1110", "云杉小店")
TEXT = "{1}，您好，订单{2}已发货。"
# The same moment as in the document's example of a signature.
MORNING = 1768442584


def adapter_for(gateway: Tencent, **changes) -> TencentSms:
    """An adapter that calls a gateway of this machine."""
    clock = changes.pop("clock", gateway.clock)
    settings = {
        "key_id": KEY_ID,
        "secret": SECRET,
        "app_id": APP_ID,
        "url": gateway.url,
        "private_hosts": {gateway.host},
        "limits": Limits(connect=1.0, read=1.0, total=2.0),
        "seconds_between_queries": 0.0,
    }
    return TencentSms(TencentSettings(**(settings | changes)), clock=clock)


def outgoing(number: str, *values: str) -> Outgoing:
    """One message with its parameters."""
    parameters = {f"value{place}": value for place, value in enumerate(values)}
    return Outgoing(f"ref-{number}", number, "", parameters)


def people(count: int, *values: str, first: int = 13_800_000_001) -> list[Outgoing]:
    """Messages with equal parameters to so many numbers."""
    return [outgoing(str(first + place), *values) for place in range(count)]


def send(provider: TencentSms, batch: list[Outgoing], call: str = "d-42") -> list[Answer]:
    return provider.send(batch, call_reference=call, registered=TEMPLATE)


def outcomes(answers: list[Answer]) -> list[Outcome]:
    return [answer.outcome for answer in answers]


def asked(number: str, *, call: str = "d-42", serial: str = "", at: float = MORNING) -> Asked:
    """A message whose fate is asked for."""
    return Asked(f"ref-{number}", call, number, serial, datetime.fromtimestamp(at, UTC))
