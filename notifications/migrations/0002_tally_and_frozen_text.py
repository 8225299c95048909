from django.db import migrations

TALLY = """
CREATE FUNCTION delivery_tally_after_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notifications_deliverytally (message_id, status, reason, count, segments, cost)
    SELECT message_id, status, reason, count(*), sum(segments), sum(cost)
    FROM fresh GROUP BY message_id, status, reason;
    RETURN NULL;
END $$;
CREATE FUNCTION delivery_tally_after_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notifications_deliverytally (message_id, status, reason, count, segments, cost)
    SELECT message_id, status, reason, sum(n), sum(segments), sum(cost)
    FROM (
        SELECT message_id, status, reason, 1 AS n, segments::bigint, cost FROM fresh
        UNION ALL
        SELECT message_id, status, reason, -1, -segments::bigint, -cost FROM stale
    ) AS changes
    GROUP BY message_id, status, reason
    HAVING sum(n) <> 0 OR sum(segments) <> 0 OR sum(cost) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION delivery_tally_after_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notifications_deliverytally (message_id, status, reason, count, segments, cost)
    SELECT message_id, status, reason, -count(*), -sum(segments), -sum(cost)
    FROM stale GROUP BY message_id, status, reason;
    RETURN NULL;
END $$;
CREATE TRIGGER delivery_tally_after_insert AFTER INSERT ON notifications_delivery
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION delivery_tally_after_insert();
CREATE TRIGGER delivery_tally_after_update AFTER UPDATE ON notifications_delivery
    REFERENCING NEW TABLE AS fresh OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION delivery_tally_after_update();
CREATE TRIGGER delivery_tally_after_delete AFTER DELETE ON notifications_delivery
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION delivery_tally_after_delete();
"""
NO_TALLY = """
DROP TRIGGER delivery_tally_after_insert ON notifications_delivery;
DROP TRIGGER delivery_tally_after_update ON notifications_delivery;
DROP TRIGGER delivery_tally_after_delete ON notifications_delivery;
DROP FUNCTION delivery_tally_after_insert();
DROP FUNCTION delivery_tally_after_update();
DROP FUNCTION delivery_tally_after_delete();
"""

FROZEN = """
CREATE FUNCTION message_says_what_it_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.body, OLD.signature, OLD.opt_out_wording, OLD.channel, OLD.purpose, OLD.is_test, OLD.price)
        IS DISTINCT FROM
       (NEW.body, NEW.signature, NEW.opt_out_wording, NEW.channel, NEW.purpose, NEW.is_test, NEW.price)
    THEN
        RAISE EXCEPTION 'message_says_what_it_said'
            USING ERRCODE = 'restrict_violation', HINT = 'A message is frozen; freeze a new one.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER message_says_what_it_said BEFORE UPDATE ON notifications_message
    FOR EACH ROW EXECUTE FUNCTION message_says_what_it_said();
"""
NO_FROZEN = """
DROP TRIGGER message_says_what_it_said ON notifications_message;
DROP FUNCTION message_says_what_it_said();
"""

ONE_CLOCK = """
CREATE FUNCTION a_shifted_clock_knows_only_sandboxes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM customers_clockoffset WHERE "offset" <> interval '0')
       AND EXISTS (SELECT FROM notifications_provideraccount WHERE NOT is_sandbox)
    THEN
        RAISE EXCEPTION 'a_shifted_clock_knows_only_sandboxes'
            USING ERRCODE = 'restrict_violation',
                  HINT = 'Set the clock back before adding a real provider account.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER a_shifted_clock_knows_only_sandboxes AFTER INSERT OR UPDATE ON notifications_provideraccount
    FOR EACH STATEMENT EXECUTE FUNCTION a_shifted_clock_knows_only_sandboxes();
CREATE TRIGGER a_shifted_clock_knows_only_sandboxes AFTER UPDATE ON customers_clockoffset
    FOR EACH STATEMENT EXECUTE FUNCTION a_shifted_clock_knows_only_sandboxes();
"""
NO_ONE_CLOCK = """
DROP TRIGGER a_shifted_clock_knows_only_sandboxes ON notifications_provideraccount;
DROP TRIGGER a_shifted_clock_knows_only_sandboxes ON customers_clockoffset;
DROP FUNCTION a_shifted_clock_knows_only_sandboxes();
"""

# Every delivery is updated once; room on its page keeps the table from growing by half.
ROOM = "ALTER TABLE notifications_delivery SET (fillfactor = 85)"
NO_ROOM = "ALTER TABLE notifications_delivery RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
        ("customers", "0002_clock_and_evidence"),
    ]

    operations = [
        migrations.RunSQL(TALLY, NO_TALLY),
        migrations.RunSQL(FROZEN, NO_FROZEN),
        migrations.RunSQL(ONE_CLOCK, NO_ONE_CLOCK),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
