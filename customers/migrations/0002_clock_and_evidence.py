from django.db import migrations

CLOCK = """
INSERT INTO customers_clockoffset (id, "offset") VALUES (1, interval '0');
CREATE FUNCTION hongyan_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + coalesce((SELECT "offset" FROM customers_clockoffset WHERE id = 1), interval '0')
$$;
"""
NO_CLOCK = "DROP FUNCTION hongyan_now(); DELETE FROM customers_clockoffset;"

EVIDENCE = """
CREATE FUNCTION consent_change_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'consent_change_is_append_only'
        USING ERRCODE = 'restrict_violation', HINT = 'Evidence of consent is neither changed nor deleted.';
END $$;
CREATE TRIGGER consent_change_is_append_only BEFORE UPDATE OR DELETE ON customers_consentchange
    FOR EACH STATEMENT EXECUTE FUNCTION consent_change_is_append_only();
"""
NO_EVIDENCE = """
DROP TRIGGER consent_change_is_append_only ON customers_consentchange;
DROP FUNCTION consent_change_is_append_only();
"""

ERASED = """
CREATE FUNCTION customer_is_erased_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'customer_is_erased_never_deleted'
        USING ERRCODE = 'restrict_violation', HINT = 'Erase the customer; opt-outs and evidence have to stay.';
END $$;
CREATE TRIGGER customer_is_erased_never_deleted BEFORE DELETE ON customers_customer
    FOR EACH STATEMENT EXECUTE FUNCTION customer_is_erased_never_deleted();
"""
NO_ERASED = """
DROP TRIGGER customer_is_erased_never_deleted ON customers_customer;
DROP FUNCTION customer_is_erased_never_deleted();
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]

    operations = [
        migrations.RunSQL(CLOCK, NO_CLOCK),
        migrations.RunSQL(EVIDENCE, NO_EVIDENCE),
        migrations.RunSQL(ERASED, NO_ERASED),
    ]
