"""Order events told one at a time over HTTP: requests a second on one gunicorn with two worker processes."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from django.db import connection

from config import programs
from customers import clock
from customers.choices import ApiScope
from customers.services import api_keys
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Scale, Stopwatch
from tests.benchmarks.report import Report, Target, say

TARGET = 300
CALLERS = 8
PATIENCE = 30
UNLIMITED = 60_000
LARGEST_ANSWER = 65_536
ORDERS = """
WITH people AS (
    INSERT INTO customers_customer (name, gender, city, province, external_id, note)
    SELECT '客户' || place, '', '', '', 'C' || place, '' FROM generate_series(1, %(people)s) AS place RETURNING id
), placed AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place FROM people
), reached AS (
    INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary)
    SELECT id, 'sms', (13900000000 + place)::text, true FROM placed
)
INSERT INTO customers_order (
    platform, number, shop_name, status, status_at, platform_status, after_sale_status, is_locked, is_deleted,
    currency, total, ordered_at, closed_reason, carrier, tracking_number, customer_id, receiver_name, province, city,
    note, as_of
)
SELECT 'other', 'E' || number, '', 'unpaid', moment, '', '', false, false, 'CNY', 128, moment, '', '', '', id, '', '',
       '', '', moment
FROM generate_series(1, %(orders)s) AS number
JOIN placed ON placed.place = number %% %(people)s + 1
CROSS JOIN LATERAL (SELECT hongyan_now() - interval '1 day' AS moment) told
"""


def run(scale: Scale, place: Path) -> Report:
    """Fill a shop with unpaid orders, then tell of what happens to them, one event in a request."""
    sizes = {
        "orders": scale.of(1_000_000, 100_000, 2_000),
        "customers": scale.of(200_000, 20_000, 500),
        "requests": scale.of(6_000, 2_000, 200),
    }
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, {"orders": sizes["orders"], "people": sizes["customers"]})
        cursor.execute("VACUUM ANALYZE customers_order, customers_customer, customers_contactpoint")
    _key, secret = api_keys.issue(name="benchmark", scopes=ApiScope.values, rate=UNLIMITED, by=None, now=clock.now())
    rounds: list[dict[str, float]] = []
    late: dict[str, float] = {}
    with _web(place) as port:
        for number in range(scale.rounds):
            say(f"  round {number + 1} …")
            found = {}
            for way, bodies in _ways(sizes, number).items():
                measuring.settle_disk()
                found[way], late[way] = _asked(port, secret, *bodies)
                with connection.cursor() as cursor:
                    cursor.execute("DELETE FROM customers_apiusage")
            rounds.append(found)
    rows = [
        {"request": way, "requests per second": speed, "95 % answered within ms": late[way]}
        for way, speed in measuring.middle(rounds).items()
    ]
    targets = [Target("single-event requests a second", rows[0]["requests per second"], TARGET)]
    return Report(sizes, rows, targets, {}, {"rounds": rounds})


def _ways(sizes: dict[str, int], number: int) -> dict[str, tuple[str, list[bytes]]]:
    """What is told: an address, and a body for each request; no round tells of what another has told."""
    first = number * sizes["requests"]
    places = range(first, first + sizes["requests"])
    paid = clock.now().isoformat()
    payments = [
        {"events": [{"type": "payment", "platform": "other", "number": f"E{1 + place % sizes['orders']}",
                     "paid": "128.00", "happened_at": paid}]}
        for place in places
    ]  # fmt: skip
    orders = [
        {"orders": [{"platform": "other", "number": f"N{place}", "status": "unpaid", "total": "99.00",
                     "customer": {"external_id": f"C{1 + place % sizes['customers']}"}, "ordered_at": paid,
                     "lines": [{"product": "玫瑰", "category": "鲜花", "quantity": 1, "price": "99.00"}]}]}
        for place in places
    ]  # fmt: skip
    return {
        "payment of a known order": ("/api/v1/order-events", [json.dumps(each).encode() for each in payments]),
        "new order of a known customer": ("/api/v1/orders", [json.dumps(each).encode() for each in orders]),
    }


@contextmanager
def _web(place: Path) -> Iterator[int]:
    """The pages as a shop runs them: one gunicorn with two worker processes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        program = programs.web(listener.fileno())
        with (
            (place / "web.log").open("ab") as log,
            subprocess.Popen(
                program.command, cwd=program.directory, pass_fds=[listener.fileno()], env=dict(os.environ), stderr=log
            ) as web,
        ):
            try:
                yield listener.getsockname()[1]
            finally:
                web.terminate()
                web.wait(timeout=PATIENCE)


def _asked(port: int, secret: str, path: str, bodies: list[bytes]) -> tuple[float, float]:
    """Requests a second of some callers at once, and the milliseconds within which 95 of 100 were answered."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nContent-Length: "
    requests = [head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]
    took: list[float] = []
    wrong: list[bytes] = []

    def call(mine: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as caller:
            for request in mine:
                watch = Stopwatch()
                answer = _answer(caller, request)
                took.append(watch.seconds * 1000)
                if not answer.startswith(b"HTTP/1.1 200"):
                    wrong.append(answer[:300])

    _wait_until_answered(port)
    threads = [threading.Thread(target=call, args=[requests[number::CALLERS]]) for number in range(CALLERS)]
    watch = Stopwatch()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = watch.seconds
    if wrong or len(took) < len(requests):
        raise RuntimeError(f"{len(wrong)} requests were refused: {wrong[:1]}")
    return len(requests) / seconds, quantiles(took, n=20)[-1]


def _answer(caller: socket.socket, request: bytes) -> bytes:
    """Send one request and read its whole answer."""
    caller.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(caller)
    head, _blank, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        part = _more(caller)
        answer, body = answer + part, body + part
    return answer


def _more(caller: socket.socket) -> Any:
    found = caller.recv(LARGEST_ANSWER)
    if not found:
        raise RuntimeError("The server hung up.")
    return found


def _wait_until_answered(port: int) -> None:
    """Until both workers have surely started."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ends = time.monotonic() + PATIENCE
    for _number in range(4 * CALLERS):
        with socket.create_connection(("127.0.0.1", port), timeout=max(1, ends - time.monotonic())) as caller:
            _answer(caller, request)
