"""Staff accounts: the owner makes them, gives roles, unlocks them, and never gets above a superuser."""

import pytest
import staff
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.urls import reverse

pytestmark = pytest.mark.django_db


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def test_an_owner_makes_an_account_and_gives_it_a_role():
    client = staff.signed_in("owner")
    password = {"password1": "a-long-password-1", "password2": "a-long-password-1", "usable_password": "true"}
    client.post(reverse("admin:auth_user_add"), {"username": "xiaomei", **password})
    xiaomei = User.objects.get(username="xiaomei")
    clerk = Group.objects.get(name="clerk")

    client.post(page_of(xiaomei), {"username": "xiaomei", "is_active": "on", "is_staff": "on", "groups": [clerk.pk]})

    xiaomei.refresh_from_db()
    assert (xiaomei.is_staff, list(xiaomei.groups.all())) == (True, [clerk])


def test_roles_are_offered_by_their_names_and_meanings():
    client = staff.signed_in("owner", language="en")

    page = client.get(page_of(staff.member("clerk"))).content.decode()

    assert "Auditor – Sees everything with its evidence and changes nothing" in page


def test_an_owner_cannot_make_a_superuser():
    client = staff.signed_in("owner")
    clerk = staff.member("clerk")

    client.post(page_of(clerk), {"username": "clerk", "is_active": "on", "is_staff": "on", "is_superuser": "on"})

    clerk.refresh_from_db()
    assert not clerk.is_superuser


def test_an_owner_changes_neither_a_superuser_nor_the_superusers_password():
    client = staff.signed_in("owner")
    superuser = staff.member("superuser")

    changed = client.post(page_of(superuser), {"username": "taken"})
    password = client.post(
        reverse("admin:auth_user_password_change", args=[superuser.pk]),
        {"password1": "taken-over-9000", "password2": "taken-over-9000"},
    )

    superuser.refresh_from_db()
    assert (changed.status_code, password.status_code) == (403, 403)
    assert superuser.check_password("a-long-password-1")


def test_nobody_raises_oneself():
    client = staff.signed_in("owner")
    owner = User.objects.get(username="owner")

    client.post(page_of(owner), {"username": "owner", "groups": [], "is_superuser": "on"})

    owner.refresh_from_db()
    assert (owner.is_active, owner.is_superuser, owner.groups.count()) == (True, False, 1)


def test_accounts_are_switched_off_and_never_deleted():
    clerk = staff.member("clerk")

    answer = staff.signed_in("superuser").post(reverse("admin:auth_user_delete", args=[clerk.pk]), {"post": "yes"})

    assert answer.status_code == 403


def test_roles_are_read_and_not_edited():
    client = staff.signed_in("owner")
    page = reverse("admin:auth_group_change", args=[Group.objects.get(name="clerk").pk])

    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "x"}).status_code == 403


def test_an_owner_lifts_a_lock(client):
    for _try in range(6):
        client.post(reverse("admin:login"), {"username": "xiaomei", "password": "no"})
    lock = AccessAttempt.objects.get()
    owner = staff.signed_in("owner")

    shown = owner.get(reverse("admin:axes_accessattempt_changelist"))
    owner.post(reverse("admin:axes_accessattempt_delete", args=[lock.pk]), {"post": "yes"})

    assert "xiaomei" in shown.content.decode()
    assert not AccessAttempt.objects.exists()
