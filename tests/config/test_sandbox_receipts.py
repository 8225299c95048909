"""The sandbox gateway over time: its receipts, its restarts and its clock."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import pytest

from config.sandbox.clock import FRESH_SECONDS
from customers import clock
from customers.models import ClockOffset
from notifications.providers.base import Outcome
from tests.gateway import PATIENCE, ROOT, batch, magic, provider_of, send


def test_receipts_come_to_the_callback_of_the_batch(sandbox, shop):
    provider = provider_of(sandbox, callback_url=shop.url)
    send(provider, "13800000001", magic("0002"), magic("0003"), magic("0001"))

    received = [shop.next(), shop.next()]

    reports, problems = provider.read_reports(json.dumps(received).encode())
    assert [(report.reference, report.delivered, report.words) for report in reports] == [
        ("ref-13800000001", True, ""),
        (f"ref-{magic('0002')}", False, "The phone was switched off or out of reach"),
    ]
    assert all(report.at for report in reports)
    assert problems == []
    assert shop.has_quiet(0.3)


def test_receipts_come_in_parts_of_five_hundred(sandbox, shop):
    sandbox.set(receipts=False)
    provider = provider_of(sandbox, callback_url=shop.url)
    send(provider, *(f"1380000{number:04d}" for number in range(1000)))
    send(provider, *(f"1390000{number:04d}" for number in range(300)), call="call-2")

    sandbox.set(receipts=True)
    received = {shop.next()["reference"] for _receipt in range(1300)}

    assert len(received) == 1300
    assert max(shop.call_sizes) == 500


def test_a_receipt_can_come_before_the_answer_and_twice(sandbox, shop):
    send(provider_of(sandbox, callback_url=shop.url), magic("0010"))

    assert [shop.next()["status"], shop.next()["status"]] == ["delivered", "delivered"]


def test_a_contradicting_receipt_comes_last(sandbox, shop):
    send(provider_of(sandbox, callback_url=shop.url), magic("0011"))

    assert [shop.next()["status"], shop.next()["status"]] == ["delivered", "undelivered"]


def test_an_unreadable_receipt_becomes_a_problem(sandbox, shop):
    provider = provider_of(sandbox, callback_url=shop.url)
    send(provider, magic("0015"))

    reports, problems = provider.read_reports(json.dumps([shop.next()]).encode())

    assert (reports, len(problems)) == ([], 1)


def test_receipts_are_pushed_again_when_the_shop_is_away(sandbox, shop):
    shop.failures = 1
    provider = provider_of(sandbox, callback_url=shop.url)
    send(provider, "13800000001")

    assert send(provider, "13800000002", call="call-2") == [Outcome.TAKEN]
    assert {shop.next()["number"], shop.next()["number"]} == {"13800000001", "13800000002"}


def test_a_dead_callback_keeps_no_other_shop_waiting(sandbox, shop):
    send(provider_of(sandbox, callback_url="http://127.0.0.1:1/"), "13800000001")
    send(provider_of(sandbox, callback_url="file:///etc/passwd"), "13800000002", call="call-2")
    send(provider_of(sandbox, callback_url=shop.url), "13800000003", call="call-3")

    assert shop.next()["number"] == "13800000003"


def test_the_secret_in_a_callback_address_is_not_shown(sandbox, shop):
    send(provider_of(sandbox, callback_url=shop.url), "13800000001")

    assert "t0ken" not in sandbox.call("GET", "/ledger.json")[1] + sandbox.call("GET", "/")[1]


# Restarts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ledger_receipts_and_idempotence_survive_a_restart(start, shop, number):
    before = start("--no-receipts")
    sent = batch("13800000001", magic("0003"), magic("0004"))
    first = provider_of(before, callback_url=shop.url).send(sent, call_reference="call-1")
    before.stop(number)

    after = start()
    again = provider_of(after, callback_url=shop.url).send(sent, call_reference="call-1")

    assert again == first
    assert after.numbers() == ["13800000001", magic("0003")]
    assert shop.next()["number"] == "13800000001"


def test_receipts_that_arrived_are_not_pushed_again_after_a_restart(start, shop):
    before = start()
    send(provider_of(before, callback_url=shop.url), "13800000001")
    shop.next()
    assert before.stop() == 0

    start()

    assert shop.has_quiet(0.5)


def test_a_line_cut_short_by_a_kill_is_cut_off(start, tmp_path):
    before = start()
    send(provider_of(before), "13800000001", "13800000002")
    before.stop()
    with open(tmp_path / "sand box" / "ledger.jsonl", "ab") as ledger:
        ledger.write(b'{"reference": "ref-x", "acc')

    after = start()
    send(provider_of(after), "13800000003", call="call-2")

    assert after.numbers() == ["13800000001", "13800000002", "13800000003"]


def test_a_call_in_hand_is_answered_before_the_gateway_stops(sandbox):
    sandbox.set(latency_ms=1000)
    provider, outcomes = provider_of(sandbox), []
    caller = threading.Thread(target=lambda: outcomes.extend(send(provider, "13800000001")))
    caller.start()
    while not sandbox.numbers():
        time.sleep(0.02)

    assert sandbox.stop() == 0
    caller.join()
    assert outcomes == [Outcome.TAKEN]


def test_two_gateways_never_share_a_directory(start, tmp_path):
    start()
    command = [sys.executable, "-m", "config.sandbox_gateway", "--port", "0", "--directory", tmp_path / "sand box"]

    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    assert second.returncode == 2
    assert second.stderr.startswith("Another gateway writes into")


def test_a_taken_port_is_told_in_one_sentence(sandbox, tmp_path):
    port = sandbox.host.split(":")[1]
    command = [sys.executable, "-m", "config.sandbox_gateway", "--port", port, "--directory", tmp_path / "other"]

    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    assert second.returncode == 2
    assert "could not start" in second.stderr
    assert "Traceback" not in second.stderr


# The clock --------------------------------------------------------------------------------------


def test_the_ledger_lives_in_the_deployments_time(start, process_environment):
    from_shop = {"DATABASE_URL": process_environment["DATABASE_URL"]}
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": timedelta(days=400)})

    sandbox = start(environment=from_shop)
    send(provider_of(sandbox), "13800000001")

    noted = datetime.fromisoformat(sandbox.get("/ledger.json")["messages"][0]["time"])
    assert abs(clock.now() - noted) < timedelta(minutes=5)


def test_a_clock_set_while_the_gateway_runs_is_honored(start, process_environment):
    sandbox = start(environment={"DATABASE_URL": process_environment["DATABASE_URL"]})
    send(provider_of(sandbox), "13800000001")

    ClockOffset.objects.update_or_create(id=1, defaults={"offset": timedelta(days=-30)})
    time.sleep(FRESH_SECONDS)
    send(provider_of(sandbox), "13800000002", call="call-2")

    before, after = (datetime.fromisoformat(message["time"]) for message in sandbox.get("/ledger.json")["messages"])
    assert timedelta(days=29) < before - after < timedelta(days=31)


def test_a_database_that_is_away_does_not_stop_the_gateway(start):
    sandbox = start(environment={"DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"})

    assert send(provider_of(sandbox), "13800000001") == [Outcome.TAKEN]
