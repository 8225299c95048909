"""Aliyun SMS: sends registered texts, reads receipts and replies, asks for outcomes, registers texts."""

import json
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from customers.msgid import _
from notifications.providers import callbacks
from notifications.providers.acs3 import AccessKey, Signed, encode_in_form, query_of, sign
from notifications.providers.addresses import split_url
from notifications.providers.aliyun_codes import (
    CLOSING_CODES,
    GONE_CODES,
    RESTING_CODES,
    receipt_words,
    verdict_of,
)
from notifications.providers.aliyun_search import Search
from notifications.providers.base import (
    Answer,
    Asked,
    NotFound,
    Outcome,
    Outgoing,
    RegisteredText,
    Registration,
    RegistrationStatus,
    Replies,
    Reply,
    Report,
    Reports,
    Withheld,
    nobody,
    unknown_code,
)
from notifications.providers.http import CallFailed, HttpClient, Limits, RefusedAddress, check_key
from notifications.providers.json_values import CHINA, clean_text, load, moment, plain_number, text_of, value_at
from notifications.providers.verdicts import (
    REFUSED_REGISTRATIONS,
    UNREADABLE,
    Verdict,
    for_all,
    verdict_of_failure,
)

VERSION = "2017-05-25"
DEFAULT_REGION = "cn-hangzhou"
MAINLAND = "dysmsapi.aliyuncs.com"
# One endpoint serves the mainland; the regions are those that the official client knows.
REGIONS = dict.fromkeys(
    (
        "cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "cn-qingdao", "cn-zhangjiakou", "cn-huhehaote",
        "cn-chengdu", "cn-hangzhou-finance", "cn-shanghai-finance-1", "cn-shenzhen-finance-1", "cn-beijing-finance-1",
        "cn-north-2-gov-1",
    ),
    MAINLAND,
)  # fmt: skip

PAGE_SIZE, MOST_PAGES = 50, 20
# Aliyun files a message under the day on which it took it, which may be the next one.
AFTER_MIDNIGHT = timedelta(minutes=10)

NO_REGISTERED_TEXT = _("Aliyun sends registered texts only, and this text is not registered there.")
INCOMPLETE = _("Aliyun's answer leaves messages out; what became of this one is not known yet.")
UNKNOWN_STATUS = _("Aliyun's answer names a status that is not known.")
NO_NUMBER = _("The receipt names no number.")
NOT_EVERY_CARRIER = _("Approved by Aliyun, but not registered with every carrier; see the console.")

STATUSES_OF_REVIEW = {
    "0": RegistrationStatus.IN_REVIEW,
    "1": RegistrationStatus.APPROVED,
    "2": RegistrationStatus.REJECTED,
    "10": RegistrationStatus.GONE,
}
TEMPLATE_TYPES = {"notice": "1", "marketing": "2"}
# What Aliyun wants to know of each parameter; whatever is not here may hold letters and digits.
PARAMETER_KINDS = {"name": "name", "amount": "money", "total": "money", "phone_tail": "other_number2"}
OTHER_KIND = "characterWithNumber2"
# 1 waits for the receipt.
SEND_STATUSES = {"1": None, "2": False, "3": True}
SUCCESS = {"true": True, "false": False}
# With a carrier: failed, lapsed after six months without a message, never handed in.
NOT_REGISTERED = {"0", "2", "-2"}
PARAMETER = re.compile(r"\$\{(\w+)\}")

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class AliyunSettings:
    """One account at Aliyun; the endpoint is a scheme and a host."""

    key_id: str
    key_secret: str = field(repr=False)
    endpoint: str = f"https://{MAINLAND}"
    batch_size: int = 100
    private_hosts: Collection[str] = frozenset()
    limits: Limits = field(default_factory=Limits)


class Unclear(Exception):
    """A question without an answer; where not only this one number is to blame, others would have none either."""

    def __init__(self, code: str, words: str, *, is_about_one: bool):
        super().__init__(words)
        self.code = code
        self.words = words
        self.is_about_one = is_about_one


