from django.db import migrations

# Who did what is told later by these lines alone; whoever could change them could do anything.
APPEND_ONLY = """
CREATE FUNCTION log_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'log_entry_is_append_only'
        USING ERRCODE = 'restrict_violation', HINT = 'The history of what staff did is neither changed nor deleted.';
END $$;
CREATE TRIGGER log_entry_is_append_only BEFORE UPDATE OR DELETE ON django_admin_log
    FOR EACH ROW EXECUTE FUNCTION log_entry_is_append_only();
"""
CHANGEABLE = """
DROP TRIGGER log_entry_is_append_only ON django_admin_log;
DROP FUNCTION log_entry_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0019_calendars_by_their_names"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [migrations.RunSQL(APPEND_ONLY, CHANGEABLE)]
