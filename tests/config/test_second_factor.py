"""Two-step sign-in: asked of whoever may send or export, and of whoever has set it up."""

import pytest
import staff
from django.contrib.auth.models import User
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

pytestmark = pytest.mark.django_db

HOME = "/admin/"


@pytest.fixture
def guarded(settings):
    """A deployment that guards sending and exporting."""
    settings.REQUIRE_SECOND_FACTOR = True


def code_of(username: str) -> str:
    """What the person's app shows now."""
    TOTPDevice.objects.filter(user__username=username).update(last_t=-1, throttling_failure_count=0)
    device = TOTPDevice.objects.get(user__username=username)
    return f"{totp(device.bin_key):06}"


def enrolled(role: str):
    """A browser whose owner has set up an app and is signed in with it, and the recovery codes."""
    client = staff.signed_in(role)
    client.get(reverse("second_factor_settings"))
    page = client.post(reverse("second_factor_settings"), {"code": code_of(role)})
    return client, page.context["codes"]


@pytest.mark.parametrize("role", ["owner", "marketer", "superuser"])
def test_who_may_send_or_export_is_led_to_the_set_up(guarded, role):
    answer = staff.signed_in(role).get(HOME)

    assert answer.headers["Location"] == f"{reverse('second_factor_settings')}?next={HOME}"


@pytest.mark.parametrize("role", ["clerk", "auditor"])
def test_who_may_neither_send_nor_export_works_with_a_password_alone(guarded, role):
    assert staff.signed_in(role).get(HOME).status_code == 200


def test_no_act_gets_past_the_missing_step(guarded):
    client = staff.signed_in("owner")

    answer = client.post(reverse("admin:notifications_signature_add"), {"name": "鸿雁花店", "status": "approved"})

    assert answer.status_code == 403


def test_setting_up_needs_a_right_code_and_shows_recovery_codes_once(guarded):
    client = staff.signed_in("owner")
    page = client.get(reverse("second_factor_settings"))
    wrong = client.post(reverse("second_factor_settings"), {"code": "000000"})

    right = client.post(reverse("second_factor_settings"), {"code": code_of("owner")})

    assert b"<svg" in page.content
    assert wrong.context["form"].errors["code"]
    assert len(right.context["codes"]) == 8
    assert client.get(HOME).status_code == 200
    assert right.context["codes"][0].encode() not in client.get(reverse("second_factor_settings")).content


def test_the_next_sign_in_asks_for_the_code(guarded):
    enrolled("owner")
    client = staff.again("owner")

    led = client.get(HOME)
    answer = client.post(led.headers["Location"], {"code": code_of("owner")})

    assert led.headers["Location"].startswith(reverse("second_factor"))
    assert answer.headers["Location"] == HOME
    assert client.get(HOME).status_code == 200


def test_a_code_counts_once(guarded):
    enrolled("owner")
    code = code_of("owner")
    staff.again("owner").post(reverse("second_factor"), {"code": code})

    answer = staff.again("owner").post(reverse("second_factor"), {"code": code})

    assert answer.context["form"].errors["code"]


def test_a_recovery_code_lets_in_once(guarded):
    _client, codes = enrolled("owner")

    first = staff.again("owner").post(reverse("second_factor"), {"code": codes[0]})
    second = staff.again("owner").post(reverse("second_factor"), {"code": codes[0]})

    assert first.status_code == 302
    assert second.context["form"].errors["code"]


def test_whoever_set_it_up_is_asked_even_where_nobody_must(settings):
    settings.REQUIRE_SECOND_FACTOR = False
    enrolled("clerk")

    answer = staff.again("clerk").get(HOME)

    assert answer.headers["Location"].startswith(reverse("second_factor"))


def test_a_forged_next_address_stays_at_home(guarded):
    enrolled("owner")

    answer = staff.again("owner").post(
        f"{reverse('second_factor')}?next=https://evil.example/", {"code": code_of("owner")}
    )

    assert answer.headers["Location"] == HOME


def test_a_fragment_leads_the_whole_page_to_the_step(guarded):
    answer = staff.signed_in("owner").get(HOME, headers={"hx-request": "true"})

    assert answer.headers["HX-Redirect"] == reverse("second_factor_settings")


def test_it_cannot_be_switched_off_by_whoever_must_have_it(guarded):
    client, _codes = enrolled("owner")

    client.post(reverse("second_factor_off"))

    assert TOTPDevice.objects.filter(user__username="owner").exists()


def test_it_can_be_switched_off_only_after_the_second_step(settings):
    settings.REQUIRE_SECOND_FACTOR = False
    client, _codes = enrolled("clerk")

    refused = staff.again("clerk").post(reverse("second_factor_off"))
    client.post(reverse("second_factor_off"))

    assert refused.status_code == 403
    assert not TOTPDevice.objects.exists()


def test_the_key_of_an_app_is_shown_nowhere_in_the_admin():
    client = staff.signed_in("superuser")
    TOTPDevice.objects.create(user=User.objects.get(), confirmed=False)

    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404


def test_too_many_wrong_passwords_show_how_long_the_lock_lasts(client):
    wrong = {"username": "owner", "password": "no"}
    staff.member("owner")

    answers = [client.post(reverse("admin:login"), wrong, headers={"accept-language": "en"}) for _try in range(6)]

    assert answers[-1].status_code == 429
    assert "15 minutes" in answers[-1].content.decode()
