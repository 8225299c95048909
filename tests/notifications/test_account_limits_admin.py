"""Staff set share, pace, budget and limit of an account, and see how it stands."""

from decimal import Decimal

import pytest
import staff
from django.urls import reverse

from config import watching
from customers import clock
from notifications.models import AccountGauge, HealthChange, ProviderAccount
from tests.notifications.test_cloud_accounts import ADD, errors_of, form

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return staff.signed_in("owner")


def stored(client, **changes) -> ProviderAccount:
    answer = client.post(reverse(ADD), form(**changes))
    assert answer.status_code == 302, errors_of(answer)
    return ProviderAccount.objects.get()


def test_limits_are_entered_and_may_stay_empty(owner):
    account = stored(owner, share="70", pace="200", daily_budget="150", number_limit="50")

    assert (account.share, account.pace, account.daily_budget, account.number_limit) == (70, 200, 150, 50)


def test_an_account_without_limits_has_a_share_of_a_hundred(owner):
    account = stored(owner)

    assert (account.share, account.pace, account.daily_budget, account.number_limit) == (100, None, None, None)


@pytest.mark.parametrize(
    "wrong",
    [{"share": "0"}, {"share": "1001"}, {"pace": "0"}, {"daily_budget": "0"}, {"number_limit": "501"}],
)
def test_limits_that_let_nothing_pass_are_refused_with_a_sentence(owner, wrong):
    answer = owner.post(reverse(ADD), form(**wrong))

    assert set(errors_of(answer)) == set(wrong)


def test_the_page_and_the_dashboard_say_that_the_budget_is_used_up(owner):
    account = stored(owner, daily_budget="150")
    today = clock.shop_date(clock.now())
    AccountGauge.objects.create(account=account, spent_on=today, spent=Decimal("149.9"), exhausted_on=today, health=75)
    HealthChange.objects.create(
        account=account, health_before=100, health=75, words={"en": "It is slow."}, changed_at=clock.now()
    )

    page = owner.get(reverse("admin:notifications_provideraccount_change", args=[account.pk])).content.decode()

    assert "¥149.90 of ¥150.00 spent today." in page
    assert "100 → 75: It is slow." in page
    watching.look()
    assert "The budget of “阿里云短信” for today, ¥150.00, is used up." in owner.get("/admin/").content.decode()
