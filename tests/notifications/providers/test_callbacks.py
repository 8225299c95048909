"""Whatever is pushed to us: the good half is read, the bad half reported, and nothing raises."""

import json
from datetime import UTC, datetime

import pytest

from notifications.providers.base import Report
from notifications.providers.generic_http import GatewaySettings, GenericHttp

PLAIN = GenericHttp(GatewaySettings(send_url="https://gateway.example.com/"))
RECEIPT = {"reference": "ref-li-na", "number": "13800000001", "status": "delivered", "at": "2026-09-25T10:00:00+08:00"}


def test_receipts_are_read_with_their_moment():
    reports, problems = PLAIN.read_reports(json.dumps([RECEIPT]).encode())

    moment = datetime(2026, 9, 25, 2, 0, tzinfo=UTC)
    assert reports == [Report("ref-li-na", "13800000001", True, "", "", moment)]
    assert problems == []


@pytest.mark.parametrize(
    "at",
    ["2026-09-25T02:00:00Z", "2026-09-25 10:00:00", "20260925100000", 1790301600, 1790301600000, "1790301600000"],
)
def test_moments_come_in_many_spellings_and_are_beijing_time_without_a_zone(at):
    reports, _problems = PLAIN.read_reports(json.dumps([RECEIPT | {"at": at}]).encode())

    assert reports[0].at == datetime(2026, 9, 25, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("at", [None, "", "yesterday", -1, 5, 10**30, [], {}, True, "9999-99-99"])
def test_an_unreadable_moment_does_not_cost_the_receipt(at):
    reports, problems = PLAIN.read_reports(json.dumps([RECEIPT | {"at": at}]).encode())

    assert (len(reports), reports[0].at, problems) == (1, None, [])


def test_the_good_half_of_a_callback_is_read_and_the_bad_half_reported():
    bad = [None, 7, "x", {}, {"reference": ["x"]}, RECEIPT | {"status": "melted"}, RECEIPT | {"reference": ""}]

    reports, problems = PLAIN.read_reports(json.dumps([*bad, RECEIPT]).encode())

    assert [report.reference for report in reports] == ["ref-li-na"]
    assert len(problems) == len(bad)
    assert all(problem.words.endswith(".") for problem in problems)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"7", b'"x"', b"[" * 100_000, b"\xff\xff", b"\x00", b"[[[[]]]]", b'{"a": ' * 100_000],
    ids=["empty", "cut", "null", "number", "text", "deep", "no text", "NUL", "lists", "deep objects"],
)
def test_no_callback_can_raise(body):
    for read in (PLAIN.read_reports, PLAIN.read_replies):
        readable, problems = read(body)

        assert readable == []
        assert len(problems) == 1


def test_a_lone_receipt_outside_a_list_is_read():
    assert len(PLAIN.read_reports(json.dumps(RECEIPT).encode()).reports) == 1


def test_a_callback_in_gb18030_is_read():
    body = json.dumps([{"number": "13800000001", "text": "退订"}], ensure_ascii=False).encode("gb18030")

    assert PLAIN.read_replies(body).replies[0].text == "退订"


def test_what_the_database_cannot_store_is_taken_out():
    body = json.dumps([{"number": "+86 138-0000-0001", "text": "T\x00D\ud800"}, {"number": "", "text": "TD"}]).encode()

    replies, problems = PLAIN.read_replies(body)

    assert (replies[0].number, replies[0].text) == ("13800000001", "TD")
    assert len(problems) == 1


def test_an_undelivered_receipt_says_why():
    known = RECEIPT | {"status": "undelivered", "code": "no_such_number"}
    unknown = RECEIPT | {"status": "undelivered", "code": "MK:0010", "words": "关机"}

    reports, _problems = PLAIN.read_reports(json.dumps([known, unknown]).encode())

    assert [report.words for report in reports] == ["The number does not exist", "unknown code MK:0010: 关机"]
