"""The examples of docs/api.md, run by a shell against a real server."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from config import programs
from customers import clock
from customers.choices import ApiScope
from customers.models import CustomerEvent, Order
from customers.services import api_keys
from notifications.models import Delivery
from tests import cast
from tests.customers import pushes

pytestmark = [
    pytest.mark.stories,
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"),
]

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "api.md"
PATIENCE = 60
STATUS = "\n%{http_code}\n"


@pytest.fixture
def server(process_environment):
    """The pages as `up` starts them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = programs.web(listener.fileno())
        with subprocess.Popen(
            program.command, cwd=program.directory, pass_fds=[listener.fileno()], env=process_environment
        ) as web:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                web.terminate()
                web.wait(timeout=PATIENCE)


def test_the_examples_of_the_documentation_work(server, empty_queue):
    cast.template('{{ name or "顾客" }},您的订单{{ order_number }}已发货', purpose="transactional", name="已发货")
    shop = pushes.integration("generic")
    _key, secret = api_keys.issue(name="docs", scopes=ApiScope.values, rate=600, by=None, now=clock.now())
    known = {
        "HONGYAN": server,
        "KEY": secret,
        "SECRET": pushes.SECRET,
        "WEBHOOK": f"{server}/webhooks/{shop.token}",
    }

    statuses = []
    for example in re.findall(r"```bash\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        answers = _run(example, known)
        statuses += [status for _body, status in answers]
        if "MESSAGE" not in known and "/api/v1/messages" in example:
            known["MESSAGE"] = str(answers[0][0]["id"])

    order = Order.objects.get(number="1001")
    assert statuses == [200, 200, 200, 200, 200, 200, 202, 200, 200, 200, 200]
    assert (order.status, order.customer.name, order.shipments.get().number) == ("shipped", "李娜", "SF1234567890")
    assert order.exceptions.get().kind == "logistics_delayed"
    assert order.customer.consents.get().status == "granted"
    assert CustomerEvent.objects.get().closed_at
    assert Delivery.objects.get().status == "queued"
    assert shop.calls.count() == 1


def _run(example: str, known: dict[str, str]) -> list[tuple[dict, int]]:
    """The answers of an example, each with its status."""
    script = example.replace("curl -sS", f"curl -sS --max-time {PATIENCE} -w '{STATUS}'")
    done = subprocess.run(
        ["sh", "-ec", script], env={"PATH": "/usr/local/bin:/usr/bin:/bin"} | known, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = [line for line in done.stdout.decode().splitlines() if line]
    return [(json.loads(body), int(status)) for body, status in zip(lines[::2], lines[1::2], strict=True)]
