"""Texts that a provider approves before they may be sent: handed in, taken over, watched, and taken back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import translation

from customers import clock
from notifications.choices import RegistrationState
from notifications.models import RegisteredSignature, RegisteredText, Template
from notifications.providers.base import RegisteredText as Call
from notifications.providers.base import RegistrationStatus
from notifications.services import messages, registration_states, registrations
from notifications.services.registrations import CannotRegister
from tests import cast, registered
from tests.gateways import aliyun as aliyun_server
from tests.gateways import tencent as tencent_server

pytestmark = pytest.mark.django_db

NEW_YEAR = "亲爱的${name}，新年快乐！拒收请回复R"


@pytest.fixture(autouse=True)
def in_english():
    """Sentences are held against their English originals."""
    with translation.override("en"):
        yield


@pytest.fixture
def aliyun(tmp_path, settings):
    """Aliyun, which approves at once."""
    with aliyun_server.Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def account(aliyun):
    """The shop's account there."""
    return registered.account_at(aliyun)


@pytest.fixture
def tencent(tmp_path, settings):
    """Tencent Cloud, which approves at once."""
    with tencent_server.Tencent(tmp_path / "tencent", review=0) as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def account_at_tencent(tencent):
    """The shop's account there."""
    return registered.account_at_tencent(tencent)


@pytest.fixture
def template():
    return cast.template('亲爱的{{ name or "顾客" }}，新年快乐！', name="新年")


@pytest.fixture
def now():
    return clock.now()


def frozen(template, now, **changes):
    """A message of the template, as a campaign makes it."""
    return messages.freeze(
        template,
        name="新年",
        price=0,
        send_after=now,
        send_until=now + timedelta(hours=1),
        by=None,
        now=now,
        **changes,
    )


def hand_in(template, account, now, **options) -> RegisteredText:
    return registrations.hand_in(template, account, by=None, now=now, **options)


def test_states_have_the_words_of_the_adapters():
    # What was not handed in leaves no row behind.
    assert set(RegistrationState.values) == {status.value for status in RegistrationStatus} - {"not_handed_in"}


class TestHandingIn:
    """A text goes to the provider with its parameters, and comes back with a code."""

    def test_the_provider_gets_the_text_with_its_parameters(self, aliyun, account, template, now):
        aliyun.script.review = "0"

        row = hand_in(template, account, now)

        assert aliyun.script.templates[row.code][0] == NEW_YEAR
        assert (row.status, row.skeleton) == ("in_review", "亲爱的{name}，新年快乐！拒收请回复R")
        assert registrations.usable(frozen_unchecked(template, now), account) is None

    def test_an_approved_text_is_sent_by_its_code(self, account, template, now):
        row = hand_in(template, account, now)
        registrations.sync(now=now)

        found = registrations.usable(frozen(template, now), account)

        assert found == Call(row.code, "鸿雁花店")
        assert found.named({"name": "李娜"}) == {"name": "李娜"}

    def test_a_notice_is_handed_in_without_opt_out_wording(self, aliyun, account, now):
        notice = cast.template("您的包裹已到{{ city }}", purpose="transactional")

        row = hand_in(notice, account, now)

        assert aliyun.script.templates[row.code][:2] == ["您的包裹已到${city}", "1"]

    def test_a_refusal_at_once_is_kept_with_its_reason(self, aliyun, account, template, now):
        aliyun.script.code = "isv.SMS_CONTENT_ILLEGAL"

        row = hand_in(template, account, now)

        assert row.status == "rejected"
        assert row.words

    def test_a_wrong_key_says_nothing_of_the_text(self, aliyun, account, template, now):
        aliyun.script.keys = {}

        with pytest.raises(CannotRegister):
            hand_in(template, account, now)

        assert not RegisteredText.objects.exists()
        assert registrations.trouble_for([template.pk]) == {}

    def test_no_answer_leaves_it_unclear_and_open_to_another_try(self, aliyun, account, template, now):
        aliyun.script.fault = "500"
        assert hand_in(template, account, now).status == "unknown"
        aliyun.script.fault = ""

        with pytest.raises(CannotRegister, match="already"):
            hand_in(template, account, now + timedelta(seconds=10))
        row = hand_in(template, account, now + timedelta(minutes=2))

        assert row.status == "in_review"

    def test_what_is_in_review_or_approved_is_not_handed_in_twice(self, aliyun, account, template, now):
        hand_in(template, account, now)

        with pytest.raises(CannotRegister, match="already"):
            hand_in(template, account, now + timedelta(hours=1))

        assert aliyun.calls["CreateSmsTemplate"] == 1

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("您好{% if city %}，{{ city }}{% endif %}", "cannot be registered"),
            ("您好{{ name or '' }}", "could be empty"),
            ("{{ name }}", "nothing but variables"),
            ("回T退订，您好{{ name }}", "ends with “拒收请回复R”"),
        ],
    )
    def test_what_would_be_refused_is_not_handed_in(self, aliyun, account, now, body, said):
        with pytest.raises(CannotRegister, match=said):
            hand_in(cast.template(body), account, now)

        assert not aliyun.calls
        assert not RegisteredText.objects.exists()

    def test_an_account_that_takes_every_text_needs_no_approval(self, template, now):
        with pytest.raises(CannotRegister, match="nothing has to be approved"):
            hand_in(template, cast.account("http://127.0.0.1:9"), now)

    def test_a_secret_of_another_deployment_is_a_sentence(self, account, template, now):
        account.encrypted_secret = b"stored elsewhere"

        with pytest.raises(CannotRegister, match="Enter it again"):
            hand_in(template, account, now)

    def test_an_archived_template_is_not_handed_in(self, account, template, now):
        template.archived_at = now

        with pytest.raises(CannotRegister, match="archived"):
            hand_in(template, account, now)

    def test_a_text_in_review_without_a_code_is_refused_by_the_database(self, account, template, now):
        row = hand_in(template, account, now)

        with pytest.raises(IntegrityError, match="known_by_its_code"), transaction.atomic():
            RegisteredText.objects.filter(pk=row.pk).update(code="")


