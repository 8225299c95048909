"""E-mail on the way of SMS: planned, screened, counted and settled, through a real mail server on this machine."""

from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import translation

from customers import clock
from customers.models import Consent, ConsentChange, ContactPoint, Customer, Suppression
from notifications.models import Delivery, FrequencyCap, Message, ProviderAccount, QuietHours, Submission
from notifications.services import connecting, deliveries, messages, reconciling, sending
from tests import cast
from tests.gateway import Gateway

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(tmp_path, process_environment, settings):
    """A sandbox gateway that takes e-mail too."""
    running = Gateway(tmp_path / "gateway", "--no-receipts", "--mail-port", "0", environment=process_environment)
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1"]
    yield running
    running.stop()


@pytest.fixture
def account(transactional_db, server):
    """A mail account at it."""
    return cast.mail_account(server.mail_url)


def freeze(template, *, now, **overrides):
    """A message that may go out from now on for four hours."""
    window = {"send_after": now, "send_until": now + timedelta(hours=4)}
    return messages.freeze(template, name="新年问候", price="0.01", by=None, now=now, **window | overrides)


def send(message, *, occasion="letter-1"):
    """Plan a message to everybody and send what is due."""
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=clock.now())
    return sending.drain("bulk" if message.purpose in ("care", "marketing") else "urgent", seconds=10, clock=clock.now)


def states():
    """How many deliveries stand in each state, or were skipped for each reason."""
    return Counter(reason or status for status, reason in Delivery.objects.values_list("status", "reason"))


def reader(address: str, name: str = "读者") -> Customer:
    """Somebody who agreed to letters at an address."""
    return cast.customer(name, email=address, consent="granted")


def link_in(letter) -> str:
    """The path of the link by which a letter is unsubscribed from."""
    return letter["List-Unsubscribe"].strip("<>").removeprefix("http://localhost:8000")


# What is sent


def test_a_letter_of_marketing_tells_who_writes_what_it_is_and_how_to_stop_it(account, server, noon):
    cast.zhang_min(), cast.li_na()
    html = '<p>亲爱的<b>{{ name }}</b>，<a href="https://shop.example/new">看新品</a></p>'

    send(freeze(cast.letter(html=html), now=noon))

    (letter,) = server.letters()
    delivery = Delivery.objects.get(status="sent")
    assert letter["Subject"] == "（广告）给张敏的一封信"
    assert letter["To"] == "zhang.min@example.com"
    assert str(letter["From"]) == "鸿雁花店 <hello@shop.example>"
    assert letter["Message-ID"] == f"<{delivery.submission.token.hex}-{delivery.pk}@shop.example>"
    assert letter["Date"]
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = letter["List-Unsubscribe"].strip("<>")
    assert link.startswith("http://localhost:8000/u/")
    plain, formatted = letter.get_body(("plain",)).get_content(), letter.get_body(("html",)).get_content()
    assert plain.startswith("张敏，您好！") and link in plain and "【" not in plain
    assert "<b>张敏</b>" in formatted and link in formatted
    assert states() == {"sent": 1, "no_address": 1}
    assert (delivery.segments, delivery.cost) == (1, account.price)
    assert server.ledger()[0]["number"] == "zhang.min@example.com"


def test_a_notice_of_an_order_has_no_link_and_asks_no_consent(account, server, noon):
    cast.customer("陈洁", email="chen.jie@example.com")

    send(freeze(cast.letter("您的订单已发货。", subject="已发货", purpose="transactional"), now=noon))

    (letter,) = server.letters()
    assert letter["Subject"] == "已发货"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] is None
    assert "Unsubscribe" not in letter.get_body(("plain",)).get_content()
    assert letter.get_body(("html",)) is None


def test_names_are_shown_and_never_obeyed(account, server, noon):
    reader("evil@example.com", '<script>alert("1")</script>\r\nBcc: all@example.com')

    send(freeze(cast.letter(html="<p>{{ name }}</p>"), now=noon))

    (letter,) = server.letters()
    assert letter["Bcc"] is None
    assert "\n" not in letter["Subject"]
    assert "<script>" not in letter.get_body(("html",)).get_content()


