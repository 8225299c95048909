from django.db import migrations

KEEPS = """
CREATE OR REPLACE FUNCTION message_says_what_it_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.body, OLD.signature, OLD.opt_out_wording, OLD.channel, OLD.purpose, OLD.is_test, OLD.price,
        OLD.subject, OLD.html, OLD.stop_when, OLD.night)
        IS DISTINCT FROM
       (NEW.body, NEW.signature, NEW.opt_out_wording, NEW.channel, NEW.purpose, NEW.is_test, NEW.price,
        NEW.subject, NEW.html, NEW.stop_when, NEW.night)
    THEN
        RAISE EXCEPTION 'message_says_what_it_said'
            USING ERRCODE = 'restrict_violation', HINT = 'A message is frozen; freeze a new one.';
    END IF;
    RETURN NEW;
END $$;
"""
KEPT_LESS = """
CREATE OR REPLACE FUNCTION message_says_what_it_said() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0015_what_a_delivery_speaks_of")]

    operations = [migrations.RunSQL(KEEPS, KEPT_LESS)]