def frozen_unchecked(template, now):
    """A message of a template that is not approved yet."""
    with_another = cast.account("http://127.0.0.1:9")
    message = frozen(template, now)
    with_another.delete()
    return message


class TestTakingOver:
    """A text registered in the provider's console is used if it is the same to the character."""

    def test_the_same_text_is_taken_over(self, aliyun, account, template, now):
        aliyun.register("SMS_7", NEW_YEAR)

        row = registrations.adopt(template, account, " SMS_7 ", by=None, now=now)

        assert (row.code, row.status, row.names) == ("SMS_7", "approved", [])
        assert registrations.usable(frozen(template, now), account) == Call("SMS_7", "鸿雁花店")

    def test_parameters_of_other_names_are_called_as_the_provider_does(self, aliyun, account, template, now):
        aliyun.register("SMS_7", NEW_YEAR.replace("name", "customer"))

        registrations.adopt(template, account, "SMS_7", by=None, now=now)
        found = registrations.usable(frozen(template, now), account)

        assert found.named({"name": "李娜"}) == {"customer": "李娜"}

    @pytest.mark.parametrize(
        ("theirs", "said"),
        [
            (NEW_YEAR.replace("新年", "中秋"), "“亲爱的${name}，中秋快乐！拒收请回复R”, here “亲爱的${name}，新年"),
            (NEW_YEAR.replace("！", "!"), "is another one"),
            ("亲爱的顾客，新年快乐！拒收请回复R", "“亲爱的顾客，新年快乐！拒收请回复R”"),
            (NEW_YEAR + "。", "is another one"),
        ],
    )  # fmt: skip
    def test_another_text_is_refused_with_the_difference(self, aliyun, account, template, now, theirs, said):
        aliyun.register("SMS_7", theirs)

        with pytest.raises(CannotRegister) as refused:
            registrations.adopt(template, account, "SMS_7", by=None, now=now)

        assert said in str(refused.value)
        assert not RegisteredText.objects.exists()

    @pytest.mark.parametrize("code", ["", "   ", "x" * 100])
    def test_what_is_no_code_is_asked_for_again(self, account, template, now, code):
        with pytest.raises(CannotRegister, match="Type the code"):
            registrations.adopt(template, account, code, by=None, now=now)

    def test_a_code_that_the_provider_does_not_know_is_refused(self, account, template, now):
        with pytest.raises(CannotRegister, match="has no text SMS_404"):
            registrations.adopt(template, account, "SMS_404", by=None, now=now)

    def test_a_provider_that_is_away_is_a_sentence(self, aliyun, account, template, now):
        aliyun.script.fault = "500"

        with pytest.raises(CannotRegister, match="could not say"):
            registrations.adopt(template, account, "SMS_7", by=None, now=now)

    def test_an_approved_text_is_not_replaced_by_one_in_review(self, aliyun, account, template, now):
        aliyun.register("SMS_7", NEW_YEAR)
        aliyun.register("SMS_8", NEW_YEAR, status="0")
        registrations.adopt(template, account, "SMS_7", by=None, now=now)

        with pytest.raises(CannotRegister, match="approved under SMS_7"):
            registrations.adopt(template, account, "SMS_8", by=None, now=now)