def test_a_hundred_letters_go_out_once_each_on_few_connections(account, server, noon):
    for number in range(100):
        reader(f"reader{number}@example.com")

    send(freeze(cast.letter(), now=noon))

    assert Counter(server.numbers()) == {f"reader{number}@example.com": 1 for number in range(100)}
    assert states() == {"sent": 100}
    assert Submission.objects.filter(status="settled").count() == 2


def test_caps_and_quiet_hours_of_letters_hold_and_those_of_sms_do_not(account, server, noon):
    cast.zhang_min()
    FrequencyCap.objects.create(name="短信一天一条", channel="sms", purpose="marketing", limit=1, window="days")
    FrequencyCap.objects.create(name="邮件一天一封", channel="email", purpose="marketing", limit=1, window="days")
    send(freeze(cast.letter(name="one"), now=noon))
    send(freeze(cast.letter(name="two"), now=noon), occasion="letter-2")
    local = noon.astimezone(clock.shop_zone())
    QuietHours.objects.create(
        channel="email",
        purpose="care",
        quiet_from=local.replace(hour=11).time(),
        quiet_until=local.replace(hour=13).time(),
    )

    send(freeze(cast.letter(name="three", purpose="care"), now=noon), occasion="letter-3")

    assert states() == {"sent": 1, "over_cap": 1, "queued": 1}
    assert Submission.objects.get(status="queued").held_for == "quiet_hours"


def test_without_an_account_that_works_letters_wait(account, server, noon):
    cast.zhang_min()
    ProviderAccount.objects.update(is_active=False)
    message = freeze(cast.letter(), now=noon)

    send(message)

    assert states() == {"queued": 1}


# What the server answers


def test_each_letter_gets_the_answer_that_the_server_gave_for_it(account, server, noon):
    for name in ("nobody", "later", "good"):
        reader(f"{name}@example.com")

    send(freeze(cast.letter(), now=noon))

    assert states() == {"refused_number": 1, "queued": 1, "sent": 1}
    assert Suppression.objects.get().address == "nobody@example.com"
    assert Suppression.objects.get().reason == "dead"
    assert Delivery.objects.get(status="queued").attempts == 1
    account.refresh_from_db()
    assert account.paused_for == ""


def test_a_connection_that_breaks_behind_a_letter_leaves_that_one_alone_in_doubt(account, server, noon):
    reader("before@example.com"), reader("lost@example.com"), reader("behind@example.com")

    send(freeze(cast.letter(), now=noon))

    fates = dict(Delivery.objects.values_list("address", "status"))
    assert fates == {"before@example.com": "sent", "lost@example.com": "unknown", "behind@example.com": "queued"}
    reconciling.reconcile(now=clock.now() + timedelta(hours=1), seconds=5)
    assert Delivery.objects.get(status="unknown").reason == "cannot_tell"


def test_a_connection_that_breaks_before_a_letter_puts_it_off(account, server, noon):
    reader("drop@example.com")

    send(freeze(cast.letter(), now=noon))

    assert states() == {"queued": 1}


def test_a_letter_that_looks_like_spam_pauses_its_message(account, server, noon):
    reader("spam@example.com")
    message = freeze(cast.letter(), now=noon)

    send(message)

    message.refresh_from_db()
    assert message.paused_at and "spam" in message.paused_for
    assert states() == {"queued": 1}


def test_an_address_that_is_none_is_refused_without_asking_the_server(account, server, noon):
    reader("no-at-sign")

    send(freeze(cast.letter(), now=noon))

    assert states() == {"refused_number": 1}
    assert server.letters() == []


def test_a_server_that_knows_no_password_pauses_the_account_with_a_sentence(account, server, noon):
    cast.zhang_min()
    ProviderAccount.objects.update(key_id="hello@shop.example")

    send(freeze(cast.letter(), now=noon))

    account.refresh_from_db()
    assert account.paused_for == "The mail server takes no user name and password at this port"
    assert states() == {"queued": 1}


def test_a_server_that_is_not_there_lets_letters_wait(noon, settings):
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1"]
    cast.mail_account("smtp://127.0.0.1:9")
    cast.zhang_min()

    send(freeze(cast.letter(), now=noon))

    assert states() == {"queued": 1}
    assert not ProviderAccount.objects.exclude(paused_for="").exists()


