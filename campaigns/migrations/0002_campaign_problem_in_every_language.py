from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [
        migrations.RemoveField("campaign", "problem"),
        migrations.AddField(
            "campaign",
            "problem",
            models.JSONField(blank=True, default=dict, verbose_name="problem"),
        ),
    ]