class TestWatching:
    """Approval takes hours, and can be taken back."""

    def test_a_text_is_usable_as_soon_as_the_provider_has_approved_it(self, aliyun, account, template, now):
        aliyun.script.review = "0"
        row = hand_in(template, account, now)
        registrations.sync(now=now + timedelta(minutes=10))
        aliyun.register(row.code, NEW_YEAR)

        counts = registrations.sync(now=now + timedelta(minutes=20))

        row.refresh_from_db()
        assert counts["approved"] == 1
        assert (row.status, row.changed_at) == ("approved", now + timedelta(minutes=20))

    def test_an_approved_text_is_asked_about_once_an_hour(self, aliyun, account, template, now):
        hand_in(template, account, now)
        registrations.sync(now=now)
        calls = aliyun.calls["GetSmsTemplate"]

        registrations.sync(now=now + timedelta(minutes=50))
        assert aliyun.calls["GetSmsTemplate"] == calls
        registrations.sync(now=now + timedelta(minutes=61))
        assert aliyun.calls["GetSmsTemplate"] == calls + 1

    @pytest.mark.parametrize(
        ("status", "state", "said"),
        [("2", "rejected", "阿里云 rejected the text of “新年”. 含营销词"), ("10", "gone", "no longer has the text")],
    )
    def test_an_approval_that_was_taken_back_is_told_with_the_reason(
        self, aliyun, account, template, now, status, state, said
    ):
        row = hand_in(template, account, now)
        registrations.sync(now=now)
        message = frozen(template, now)
        aliyun.register(row.code, NEW_YEAR, status=status, reason="含营销词")

        registrations.sync(now=now + timedelta(hours=2))

        assert said in registrations.trouble_for([template.pk])[template.pk][0]
        assert RegisteredText.objects.get().status == state
        assert registrations.usable(message, account) is None
        with pytest.raises(messages.CannotFreeze, match=said):
            messages.check(template)

    def test_a_text_that_somebody_changed_there_is_used_no_more(self, aliyun, account, template, now):
        row = hand_in(template, account, now)
        registrations.sync(now=now)
        aliyun.register(row.code, NEW_YEAR.replace("新年", "元旦"))

        registrations.sync(now=now + timedelta(hours=2))

        assert RegisteredText.objects.get().status == "gone"
        assert "Somebody changed the text" in registrations.trouble_for([template.pk])[template.pk][0]

    def test_a_provider_that_does_not_answer_changes_nothing_and_is_not_asked_on(self, aliyun, account, now):
        for place in range(4):
            hand_in(cast.template(f"第{place}封信，您好"), account, now)
        registrations.sync(now=now)
        before = list(RegisteredText.objects.values("status", "checked_at").order_by("pk"))
        aliyun.script.fault = "500"
        aliyun.calls.clear()

        counts = registrations.sync(now=now + timedelta(hours=2))

        assert counts["not_said"] == 1
        assert aliyun.calls["GetSmsTemplate"] == 1
        assert list(RegisteredText.objects.values("status", "checked_at").order_by("pk")) == before

    def test_a_rejected_signature_stops_its_texts(self, aliyun, account, template, now):
        hand_in(template, account, now)
        registrations.sync(now=now)
        message = frozen(template, now)
        aliyun.script.signatures["鸿雁花店"] = "2"

        registrations.sync(now=now + timedelta(hours=2))

        assert RegisteredSignature.objects.get().status == "rejected"
        assert registrations.usable(message, account) is None
        assert registrations.trouble_for([template.pk])[template.pk] == [
            "阿里云 rejected the signature 【鸿雁花店】. 营业执照不清晰"
        ]

    def test_texts_of_archived_templates_are_not_asked_about_unless_a_message_goes_out(
        self, aliyun, account, template, now
    ):
        hand_in(template, account, now)
        registrations.sync(now=now)
        Template.objects.update(archived_at=now)
        aliyun.calls.clear()

        registrations.sync(now=now + timedelta(hours=2))
        assert not aliyun.calls["GetSmsTemplate"]

    def test_staff_can_ask_at_once(self, aliyun, account, template, now):
        aliyun.script.review = "0"
        row = hand_in(template, account, now)
        aliyun.register(row.code, NEW_YEAR, status="2", reason="含营销词")

        asked = registration_states.ask_again(row, now=now + timedelta(minutes=1))

        assert (asked.status, asked.words) == ("rejected", "含营销词")

    def test_asking_a_provider_that_is_away_is_a_sentence(self, aliyun, account, template, now):
        row = hand_in(template, account, now)
        aliyun.script.fault = "500"

        with pytest.raises(CannotRegister, match="could not say"):
            registration_states.ask_again(row, now=now)


