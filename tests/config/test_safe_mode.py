"""A restored database is known and sends nothing; everything else that may happen to one is not taken for it."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config import safe_mode
from customers import clock
from customers.models import ClockOffset
from notifications.choices import StopReason
from notifications.models import DatabaseIdentity
from notifications.services import identity, switch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def last_seen(settings, tmp_path, empty_queue):
    """A file of the test's own, and an empty Redis."""
    settings.LAST_SEEN_FILE = tmp_path / "last_seen.json"
    return settings.LAST_SEEN_FILE


def look() -> bool:
    return safe_mode.look(now=clock.now())


def set_back(**span) -> None:
    """Yesterday's rows in today's database."""
    row = DatabaseIdentity.objects.get()
    DatabaseIdentity.objects.update(alive_at=row.alive_at - timedelta(**span))


def test_the_first_start_of_all_is_no_restore():
    assert not look()
    assert DatabaseIdentity.objects.count() == 1


def test_a_second_start_is_no_restore():
    look()

    assert not look()


def test_a_database_that_was_set_back_by_a_day_sends_nothing(last_seen):
    look()
    set_back(days=1)

    assert look()
    assert switch.stopped().reason == StopReason.RESTORED
    assert "behind" in switch.stopped().found


@pytest.mark.parametrize("lost", ["redis", "file"])
def test_one_note_outside_the_database_is_enough(lost, last_seen, empty_queue):
    look()
    set_back(days=1)
    last_seen.unlink() if lost == "file" else empty_queue.flushall()

    assert look()


def test_an_empty_redis_and_a_missing_file_are_no_restore(last_seen, empty_queue):
    look()
    last_seen.unlink()
    empty_queue.flushall()

    assert not look()


@pytest.mark.parametrize("garbage", ["", "[]", "{", '{"deployment": 7}', "\0"])
def test_a_broken_file_is_no_restore(garbage, last_seen, empty_queue):
    look()
    last_seen.write_text(garbage)
    empty_queue.flushall()

    assert not look()


def test_what_another_deployment_left_is_no_restore(last_seen, empty_queue):
    look()
    later = DatabaseIdentity.objects.get().alive_at + timedelta(days=1)
    last_seen.write_text(json.dumps({"deployment": str(uuid.uuid4()), "alive_at": later.isoformat()}))

    assert not look()


def test_a_few_minutes_that_a_crash_may_cost_are_no_restore():
    look()
    set_back(minutes=4)

    assert not look()


def test_a_long_night_without_anything_running_is_no_restore(last_seen):
    look()
    set_back(days=3)
    row = DatabaseIdentity.objects.get()
    safe_mode._note(row)

    assert not look()


def test_the_shops_shifted_clock_is_no_restore():
    look()
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": timedelta(days=300)})
    assert not look()

    ClockOffset.objects.update(offset=timedelta(days=-300))

    assert not look()


@pytest.mark.parametrize("column", ["system_identifier", "database_oid"])
def test_a_dump_in_another_database_sends_nothing(column):
    look()
    DatabaseIdentity.objects.update(**{column: 7})

    assert look()


def test_a_standby_that_took_over_without_losing_anything_goes_on():
    look()
    DatabaseIdentity.objects.update(timeline=77)

    assert not look()
    assert DatabaseIdentity.objects.get().timeline != 77


def test_a_new_timeline_of_which_nobody_outside_knows_sends_nothing(last_seen, empty_queue):
    look()
    DatabaseIdentity.objects.update(timeline=77)
    last_seen.unlink()
    empty_queue.flushall()

    assert look()


def test_what_an_ordinary_role_may_not_read_is_not_compared():
    look()
    before = identity.stored()

    assert identity.differences(before, identity.Told(None, before.database_oid, None), outside=None) == {}


def test_an_ordinary_role_can_start():
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE ordinary")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO ordinary")
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("SET ROLE ordinary")
        try:
            said = identity.told()
        finally:
            cursor.execute("RESET ROLE")

    assert said.system_identifier is None
    assert said.database_oid


def test_after_the_owner_confirmed_it_sends_and_stays_so():
    look()
    set_back(days=1)
    look()

    safe_mode.trust(now=clock.now())

    assert not look()
    assert not switch.stopped()


def test_the_command_tells_what_was_found_and_confirms_only_when_asked_to():
    look()
    set_back(days=1)
    look()
    told = StringIO()

    call_command("confirm_restore", stdout=told)
    assert switch.stopped()
    call_command("confirm_restore", "--yes", stdout=told)

    assert "what lies between is missing" in told.getvalue()
    assert not switch.stopped()


def test_the_command_leaves_a_stop_by_staff_alone():
    switch.stop(now=clock.now())

    with pytest.raises(CommandError):
        call_command("confirm_restore", "--yes", stdout=StringIO())

    assert switch.stopped()


def test_a_stop_by_staff_in_the_backup_does_not_hide_that_it_is_one():
    look()
    set_back(days=1)
    switch.stop(now=clock.now())
    switch.start()

    assert look()
    assert switch.stopped().reason == StopReason.RESTORED
