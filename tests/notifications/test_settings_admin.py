"""Rules, signatures and accounts: forms that refuse with a sentence and never show a secret."""

from datetime import timedelta

import cast
import pytest
import staff
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from customers.models import ClockOffset
from notifications import secrets
from notifications.models import FrequencyCap, ProviderAccount, QuietHours, Signature

pytestmark = pytest.mark.django_db

SECRET = "k3y-that-nobody-sees"
PUBLIC = "https://gateway.example.com/send"


def errors_of(answer) -> str:
    return str(answer.context["adminform"].form.errors)


def cap(**changes) -> dict:
    sent = {
        "name": "一天一条", "limit": 1, "window": "calendar_day", "window_length": 1, "purpose": "", "channel": "sms",
        "gap_hours": "", "is_active": "on",
    }  # fmt: skip
    return sent | changes


def quiet(**changes) -> dict:
    return {"purpose": "marketing", "channel": "sms", "quiet_from": "20:30", "quiet_until": "09:00"} | changes


def account(**changes) -> dict:
    sent = {
        "name": "阿里云", "channel": "sms", "gateway": "generic_http", "url": PUBLIC, "query_url": "",
        "secret": SECRET, "batch_size": 100, "price": "0.045", "field_names": "{}", "is_active": "on",
    }  # fmt: skip
    return sent | changes


# Frequency caps


def test_a_limit_of_zero_is_refused_with_what_to_do_instead():
    answer = staff.signed_in("owner").post(reverse("admin:notifications_frequencycap_add"), cap(limit=0))

    assert "switch it off" in errors_of(answer)
    assert not FrequencyCap.objects.exists()


def test_a_cap_is_saved_with_its_gap():
    staff.signed_in("owner").post(reverse("admin:notifications_frequencycap_add"), cap(gap_hours=12))

    assert FrequencyCap.objects.get().minimum_gap == timedelta(hours=12)


def test_a_calendar_window_is_always_a_single_one():
    staff.signed_in("owner").post(reverse("admin:notifications_frequencycap_add"), cap(window_length=5))

    assert FrequencyCap.objects.get().window_length == 1


@pytest.mark.parametrize("changes", [{"limit": 99}, {"window": "hours", "window_length": 0}, {"limit": "x"}])
def test_a_cap_that_cannot_be_kept_is_refused(changes):
    answer = staff.signed_in("owner").post(reverse("admin:notifications_frequencycap_add"), cap(**changes))

    assert errors_of(answer)
    assert not FrequencyCap.objects.exists()


def test_an_auditor_reads_every_rule_and_changes_none():
    rule = FrequencyCap.objects.create(name="一天一条")
    hours = QuietHours.objects.create(purpose="marketing", channel="sms")
    client = staff.signed_in("auditor")
    pages = [
        reverse("admin:notifications_frequencycap_change", args=[rule.pk]),
        reverse("admin:notifications_quiethours_change", args=[hours.pk]),
        reverse("admin:notifications_signature_change", args=[cast.signature().pk]),
        reverse("admin:notifications_template_change", args=[cast.template().pk]),
    ]

    assert [client.get(page).status_code for page in pages] == [200] * 4
    assert [client.post(page, {}).status_code for page in pages] == [403] * 4


def test_the_list_of_caps_reads_as_sentences():
    FrequencyCap.objects.create(name="一周三条", limit=3, window="days", window_length=7)

    page = staff.signed_in("auditor").get(reverse("admin:notifications_frequencycap_changelist"))

    assert "At most 3 messages in 7 days: every class that counts by every channel" in page.content.decode()


# Quiet hours


def test_quiet_hours_over_night_are_one_entry():
    staff.signed_in("owner").post(reverse("admin:notifications_quiethours_add"), quiet())

    assert str(QuietHours.objects.get()) == "20:30–09:00"


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("22:00", "09:00"), ("20:30", "07:00"), ("09:00", "20:30"), ("20:30", "20:30"), ("x", "09:00")],
)
def test_quiet_hours_in_which_carriers_take_no_marketing_are_refused(begins, ends):
    answer = staff.signed_in("owner").post(
        reverse("admin:notifications_quiethours_add"), quiet(quiet_from=begins, quiet_until=ends)
    )

    assert errors_of(answer)
    assert not QuietHours.objects.exists()


def test_a_second_row_for_the_same_class_is_refused_with_a_sentence():
    QuietHours.objects.create(purpose="marketing", channel="sms")

    answer = staff.signed_in("owner").post(reverse("admin:notifications_quiethours_add"), quiet())

    assert answer.status_code == 200
    assert errors_of(answer)


