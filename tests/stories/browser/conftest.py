"""A whole deployment for a story in the browser, and the people of the shop who sit in front of it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import global_settings
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from campaigns.choices import Timing
from campaigns.models import Campaign
from customers.choices import Channel, Purpose
from notifications.models import FrequencyCap, QuietHours
from tests import cast, staff
from tests.campaigns import shop as drafts
from tests.gateway import ROOT, Gateway
from tests.stories.browser.campaign_pages import EVERYBODY
from tests.stories.browser.person import Person
from tests.stories.deployment import Deployment

RECEIPTS_AT_ONCE = ("--receipt-delay-ms", "200", "--receipt-jitter-ms", "200")
PASSWORD = "a-long-password-1"  # The one that tests.staff gives.


@pytest.fixture(scope="session")
def static_files(tmp_path_factory) -> Path:
    """The static files as a deployment serves them, collected once: a picture that is missing fails here."""
    folder = tmp_path_factory.mktemp("static")
    environment = dict(os.environ, STATIC_ROOT=str(folder), HASHED_STATIC_FILES="1")
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture(scope="package")
def browser(chromium) -> Iterator[Browser]:
    """The system's Chromium, one for all stories."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, and Django takes that for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--no-proxy-server"])
        yield running
        running.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The socket on which the pages will be served."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


@pytest.fixture
def address(listener) -> str:
    """Where the pages will be."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def process_environment(process_environment, address, static_files) -> dict[str, str]:
    """What the programs of a deployment are told, the pages among them."""
    return process_environment | {
        "PUBLIC_URL": address,
        "STATIC_ROOT": str(static_files),
        "HASHED_STATIC_FILES": "1",
        "GATEWAY_PRIVATE_HOSTS": address.removeprefix("http://"),
    }


@pytest.fixture
def gateway(tmp_path, process_environment) -> Iterator[Gateway]:
    """A sandbox gateway that pushes its receipts to the pages of the story."""
    running = Gateway(tmp_path / "gateway", *RECEIPTS_AT_ONCE, environment=process_environment)
    yield running
    running.stop()


@pytest.fixture
def workers() -> Sequence[str]:
    """The queues that have a worker; a story in which nothing is sent needs none."""
    return ("urgent", "bulk", "default")


@pytest.fixture
def shop(noon, account, deploy, listener, gateway, address, workers) -> Deployment:
    """A shop that is open: an account, an approved signature, the usual rules, pages, workers, gateway, and noon."""
    cast.signature()
    FrequencyCap.objects.create(
        name="营销短信每天最多 1 条", purpose=Purpose.MARKETING, limit=1, window="calendar_day"
    )
    QuietHours.objects.create(channel=Channel.SMS, purpose=Purpose.MARKETING)
    hosts = ",".join(url.removeprefix("http://") for url in (gateway.url, address))
    return deploy(*workers, pages=listener, GATEWAY_PRIVATE_HOSTS=hosts)


@pytest.fixture
def draft(shop) -> Campaign:
    """A campaign that goes out as soon as somebody says so."""
    cast.crowd(EVERYBODY)
    return drafts.draft(timing=Timing.NOW, planned_for=None)


@pytest.fixture
def log_in(shop, browser, address, settings) -> Iterator[Callable[..., Person]]:
    """Seats a person of a role in front of a browser of a language: log_in("marketer", "zh-hans")."""
    # The pages are another process, which knows the usual hashes only.
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    opened: list[BrowserContext] = []
    people: list[Person] = []

    def sit_down(role: str, language: str = "en") -> Person:
        staff.member(role)
        locale = {"zh-hans": "zh-CN", "en": "en-US"}[language]
        context = browser.new_context(
            base_url=address,
            locale=locale,
            timezone_id="Asia/Shanghai",
            viewport={"width": 1440, "height": 900},
        )
        opened.append(context)
        person = Person(context.new_page(), language)
        people.append(person)
        person.log_in(role, PASSWORD)
        return person

    yield sit_down
    for context in opened:
        context.close()
    assert [fault for person in people for fault in person.faults] == [], shop.said()
