"""Tencent Cloud SMS: one call carries one set of parameters to up to 200 numbers."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from customers.msgid import _
from notifications.providers import tencent_rows
from notifications.providers.base import (
    Answer,
    Asked,
    NotFound,
    Outcome,
    Outgoing,
    Problem,
    RegisteredText,
    Replies,
    Report,
    Reports,
    Withheld,
    nobody,
)
from notifications.providers.callbacks import read_each
from notifications.providers.generic_http import CONFLICT, FOREIGN, MISSING, by_key
from notifications.providers.http import HttpClient
from notifications.providers.json_values import plain_number, text_of
from notifications.providers.tencent_api import LARGEST_CALL, TencentApi, TencentSettings
from notifications.providers.tencent_codes import (
    CLOSING_CODES,
    RESTING_CODES,
    TEXT_OR_VALUES,
    is_campaign_wide,
    is_of_one_number,
    is_of_the_text,
    verdict_of,
)
from notifications.providers.tencent_registry import TencentRegistry
from notifications.providers.verdicts import CONTRADICTION, OUT_OF_TIME, UNREADABLE, Verdict, for_all

logger = logging.getLogger(__name__)

DAY = 24 * 3600
LONGEST_PULL = 100
# A gateway that loses two answers running would make every further message of the batch doubtful too;
# a text that is refused twice running is not refused for somebody's name.
SETBACKS_IN_A_ROW = 2

UNREGISTERED: Verdict = (
    Outcome.REFUSED_CONTENT,
    "not_registered",
    _("Tencent Cloud takes registered texts only; hand this one in for approval first."),
)
NOT_CALLED: Verdict = (
    Outcome.REFUSED_LATER,
    "not_called",
    _("An earlier call of this batch failed; this message was not handed over and is tried again."),
)
NOT_ASKED: Verdict = (
    Outcome.UNKNOWN,
    "not_asked",
    _("An earlier question of this batch failed; this message is asked about again."),
)
TOO_OLD: Verdict = (
    Outcome.UNKNOWN,
    "too_old",
    _("Tencent Cloud keeps receipts for seven days; this message is older."),
)
NO_RECEIPT: Verdict = (
    Outcome.UNKNOWN,
    "no_receipt",
    _("The carrier has reported nothing yet, and without that Tencent Cloud cannot tell what it took."),
)


class TencentSms(TencentRegistry):
    """
    One application at Tencent Cloud SMS.

    Raises ValueError with a sentence for settings that no call can be made from.
    """

    needs_registered_text = True
    # Receipts exist only once the carrier has reported: their absence says nothing.
    can_tell_not_found = False
    # What a callback is answered with; anything else is pushed twice more.
    acknowledgement = b'{"result":0,"errmsg":"OK"}'
    closing_codes = CLOSING_CODES
    resting_codes = RESTING_CODES

    def __init__(
        self,
        settings: TencentSettings,
        *,
        client: HttpClient | None = None,
        clock: Callable[[], float] = time.time,
    ):
        super().__init__(TencentApi(settings, client=client, clock=clock))
        self.settings = settings
        self.batch_size = min(settings.batch_size, LARGEST_CALL)

    def close(self) -> None:
        """Close the connections kept open between calls."""
        self.api.client.close()

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """
        Hand over a batch, one call for each set of parameters, and answer in the order of the batch.

        Calls follow one another; after the time of the batch, a refusal that would meet every
        further call, or two setbacks running, the rest is not handed over and put off. A call that
        is refused for one number is made again in halves, which stay apart when they are put off.
        """
        if registered is None:
            return for_all([outgoing.reference for outgoing in batch], UNREGISTERED)
        ends = time.monotonic() + self.settings.batch_seconds
        answers: dict[int, Answer] = {}
        put_off: Verdict | None = None
        calls = setbacks = halves = 0
        waiting = deque(groups_of(batch, size=self.batch_size))
        while waiting:
            places = waiting.popleft()
            if put_off is None and calls and time.monotonic() >= ends:
                put_off = OUT_OF_TIME
            stopped = stopped_of(batch, places, put_off, withheld if calls else nobody)
            halves += bool(halves)
            for place, answer in stopped.items():
                answer.part = halves
                answers[place] = answer
            places = [place for place in places if place not in stopped]
            if not places:
                continue
            group = [batch[place] for place in places]
            calls += 1
            answered = self._send_group(group, call_reference, registered)
            if not answered:
                halves = halves or 1
                half = len(places) // 2
                waiting.extendleft((places[half:], places[:half]))
                continue
            answers |= zip(places, answered, strict=True)
            setbacks = setbacks + 1 if is_setback(answered) else 0
            if setbacks == SETBACKS_IN_A_ROW or any(map(meets_every_call, answered)):
                put_off = NOT_CALLED
        return [answers[place] for place in range(len(batch))]

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """
        Look for receipts of earlier messages, by number; without one a message stays UNKNOWN.

        A receipt is known by the provider's number, or by the call's reference where support has
        enabled SessionContext in receipts.
        """
        answers: dict[int, Answer] = {}
        ends = time.monotonic() + self.settings.batch_seconds
        failed = False
        places_of: dict[str, list[int]] = {}
        for place, message in enumerate(asked):
            places_of.setdefault(plain_number(message.number), []).append(place)
        for place_list in places_of.values():
            messages = [asked[place] for place in place_list]
            if failed or time.monotonic() >= ends:
                answered = for_all([message.reference for message in messages], NOT_ASKED)
            else:
                began = time.monotonic()
                answered, failed = self._query_number(messages)
                time.sleep(max(0.0, began + self.settings.seconds_between_queries - time.monotonic()))
            answers |= zip(place_list, answered, strict=True)
        return [answers[place] for place in range(len(asked))]

    def pull_reports(self) -> Reports:
        """Take up to 100 waiting receipts, each of which is given only once; support has to enable this."""
        rows, verdict = self._pull("PullSmsSendStatus", {})
        if verdict is not None:
            return Reports([], [Problem(verdict[1], verdict[2])])
        return Reports(*read_each(rows, tencent_rows.pulled_report))

    def pull_replies(self) -> Replies:
        """Take up to 100 waiting replies, each of which is given only once; support has to enable this."""
        rows, verdict = self._pull("PullSmsReplyStatus", {})
        if verdict is not None:
            return Replies([], [Problem(verdict[1], verdict[2])])
        return Replies(*read_each(rows, tencent_rows.pulled_reply))

    def read_reports(self, body: bytes) -> Reports:
        """Read the receipts of one callback: the good half, and the bad half as problems."""
        return tencent_rows.read_reports(body)

    def read_replies(self, body: bytes) -> Replies:
        """Read the reply of one callback; what cannot be read is a problem."""
        return tencent_rows.read_replies(body)

    def _send_group(self, group: Sequence[Outgoing], call_reference: str, registered: RegisteredText) -> list[Answer]:
        response, verdict = self.api.call(
            "SendSms",
            {
                "PhoneNumberSet": [international(outgoing.number) for outgoing in group],
                "SmsSdkAppId": self.settings.app_id,
                "TemplateId": registered.code,
                "SignName": registered.signature,
                "TemplateParamSet": values_of(group[0]),
                "SessionContext": call_reference,
            },
        )
        rows = response.get("SendStatusSet")
        if verdict is None and not isinstance(rows, list):
            verdict = (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE)
        if verdict is not None and is_of_one_number(verdict[1]):
            return [Answer(group[0].reference, verdict[0], "", *verdict[1:])] if len(group) == 1 else []
        if verdict is not None:
            return for_all([outgoing.reference for outgoing in group], verdict)
        if len(rows) != len(group):
            logger.warning("Tencent Cloud answered for %d of %d numbers.", len(rows), len(group))
        # Rows come in any order.
        found = by_key(rows, "PhoneNumber", key=plain_number)
        return [
            answer_of(outgoing, found.get(plain_number(outgoing.number)), call_reference=call_reference)
            for outgoing in group
        ]

    def _query_number(self, messages: Sequence[Asked]) -> tuple[list[Answer], bool]:
        """What became of messages to one number, and whether the question failed."""
        references = [message.reference for message in messages]
        now = int(self.api.clock())
        earliest = now - 7 * DAY + 60
        called = [int(message.called_at.timestamp()) for message in messages]
        if max(called) < earliest:
            return [unknown(message, TOO_OLD) for message in messages], False
        # Their clock and ours differ by up to five minutes, or nothing would have been taken.
        since = max(min(min(called), now) - 600, earliest)
        rows, verdict = self._pull(
            "PullSmsSendStatusByPhoneNumber",
            {
                "PhoneNumber": international(messages[0].number),
                "BeginTime": since,
                "EndTime": now + 600,
                "Offset": 0,
            },
        )
        if verdict is not None and is_of_one_number(verdict[1]):
            return [unknown(message, verdict) for message in messages], False
        if verdict is not None:
            return for_all(references, (Outcome.UNKNOWN, *verdict[1:])), True
        reports, _problems = read_each(rows, tencent_rows.pulled_report)
        return found_among(messages, reports), False

    def _pull(self, action: str, parameters: dict) -> tuple[list, Verdict | None]:
        """The rows of a pull, or why there are none."""
        response, verdict = self.api.call(
            action, {"SmsSdkAppId": self.settings.app_id, "Limit": LONGEST_PULL, **parameters}
        )
        name = "PullSmsReplyStatusSet" if "Reply" in action else "PullSmsSendStatusSet"
        rows = response.get(name)
        if verdict is None and not isinstance(rows, list):
            verdict = (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE)
        return rows or [], verdict


def international(number: str) -> str:
    """A number as Tencent Cloud writes it; ours are of the mainland unless they say otherwise."""
    return number if number.startswith("+") else f"+86{plain_number(number)}"


def values_of(outgoing: Outgoing) -> list[str]:
    """The parameters of a message, in the order of its registered text."""
    return list((outgoing.parameters or {}).values())


def groups_of(batch: Sequence[Outgoing], *, size: int) -> list[list[int]]:
    """
    Places in the batch by equal parameters, in the order of their first message.

    No number stands twice in a group: its two rows in the answer could not be told apart.
    """
    groups: list[list[int]] = []
    open_groups: dict[tuple[str, ...], tuple[list[int], set[str]]] = {}
    for place, outgoing in enumerate(batch):
        values, number = tuple(values_of(outgoing)), plain_number(outgoing.number)
        group, numbers = open_groups.get(values, ([], set()))
        if not group or len(group) == size or number in numbers:
            group, numbers = open_groups[values] = ([], set())
            groups.append(group)
        group.append(place)
        numbers.add(number)
    return groups


def answer_of(outgoing: Outgoing, row: dict | None, *, call_reference: str) -> Answer:
    """What the answer says about one number."""
    if row is None:
        return Answer(outgoing.reference, Outcome.UNKNOWN, "", "missing", MISSING)
    if row is CONFLICT:
        return Answer(outgoing.reference, Outcome.UNKNOWN, "", "foreign_answer", CONTRADICTION)
    if text_of(row.get("SessionContext")) not in ("", call_reference):
        return Answer(outgoing.reference, Outcome.UNKNOWN, "", "foreign_answer", FOREIGN)
    code, serial = text_of(row.get("Code")), text_of(row.get("SerialNo"))
    if code == "Ok":
        return Answer(outgoing.reference, Outcome.TAKEN, serial, code, "")
    outcome, code, words = verdict_of(code, text_of(row.get("Message")))
    return Answer(outgoing.reference, outcome, serial, code, words, is_for_all=is_campaign_wide(outcome, code))


def stopped_of(
    batch: Sequence[Outgoing], places: Sequence[int], put_off: Verdict | None, withheld: Withheld
) -> dict[int, Answer]:
    """Those of a group that are not handed over now, by their place in the batch."""
    group = [batch[place] for place in places]
    if put_off is not None:
        return dict(zip(places, for_all([outgoing.reference for outgoing in group], put_off), strict=True))
    found = {answer.reference: answer for answer in withheld(group)}
    return {place: found[batch[place].reference] for place in places if batch[place].reference in found}


def is_setback(answers: Sequence[Answer]) -> bool:
    """Whether a whole call was lost, or refused for its text or its values."""
    return all(
        answer.code == TEXT_OR_VALUES or (answer.outcome is Outcome.UNKNOWN and answer.is_for_all)
        for answer in answers
    )


def meets_every_call(answer: Answer) -> bool:
    """Whether every further call of the batch would be answered so: key, balance, rate, template, signature."""
    if answer.outcome is Outcome.REFUSED_CONTENT:
        return is_of_the_text(answer.code)
    return answer.outcome in (Outcome.REFUSED_ACCOUNT, Outcome.REFUSED_LATER) and answer.is_for_all


def found_among(messages: Sequence[Asked], reports: Sequence[Report]) -> list[Answer]:
    """Each message's receipt, as long as there are some; a good one counts before a bad one."""
    known = {message.provider_id for message in messages if message.provider_id}
    unused: dict[str, Report] = {}
    for report in sorted(reports, key=lambda report: not report.delivered):
        unused.setdefault(report.provider_id or report.reference, report)
    answers = []
    for message in messages:
        report = unused.pop(message.provider_id or serial_of(message, unused, known), None)
        if report is None:
            answers.append(unknown(message, NO_RECEIPT))
            continue
        answer = Answer(message.reference, Outcome.TAKEN, report.provider_id, report.code, report.words)
        answer.delivered = report.delivered
        answers.append(answer)
    return answers


def unknown(message: Asked, verdict: Verdict) -> Answer:
    """That nothing is known of one message, though the question about it was answered."""
    return Answer(message.reference, Outcome.UNKNOWN, "", *verdict[1:])


def serial_of(message: Asked, unused: Mapping[str, Report], known: Collection[str]) -> str:
    """The provider's number of a receipt that names our call and belongs to no other message, or ""."""
    for serial, report in unused.items():
        if report.reference == message.call_reference != "" and serial not in known:
            return serial
    return ""