# Signatures


@pytest.mark.parametrize("name", ["花", "很长" * 9, "有 空格", "【】"])
def test_a_signature_that_carriers_would_not_take_is_refused(name):
    answer = staff.signed_in("owner").post(
        reverse("admin:notifications_signature_add"), {"name": name, "status": "draft", "note": ""}
    )

    assert errors_of(answer)


def test_typed_brackets_are_taken_off():
    staff.signed_in("owner").post(
        reverse("admin:notifications_signature_add"), {"name": "【鸿雁花店】", "status": "approved", "note": ""}
    )

    assert Signature.objects.get().name == "鸿雁花店"


# Provider accounts


def test_a_secret_is_stored_encrypted_and_shown_nowhere():
    client = staff.signed_in("owner")
    client.post(reverse("admin:notifications_provideraccount_add"), account())
    stored = ProviderAccount.objects.get()

    pages = [
        client.get(reverse("admin:notifications_provideraccount_change", args=[stored.pk])),
        client.get(reverse("admin:notifications_provideraccount_history", args=[stored.pk])),
        client.get(reverse("admin:notifications_provideraccount_changelist")),
    ]

    assert SECRET.encode() not in bytes(stored.encrypted_secret)
    assert secrets.decrypt(stored.encrypted_secret) == SECRET
    assert all(SECRET.encode() not in page.content for page in pages)
    assert not any(SECRET in entry.change_message for entry in LogEntry.objects.all())


def test_a_refused_form_does_not_show_the_secret_again():
    answer = staff.signed_in("owner").post(reverse("admin:notifications_provideraccount_add"), account(name=""))

    assert errors_of(answer)
    assert SECRET.encode() not in answer.content


def test_an_empty_secret_keeps_the_stored_one():
    client = staff.signed_in("owner")
    client.post(reverse("admin:notifications_provideraccount_add"), account())
    stored = ProviderAccount.objects.get()

    client.post(
        reverse("admin:notifications_provideraccount_change", args=[stored.pk]), account(secret="", price="0.05")
    )

    stored.refresh_from_db()
    assert secrets.decrypt(stored.encrypted_secret) == SECRET
    assert str(stored.price) == "0.0500"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/", "http://localhost:8000/", "http://10.0.0.8/", "http://[::1]/",
        "http://2130706433/", "http://0177.0.0.1/", "file:///etc/passwd", "https://user:pw@gateway.example.com/",
    ],
)  # fmt: skip
def test_an_address_inside_the_house_is_refused(url):
    answer = staff.signed_in("owner").post(reverse("admin:notifications_provideraccount_add"), account(url=url))

    assert "url" in answer.context["adminform"].form.errors
    assert not ProviderAccount.objects.exists()


def test_a_listed_private_address_is_taken(settings):
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1:8900"]

    staff.signed_in("owner").post(
        reverse("admin:notifications_provideraccount_add"), account(url="http://127.0.0.1:8900/send", is_sandbox="on")
    )

    assert ProviderAccount.objects.exists()


def test_a_real_account_is_refused_while_the_clock_is_shifted():
    ClockOffset.objects.filter(id=1).update(offset=timedelta(hours=3))

    answer = staff.signed_in("owner").post(reverse("admin:notifications_provideraccount_add"), account())

    assert "clock" in errors_of(answer)
    assert not ProviderAccount.objects.exists()


def test_a_paused_account_is_resumed_by_post_alone():
    stored = cast.account("http://127.0.0.1:1")
    ProviderAccount.objects.filter(pk=stored.pk).update(paused_for="balance used up")
    client = staff.signed_in("owner")
    address = reverse("admin:notifications_provideraccount_resume", args=[stored.pk])

    client.get(address)
    paused = ProviderAccount.objects.get().paused_for
    client.post(address, {"_form_submitted": "True"})

    assert paused == "balance used up"
    assert ProviderAccount.objects.get().paused_for == ""
    assert LogEntry.objects.get().change_message == "Resumed."


def test_an_auditor_sees_an_account_without_a_field_for_its_secret():
    stored = cast.account("http://127.0.0.1:1")

    page = staff.signed_in("auditor").get(reverse("admin:notifications_provideraccount_change", args=[stored.pk]))

    assert page.status_code == 200
    assert b'name="secret"' not in page.content


def test_a_filter_on_the_secret_is_refused():
    client = staff.signed_in("owner")

    answer = client.get(
        reverse("admin:notifications_delivery_changelist"), {"submission__account__encrypted_secret__startswith": "a"}
    )

    assert answer.status_code == 400
