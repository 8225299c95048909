"""Settings of PostgreSQL and Redis on which promises rest: a shop is told before they are broken."""

import subprocess
import sys

import pytest
from django.core.checks import Tags, run_checks
from django.urls import reverse

from config import servers
from tests import staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def evicting(empty_queue):
    """A Redis that throws the oldest keys away when it is full."""
    empty_queue.config_set("maxmemory-policy", "allkeys-lru")
    yield
    empty_queue.config_set("maxmemory-policy", "noeviction")


def test_a_queue_that_throws_jobs_away_is_told_with_the_remedy(client, evicting):
    told = client.get("/readyz").json()["warnings"]["queue"]

    assert "allkeys-lru" in told
    assert "maxmemory-policy noeviction" in told


def test_a_queue_that_keeps_jobs_is_not_spoken_of(client, empty_queue):
    assert "queue" not in client.get("/readyz").json()["warnings"]


def test_a_database_that_forgets_is_told_with_the_remedy(client, empty_queue):
    told = client.get("/readyz").json()["warnings"]["database"]

    assert "Set fsync = on" in told


@pytest.mark.parametrize(("commits", "files", "words"), [
    ("off", "on", "synchronous_commit = on"), ("off", "off", "fsync = on"), ("on", "on", None),
    ("remote_apply", "on", None), ("local", "on", None),
])  # fmt: skip
def test_which_settings_of_a_database_break_a_promise(commits, files, words):
    told = servers.about_database(commits, files)

    assert told is None if words is None else words in told[0]


def test_the_check_of_the_servers_names_what_to_write(evicting):
    found = {problem.id: problem for problem in run_checks(tags=[Tags.database], databases=["default"])}

    assert {"config.W004", "config.W005"} <= set(found)
    assert "noeviction" in found["config.W005"].hint


def test_the_page_of_the_system_shows_it_in_the_reader_s_language(evicting):
    page = (
        staff.signed_in("owner").get(reverse("system_status"), headers={"accept-language": "zh-hans"}).content.decode()
    )

    assert "allkeys-lru" in page
    assert "Redis may throw" not in page


def test_manage_py_check_asks_the_servers(process_environment, evicting):
    told = subprocess.run(
        [sys.executable, "manage.py", "check", "--database", "default"],
        env=process_environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "config.W005" in told.stderr
