from django.db import migrations

# The history of an order goes only with the order, and the order with the undo of the import that created it.
HISTORY_GOES = """
CREATE OR REPLACE FUNCTION order_change_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' OR coalesce(current_setting('hongyan.undone_import', true), '') = '' THEN
        RAISE EXCEPTION 'order_change_is_append_only'
            USING ERRCODE = 'restrict_violation', HINT = 'The history of orders is neither changed nor deleted.';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION order_change_goes_with_the_undo_of_its_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM removed WHERE NOT EXISTS (
            SELECT FROM customers_order known
            JOIN customers_spreadsheetimport undone
                ON undone.id = known.spreadsheet_import_id AND undone.status = 'undoing' AND undone.kind = 'orders'
            WHERE known.id = removed.order_id AND undone.id = current_setting('hongyan.undone_import')::bigint
        )
    ) THEN
        RAISE EXCEPTION 'order_change_goes_with_the_undo_of_its_order'
            USING ERRCODE = 'restrict_violation', HINT = 'Only an undo removes, and only what its import created.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER order_change_goes_with_the_undo_of_its_order AFTER DELETE ON customers_orderchange
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION order_change_goes_with_the_undo_of_its_order();
"""
HISTORY_STAYS = """
DROP TRIGGER order_change_goes_with_the_undo_of_its_order ON customers_orderchange;
DROP FUNCTION order_change_goes_with_the_undo_of_its_order();
CREATE OR REPLACE FUNCTION order_change_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order_change_is_append_only'
        USING ERRCODE = 'restrict_violation', HINT = 'The history of orders is neither changed nor deleted.';
END $$;
"""

# A row of an order file says what became of the order: whose customer was new, the buyers of the file say.
REMOVED = """
CREATE OR REPLACE FUNCTION customer_is_removed_by_the_undo_of_their_import() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM removed WHERE NOT EXISTS (
            SELECT FROM customers_importedrow imported
            JOIN customers_spreadsheetimport undone
                ON undone.id = imported.spreadsheet_import_id AND undone.status = 'undoing'{of_customers}
            WHERE imported.spreadsheet_import_id = current_setting('hongyan.undone_import')::bigint
              AND imported.customer_id = removed.id AND imported.outcome = 'created'
        ){or_buyer}
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
"""
OF_CUSTOMERS = " AND undone.kind = 'customers'"
OR_BUYER = """ AND NOT EXISTS (
            SELECT FROM customers_importedbuyer buyer
            JOIN customers_spreadsheetimport undone
                ON undone.id = buyer.spreadsheet_import_id AND undone.status = 'undoing' AND undone.kind = 'orders'
            WHERE buyer.spreadsheet_import_id = current_setting('hongyan.undone_import')::bigint
              AND buyer.customer_id = removed.id AND buyer.kind = 'customer'
        )"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0021_undo_of_order_imports")]

    operations = [
        migrations.RunSQL(HISTORY_GOES, HISTORY_STAYS),
        migrations.RunSQL(
            REMOVED.format(of_customers=OF_CUSTOMERS, or_buyer=OR_BUYER), REMOVED.format(of_customers="", or_buyer="")
        ),
    ]
