"""The doors at which providers report: who is let in, what is taken, and how fast it is answered."""

import logging
import socket
import threading
import time
from datetime import timedelta
from http.server import HTTPServer
from io import BytesIO
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.contrib.admin.models import LogEntry
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from config.logs import DiscreetFormatter
from customers import clock
from notifications import views
from notifications.choices import CallbackKind
from notifications.models import ProviderAccount, Receipt
from notifications.services import callback_tokens, callbacks, gateways, receipts
from tests import staff
from tests.notifications import handed_over

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_OF_ALIYUN = 0.7


@pytest.fixture
def account():
    return handed_over.account()


@pytest.fixture
def provider():
    """What pushes: no cookies, no session, no token against forged requests."""
    return Client(enforce_csrf_checks=True)


def door(account, kind="receipts"):
    return f"/callbacks/{account.callback_token}/{kind}"


@pytest.mark.parametrize("kind", ["receipts", "replies"])
def test_a_push_is_kept_raw_and_acknowledged(account, provider, kind):
    answer = provider.post(door(account, kind), b'[{"x": 1}]', content_type="text/plain")

    kept = Receipt.objects.get()
    assert (answer.status_code, answer.content) == (200, b'{"code": "ok"}')
    assert (bytes(kept.body), kept.kind, kept.applied_at) == (b'[{"x": 1}]', kind, None)
    assert not answer.cookies


@pytest.mark.parametrize(
    ("values", "words"),
    [(handed_over.ALIYUN, '{"code":0,"msg":"成功"}'), (handed_over.TENCENT, '{"result":0,"errmsg":"OK"}')],
)
def test_each_provider_hears_what_it_wants_to_hear(provider, values, words):
    account = handed_over.account("cloud", **values)

    checked = provider.get(door(account))
    pushed = provider.post(door(account), b"[]", content_type="application/json")

    assert checked.content.decode() == pushed.content.decode() == words
    assert checked.headers["Content-Type"] == "application/json"


def test_the_console_checks_the_address_without_leaving_anything(account, provider, caplog):
    looked_at, asked_for = provider.head(door(account)), provider.get(door(account, "replies"))

    assert asked_for.status_code == looked_at.status_code == 200
    assert not looked_at.content
    assert not caplog.records
    assert provider.put(door(account), b"[]").status_code == 405
    assert not Receipt.objects.exists()


