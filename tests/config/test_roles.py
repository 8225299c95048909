"""The four roles: each may do what its work needs, and nothing else."""

import pytest
import staff
from django.contrib.auth.models import Group
from django.core.management import call_command

from config import roles

pytestmark = pytest.mark.django_db


def held_by(role: str) -> set[str]:
    return staff.member(role).get_all_permissions()


def test_writing_the_roles_twice_changes_nothing():
    first = roles.write()

    second = roles.write()

    assert first == second
    assert Group.objects.count() == 4


def test_a_permission_added_by_hand_is_taken_back(capsys):
    roles.write()
    owners = Group.objects.get(name="owner").permissions.all()
    Group.objects.get(name="clerk").permissions.set(owners)

    call_command("roles")

    assert "campaigns.launch_campaign" not in held_by("clerk")
    assert "clerk: " in capsys.readouterr().out


def test_a_clerk_imports_customers_and_starts_nothing():
    held = held_by("clerk")

    assert "customers.import_customer" in held
    assert not {"campaigns.launch_campaign", "customers.export_customer", "customers.declare_consent"} & held


def test_a_marketer_launches_campaigns_and_neither_exports_nor_changes_rules():
    held = held_by("marketer")

    assert {"campaigns.launch_campaign", "customers.import_customer", "notifications.add_template"} <= held
    assert "customers.export_customer" not in held
    assert not {name for name in held if name.endswith(("_frequencycap", "_quiethours", "_provideraccount"))} - {
        "notifications.view_frequencycap",
        "notifications.view_quiethours",
    }


def test_an_auditor_only_looks_and_sees_masked_numbers():
    held = held_by("auditor")

    assert all(name.partition(".")[2].startswith("view_") for name in held)
    assert "customers.view_full_address" not in held


def test_an_owner_does_everything_but_the_work_of_the_engine():
    held = held_by("owner")

    assert {"customers.export_customer", "notifications.change_provideraccount", "auth.change_user"} <= held
    assert not {"notifications.add_delivery", "customers.change_consentchange", "notifications.delete_message"} & held
