"""What a mail server's answers mean for each letter, in clear and encrypted, in time and out of it."""

import ssl
import time
from email import message_from_bytes
from email.policy import default

import pytest

from notifications.providers.base import Answer, Outcome, Outgoing
from notifications.providers.http import HttpClient, Limits, RefusedAddress
from notifications.providers.mail_letters import BadAddress, Sender, checked_address, written
from notifications.providers.mail_servers import Security, Server, checked_server, server_at
from notifications.providers.smtp import MailSettings, Smtp
from tests.gateways.mail import PASSWORD, USER, ScriptedMail

QUICK = Limits(connect=1.0, read=1.0, total=2.0)
NAME = "gateway.example.com"


@pytest.fixture
def mail():
    """Starts scripted mail servers and ends them."""
    running = []

    def start(answers=None, **options) -> ScriptedMail:
        running.append(ScriptedMail(answers, **options))
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    """The server's side of a certificate for gateway.example.com."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def adapter(server: ScriptedMail, *, host: str = "127.0.0.1", security=Security.NONE, limits=QUICK, user="",
            password="", certificates=None) -> Smtp:  # fmt: skip
    client = HttpClient(
        private_hosts={host}, limits=limits, resolve=lambda *_: ["127.0.0.1"], certificates=certificates
    )
    sender = Sender("hello@shop.example", "鸿雁花店")
    return Smtp(MailSettings(Server(security, host, server.port), sender, user, password), client=client)


def letters(*addresses: str, **columns) -> list[Outgoing]:
    columns = {"subject": "新品到店", "unsubscribe_url": "https://shop.example/u/" + "x" * 200} | columns
    return [Outgoing(f"token-{place}", to, "您好。\n.\n..句点", **columns) for place, to in enumerate(addresses)]


def send(provider: Smtp, batch: list[Outgoing], **options) -> list[Answer]:
    return provider.send(batch, call_reference="token", **options)


def outcomes(answers: list[Answer]) -> list[str]:
    return [answer.outcome.value for answer in answers]


def test_a_batch_goes_over_one_connection_word_for_word(mail):
    server = mail()

    answers = send(adapter(server), letters("a@example.com", "b@例子.cn", html="<p>您好</p>"))

    assert outcomes(answers) == ["taken", "taken"]
    assert server.connections == 1
    assert [words for words in server.commands if words.startswith("rcpt")] == [
        "rcpt TO:<a@example.com>",
        "rcpt TO:<b@xn--fsqu00a.cn>",
    ]
    raw = server.letters[0]
    assert raw.isascii() and all(len(line) < 998 for line in raw.split(b"\r\n"))
    assert b"List-Unsubscribe: <https://shop.example/u/" + b"x" * 200 + b">\r\n" in raw
    letter = message_from_bytes(raw, policy=default)
    assert letter.get_body(("plain",)).get_content().replace("\r\n", "\n") == "您好。\n.\n..句点\n"
    assert letter["Subject"] == "新品到店"
    assert letter["Precedence"] == "bulk" and letter["Auto-Submitted"] is None


@pytest.mark.parametrize(
    ("answers", "outcome", "code"),
    [
        ({"RCPT": "550 5.1.1 No such user"}, "refused_number", "5.1.1"),
        ({"RCPT": "550 nobody"}, "refused_number", "550"),
        ({"RCPT": "450 4.2.0 greylisted"}, "refused_later", "4.2.0"),
        ({"RCPT": "554 5.7.1 Relay access denied"}, "refused_account", "5.7.1"),
        ({"MAIL": "553 5.7.1 sender not owned by user"}, "refused_account", "5.7.1"),
        ({"MAIL": "451 4.7.1 slow down"}, "refused_later", "4.7.1"),
        ({"DATA": "554 5.5.1 no"}, "refused_content", "5.5.1"),
        ({".": "554 5.6.0 spam"}, "refused_content", "5.6.0"),
        ({".": "550 5.1.1 unknown"}, "refused_number", "5.1.1"),
        ({".": "452 4.3.1 disk full"}, "refused_later", "4.3.1"),
        ({".": "250"}, "taken", "250"),
        ({".": None}, "unknown", "connection_lost"),
        ({".": 5.0}, "unknown", "connection_lost"),
        ({".": "nonsense"}, "unknown", "unreadable_answer"),
        ({"DATA": None}, "refused_later", "broken_off"),
        ({"RCPT": None}, "refused_later", "broken_off"),
        ({"MAIL": "421 4.3.2 closing"}, "refused_later", "broken_off"),
        ({"": "554 no service"}, "refused_later", "no_connection"),
        ({"RCPT": 5.0}, "refused_later", "broken_off"),
    ],
)
def test_each_answer_means_something(mail, answers, outcome, code):
    (answer,) = send(adapter(mail(answers)), letters("a@example.com"))

    assert (answer.outcome.value, answer.code) == (outcome, code)
    assert answer.words or outcome == "taken"


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_an_encrypted_server_is_trusted_by_its_name_and_logged_in_to(mail, tls, certificate, security):
    server = mail(tls=tls, is_tls_at_once=security is Security.TLS, wants_password=True)
    options = {"host": NAME, "security": security, "certificates": certificate, "user": USER}

    good = send(adapter(server, password=PASSWORD, **options), letters("a@example.com"))
    wrong = send(adapter(server, password="old", **options), letters("a@example.com"))

    assert outcomes(good) == ["taken"]
    assert (wrong[0].outcome, wrong[0].code, wrong[0].is_for_all) == (Outcome.REFUSED_ACCOUNT, "535", True)
    assert adapter(server, password=PASSWORD, **options).try_out() is None
    assert adapter(server, password="old", **options).try_out()[0] == Outcome.REFUSED_ACCOUNT
    assert len(server.letters) == 1


def test_a_certificate_that_nobody_vouches_for_gets_no_letter_and_no_password(mail, tls):
    server = mail(tls=tls, wants_password=True)

    (answer,) = send(adapter(server, host=NAME, security=Security.STARTTLS, user=USER), letters("a@example.com"))

    assert (answer.outcome, answer.code) == (Outcome.REFUSED_ACCOUNT, "bad_certificate")
    assert not any(words.startswith("AUTH") for words in server.commands)


def test_a_server_without_encryption_is_told_nothing(mail):
    server = mail(wants_password=True)

    (answer,) = send(adapter(server, security=Security.STARTTLS, user=USER), letters("a@example.com"))

    assert answer.outcome == Outcome.REFUSED_ACCOUNT and "no encryption" in answer.words
    assert not any(words.startswith(("AUTH", "mail")) for words in server.commands)


def test_a_slow_server_holds_a_worker_for_a_bounded_time_and_leaves_the_rest_for_later(mail):
    server = mail({"RCPT": 0.6})
    began = time.monotonic()

    answers = send(adapter(server), letters(*(f"r{number}@example.com" for number in range(9))))

    assert time.monotonic() - began < 3
    assert set(outcomes(answers)) == {"taken", "withheld"}
    assert len(server.letters) == outcomes(answers).count("taken") < 5


def test_after_a_second_it_is_asked_again_who_may_still_be_written_to(mail):
    server = mail({"RCPT": 0.6})
    asked = []

    def withheld(rest):
        asked.append([one.number for one in rest])
        return [Answer(one.reference, Outcome.WITHHELD, "", "opted_out", "") for one in rest]

    answers = send(adapter(server), letters("a@example.com", "b@example.com", "c@example.com"), withheld=withheld)

    assert outcomes(answers) == ["taken", "taken", "withheld"]
    assert asked == [["c@example.com"]]


def test_one_address_that_is_none_spoils_no_batch(mail):
    server = mail()

    answers = send(adapter(server), letters("a@example.com", "b@x\r\nRCPT TO:<c@example.com>", "", "d@example.com"))

    assert outcomes(answers) == ["taken", "refused_number", "refused_number", "taken"]
    assert len(server.letters) == 2


@pytest.mark.parametrize("subject", ["第一行\r\nBcc: x@example.com", "a\nb"])
def test_a_subject_with_a_line_break_is_refused(mail, subject):
    (answer,) = send(adapter(mail()), letters("a@example.com", subject=subject))

    assert answer.outcome == Outcome.REFUSED_CONTENT


def test_the_sender_may_have_any_name(mail):
    raw = written(letters("a@example.com")[0], sender=Sender("a@shop.example", 'Li "Na", <x>'), to="a@example.com")

    assert message_from_bytes(raw, policy=default)["From"].addresses[0].addr_spec == "a@shop.example"


@pytest.mark.parametrize(
    "address", ["", "a", "a@b", "a@@b.cn", "a b@c.cn", "a@b.cn\r\n", "李@b.cn", "<a@b.cn>", "a@b .cn"]
)
def test_what_is_no_address_is_told_apart(address):
    if address.strip() == "a@b.cn":
        assert checked_address(address) == "a@b.cn"
        return
    with pytest.raises(BadAddress):
        checked_address(address)


@pytest.mark.parametrize("url", ["", "http://a.cn:25", "smtp://a.cn", "smtps://a.cn:123456"])
def test_what_is_no_server_is_told_apart(url):
    with pytest.raises(RefusedAddress):
        server_at(url)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "localhost", "mail.internal", "2130706433"])
def test_a_server_in_the_house_is_refused(host):
    with pytest.raises(RefusedAddress):
        checked_server(Security.TLS, host, 465, private_hosts=())


def test_a_name_that_leads_into_the_house_is_refused_when_it_is_called(mail):
    server = mail()
    client = HttpClient(private_hosts=(), limits=QUICK, resolve=lambda *_: ["127.0.0.1"])
    settings = MailSettings(Server(Security.NONE, "mail.example.com", server.port), Sender("a@shop.example"))

    (answer,) = send(Smtp(settings, client=client), letters("a@example.com"))

    assert (answer.outcome, answer.code) == (Outcome.REFUSED_ACCOUNT, "address_refused")
    assert server.connections == 0