class TestVersions:
    """A new version with the same words keeps its approval."""

    def test_another_default_keeps_the_approval_and_other_words_need_another(self, account, template, now):
        hand_in(template, account, now)
        registrations.sync(now=now)

        template.body = '亲爱的{{ name or "朋友" }}，新年快乐！'
        messages.check(template)
        template.body = '亲爱的{{ name or "朋友" }}，元旦快乐！'
        with pytest.raises(messages.CannotFreeze, match="not approved at 阿里云 yet"):
            messages.check(template)

    def test_the_same_words_of_another_template_are_approved_with_it(self, account, template, now):
        row = hand_in(template, account, now)
        registrations.sync(now=now)
        twin = cast.template(template.body, name="新年2")

        assert registrations.usable(frozen(twin, now), account).code == row.code

    def test_a_template_is_stopped_by_no_account_that_takes_every_text(self, account, now):
        cast.account("http://127.0.0.1:9")

        messages.check(cast.template("您好{% if city %}，{{ city }}{% endif %}"))

    def test_a_text_with_conditions_cannot_be_sent_where_all_accounts_register_texts(self, account):
        with pytest.raises(messages.CannotFreeze, match="cannot be sent over 阿里云"):
            messages.check(cast.template("您好{% if city %}，{{ city }}{% endif %}"))


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_provider_is_asked(aliyun, account, template, now):
    seen = []
    answer, pid = aliyun.server.answer, connections["default"].connection.info.backend_pid

    def watched(request):
        try:
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid])
                seen.append(cursor.fetchone()[0])
        finally:
            connections["default"].close()
        return answer(request)

    aliyun.server.answer = watched
    hand_in(template, account, now)
    registrations.sync(now=now)
    aliyun.register("SMS_7", NEW_YEAR)
    registrations.adopt(template, account, "SMS_7", by=None, now=now)

    assert len(seen) >= 4
    assert set(seen) == {"idle"}


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_at_once_one_hands_the_text_in(aliyun, account, template, now):
    aliyun.script.latency_ms = 300

    def click(_place):
        try:
            with translation.override("en"):
                return hand_in(template, account, now).status
        except CannotRegister as refusal:
            return str(refusal)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(click, range(2)))

    assert aliyun.calls["CreateSmsTemplate"] == 1
    assert "in_review" in said
    assert any("already" in words for words in said)


def test_a_text_and_a_signature_stand_once_per_account(account, template, now):
    hand_in(template, account, now)
    registrations.sync(now=now)

    for row, name in [
        (RegisteredText.objects.get(), "registered_text_stands_once"),
        (RegisteredSignature.objects.get(), "registered_signature_stands_once"),
    ]:
        row.pk = None
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            row.save(force_insert=True)


def test_tencent_cloud_numbers_the_parameters(tencent, account_at_tencent, template, now):
    row = hand_in(template, account_at_tencent, now)
    tencent.script.signatures["鸿雁花店"] = [0, ""]
    registrations.sync(now=now)

    row.refresh_from_db()
    assert tencent.script.templates[row.code][0] == "亲爱的{1}，新年快乐！拒收请回复R"
    assert registrations.usable(frozen(template, now), account_at_tencent) == Call(row.code, "鸿雁花店")
