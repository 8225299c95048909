"""Who stays when an import is undone: everybody whom somebody has been in touch with since."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from customers import clock
from customers.choices import Channel, ConsentSource
from customers.models import Consent, ContactPoint, Customer, CustomerAccount, Order, UndoFinding
from customers.services import consent, customers, import_undo, privacy
from notifications.models import Reply
from notifications.services import deliveries, messages
from tests import cast
from tests.customers.files import imported, table, undone

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}
YES = {"短信同意": "是", "邮件同意": "是"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


def written_to(customer: Customer) -> None:
    """A message to this customer is on its way."""
    now = clock.now()
    message = messages.freeze(
        cast.template(),
        name="问候",
        price="0.045",
        send_after=now,
        send_until=now + timedelta(days=1),
        by=None,
        now=now,
    )
    everybody = Customer.objects.filter(pk=customer.pk)
    assert deliveries.plan(message, everybody, occasion="greeting", now=now) == {"queued": 1}


def replied(customer: Customer) -> None:
    """The customer wrote back."""
    now = clock.now()
    account = cast.account("http://127.0.0.1:1")
    Reply.objects.create(
        account=account, customer=customer, number="13800000001", text="好的", fingerprint=b"1", said_at=now,
        received_at=now, meaning="conversation",
    )  # fmt: skip


def ordered(customer: Customer) -> None:
    """The customer bought something."""
    Order.objects.create(platform="taobao", number="1", status="paid", status_at=clock.now(), customer=customer)


def opted_out(customer: Customer) -> None:
    """The customer wants no more of it."""
    consent.withdraw([customer.pk], channels=[Channel.SMS], source=ConsentSource.REPLY, now=clock.now())


def edited(customer: Customer) -> None:
    """Somebody saved the customer's page."""
    customers.save(customer, addresses={}, tags=None, now=clock.now())


def in_a_later_file(customer: Customer) -> None:
    """Another file has the customer too."""
    imported(table(LI_NA, {"手机号": "13800000007"}))


def has_an_account(customer: Customer) -> None:
    """A platform knows the customer by a name."""
    CustomerAccount.objects.create(customer=customer, platform="taobao", name="tb_1")


def erased(customer: Customer) -> None:
    """The customer asked to be forgotten."""
    privacy.erase(customer.pk, by=User.objects.create_superuser("eraser"), now=clock.now())


@pytest.mark.parametrize(
    ("what_happened", "reason"),
    [
        (written_to, "written"), (replied, "replied"), (ordered, "ordered"), (opted_out, "answered"),
        (edited, "edited"), (in_a_later_file, "imported"), (has_an_account, "account"), (erased, "erased"),
    ],
)  # fmt: skip
def test_who_was_in_touch_since_stays_and_is_listed(db, what_happened, reason):
    file = imported(table({**LI_NA, **YES}, {"手机号": "13800000006"}))
    customer = Customer.objects.get(name="李娜")
    what_happened(customer)

    told = import_undo.preview(file)
    undone(file)

    assert Customer.objects.filter(pk=customer.pk).exists()
    assert not ContactPoint.objects.filter(address="13800000006").exists()
    assert list(UndoFinding.objects.filter(kind="stays").values_list("customer", "reason")) == [(customer.pk, reason)]
    assert told["stays"] == told[f"stays:{reason}"] == file.undo_counts["stays"] == 1
    # The evidence is the file's: without it nobody may be written to because of it.
    assert not Consent.objects.filter(status="granted").exists()
