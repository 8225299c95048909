from django.db import migrations

# Whoever is told of a balance wants to know of the shop's own limit as well.
TELL = """
UPDATE notifications_alertchannel SET alert_kinds = alert_kinds || 'budget'::varchar
WHERE 'balance' = ANY(alert_kinds) AND NOT 'budget' = ANY(alert_kinds)
"""
FORGET = "UPDATE notifications_alertchannel SET alert_kinds = array_remove(alert_kinds, 'budget')"


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0010_accounts_share_and_pace"),
    ]

    operations = [
        migrations.RunSQL(TELL, FORGET),
    ]
