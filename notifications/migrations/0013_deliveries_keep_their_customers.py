from django.db import migrations

KEPT = """
CREATE FUNCTION delivery_never_loses_its_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM removed
        WHERE EXISTS (SELECT FROM notifications_delivery held WHERE held.customer_id = removed.id)
           OR EXISTS (SELECT FROM notifications_reply held WHERE held.customer_id = removed.id)
    ) THEN
        RAISE EXCEPTION 'delivery_never_loses_its_customer'
            USING ERRCODE = 'restrict_violation', HINT = 'Whom we have written to, or heard from, stays.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER delivery_never_loses_its_customer AFTER DELETE ON customers_customer
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION delivery_never_loses_its_customer();
"""
NOT_KEPT = """
DROP TRIGGER delivery_never_loses_its_customer ON customers_customer;
DROP FUNCTION delivery_never_loses_its_customer();
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0012_export_delivery"), ("customers", "0015_customers_removed_by_an_undo")]

    operations = [migrations.RunSQL(KEPT, NOT_KEPT)]
