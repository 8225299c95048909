"""How Tencent Cloud approves texts and signatures."""

from collections.abc import Sequence

from customers.msgid import _
from notifications.providers.base import Outcome, Registration, RegistrationStatus
from notifications.providers.json_values import clean, text_of, value_at
from notifications.providers.tencent_api import TencentApi
from notifications.providers.verdicts import REFUSED_REGISTRATIONS, UNREADABLE

MAINLAND = 0
SMS_TYPES = {"marketing": 1, "notice": 2}
LARGEST_LIST = 100
# 1,000 signatures are more than any account may have.
SIGNATURE_PAGES = 10

NOT_YET_EFFECTIVE = _("Approved, and not yet in effect with the carriers")
NOT_A_TEMPLATE_ID = _("A template of Tencent Cloud is named by a number; copy it from the SMS console.")
NO_SUCH_TEMPLATE = _("Tencent Cloud has no template with this number in the account")
NO_SUCH_SIGNATURE = _("Tencent Cloud has no signature of this name in the account")
UNKNOWN_STATE = _("Tencent Cloud named a state that we do not know")

STATES = {
    "0": RegistrationStatus.APPROVED,
    "1": RegistrationStatus.IN_REVIEW,
    "2": RegistrationStatus.IN_REVIEW,
    "-1": RegistrationStatus.REJECTED,
}
# One unknown id makes the whole list fail with one of these.
MISSING_TEMPLATE = ("FailedOperation.TemplateIdNotExist", "FailedOperation.MissingTemplateList")
MISSING_SIGNATURE = ("FailedOperation.SignIdNotExist", "FailedOperation.MissingSignatureList")
# Of several signatures with one name, the best one counts: sending goes by the name.
BEST_FIRST = (
    RegistrationStatus.APPROVED,
    RegistrationStatus.IN_REVIEW,
    RegistrationStatus.UNKNOWN,
    RegistrationStatus.REJECTED,
)


class TencentRegistry:
    """The part of an adapter that hands texts in and asks how far they are."""

    def __init__(self, api: TencentApi):
        self.api = api

    def placeholder(self, place: int, name: str) -> str:
        """How a text writes its parameter at a place; Tencent Cloud knows no names."""
        return f"{{{place}}}"

    def register_text(self, *, name: str, text: str, purpose: str, signature: str, remark: str) -> Registration:
        """
        Hand a text in for approval; `purpose` is marketing or notice.

        REJECTED where it was certainly not taken; UNKNOWN where it may wait in the console.
        """
        response, verdict = self.api.call(
            "AddSmsTemplate",
            {
                "TemplateName": name,
                "TemplateContent": text,
                "SmsType": SMS_TYPES[purpose],
                "International": MAINLAND,
                "Remark": remark,
            },
        )
        if verdict is not None:
            is_doubtful = verdict[0] is Outcome.UNKNOWN and not is_definite(verdict[1])
            otherwise = RegistrationStatus.UNKNOWN if is_doubtful else RegistrationStatus.REJECTED
            return Registration("", REFUSED_REGISTRATIONS.get(verdict[0], otherwise), verdict[2], text)
        code = text_of(value_at(response, "AddTemplateStatus.TemplateId"))
        if not code:
            return Registration("", RegistrationStatus.UNKNOWN, UNREADABLE, text)
        return Registration(code, RegistrationStatus.IN_REVIEW, "", text)

    def registered_texts(self, codes: Sequence[str]) -> list[Registration]:
        """How far each text is, in the order of the codes."""
        numbers = sorted({int(code) for code in codes if is_template_id(code)})
        found: dict[int, Registration] = {}
        for start in range(0, len(numbers), LARGEST_LIST):
            found |= self._states_of(numbers[start : start + LARGEST_LIST])
        return [
            found[int(code)]
            if is_template_id(code)
            else Registration(code, RegistrationStatus.GONE, NOT_A_TEMPLATE_ID)
            for code in codes
        ]

    def registered_signature(self, name: str) -> Registration:
        """How far a signature is. It can be asked for by its number alone, so all of them are looked through."""
        named: list[Registration] = []
        for page in range(SIGNATURE_PAGES):
            response, verdict = self.api.call(
                "DescribeSmsSignList",
                {
                    "International": MAINLAND,
                    "SignIdSet": [],
                    "Limit": LARGEST_LIST,
                    "Offset": page * LARGEST_LIST,
                },
            )
            rows = response.get("DescribeSignListStatusSet")
            if verdict is not None and verdict[1] in MISSING_SIGNATURE:
                break
            if verdict is not None:
                is_refused = verdict[0] is Outcome.REFUSED_ACCOUNT
                return Registration(name, RegistrationStatus.UNKNOWN, verdict[2], refuses_account=is_refused)
            if not isinstance(rows, list):
                return Registration(name, RegistrationStatus.UNKNOWN, UNREADABLE)
            named += [registration_of(name, row) for row in rows if text_of(value_at(row, "SignName")) == name]
            if len(rows) < LARGEST_LIST:
                break
        missing = Registration(name, RegistrationStatus.GONE, NO_SUCH_SIGNATURE)
        return min(named, key=lambda registration: BEST_FIRST.index(registration.status), default=missing)

    def _states_of(self, numbers: list[int]) -> dict[int, Registration]:
        response, verdict = self.api.call(
            "DescribeSmsTemplateList", {"International": MAINLAND, "TemplateIdSet": numbers}
        )
        if verdict is not None and verdict[1] in MISSING_TEMPLATE and len(numbers) > 1:
            half = len(numbers) // 2
            return self._states_of(numbers[:half]) | self._states_of(numbers[half:])
        rows = response.get("DescribeTemplateStatusSet")
        if verdict is None and isinstance(rows, list):
            told = {text_of(value_at(row, "TemplateId")): row for row in rows}
            return {number: template_of(str(number), told.get(str(number))) for number in numbers}
        if verdict is not None and verdict[1] in MISSING_TEMPLATE:
            return {number: template_of(str(number), None) for number in numbers}
        words = verdict[2] if verdict else UNREADABLE
        return {number: Registration(str(number), RegistrationStatus.UNKNOWN, words) for number in numbers}


def is_template_id(code: str) -> bool:
    """Whether a code can be the number of a template."""
    return code.isascii() and code.isdigit() and len(code) <= 18


def is_definite(code: str) -> bool:
    """Whether Tencent Cloud said no by a code, known or not: a text that is refused for any reason is not kept."""
    return "." in code and not code.startswith("InternalError")


def template_of(code: str, row: dict | None) -> Registration:
    """How far a text is, from its row in the list."""
    if row is None:
        return Registration(code, RegistrationStatus.GONE, NO_SUCH_TEMPLATE)
    registration = registration_of(code, row)
    content = row.get("TemplateContent")
    registration.text = content if isinstance(content, str) else ""
    return registration


def registration_of(code: str, row: dict) -> Registration:
    """State and reason, from a row of either list."""
    told = text_of(row.get("StatusCode"))
    status = STATES.get(told, RegistrationStatus.UNKNOWN)
    if status is RegistrationStatus.UNKNOWN:
        return Registration(code, status, UNKNOWN_STATE)
    if status is RegistrationStatus.REJECTED:
        return Registration(code, status, clean(text_of(row.get("ReviewReply"))))
    return Registration(code, status, NOT_YET_EFFECTIVE if told == "2" else "")
