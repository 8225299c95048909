from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_import_results")]

    operations = [
        migrations.RemoveField(model_name="spreadsheetimport", name="error"),
        migrations.AddField(
            model_name="spreadsheetimport",
            name="error",
            field=models.JSONField(blank=True, default=list, verbose_name="error"),
        ),
    ]
