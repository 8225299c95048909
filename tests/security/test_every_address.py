"""Every address of the deployment, asked by those who may not, without the token, and with strange numbers."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import staff
from tests.security.addresses import ask, every_address, fingerprint, one_of_everything

pytestmark = pytest.mark.django_db

# What needs no sign-in: the way in, the monitors, the language, and the secret paths of gateways.
PUBLIC = {
    "", "healthz", "readyz", "i18n/setlang/", "admin/login/", "admin/jsi18n/",
}  # fmt: skip
# What every member of staff may open: the overview, the own password and the own second step.
EVERYBODYS = PUBLIC | {
    "admin/", "admin/search/", "admin/logout/", "admin/password_change/", "admin/password_change/done/",
    "admin/two-step/", "admin/two-step/settings/", "api/v1/docs", "api/v1/openapi.json",
}  # fmt: skip
# A gateway proves itself by the secret in these addresses, which a walk over all addresses knows.
CALLBACKS = {"callbacks/<str:token>/receipts", "callbacks/<str:token>/replies", "webhooks/<str:token>"}
# What came, and that something unsigned was refused.
KEPT_OF_CALLBACKS = {"notifications_receipt", "customers_integration"}
# Programs prove themselves by a key in each request, whoever is signed in in this browser.
API = "api/v1/"
# These end the session, or open another: what follows would be asked by a stranger.
ENDS_SESSION = {"admin/logout/", "admin/login/", "admin/password_change/"}
# The key that an authenticator app is about to read has to lie somewhere between the page and the first code.
WRITTEN_BY_LOOKING = ("otp_totp",)


@pytest.fixture(autouse=True)
def everything(settings, tmp_path, empty_queue):
    """A shop that has one of everything."""
    settings.UPLOADS = tmp_path / "uploads"
    one_of_everything()


def test_the_walk_sees_the_addresses_it_is_meant_for():
    patterns = {address.pattern for address in every_address()}

    assert len(patterns) > 150
    assert patterns >= PUBLIC | EVERYBODYS
    assert "admin/campaigns/campaign/<int:campaign_id>/schedule/" in patterns


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_the_sign_in_from_everywhere(method):
    before = fingerprint()
    opened, stranger = {}, Client()

    for address in every_address():
        if address.pattern in CALLBACKS:
            continue
        answer = getattr(stranger, method)(address.path)
        is_sent_away = answer.status_code == 302 and "/admin/login/" in answer.headers["Location"]
        if not is_sent_away and answer.status_code not in (404, 405):
            opened[address.pattern] = answer.status_code

    without_key = {pattern for pattern, status in opened.items() if pattern.startswith(API) and status == 401}
    opened = {pattern: status for pattern, status in opened.items() if pattern not in without_key}
    assert without_key
    # Their own pages send whoever is not signed in to the sign-in by themselves, or end a session that is none.
    assert set(opened) - PUBLIC <= {"admin/logout/", "admin/two-step/off/"}
    assert fingerprint() == before


def test_staff_without_a_role_open_nothing_but_their_own_pages():
    person = User.objects.create_user("new", is_staff=True)
    client = Client()
    client.force_login(person, backend=staff.BACKEND)

    statuses = {
        address.pattern: ask(client, "get", address.path)
        for address in every_address()
        if address.pattern not in ENDS_SESSION
    }

    assert {pattern for pattern, status in statuses.items() if status == 200} <= EVERYBODYS | CALLBACKS
    assert {pattern: status for pattern, status in statuses.items() if status >= 500 and pattern != "readyz"} == {}


# Tables that a role's clicks, whatever their address, never touch.
CLOSED = {
    "auditor": ("",),
    "clerk": ("campaigns_", "notifications_", "auth_", "customers_tier", "customers_suppression"),
    "marketer": (
        "notifications_frequencycap", "notifications_quiethours", "notifications_signature",
        "notifications_provideraccount", "notifications_delivery", "auth_user",
    ),
}  # fmt: skip


@pytest.mark.parametrize("role", CLOSED)
def test_a_role_posts_to_every_address_and_moves_nothing_that_is_closed_to_it(role):
    client = staff.signed_in(role)
    before = fingerprint()

    for address in every_address():
        if address.pattern not in ENDS_SESSION | CALLBACKS:
            ask(client, "post", address.path, {"post": "yes", "is_certain": "on"})

    now = fingerprint()
    moved = {table for table in now if table.startswith(CLOSED[role]) and now[table] != before[table]}
    # What somebody tries who may not export is written down.
    assert moved - {"otp_totp_totpdevice", "django_admin_log"} == set()


def test_no_address_takes_a_post_without_the_token_against_forged_requests():
    staff.member("superuser")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="superuser"), backend=staff.BACKEND)
    before = fingerprint()

    taken = {
        address.pattern: status
        for address in every_address()
        if (status := ask(client, "post", address.path, {"post": "yes"})) not in (403, 404)
        and not (address.pattern.startswith(API) and status in (401, 405))
    }

    assert set(taken) == CALLBACKS
    assert {table for table, now in fingerprint().items() if now != before[table]} <= KEPT_OF_CALLBACKS


def test_nothing_changes_by_following_a_link():
    client = staff.signed_in("superuser")
    before = fingerprint(without=WRITTEN_BY_LOOKING)

    for address in every_address():
        if address.pattern not in ENDS_SESSION:
            ask(client, "get", address.path)

    assert fingerprint(without=WRITTEN_BY_LOOKING) == before


@pytest.mark.parametrize("strange", ["abc", "0", "-1", "9" * 30, "_00", "%00", "1%00", "㊙", "x" * 300, "1'--"])
def test_a_strange_number_in_an_address_is_no_fault_of_ours(strange):
    client = staff.signed_in("superuser")

    broken = [
        (method, address.path)
        for address in every_address(object_id=strange)
        for method in ("get", "post")
        if address.pattern not in ENDS_SESSION | {"readyz"} and "django_rq" not in address.pattern
        if "<" in address.pattern and ask(client, method, address.path) >= 500
    ]

    assert broken == []
