"""Every page and every action of the admin, asked by somebody who may not."""

import pytest
import staff
from django.contrib import admin
from django.urls import reverse

pytestmark = pytest.mark.django_db

OUR_APPS = {"customers", "notifications", "campaigns"}


def our_admins():
    return [shown for model, shown in admin.site._registry.items() if model._meta.app_label in OUR_APPS]


def action_addresses() -> list[str]:
    """The address of every action of the theme, on an object that need not exist."""
    addresses = []
    for shown in our_admins():
        detail = shown._get_base_actions_detail() + shown._get_base_actions_row()
        for action in detail:
            addresses.append(reverse(f"admin:{action.action_name}", args=["1"]))
        for action in shown._get_base_actions_list():
            addresses.append(reverse(f"admin:{action.action_name}"))
    return addresses


def test_every_action_names_the_permission_it_needs():
    nameless = [
        action.action_name
        for shown in our_admins()
        for action in (
            *shown._get_base_actions_detail(),
            *shown._get_base_actions_row(),
            *shown._get_base_actions_list(),
            *shown._get_base_actions_submit_line(),
        )
        if not getattr(action.method, "allowed_permissions", None)
    ]

    assert nameless == []


def test_no_permission_of_an_action_is_looked_up_in_the_database_at_start():
    dotted = [
        action.action_name
        for shown in our_admins()
        for action in (*shown._get_base_actions_detail(), *shown._get_base_actions_list())
        if any("." in permission for permission in getattr(action.method, "allowed_permissions", ()))
    ]

    assert dotted == []


def test_an_auditor_runs_no_action_by_any_address():
    client = staff.signed_in("auditor")

    answers = {address: client.post(address).status_code for address in action_addresses()}

    assert answers
    assert {address: status for address, status in answers.items() if status not in (403, 404)} == {}


def test_an_auditor_is_offered_no_bulk_action(rf):
    request = rf.get("/")
    request.user = staff.member("auditor")

    offered = {
        shown.model.__name__: list(shown.get_actions(request)) for shown in our_admins() if shown.get_actions(request)
    }

    assert offered == {}


@pytest.mark.parametrize("role", ["auditor", "clerk"])
def test_settings_cannot_be_added_or_deleted_by_address(role):
    client = staff.signed_in(role)
    models = ("frequencycap", "quiethours", "signature", "provideraccount")

    statuses = {client.get(reverse(f"admin:notifications_{model}_add")).status_code for model in models}

    assert statuses == {403}


@pytest.mark.parametrize("model", ["delivery", "message"])
def test_nobody_writes_evidence_by_hand(model):
    client = staff.signed_in("superuser")

    assert client.get(reverse(f"admin:notifications_{model}_add")).status_code == 403


def test_a_refusal_is_a_page_with_a_way_back():
    client = staff.signed_in("clerk")

    refused = client.get(reverse("system_status"))
    missing = client.get("/admin/no/such/page/")

    assert "Ask the owner of the shop" in refused.content.decode()
    assert missing.status_code == 404
    assert 'href="/admin/"' in missing.content.decode()
