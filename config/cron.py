"""The timetable: which job runs on which queue, every how many seconds. Read by `manage.py rqcron config.cron`."""

from typing import NamedTuple

from django.utils.module_loading import import_string
from rq import cron


class Line(NamedTuple):
    """One job of the timetable; a tick older than its period is replaced by the next one and expires."""

    job: str
    queue: str
    every: int
    names_queue: bool = False


# On "urgent" only what ends within seconds. What a campaign's size can stretch to a minute is on "bulk", whose workers
# turn to the next job after 15 seconds of sending. On "default" only what may wait for an import of a million rows.
TIMETABLE = [
    Line("notifications.jobs.send_due", "urgent", 2, names_queue=True),
    Line("notifications.jobs.apply_receipts", "urgent", 3),
    Line("notifications.jobs.apply_replies", "urgent", 3),
    Line("campaigns.jobs.run_reminders", "urgent", 2),
    Line("customers.jobs.apply_webhooks", "urgent", 3),
    Line("campaigns.jobs.finish_done", "urgent", 3),
    Line("notifications.jobs.check_brakes", "urgent", 10),
    Line("notifications.jobs.review_accounts", "urgent", 10),
    Line("notifications.jobs.send_due", "bulk", 2, names_queue=True),
    Line("campaigns.jobs.launch_due", "bulk", 2),
    Line("campaigns.jobs.count_reviews", "bulk", 5),
    Line("campaigns.jobs.count_backtests", "bulk", 5),
    Line("campaigns.jobs.open_follow_ups", "bulk", 30),
    Line("notifications.jobs.recover_lost", "bulk", 10),
    Line("customers.jobs.run_imports", "default", 10),
    Line("customers.jobs.run_exports", "default", 10),
    Line("customers.jobs.undo_imports", "default", 10),
    Line("customers.jobs.write_marked_files", "default", 10),
    Line("notifications.jobs.reconcile", "default", 10),
    Line("notifications.jobs.housekeeping", "default", 60),
    Line("notifications.jobs.sync_registrations", "default", 600),
    Line("customers.jobs.purge_uploads", "default", 600),
    Line("customers.jobs.purge_api", "default", 600),
    Line("customers.jobs.purge_exports", "default", 600),
    Line("customers.jobs.purge_marked_files", "default", 600),
    # Works in one hour of the night.
    Line("customers.jobs.recompute_tiers", "default", 3600),
]


def register() -> None:
    """Hand every line to the scheduler."""
    for line in TIMETABLE:
        cron.register(
            import_string(line.job),
            line.queue,
            kwargs={"queue": line.queue} if line.names_queue else None,
            interval=line.every,
            ttl=max(10, 2 * line.every),
            result_ttl=0,
            failure_ttl=3600,
            name=f"{line.job}:{line.queue}",
        )


register()
