"""Settings: wrong ones are named at start with a remedy, and production ones are safe."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from config import env, secrets
from config.logs import DiscreetFormatter

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "DATABASE_URL": "postgresql://hongyan:secret-of-the-database@db.example.com/hongyan",
    "REDIS_URL": "redis://queue.example.com:6379/0",
    "SECRET_KEY": "q7Yw2nR8vK4xT1mZ6pL9sD3fG5hJ0bC-aE_uI.oN~iVrXcQ8yWt2",
    "PUBLIC_URL": "https://hongyan.example.com",
}


def checked(*arguments: str, **variables: str | None) -> subprocess.CompletedProcess:
    """`manage.py check` in an environment that has these variables of ours and no others."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {name: value for name, value in (PRODUCTION | variables).items() if value is not None}
    command = [sys.executable, "manage.py", "check", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_production_settings_pass_every_check():
    outcome = checked("--deploy", "--fail-level", "WARNING")

    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set. Make one with"),
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY is too easy to guess"),
        ({"SECRETS_KEY": f"{PRODUCTION['SECRET_KEY']},changeme"}, "SECRETS_KEY is too easy to guess"),
        ({"DEBUG": "1"}, "DEBUG is on"),
        ({"DATABASE_URL": "mysql://somewhere/x"}, "DATABASE_URL is not the address of a PostgreSQL database"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL is not the address of a Redis server"),
    ],
)
def test_a_start_with_a_wrong_setting_is_refused_with_a_remedy(variables, sentence):
    outcome = checked(**variables)

    assert outcome.returncode != 0
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "secret-of-the-database" not in outcome.stderr


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (env.flag, "perhaps"),
        (env.number, "many"),
        (env.number, "-1"),
        (env.amount, "cheap"),
        (env.amount, "NaN"),
        (env.amount, "-1"),
        (env.url, "shop.example.com"),
        (env.url, "ftp://shop.example.com"),
        (env.url, "https://"),
        (env.database, "postgresql://user:hunter2@host:port/name"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_by_name_and_not_repeated(monkeypatch, read, value):
    monkeypatch.setenv("A_SETTING", value)

    with pytest.raises(ImproperlyConfigured, match=r"^A_SETTING .*Write") as refusal:
        read("A_SETTING")

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value", "identifier"),
    [
        ("TIME_ZONE", "Mars/Olympus", "config.E001"),
        ("REDIS_URL", "ftp://somewhere", "config.E002"),
        ("ALLOWED_HOSTS", ["*"], "config.E003"),
        ("UPLOADS", Path(__file__) / "uploads", "config.E004"),
        ("EMBEDDED", True, "config.W001"),
        ("PUBLIC_HOST", "localhost", "config.W002"),
        ("REQUIRE_SECOND_FACTOR", False, "config.W003"),
    ],
)
def test_a_setting_that_parses_and_cannot_work_is_told(settings, name, value, identifier):
    setattr(settings, name, value)

    assert identifier in {message.id for message in run_checks(include_deployment_checks=True)}


def test_the_key_of_the_embedded_deployment_is_made_once_and_kept_private(tmp_path):
    file = tmp_path / "secret_key"

    first = secrets.secret_key("", embedded=True, file=file)
    second = secrets.secret_key("", embedded=True, file=file)

    assert first == second and len(first) > 50
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_every_page_carries_the_headers_of_a_careful_site(client, db):
    headers = client.get("/admin/login/").headers

    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_log_line_hides_the_middle_of_a_phone_number():
    record = logging.makeLogRecord({"msg": "sent to +8613800138000, 1234"})

    assert DiscreetFormatter("%(message)s").format(record) == "sent to +86138****8000, 1234"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("", env.MailServer()),
        (
            "smtps://shop:p%40ss@mail.example.com",
            env.MailServer("mail.example.com", 465, "shop", "p@ss", uses_ssl=True),
        ),
        ("smtp+tls://mail.example.com:2525", env.MailServer("mail.example.com", 2525, uses_tls=True)),
        ("smtp://10.0.0.5", env.MailServer("10.0.0.5", 25)),
    ],
)
def test_a_mail_server_is_read_from_one_address(monkeypatch, address, server):
    monkeypatch.setenv("EMAIL_URL", address)

    assert env.mail_server("EMAIL_URL") == server


@pytest.mark.parametrize(
    "address", ["mail.example.com", "imap://mail.example.com", "smtp://", "smtp://host:port", "x"]
)
def test_an_address_that_is_no_mail_server_is_named_with_a_remedy(monkeypatch, address):
    monkeypatch.setenv("EMAIL_URL", address)

    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL is not the address of a mail server"):
        env.mail_server("EMAIL_URL")
