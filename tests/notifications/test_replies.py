"""What customers send back: an opt-out holds at once, for everybody behind the number, now and later."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from customers import clock
from customers.choices import ConsentSource
from customers.models import Consent, ConsentChange, Customer, Suppression
from customers.services import consent, privacy
from notifications import jobs
from notifications.choices import CallbackKind, ReplyHandling
from notifications.models import Receipt, Reply, Signature
from notifications.services import callbacks, replies
from tests import cast, staff
from tests.customers import files
from tests.notifications import handed_over
from tests.notifications.handed_over import encoded

pytestmark = pytest.mark.django_db

LI_NA = "13800000001"


@pytest.fixture
def account():
    return handed_over.account()


def push(account, *items):
    """Keep a callback of replies, as the view does."""
    callbacks.store(account, encoded(list(items)), kind=CallbackKind.REPLIES, now=clock.now())


def say(account, text, *, number=LI_NA, at="2026-05-01T10:00:00+08:00"):
    """A customer says something, and the job hears it."""
    push(account, {"number": number, "text": text, "at": at})
    return replies.apply(now=clock.now())


def standing(customer):
    """What a customer allows by SMS."""
    return dict(Consent.objects.filter(customer=customer, channel="sms").values_list("purpose", "status"))


def test_an_opt_out_withdraws_marketing_and_care_with_the_customers_words(account):
    li_na = cast.li_na()

    found = say(account, " ｔｄ。")

    assert found == Counter(opt_out=1)
    assert standing(li_na) == {"care": "withdrawn", "marketing": "withdrawn"}
    evidence = ConsentChange.objects.filter(customer=li_na)
    assert set(evidence.values_list("channel", "source", "wording", "actor")) == {("sms", "reply", "ｔｄ。", None)}
    assert {change.happened_at.isoformat() for change in evidence} == {"2026-05-01T02:00:00+00:00"}
    assert Consent.objects.filter(customer=li_na, channel="email", status="granted").count() == 2


def test_everybody_with_the_number_is_opted_out(account):
    household = [cast.customer(name, phone=LI_NA, consent="granted") for name in ("李娜", "李雷")]
    neighbor = cast.customer("韩梅梅", phone="13800000077", consent="granted")

    say(account, "退订")

    assert [set(standing(person).values()) for person in household] == [{"withdrawn"}, {"withdrawn"}]
    assert set(standing(neighbor).values()) == {"granted"}


def test_an_opt_out_of_a_stranger_is_remembered_and_holds_when_a_file_brings_the_number(account, tmp_path, settings):
    settings.UPLOADS = tmp_path
    say(account, "TD", number="13800000005")

    done = files.imported(files.table({"姓名": "赵敏", "手机号": "13800000005", "短信同意": "是"}))

    customer = Customer.objects.get(name="赵敏")
    assert Suppression.objects.get().reason == "opted_out"
    assert not Consent.objects.filter(customer=customer, channel="sms", status="granted").exists()
    assert done.status == "done"


def test_a_reply_of_the_providers_spelling_finds_the_customer():
    account = handed_over.account(**handed_over.ALIYUN)
    li_na = cast.li_na()
    item = {"phone_number": f"+86{LI_NA}", "content": "TD", "send_time": "2026-09-22 10:05:00", "dest_code": "1234"}
    push(account, item | {"sequence_id": "1234567890"})
    push(account, item | {"sequence_id": 1234567890, "send_time": "2026-09-22 10:05:01"}, item | {"sequence_id": "2"})

    assert replies.apply(now=clock.now()) == Counter(opt_out=2, repeated=1)
    assert set(standing(li_na).values()) == {"withdrawn"}


def test_a_reply_told_twice_without_a_number_of_the_provider_is_kept_once():
    account = handed_over.account(**handed_over.TENCENT)
    said = {"mobile": LI_NA, "nationcode": "86", "sign": "云杉小店", "text": "好的", "time": 1768442700}
    for extend in ("", "1", "2"):
        body = encoded(said | {"extend": extend})
        callbacks.store(account, body, kind=CallbackKind.REPLIES, now=clock.now())
    callbacks.store(account, encoded(said | {"time": 1768442701}), kind=CallbackKind.REPLIES, now=clock.now())

    assert replies.apply(now=clock.now()) == Counter(conversation=2, repeated=2)
    assert set(Reply.objects.values_list("signature", flat=True)) == {"云杉小店"}


def test_a_replayed_callback_opts_nobody_out_again(account):
    li_na = cast.li_na()
    say(account, "TD")
    Receipt.objects.all().delete()
    consent.grant(
        [li_na.pk], channels=["sms"], purposes=["marketing"], source=ConsentSource.STAFF, wording="在店里又同意了",
        by=staff.member("owner"), now=clock.now(),
    )  # fmt: skip

    found = say(account, "TD")

    assert found == Counter(repeated=1)
    assert standing(li_na)["marketing"] == "granted"


def test_what_only_resembles_an_opt_out_changes_nothing_until_a_person_says_so(account):
    li_na, owner = cast.li_na(), staff.member("clerk")
    say(account, "别再发了")
    reply = Reply.objects.get()
    before = standing(li_na)

    taken = replies.take_as_opt_out(reply, by=owner, now=clock.now())
    again = replies.take_as(reply, ReplyHandling.NO_OPT_OUT, by=owner, now=clock.now())

    reply.refresh_from_db()
    assert set(before.values()) == {"granted"}
    assert set(standing(li_na).values()) == {"withdrawn"}
    assert ConsentChange.objects.filter(customer=li_na, actor=owner, wording="别再发了").count() == 2
    assert (taken, again, reply.handled_as, reply.handled_by) == (True, False, "opted_out", owner)


def test_everything_else_is_conversation_that_waits_for_an_answer(account):
    li_na = cast.li_na()
    say(account, "什么时候发货?")

    reply = Reply.objects.needing_attention().get()
    replies.take_as(reply, ReplyHandling.ANSWERED, by=staff.member("clerk"), now=clock.now())

    assert (reply.customer, reply.meaning) == (li_na, "conversation")
    assert not Reply.objects.needing_attention().exists()
    assert set(standing(li_na).values()) == {"granted"}


@pytest.mark.parametrize(
    ("named", "meaning"),
    [("鸿雁花店", "opt_out"), ("鸿雁课堂", "conversation"), ("", "opt_out"), ("没见过", "opt_out")],
)
def test_a_signature_has_opt_out_words_of_its_own(named, meaning):
    account = handed_over.account(**handed_over.TENCENT)
    Signature.objects.create(name="鸿雁花店", opt_out_words="不约，8")
    Signature.objects.create(name="鸿雁课堂")
    said = {"mobile": LI_NA, "nationcode": "86", "sign": named, "text": "８。", "time": 1768442700}
    callbacks.store(account, encoded(said), kind=CallbackKind.REPLIES, now=clock.now())

    replies.apply(now=clock.now())

    assert Reply.objects.get().meaning == meaning


def test_the_customer_of_a_shared_number_is_the_one_we_wrote_to_last(account):
    now = clock.now()
    first = cast.customer("甲", phone="13900000000")
    handed_over.sent(account, 1, now=now)
    written_to = Customer.objects.exclude(pk=first.pk).get()

    say(account, "在吗", number="13900000000")

    assert Reply.objects.get().customer == written_to


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "text", ["TD\x00", "T\ud800D", "TD" + "。" * 3_000, "<script>alert(1)</script>", "{{ 7 * 7 }}", "x" * 100_000]
)
def test_strange_replies_are_kept(account, text):
    cast.li_na()
    body = f'[{{"number": "{LI_NA}", "text": {encoded_in_ascii(text)}}}]'
    callbacks.store(account, body.encode(), kind=CallbackKind.REPLIES, now=clock.now())

    jobs.apply_replies()

    assert Reply.objects.count() == 1
    assert not Receipt.objects.filter(applied_at=None).exists()


def encoded_in_ascii(text):
    return '"' + "".join(f"\\u{ord(sign):04x}" for sign in text) + '"'


def test_a_reply_from_tomorrow_was_said_now(account):
    now = clock.now()
    say(account, "hi", at=(now + timedelta(days=400)).isoformat())

    assert Reply.objects.get().said_at <= clock.now()


@pytest.mark.django_db(transaction=True)
def test_receipts_pushed_to_the_address_of_replies_go_where_they_belong(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    push(account, handed_over.report(one, "delivered"))

    heard = jobs.apply_replies()
    applied = jobs.apply_receipts()

    assert (heard, applied) == ({}, {"delivered": 1})


def test_what_an_erased_customer_said_is_blanked(account):
    li_na = cast.li_na()
    say(account, "我住在花园路")
    privacy.erase(li_na.pk, by=staff.member("owner"), now=clock.now())

    blanked = replies.blank_erased()

    reply = Reply.objects.get()
    assert (blanked, reply.text, reply.number) == (1, "", "")
    assert replies.blank_erased() == 0


@pytest.mark.parametrize(
    "broken", [{"handled_as": "answered"}, {"meaning": "whatever"}, {"handled_at": "2026-01-01T00:00Z"}]
)
def test_the_database_refuses_a_reply_that_is_half_handled(account, broken):
    say(account, "hi")

    with pytest.raises(IntegrityError), transaction.atomic():
        Reply.objects.update(**broken)


@pytest.mark.django_db(transaction=True)
def test_an_opt_out_waits_for_messages_being_handed_over_and_stops_the_next(account):
    cast.li_na()
    push(account, {"number": LI_NA, "text": "TD", "at": "2026-05-01T10:00:00+08:00"})
    other = connection.copy()
    other.set_autocommit(False)
    other.cursor().execute("SELECT pg_advisory_xact_lock_shared(%s)", [0x486F6E67])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            replies.apply(now=clock.now())
        kept = Reply.objects.count()
    finally:
        other.rollback(), other.close()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 0")

    assert kept == 0
    assert replies.apply(now=clock.now()) == Counter(opt_out=1)
