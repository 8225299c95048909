"""A process dies between any two commits: nobody is lost, nobody gets marketing twice, and the sums are right."""

import json
from collections import Counter

import pytest

from campaigns import jobs as campaign_jobs
from customers import clock
from customers import jobs as customer_jobs
from customers.choices import ImportStatus, Purpose
from customers.models import ContactPoint, Customer, Order, SpreadsheetImport, UndoFinding
from customers.services import import_undo, imports
from notifications import jobs
from notifications.choices import CallbackKind
from notifications.models import Delivery, Message, Receipt, Submission
from notifications.services import callbacks
from tests import cast
from tests.faults import oracle, work
from tests.notifications.test_caps import move_clock
from tests.stories.watching import is_finished

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 200
# More than the first chunk of an import.
ROWS = 3_000
SEND = "notifications.jobs.send_due"
# Nothing had left the house: all of it goes out, once.
BEFORE_THE_CALL = ("after_lease", "after_prepare", "before_authorize_commit")
# The gateway has all of it: it is asked, and nothing goes out again.
AFTER_THE_CALL = ("before_settle", "before_settle_commit", "after_settle")
PURPOSES = (Purpose.MARKETING, Purpose.TRANSACTIONAL)
both = pytest.mark.parametrize("purpose", PURPOSES)


@pytest.fixture
def environment(process_environment, gateway, empty_queue) -> dict[str, str]:
    """The environment of a worker that may call the gateway."""
    return process_environment | {"GATEWAY_PRIVATE_HOSTS": gateway.host}


def die_while_sending(environment, purpose, point):
    """Everybody is to get a message, and the worker dies while it sends them."""
    cast.crowd(EVERYBODY)
    message = work.plan(purpose)
    queue = Purpose(purpose).queue
    work.work_until_it_dies(environment, SEND, on=queue, point=point, queue=queue)
    return message


def check(gateway, *messages, **conditions):
    """All promises are kept."""
    oracle.satisfied(
        oracle.of_sandbox(gateway.ledger()), audience={message.pk: EVERYBODY for message in messages}, **conditions
    )


@both
@pytest.mark.parametrize("point", BEFORE_THE_CALL)
def test_a_death_before_the_call_costs_nobody_the_message(account, gateway, noon, environment, purpose, point):
    message = die_while_sending(environment, purpose, point)
    assert gateway.ledger() == []

    work.finish(purpose)

    check(gateway, message, all_reached=True)
    assert work.states() == {"delivered": EVERYBODY}


@both
def test_a_death_between_the_last_check_and_the_first_byte(account, gateway, noon, environment, purpose):
    message = die_while_sending(environment, purpose, "after_authorize")
    assert gateway.ledger() == []
    assert Submission.objects.filter(status="called").count() == EVERYBODY / account.batch_size

    work.finish(purpose)

    check(gateway, message, all_reached=True)
    # The price of "at most once": what the gateway definitely never got is not handed over again.
    is_sent_again = purpose == Purpose.TRANSACTIONAL
    assert set(work.states()) <= ({"sent", "delivered"} if is_sent_again else {"failed not_taken"})
    assert len(gateway.ledger()) == (EVERYBODY if is_sent_again else 0)


@both
def test_a_death_while_some_calls_are_answered_and_some_are_not(account, gateway, noon, environment, purpose):
    message = die_while_sending(environment, purpose, "between_answers")
    taken = len(gateway.ledger())
    assert taken >= account.batch_size

    work.finish(purpose)

    check(gateway, message, all_reached=True)
    if purpose == Purpose.TRANSACTIONAL:
        assert set(work.states()) <= {"sent", "delivered"}
    else:
        assert work.states() == Counter({"delivered": taken, "failed not_taken": EVERYBODY - taken})
    assert len(gateway.ledger()) == (EVERYBODY if purpose == Purpose.TRANSACTIONAL else taken)


@both
@pytest.mark.parametrize("point", AFTER_THE_CALL)
def test_a_death_after_the_answers_hands_nothing_over_twice(account, gateway, noon, environment, purpose, point):
    message = die_while_sending(environment, purpose, point)

    work.finish(purpose)

    check(gateway, message, all_reached=True)
    assert len(gateway.ledger()) == EVERYBODY
    assert work.states() == {"delivered": EVERYBODY}


@both
@pytest.mark.parametrize("point", ["before_recovery_commit", "before_findings"])
def test_a_death_of_those_who_clean_up_changes_nothing(account, gateway, noon, environment, purpose, point):
    message = die_while_sending(environment, purpose, "before_settle")
    move_clock(minutes=2)
    if point == "before_recovery_commit":
        work.work_until_it_dies(environment, "notifications.jobs.recover_lost", on="bulk", point=point)
    else:
        jobs.recover_lost()
        work.work_until_it_dies(environment, "notifications.jobs.reconcile", on="default", point=point)

    work.finish(purpose)

    check(gateway, message, all_reached=True)
    assert work.states() == {"delivered": EVERYBODY}
    assert len(gateway.ledger()) == EVERYBODY


@both
def test_a_death_while_receipts_are_applied_loses_none(account, gateway, noon, environment, purpose):
    cast.crowd(EVERYBODY)
    message = work.plan(purpose)
    jobs.send_due(queue=Purpose(purpose).queue)
    told = [{"reference": it["reference"], "number": it["number"], "status": "delivered"} for it in gateway.ledger()]
    callbacks.store(account, json.dumps(told).encode(), kind=CallbackKind.RECEIPTS, now=clock.now())
    work.work_until_it_dies(
        environment, "notifications.jobs.apply_receipts", on="urgent", point="before_receipts_commit"
    )
    assert work.states() == {"sent": EVERYBODY}

    jobs.apply_receipts()

    check(gateway, message)
    assert work.states() == {"delivered": EVERYBODY}
    assert not Receipt.objects.filter(applied_at=None).exists()


