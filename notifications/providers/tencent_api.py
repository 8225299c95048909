"""One signed call to Tencent Cloud SMS, and what its answer says as a whole."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from customers.msgid import _
from notifications.providers import tc3
from notifications.providers.addresses import Address, check_url, split_url
from notifications.providers.base import Outcome
from notifications.providers.http import CallFailed, HttpAnswer, HttpClient, Limits, RefusedAddress
from notifications.providers.json_values import dump, load, text_of, value_at
from notifications.providers.tencent_codes import verdict_of
from notifications.providers.verdicts import (
    CONTRADICTION,
    REDIRECT,
    SERVER_ERROR,
    STATUSES,
    UNREADABLE,
    Verdict,
    verdict_of_failure,
)

VERSION = "2021-01-11"
ENDPOINT = "https://sms.tencentcloudapi.com"
DEFAULT_REGION = "ap-guangzhou"
LARGEST_CALL = 200

BAD_KEY_ID = _("The SecretId holds characters that it cannot have; copy it anew.")
BAD_REGION = _("The region holds characters that it cannot have; enter ap-guangzhou, ap-beijing or ap-nanjing.")
BAD_APP_ID = _("The SdkAppId is a number such as 1400006666; the SMS console shows it.")
WITH_PATH = _("Enter the address without a path: https://sms.tencentcloudapi.com.")


@dataclass(frozen=True, slots=True)
class TencentSettings:
    """One application at Tencent Cloud SMS; `batch_seconds` bounds the calls of one batch together."""

    key_id: str
    app_id: str
    secret: str = field(default="", repr=False)
    url: str = ENDPOINT
    region: str = DEFAULT_REGION
    batch_size: int = LARGEST_CALL
    private_hosts: Collection[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    # The lease of a batch is 60 s, and the call that is under way when the time is over may take 25.
    batch_seconds: float = 30.0
    # PullSmsSendStatusByPhoneNumber is allowed 20 times a second.
    seconds_between_queries: float = 0.05


class TencentApi:
    """Calls actions by name. Raises ValueError with a sentence for settings that no call can be made from."""

    def __init__(
        self,
        settings: TencentSettings,
        *,
        client: HttpClient | None = None,
        clock: Callable[[], float] = time.time,
    ):
        check(settings)
        self.settings = settings
        self.client = client or HttpClient(private_hosts=settings.private_hosts, limits=settings.limits)
        # Seconds since 1970 of this machine, never a shifted clock: the signature is checked against the real time.
        self.clock = clock

    def call(self, action: str, parameters: Mapping[str, Any]) -> tuple[dict, Verdict | None]:
        """The answer's `Response`, or a verdict that holds for everything in the call."""
        body = dump(parameters)
        try:
            address = check_url(self.settings.url, private_hosts=self.client.private_hosts)
            answer = self.client.post(self.settings.url, body=body, headers=self._headers(action, address, body))
        except (CallFailed, RefusedAddress) as failure:
            return {}, verdict_of_failure(failure)
        return read_answer(answer)

    def _headers(self, action: str, address: Address, body: bytes) -> dict[str, str]:
        settings, timestamp, host = self.settings, int(self.clock()), host_header(address)
        return {
            "Host": host,
            "Content-Type": tc3.CONTENT_TYPE,
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Region": settings.region,
            "X-TC-Timestamp": str(timestamp),
            "Authorization": tc3.authorization(
                key_id=settings.key_id, secret=settings.secret, host=host, body=body, timestamp=timestamp
            ),
        }


def check(settings: TencentSettings) -> None:
    """Refuse settings that no call can be made from. Raises ValueError."""
    if split_url(settings.url).path != "/":
        raise ValueError(WITH_PATH)
    for value, words in ((settings.key_id, BAD_KEY_ID), (settings.region, BAD_REGION)):
        if not (value.isascii() and value.isprintable()) or set(value) & set(" ,/"):
            raise ValueError(words)
    if not (settings.app_id.isascii() and settings.app_id.isdigit()):
        raise ValueError(BAD_APP_ID)


def host_header(address: Address) -> str:
    """The host as it is signed and sent: with its port where that is not the usual one."""
    usual = 443 if address.secure else 80
    return address.bracketed if address.port == usual else f"{address.bracketed}:{address.port}"


def read_answer(answer: HttpAnswer) -> tuple[dict, Verdict | None]:
    """
    Read an answer, whatever it calls its type.

    The official client reads only "application/json" to the letter: with a charset behind it, it
    returns an empty success.
    """
    if answer.status >= 500:
        return {}, (Outcome.UNKNOWN, f"http_{answer.status}", SERVER_ERROR)
    if 300 <= answer.status < 400:
        return {}, (Outcome.UNKNOWN, f"http_{answer.status}", REDIRECT)
    response = value_at(load(answer.body), "Response")
    error = value_at(response, "Error")
    verdict = None
    if error is not None:
        verdict = verdict_of(text_of(value_at(error, "Code")), text_of(value_at(error, "Message")))
    if answer.status >= 400:
        return {}, refusal_of(answer.status, verdict)
    if not isinstance(response, dict):
        return {}, (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE)
    if verdict is not None and response.get("SendStatusSet"):
        return {}, (Outcome.UNKNOWN, verdict[1], CONTRADICTION)
    return response, verdict


def refusal_of(status: int, verdict: Verdict | None) -> Verdict:
    """What a 4xx means: Tencent Cloud says no with a 200, so this is a proxy's word unless it names a known code."""
    if verdict is not None and verdict[0] is not Outcome.UNKNOWN:
        return verdict
    if status in STATUSES:
        outcome, words = STATUSES[status]
        return outcome, f"http_{status}", words
    return Outcome.UNKNOWN, f"http_{status}", UNREADABLE
