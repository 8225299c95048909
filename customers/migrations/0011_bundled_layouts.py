"""Brings the layouts of well-known systems into the table, where staff can see and copy them."""

from django.db import migrations

from customers.spreadsheets import layouts


def bring_in(apps, schema_editor):
    """Later versions bring their changes when they start; this is what the first page shows."""
    layout = apps.get_model("customers", "ImportLayout")
    columns = {field.name for field in layout._meta.get_fields()} - {"key"}
    for row in layouts.bundled_rows():
        known = {name: value for name, value in row.items() if name in columns}
        layout.objects.update_or_create(key=row["key"], defaults=known)


class Migration(migrations.Migration):
    dependencies = [("customers", "0010_import_layout")]

    operations = [migrations.RunPython(bring_in, migrations.RunPython.noop)]