class AliyunSms:
    """One account at Aliyun SMS. Raises ValueError for settings that cannot be used."""

    needs_registered_text = True
    can_tell_not_found = True
    acknowledgement = '{"code":0,"msg":"成功"}'.encode()
    closing_codes = CLOSING_CODES
    resting_codes = RESTING_CODES

    def __init__(
        self,
        settings: AliyunSettings,
        *,
        client: HttpClient | None = None,
        # The clock of the machine: the shop's own may be shifted, and Aliyun compares with the real one.
        clock: Callable[[], float] = time.time,
    ):
        self.settings = settings
        self.batch_size = settings.batch_size
        check_key(settings.key_id)
        address = split_url(settings.endpoint)
        self._url = address._replace(path="/").url
        is_usual_port = address.port == (443 if address.secure else 80)
        self._host = address.bracketed if is_usual_port else f"{address.bracketed}:{address.port}"
        self._key = AccessKey(settings.key_id, settings.key_secret)
        self._client = client or HttpClient(private_hosts=settings.private_hosts, limits=settings.limits)
        self._clock = clock

    def close(self) -> None:
        """Close the connections kept open between calls."""
        self._client.close()

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """
        Hand over a batch and answer for each message, in the order of the batch.

        Aliyun answers a call with one code. Where that code blames one number or one person's
        values, nothing was taken, and the call is made again in halves until the one is found; no
        such call begins after the time for one call is over.
        """
        if registered is None:
            verdict = (Outcome.REFUSED_CONTENT, "no_registered_text", NO_REGISTERED_TEXT)
            return for_all([outgoing.reference for outgoing in batch], verdict)
        search = Search(batch, ends=time.monotonic() + self.settings.limits.total, withheld=withheld)
        while part := search.next():
            document, verdict = self._post(self._signed_batch(part, call_reference, registered))
            search.note(part, verdict, text_of(document.get("BizId")))
        return search.answers

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """Ask number by number what became of earlier messages; only a complete answer can be NotFound."""
        answers: list[Answer | NotFound] = []
        for place, message in enumerate(asked):
            try:
                answers.append(self._outcome(message))
            except Unclear as trouble:
                # A hundred questions to a gateway that is away would take half an hour.
                rest = [message] if trouble.is_about_one else asked[place:]
                answers += [
                    Answer(
                        one.reference,
                        Outcome.UNKNOWN,
                        "",
                        trouble.code,
                        trouble.words,
                        is_for_all=not trouble.is_about_one,
                    )
                    for one in rest
                ]
                if not trouble.is_about_one:
                    break
        return answers

    def read_reports(self, body: bytes) -> Reports:
        """Read the receipts of one callback: the good half, and the bad half as problems."""
        return Reports(*callbacks.read_items(body, _report))

    def read_replies(self, body: bytes) -> Replies:
        """Read the replies of one callback: the good half, and the bad half as problems."""
        return Replies(*callbacks.read_items(body, _reply))

    def placeholder(self, place: int, name: str) -> str:
        """How Aliyun writes a parameter in a text."""
        return f"${{{name}}}"

    def register_text(self, *, name: str, text: str, purpose: str, signature: str, remark: str) -> Registration:
        """Hand a text in for approval; `purpose` is marketing or notice. REJECTED with words where it is refused."""
        parameters = {
            "TemplateName": name[:30],
            "TemplateContent": text,
            "TemplateType": TEMPLATE_TYPES[purpose],
            "RelatedSignName": signature,
            "Remark": remark,
        }
        if names := PARAMETER.findall(text):
            kinds = {name: PARAMETER_KINDS.get(name.rstrip("0123456789"), OTHER_KIND) for name in names}
            parameters["TemplateRule"] = compact(kinds)
        document, verdict = self._ask("CreateSmsTemplate", parameters)
        outcome, _code, words = verdict
        code = text_of(document.get("TemplateCode"))
        if outcome is Outcome.TAKEN:
            status = RegistrationStatus.IN_REVIEW if code else RegistrationStatus.UNKNOWN
            return Registration(code, status, words or ("" if code else UNREADABLE))
        return Registration("", REFUSED_REGISTRATIONS.get(outcome, RegistrationStatus.UNKNOWN), words)

    def registered_texts(self, codes: Sequence[str]) -> list[Registration]:
        """How far each text is, in the order of the codes."""
        return [
            self._registration("GetSmsTemplate", {"TemplateCode": code}, code, "TemplateStatus", "TemplateContent")
            for code in codes
        ]

    def registered_signature(self, name: str) -> Registration:
        """How far a signature is; its code is its name."""
        return self._registration("GetSmsSign", {"SignName": name}, name, "SignStatus", "")

    def _registration(
        self, action: str, parameters: dict[str, str], code: str, status_name: str, text_name: str
    ) -> Registration:
        document, (outcome, answered, words) = self._ask(action, parameters)
        if outcome is not Outcome.TAKEN:
            status = RegistrationStatus.GONE if answered in GONE_CODES else RegistrationStatus.UNKNOWN
            return Registration(code, status, words, refuses_account=outcome is Outcome.REFUSED_ACCOUNT)
        named = text_of(document.get(status_name))
        status = STATUSES_OF_REVIEW.get(named, RegistrationStatus.UNKNOWN)
        if status is RegistrationStatus.UNKNOWN:
            words = unknown_code(named) if named else UNREADABLE
        elif status is RegistrationStatus.REJECTED:
            words = text_of(value_at(document, "AuditInfo.RejectInfo"))
        elif status is RegistrationStatus.APPROVED and _is_missing_carriers(document):
            words = NOT_EVERY_CARRIER
        text = document.get(text_name)
        return Registration(code, status, words, clean_text(text) if isinstance(text, str) else "")

    def _signed_batch(self, part: Sequence[Outgoing], call_reference: str, registered: RegisteredText) -> Signed:
        shared = {"OutId": call_reference, "TemplateCode": registered.code}
        first = part[0].parameters
        if all(outgoing.parameters == first for outgoing in part):
            shared["PhoneNumbers"] = ",".join([outgoing.number for outgoing in part])
            shared["SignName"] = registered.signature
            if first:
                shared["TemplateParam"] = compact(registered.named(first))
            return self._signed("SendSms", shared)
        arrays = {
            "PhoneNumberJson": [outgoing.number for outgoing in part],
            "SignNameJson": [registered.signature] * len(part),
            "TemplateParamJson": [registered.named(outgoing.parameters or {}) for outgoing in part],
        }
        body = "&".join(f"{name}={encode_in_form(compact(values))}" for name, values in arrays.items())
        return self._signed("SendBatchSms", shared, body.encode())

    def _signed(self, action: str, parameters: dict[str, str], body: bytes = b"") -> Signed:
        return sign(
            self._key,
            host=self._host,
            action=action,
            version=VERSION,
            date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock())),
            nonce=secrets.token_hex(16),
            query=query_of(parameters),
            body=body,
        )

    def _ask(self, action: str, parameters: dict[str, str]) -> tuple[dict, Verdict]:
        return self._post(self._signed(action, parameters))

    def _post(self, call: Signed) -> tuple[dict, Verdict]:
        """Make one call: the answer as an object, and what it means."""
        try:
            answer = self._client.post(self._url, body=call.body, headers=call.headers, query=call.query)
        except (CallFailed, RefusedAddress) as failure:
            return {}, verdict_of_failure(failure)
        document = load(answer.body)
        document = document if isinstance(document, dict) else {}
        return document, verdict_of(answer, document)

    def _outcome(self, message: Asked) -> Answer | NotFound:
        """What Aliyun knows about one message. Raises Unclear."""
        moments = (message.called_at, message.called_at + AFTER_MIDNIGHT)
        for day in dict.fromkeys(at.astimezone(CHINA).strftime("%Y%m%d") for at in moments):
            for item in self._details(message, day):
                out_id = text_of(item.get("OutId"))
                # Asked by its own number, Aliyun names no other call; else ours has to be in it.
                if out_id == message.call_reference or (message.provider_id and not out_id):
                    return _found(message, item)
        return NotFound(message.reference)

    def _details(self, message: Asked, day: str) -> Iterator[dict]:
        """What was sent to a number on a day, page by page. Raises Unclear where it is incomplete."""
        parameters = {"PhoneNumber": message.number, "SendDate": day, "PageSize": str(PAGE_SIZE)}
        if message.provider_id:
            parameters["BizId"] = message.provider_id
        seen = 0
        for page in range(1, MOST_PAGES + 1):
            document, verdict = self._ask("QuerySendDetails", parameters | {"CurrentPage": str(page)})
            outcome, code, words = verdict
            if outcome is not Outcome.TAKEN:
                raise Unclear(code, words, is_about_one=outcome is Outcome.REFUSED_NUMBER)
            total = text_of(document.get("TotalCount"))
            items = value_at(document, "SmsSendDetailDTOs.SmsSendDetailDTO") or []
            if not (total.isascii() and total.isdigit() and isinstance(items, list)):
                raise Unclear("unreadable_answer", INCOMPLETE, is_about_one=True)
            yield from (item for item in items if isinstance(item, dict))
            seen += len(items)
            if seen >= int(total):
                return
            if not items:
                break
        raise Unclear("incomplete", INCOMPLETE, is_about_one=True)


