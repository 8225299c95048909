from django.db import migrations

from customers.spreadsheets import order_statuses

HISTORY = """
CREATE FUNCTION order_change_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order_change_is_append_only'
        USING ERRCODE = 'restrict_violation', HINT = 'The history of orders is neither changed nor deleted.';
END $$;
CREATE TRIGGER order_change_is_append_only BEFORE UPDATE OR DELETE ON customers_orderchange
    FOR EACH STATEMENT EXECUTE FUNCTION order_change_is_append_only();
"""
NO_HISTORY = """
DROP TRIGGER order_change_is_append_only ON customers_orderchange;
DROP FUNCTION order_change_is_append_only();
"""


def load_words(apps, schema_editor):
    word = apps.get_model("customers", "OrderStatusWord")
    word.objects.bulk_create(
        [word(platform=platform, text=text, meaning=meaning) for platform, text, meaning in order_statuses.bundled()],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("customers", "0007_orders")]

    operations = [
        migrations.RunSQL(HISTORY, NO_HISTORY),
        migrations.RunPython(load_words, migrations.RunPython.noop),
    ]