def test_a_push_that_is_repeated_is_kept_once(account, provider):
    answers = [provider.post(door(account), b"[1]", content_type="application/json").status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert Receipt.objects.count() == 1


@pytest.mark.parametrize("token", ["wrong", "token-of-mai", "token-of-main2", "ü", "%00", "' OR 1=1--", "x" * 5_000])
def test_a_wrong_secret_is_an_address_that_does_not_exist(account, provider, token):
    for method in (provider.get, provider.post):
        assert method(f"/callbacks/{token}/receipts").status_code == 404
    assert not Receipt.objects.exists()


def test_the_empty_previous_secret_opens_nothing(account, provider):
    assert callback_tokens.owner("", now=clock.now()) is None


def test_an_account_that_is_switched_off_or_paused_still_hears_of_what_it_sent(account, provider):
    ProviderAccount.objects.update(is_active=False, paused_for="no balance")

    assert provider.post(door(account), b"[]", content_type="application/json").status_code == 200
    assert Receipt.objects.count() == 1


def test_a_deleted_account_has_no_address(account, provider):
    ProviderAccount.objects.all().delete()

    assert provider.post(door(account), b"[]", content_type="application/json").status_code == 404


def test_a_secret_is_changed_with_overlap_and_the_old_one_can_be_ended(account, provider):
    old = door(account)
    until = callback_tokens.rotate(account.pk, now=clock.now())
    account.refresh_from_db()
    new = door(account)

    assert new != old
    assert provider.get(old).status_code == provider.get(new).status_code == 200
    assert callback_tokens.owner(account.previous_callback_token, now=until - timedelta(seconds=1)) == account
    assert callback_tokens.owner(account.previous_callback_token, now=until) is None
    assert callback_tokens.forget_previous(account.pk) == 1
    assert (provider.get(old).status_code, provider.get(new).status_code) == (404, 200)
    assert callback_tokens.forget_previous(account.pk) == 0


def test_a_hundred_megabytes_are_refused_without_being_read(account, served):
    address, reads = served
    head = f"POST {door(account)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {100 * 1024**2}\r\n\r\n"

    with socket.create_connection(address, timeout=5) as line:
        line.sendall(head.encode())
        answer = line.recv(1000)

    assert answer.split(b"\r\n")[0].endswith(b"413 Request Entity Too Large")
    assert reads == []
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("length", ["9" * 5_000, "１２", "-1", ""])
def test_a_length_that_is_none_is_refused_with_a_status(account, provider, length):
    answer = provider.generic("POST", door(account), b"[]", CONTENT_LENGTH=length)

    assert answer.status_code in (411, 413)
    assert not Receipt.objects.exists()


def test_a_body_that_breaks_off_is_refused_so_that_it_comes_again(account, served):
    address, _reads = served
    head = f"POST {door(account)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n"

    with socket.create_connection(address, timeout=5) as line:
        line.sendall(head.encode() + b'[{"x": 1')
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(1000)

    assert b" 400 " in answer.split(b"\r\n")[0]
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(("size", "status"), [(20, 200), (2 * 1024**2, 413)])
def test_a_body_in_chunks_is_taken_up_to_the_same_size(account, size, status):
    # As gunicorn hands it over: without a length, and with an end.
    request = RequestFactory().generic("POST", door(account), b"", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    request.META |= {"wsgi.input_terminated": True, "wsgi.input": BytesIO(b"[" + b" " * size + b"]")}

    answer = views.receive(request, account.callback_token, CallbackKind.RECEIPTS)

    assert answer.status_code == status
    assert Receipt.objects.count() == (status == 200)


def test_a_database_that_is_slow_makes_the_provider_come_again_in_time(account, provider, servers):
    with Locked("notifications_receipt"):
        began = time.monotonic()
        refused = provider.post(door(account), b"[]", content_type="application/json")
        took = time.monotonic() - began
    again = provider.post(door(account), b"[]", content_type="application/json")

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    assert took < PATIENCE_OF_ALIYUN
    assert (again.status_code, Receipt.objects.count()) == (200, 1)


def test_an_answer_asks_the_database_little_and_no_session(account, provider, django_assert_max_num_queries):
    with django_assert_max_num_queries(10) as asked:
        provider.post(door(account), b"[]", content_type="application/json")

    assert not [one["sql"] for one in asked if "session" in one["sql"] or "auth_user" in one["sql"]]


def test_no_log_line_tells_the_secret_of_an_address(account):
    line = logging.LogRecord("django.request", logging.ERROR, "", 1, "Service Unavailable: %s", (door(account),), None)

    assert DiscreetFormatter("%(message)s").format(line) == "Service Unavailable: /callbacks/…/receipts"


def test_the_account_knows_the_addresses_to_be_entered_at_the_provider(account, settings):
    settings.PUBLIC_URL = "https://shop.example.com/"

    assert gateways.callback_url("t0ken") == "https://shop.example.com/callbacks/t0ken/receipts"
    assert gateways.replies_url("t0ken") == "https://shop.example.com/callbacks/t0ken/replies"
    assert callbacks.acknowledgement(account) == b'{"code": "ok"}'


class Locked:
    """Another session that holds a table for itself."""

    def __init__(self, table: str):
        self.table = table
        self.other = connection.copy()

    def __enter__(self):
        self.other.set_autocommit(False)
        self.other.cursor().execute(f"LOCK TABLE {self.table} IN ACCESS EXCLUSIVE MODE")

    def __exit__(self, *_failure):
        self.other.rollback()
        self.other.close()


@pytest.fixture
def served(account):
    """The application behind a real socket, and what it read of bodies."""
    reads = []

    class Watched:
        def __init__(self, stream):
            self.stream = stream

        def read(self, *size):
            reads.append(size)
            return self.stream.read(*size)

        readline = read

    application = get_wsgi_application()

    def watching(environ, start):
        environ["wsgi.input"] = Watched(environ["wsgi.input"])
        return application(environ, start)

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_arguments):
            pass

    server: HTTPServer = make_server("127.0.0.1", 0, watching, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address, reads
    server.shutdown()
    server.server_close()


def test_staff_change_the_address_and_end_the_old_one(account):
    owner = staff.signed_in("owner")
    page = reverse("admin:notifications_provideraccount_change", args=[account.pk])
    old = account.callback_token

    changed = owner.post(act("change_callback", account), {"_form_submitted": "True"}, follow=True).content.decode()
    account.refresh_from_db()
    before = owner.get(page).content.decode()
    owner.post(act("end_old_callback", account), {"_form_submitted": "True"})
    after = owner.get(page).content.decode()

    assert account.previous_callback_token == old != account.callback_token
    assert "Enter the new addresses at the gateway." in changed
    assert "End the old addresses now" in before and old not in before
    assert "End the old addresses now" not in after
    assert callback_tokens.owner(old, now=clock.now()) is None
    told = LogEntry.objects.values_list("change_message", flat=True)
    assert {"Changed the callback addresses.", "Ended the old callback addresses."} <= set(told)


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_nobody_but_the_owner_changes_the_address(account, role):
    answer = staff.signed_in(role).post(act("change_callback", account), {"_form_submitted": "True"})

    assert answer.status_code in (302, 403)
    assert callback_tokens.owner(account.callback_token, now=clock.now()) == account


def act(name, account):
    """The address of a button on the account's page."""
    return reverse(f"admin:notifications_provideraccount_{name}", args=[account.pk])


def test_what_was_not_understood_is_told_and_shown_to_those_who_may_see_numbers(account, provider):
    provider.post(door(account), b'[{"number": "13800000001", "melted": 1}]', content_type="application/json")
    provider.post(door(account), b"[]", content_type="application/json")
    receipts.apply(now=clock.now())
    problems = f"{reverse('admin:notifications_receipt_changelist')}?show=problems"
    page = reverse("admin:notifications_receipt_change", args=[Receipt.objects.exclude(problem="").get().pk])
    owner, auditor = staff.signed_in("owner"), staff.signed_in("auditor")

    overview = auditor.get(reverse("admin:index")).content.decode()

    assert "1 callback of a provider was not understood in full." in overview
    assert problems in overview
    assert owner.get(problems).context_data["cl"].result_count == 1
    assert "13800000001" in owner.get(page).content.decode()
    assert "13800000001" not in auditor.get(page).content.decode()
    assert "The receipt names no message." in auditor.get(page).content.decode()