def test_a_server_in_the_house_that_nobody_listed_is_not_connected_to(account, server, noon, settings):
    settings.GATEWAY_PRIVATE_HOSTS = []
    cast.zhang_min()

    send(freeze(cast.letter(), now=noon))

    account.refresh_from_db()
    assert "private network" in account.paused_for
    assert server.letters() == []


def test_the_connection_is_tried_without_a_letter(account, server):
    with translation.override("en"):
        works = connecting.try_out(account)
        ProviderAccount.objects.update(url="smtp://127.0.0.1:9")
        account.refresh_from_db()
        fails = connecting.try_out(account)

    assert works.works and "No letter was sent" in works.words
    assert not fails.works and "could not be reached" in fails.words
    assert server.letters() == []


# How it is stopped


def test_one_click_opts_the_reader_out_of_letters_and_of_nothing_else(account, server, noon):
    zhang_min = cast.zhang_min()
    send(freeze(cast.letter(), now=noon))
    path = link_in(server.letters()[0])

    answer = Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    standing = dict(Consent.objects.filter(customer=zhang_min, status="withdrawn").values_list("purpose", "channel"))
    assert standing == {"care": "email", "marketing": "email"}
    evidence = ConsentChange.objects.filter(status="withdrawn").first()
    assert evidence.source == "link" and f"#{Delivery.objects.get().pk}" in evidence.wording
    send(freeze(cast.letter(name="two"), now=noon), occasion="letter-2")
    assert states() == {"sent": 1, "opted_out": 1}
    before = ConsentChange.objects.count()
    assert Client().post(path).status_code == 200
    assert ConsentChange.objects.count() == before


def test_looking_at_the_link_changes_nothing(account, server, noon):
    cast.zhang_min()
    send(freeze(cast.letter(), now=noon))
    path = link_in(server.letters()[0])

    page = Client().get(path, headers={"accept-language": "en"})
    head = Client().head(path)

    assert b'<form method="post">' in page.content and b"Unsubscribe" in page.content
    assert head.status_code == 200 and head.content == b""
    assert page.headers["X-Robots-Tag"] == "noindex" and "no-store" in page.headers["Cache-Control"]
    assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["Content-Security-Policy"]
    assert "退订" in Client().get(path).content.decode()
    assert not Consent.objects.filter(status="withdrawn").exists()
    assert Client().put(path).status_code == 405


@pytest.mark.parametrize("token", ["1", "1.x", "zz.zz", "%00", "x" * 300, "-1.abc", "㊙"])
def test_a_link_that_nobody_sent_leads_nowhere(token, transactional_db):
    assert Client().post(f"/u/{token}").status_code == 404


def test_a_link_for_another_delivery_cannot_be_made_from_ones_own(account, server, noon):
    cast.zhang_min()
    send(freeze(cast.letter(), now=noon))
    number, _dot, seal = link_in(server.letters()[0]).removeprefix("/u/").partition(".")

    assert Client().post(f"/u/{int(number, 16) + 1:x}.{seal}").status_code == 404
    assert Client().post(f"/u/{number}.{seal[:-1]}").status_code == 404


def test_an_old_address_is_opted_out_with_the_customer(account, server, noon):
    zhang_min = cast.zhang_min()
    send(freeze(cast.letter(), now=noon))
    ContactPoint.objects.filter(customer=zhang_min).update(address="new@example.com")

    Client().post(link_in(server.letters()[0]))

    assert Consent.objects.filter(customer=zhang_min, channel="email", status="withdrawn").count() == 2
    assert Suppression.objects.get().address == "zhang.min@example.com"


def test_a_test_letter_opts_nobody_out(account, server, noon):
    template = cast.letter()
    messages.send_test(template, number="staff@shop.example", customer=None, by=None, now=noon)
    sending.drain("urgent", seconds=10, clock=clock.now)

    answer = Client().post(link_in(server.letters()[0]), headers={"accept-language": "en"})

    assert b"was a test" in answer.content
    assert not Suppression.objects.exists()
    assert Message.objects.get().subject == template.subject
