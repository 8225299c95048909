"""A shop with a crowd, a template, an account and a campaign, for the tests of campaigns."""

from datetime import timedelta
from decimal import Decimal

from campaigns.models import Campaign, Segment, Variant
from notifications.models import ProviderAccount
from tests import cast

NOON = cast.at("2027-02-05 12:00")


def account() -> ProviderAccount:
    """An active account at 4.5 fen a segment."""
    return ProviderAccount.objects.create(
        name="Sandbox",
        url="http://127.0.0.1:9/send",
        callback_token="token-of-the-shop",
        price=Decimal("0.045"),
        is_sandbox=True,
    )


def draft(name: str = "New Year greeting", *, shares=(100,), conditions=(), **columns) -> Campaign:
    """A draft for everybody, an hour after noon, with one variant per share."""
    columns.setdefault("planned_for", NOON + timedelta(hours=1))
    segment = Segment.objects.create(name=f"For {name}", conditions=list(conditions))
    campaign = Campaign.objects.create(name=name, segment=segment, **columns)
    for number, share in enumerate(shares):
        text = cast.template(name=f"{name}, text {number}")
        Variant.objects.create(campaign=campaign, template=text, share=share)
    return campaign
