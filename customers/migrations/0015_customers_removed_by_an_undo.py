from django.db import migrations

# A customer goes only with the undo of the import that created them, and with nothing left that names them. What upper
# apps know of a customer they guard themselves.
REMOVED_BY_UNDO = """
CREATE OR REPLACE FUNCTION customer_is_erased_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('hongyan.undone_import', true), '') = '' THEN
        RAISE EXCEPTION 'customer_is_erased_never_deleted'
            USING ERRCODE = 'restrict_violation', HINT = 'Erase the customer; opt-outs and evidence have to stay.';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION customer_is_removed_by_the_undo_of_their_import() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM removed WHERE NOT EXISTS (
            SELECT FROM customers_importedrow imported
            JOIN customers_spreadsheetimport undone
                ON undone.id = imported.spreadsheet_import_id AND undone.status = 'undoing'
            WHERE imported.spreadsheet_import_id = current_setting('hongyan.undone_import')::bigint
              AND imported.customer_id = removed.id AND imported.outcome = 'created'
        )
        OR EXISTS (SELECT FROM customers_contactpoint held WHERE held.customer_id = removed.id)
        OR EXISTS (SELECT FROM customers_customertag held WHERE held.customer_id = removed.id)
        OR EXISTS (SELECT FROM customers_consent held WHERE held.customer_id = removed.id)
        OR EXISTS (SELECT FROM customers_order held WHERE held.customer_id = removed.id)
        OR EXISTS (SELECT FROM customers_customeraccount held WHERE held.customer_id = removed.id)
    ) THEN
        RAISE EXCEPTION 'customer_is_removed_by_the_undo_of_their_import'
            USING ERRCODE = 'restrict_violation', HINT = 'Only an undo removes, and only whom its import created.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_is_removed_by_the_undo_of_their_import AFTER DELETE ON customers_customer
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION customer_is_removed_by_the_undo_of_their_import();
"""
NEVER = """
DROP TRIGGER customer_is_removed_by_the_undo_of_their_import ON customers_customer;
DROP FUNCTION customer_is_removed_by_the_undo_of_their_import();
CREATE OR REPLACE FUNCTION customer_is_erased_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'customer_is_erased_never_deleted'
        USING ERRCODE = 'restrict_violation', HINT = 'Erase the customer; opt-outs and evidence have to stay.';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0014_references_checked_once_per_statement")]

    operations = [migrations.RunSQL(REMOVED_BY_UNDO, NEVER)]