def _found(message: Asked, item: dict) -> Answer:
    status = text_of(item.get("SendStatus"))
    if status not in SEND_STATUSES:
        return Answer(message.reference, Outcome.UNKNOWN, "", status, UNKNOWN_STATUS)
    delivered = SEND_STATUSES[status]
    code = text_of(item.get("ErrCode"))
    words = receipt_words(code, "") if delivered is False else ""
    return Answer(message.reference, Outcome.TAKEN, message.provider_id, code, words, delivered=delivered)


def _report(item: dict) -> Report | str:
    """One receipt, or the words why it cannot be read."""
    reference, provider_id = text_of(item.get("out_id")), text_of(item.get("biz_id"))
    if not (reference or provider_id):
        return callbacks.NO_REFERENCE
    number = plain_number(item.get("phone_number"))
    if not number:
        return NO_NUMBER
    delivered = SUCCESS.get(text_of(item.get("success")))
    if delivered is None:
        return callbacks.UNKNOWN_STATUS
    code = text_of(item.get("err_code"))
    words = "" if delivered else receipt_words(code, text_of(item.get("err_msg")))
    at = moment(item.get("report_time")) or moment(item.get("send_time"))
    return Report(reference, number, delivered, code, words, at, provider_id)


def _reply(item: dict) -> Reply | str:
    """One reply, or the words why it cannot be read."""
    number = plain_number(item.get("phone_number"))
    if not number:
        return callbacks.NO_NUMBER
    text = item.get("content")
    if not isinstance(text, str) or not clean_text(text).strip():
        return callbacks.NO_TEXT
    # The documents ask not to rely on sign_name: it names no brand that was refused.
    return Reply(number, clean_text(text), moment(item.get("send_time")), text_of(item.get("sequence_id")))


def _is_missing_carriers(document: dict) -> bool:
    details = document.get("SignIspRegisterDetailList")
    details = details if isinstance(details, list) else []
    return any(text_of(value_at(one, "RegisterStatus")) in NOT_REGISTERED for one in details)
