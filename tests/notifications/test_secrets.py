"""Stored secrets: readable through every change of keys, and by nobody without them."""

import io

import pytest
from django.core.management import CommandError, call_command

from notifications import secrets
from notifications.models import ProviderAccount
from notifications.services import secret_rotation
from tests import cast

OLD, NEW = "old-" + "abcdefghij" * 5, "new-" + "0123456789" * 5

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    """An account with a secret from before there was a key for secrets."""
    stored = cast.account("http://127.0.0.1:1")
    ProviderAccount.objects.update(encrypted_secret=secrets.encrypt("key of the shop"))
    return stored


def stored() -> bytes:
    return bytes(ProviderAccount.objects.get().encrypted_secret)


def rotated() -> str:
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    return said.getvalue()


def test_without_a_key_of_their_own_secrets_stand_under_the_deployment_s(account, settings):
    settings.SECRET_KEY = "another-" + "0123456789" * 5

    with pytest.raises(secrets.Unreadable):
        secrets.decrypt(stored())


def test_a_first_key_for_secrets_leaves_the_old_ones_readable(account, settings):
    settings.SECRETS_KEYS = [OLD]

    assert secrets.decrypt(stored()) == "key of the shop"
    assert not secrets.is_newest(stored())


def test_after_a_rotation_the_key_of_the_deployment_can_change(account, settings):
    settings.SECRETS_KEYS = [OLD]
    said = rotated()

    settings.SECRET_KEY = "another-" + "0123456789" * 5

    assert "1 secrets are encrypted" in said
    assert secrets.decrypt(stored()) == "key of the shop"


def test_after_a_rotation_the_older_key_can_be_taken_away(account, settings):
    settings.SECRETS_KEYS = [OLD]
    rotated()
    settings.SECRETS_KEYS = [NEW, OLD]
    rotated()
    settings.SECRETS_KEYS = [NEW]

    assert secrets.decrypt(stored()) == "key of the shop"


def test_a_second_rotation_changes_nothing(account, settings):
    settings.SECRETS_KEYS = [NEW]
    rotated()
    before = stored()

    assert "0 secrets are encrypted" in rotated()
    assert stored() == before


def test_what_no_key_reads_is_named_and_kept(account, settings):
    before = stored()
    settings.SECRET_KEY = "another-" + "0123456789" * 5

    with pytest.raises(CommandError, match=account.name):
        rotated()

    assert stored() == before


def test_an_account_without_a_secret_is_left_alone(account):
    ProviderAccount.objects.update(encrypted_secret=b"")

    assert "0 secrets are encrypted under the newest key, 0 were so already." in rotated()


def test_every_column_with_a_secret_is_rotated():
    columns = {f"{model.__name__}.{name}" for model, name in secret_rotation.encrypted_columns()}

    assert {"ProviderAccount.encrypted_secret", "AlertChannel.encrypted_address"} <= columns
