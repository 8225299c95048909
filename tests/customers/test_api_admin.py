"""Keys and integrations in the admin: made, shown once, revoked; what to paste where."""

import re

import pytest
from django.urls import reverse

from customers import clock, secrets
from customers.models import ApiKey, Integration, WebhookCall
from customers.services import api_keys
from tests import staff
from tests.customers import pushes
from tests.customers.callers import Caller

pytestmark = pytest.mark.django_db

ADD_KEY = "/admin/customers/apikey/add/"
# What the theme puts into a dialog.
SUBMITTED = {"_form_submitted": "True"}
ADD_SHOP = "/admin/customers/integration/add/"


@pytest.fixture
def owner():
    """A browser of the owner."""
    return staff.signed_in("owner")


def test_a_key_is_shown_once_and_works(owner):
    page = owner.post(ADD_KEY, {"name": "webshop", "scopes": ["orders"], "rate": 60})

    secret = re.search(r"hy_[\w-]{43}", page.content.decode())[0]
    shown_later = owner.get(reverse("admin:customers_apikey_change", args=[ApiKey.objects.get().pk]))
    caller = api_keys.admit(secret)
    assert (caller.name, caller.scopes, caller.rate) == ("webshop", {"orders"}, 60)
    assert "no-store" in page.headers["Cache-Control"]
    assert not any(secret in str(cookie) for cookie in owner.cookies.values())
    assert secret not in shown_later.content.decode()
    assert ApiKey.objects.get().created_by.username == "owner"


def test_a_key_is_revoked_with_one_click_and_stays_in_the_list(owner):
    webshop = Caller()

    owner.post(f"/admin/customers/apikey/{webshop.key.pk}/revoke/", SUBMITTED)

    assert webshop.get("/customers/1").status_code == 401
    assert "Revoked" in owner.get("/admin/customers/apikey/").content.decode()


def test_what_a_key_may_do_is_changed_without_a_new_key(owner):
    webshop = Caller("orders")

    owner.post(
        f"/admin/customers/apikey/{webshop.key.pk}/change/", {"name": "shop", "scopes": ["customers"], "rate": 5}
    )

    key = ApiKey.objects.get()
    assert (key.name, key.scopes, key.rate) == ("shop", ["customers"], 5)
    assert webshop.post("/orders", {}).status_code == 403


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_only_the_owner_sees_keys_and_integrations(role):
    browser = staff.signed_in(role)

    for page in ("apikey", "integration", "webhookcall"):
        assert browser.get(f"/admin/customers/{page}/").status_code == 403


def test_an_integration_says_what_to_paste_where_and_keeps_its_secret(owner):
    told = {"name": "Store", "kind": "shopify", "platform": "shopify", "mapping": "{}", "is_active": "on"}
    refused = owner.post(ADD_SHOP, told)
    owner.post(ADD_SHOP, told | {"secret": "shpss_1"})

    shop = Integration.objects.get()
    page = owner.get(reverse("admin:customers_integration_change", args=[shop.pk])).content.decode()
    assert "Enter the secret" in refused.content.decode()
    assert f"/webhooks/{shop.token}" in page
    assert "shpss_1" not in page
    assert secrets.decrypt(shop.encrypted_secret) == "shpss_1"


@pytest.mark.parametrize(
    "mapping", ['{"fields": 1}', '{"feilds": {}}', '{"fields": {"numer": "x"}}', '{"fields": {"number": 1}}',
                '{"fields": {"number": "x"}, "status": {"words": {"1": "bezahlt"}}}'],
)  # fmt: skip
def test_a_mapping_that_could_never_be_read_is_refused(owner, mapping):
    told = {"name": "Own", "kind": "generic", "platform": "other", "is_active": "on", "secret": "s"}

    page = owner.post(ADD_SHOP, told | {"mapping": mapping}).content.decode()

    assert "The mapping" in page
    assert not Integration.objects.exists()


def test_a_push_that_was_not_understood_is_shown_with_its_reason_and_looked_at_again(owner, empty_queue):
    from_shop = pushes.integration("generic")
    call = WebhookCall.objects.create(
        integration=from_shop, body=b'{"x": 1}', fingerprint=b"1", received_at=clock.now(), look_after=clock.now(),
        applied_at=clock.now(), problem="No order number stands in it.",
    )  # fmt: skip

    shown = owner.get("/admin/customers/webhookcall/?show=problems").content.decode()
    owner.post(f"/admin/customers/webhookcall/{call.pk}/again/", SUBMITTED)

    assert "No order number stands in it." in shown
    assert WebhookCall.objects.get().applied_at is None