def test_a_death_while_a_campaign_is_planned_starts_it_once(account, gateway, noon, environment, schedule):
    cast.crowd(EVERYBODY)
    (campaign,) = schedule("New Year", seconds=0)
    work.work_until_it_dies(environment, "campaigns.jobs.launch_due", on="bulk", point="before_plan_commit")
    assert not Delivery.objects.exists()

    campaign_jobs.launch_due()
    work.finish(Purpose.MARKETING)
    campaign_jobs.finish_done()

    check(gateway, *Message.objects.all())
    assert is_finished(campaign)
    assert len(gateway.ledger()) == EVERYBODY


def test_a_death_in_the_middle_of_an_import_loses_and_doubles_no_row(noon, environment):
    rows = "".join(f"{13900000000 + place},顾客{place},杭州\n" for place in range(ROWS))
    imported = imports.upload(["手机号,姓名,城市\n".encode(), rows.encode()], file_name="会员.csv", by=None, now=noon)
    imports.read(imported, now=clock.now())
    imports.start(imported)
    job = {"on": "default", "point": "after_import_chunk", "import_id": imported.pk}
    work.work_until_it_dies(environment, "customers.jobs.run_import", **job)
    assert 0 < ContactPoint.objects.count() < ROWS

    move_clock(minutes=3)
    customer_jobs.run_imports()

    assert SpreadsheetImport.objects.get().status == ImportStatus.DONE
    assert ContactPoint.objects.count() == Customer.objects.count() == ROWS


def test_a_death_in_the_middle_of_an_undo_leaves_the_same_as_an_undo_at_one_go(noon, environment):
    """Half of the rows are of customers who were known before; one in ten of the new ones has been edited since."""
    known = [f"{13900000000 + place},顾客{place},宁波\n" for place in range(0, ROWS, 2)]
    rows = [f"{13900000000 + place},顾客{place},杭州\n" for place in range(ROWS)]
    imports_done = []
    for lines in (known, rows):
        text = "".join(["手机号,姓名,城市\n", *lines]).encode()
        imported = imports.upload([text], file_name="会员.csv", by=None, now=clock.now())
        imports.read(imported, now=clock.now())
        imports.start(imported)
        imports.run(imported.pk, now=clock.now)
        imports_done.append(imported)
    edited = Customer.objects.filter(contact_points__address__endswith="1").values("pk")
    kept = Customer.objects.filter(pk__in=list(edited.values_list("pk", flat=True)))
    kept.update(note="老朋友", updated_at=clock.now())
    before = kept.count()
    import_undo.start(imports_done[1], by=None, now=clock.now())
    job = {"on": "default", "point": "after_undo_chunk", "import_id": imports_done[1].pk}
    work.work_until_it_dies(environment, "customers.jobs.undo_import", **job)
    assert Customer.objects.filter(city="杭州").count() > before

    move_clock(minutes=3)
    customer_jobs.undo_imports()

    undone = SpreadsheetImport.objects.get(pk=imports_done[1].pk)
    assert undone.status == ImportStatus.UNDONE
    assert undone.undo_counts == {
        "rows": ROWS, "removed": ROWS // 2 - before, "stays": before, "stays:edited": before,
        "restored": ROWS // 2, "fields": ROWS // 2,
    }  # fmt: skip
    assert Customer.objects.count() == ContactPoint.objects.count() == ROWS // 2 + before
    assert Customer.objects.filter(city="宁波").count() == ROWS // 2
    assert UndoFinding.objects.count() == before


def test_a_death_in_the_middle_of_an_undo_of_orders_leaves_the_same_as_an_undo_at_one_go(noon, environment):
    """Two thirds of the orders were known before; every buyer has orders above and below the place of the death."""
    before = []
    imports_done = []
    for status, orders in (("已付款", range(0, ROWS * 2 // 3)), ("已发货", range(ROWS))):
        lines = [f"{place + 1},{status},{13900000000 + place % 1000},2026-06-01 10:00:00\n" for place in orders]
        text = "".join(["订单号,订单状态,手机号,下单时间\n", *lines]).encode()
        imported = imports.upload([text], file_name="订单.csv", by=None, now=clock.now())
        imports.read(imported, now=clock.now())
        imports.start(imported)
        imports.run(imported.pk, now=clock.now)
        imports_done.append(imported)
        before = before or list(Order.objects.order_by("pk").values())
    import_undo.start(imports_done[1], by=None, now=clock.now())
    job = {"on": "default", "point": "after_undo_chunk", "import_id": imports_done[1].pk}
    work.work_until_it_dies(environment, "customers.jobs.undo_import", **job)
    assert Order.objects.filter(status="shipped").exists()

    move_clock(minutes=3)
    customer_jobs.undo_imports()

    undone = SpreadsheetImport.objects.get(pk=imports_done[1].pk)
    assert undone.status == ImportStatus.UNDONE
    assert list(Order.objects.order_by("pk").values()) == before
    assert undone.undo_counts == {
        "rows": ROWS, "orders:removed": ROWS // 3, "orders:restored": ROWS * 2 // 3,
    }  # fmt: skip
    assert Customer.objects.count() == ContactPoint.objects.count() == 1000
