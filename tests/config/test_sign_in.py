"""Logging in: guessing is stopped, sessions end when they should."""

import pytest
from axes.models import AccessFailureLog
from django.contrib.auth import authenticate, get_user_model
from django.test import Client, RequestFactory

from config import sign_in

PASSWORD = "a good long password"


def attempt(username: str, password: str, *, address: str):
    """Log in as a browser at an address would."""
    request = RequestFactory().post("/admin/login/", {"username": username}, REMOTE_ADDR=address)
    return authenticate(request, username=username, password=password)


@pytest.fixture
def clerk(db):
    """A member of staff."""
    return get_user_model().objects.create_user("clerk", password=PASSWORD)


def test_five_wrong_passwords_lock_one_name_at_one_address(clerk):
    for _attempt in range(5):
        attempt("clerk", "wrong", address="198.51.100.7")

    assert attempt("clerk", PASSWORD, address="198.51.100.7") is None
    assert attempt("clerk", PASSWORD, address="198.51.100.8") == clerk


def test_one_password_tried_on_many_names_locks_the_address(clerk, settings):
    for number in range(settings.SIGN_IN_FAILURES_PER_ADDRESS):
        attempt(f"name-{number}", "123456", address="198.51.100.7")

    assert attempt("clerk", PASSWORD, address="198.51.100.7") is None
    assert attempt("clerk", PASSWORD, address="198.51.100.8") == clerk


def test_a_password_is_never_stored_with_a_failed_attempt(clerk):
    attempt("clerk", "my other password", address="198.51.100.7")

    assert "my other password" not in str(AccessFailureLog.objects.values())


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (2, "10.0.0.1, 203.0.113.9, 192.0.2.4", "203.0.113.9"),
        (1, "", "127.0.0.1"),
        (1, "not an address", None),
    ],
)
def test_only_our_own_proxies_are_believed_about_the_address(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=forwarded)

    assert sign_in.client_address(request) == address


# Sessions ------------------------------------------------------------------------------------


@pytest.fixture
def owner(db):
    """The owner of the shop."""
    return get_user_model().objects.create_superuser("owner", password=PASSWORD)


def logged_in() -> Client:
    """A browser in which the owner has just logged in."""
    browser = Client()
    answer = browser.post("/admin/login/", {"username": "owner", "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def test_logging_in_leaves_the_session_that_somebody_may_have_planted(owner):
    browser = Client()
    browser.get("/admin/login/")
    planted = browser.session.session_key or "planted-by-somebody-else-0000000"
    browser.cookies["sessionid"] = planted

    browser.post("/admin/login/", {"username": "owner", "password": PASSWORD})

    assert browser.cookies["sessionid"].value != planted


def test_a_new_password_logs_every_other_browser_out(owner):
    phone, office = logged_in(), logged_in()
    assert office.get("/admin/").status_code == 200

    owner.set_password("another good password")
    owner.save()

    assert [browser.get("/admin/").status_code for browser in (phone, office)] == [302, 302]


def test_a_session_ends_after_eight_idle_hours(settings):
    assert settings.SESSION_COOKIE_AGE == 8 * 60 * 60
    assert settings.SESSION_SAVE_EVERY_REQUEST
    assert settings.SESSION_COOKIE_HTTPONLY and settings.CSRF_COOKIE_HTTPONLY
