"""What RQ runs for campaigns: each job asks the database what is due and reports counts."""

from django.db import close_old_connections

from campaigns.models import Reminder
from campaigns.services import campaigns, follow_up_births, kept_reviews
from campaigns.services.reminders import kept_backtests, running
from customers import clock, doorbell
from customers.choices import Purpose
from notifications.models import Message


def launch_due() -> dict[str, int]:
    """Launch the campaigns whose hour has come, and wake the workers that send them."""
    close_old_connections()
    done = campaigns.launch_due(now=clock.now())
    purposes = Message.objects.filter(variant__campaign__in=done.launched).values_list("purpose", flat=True)
    for queue in {Purpose(purpose).queue for purpose in purposes}:
        doorbell.ring("notifications.jobs.send_due", queue=queue, names_queue=True)
    return {verdict: len(ids) for verdict, ids in vars(done).items()}


def finish_done() -> dict[str, int]:
    """Finish the campaigns none of whose deliveries waits any longer."""
    close_old_connections()
    return {"finished": campaigns.finish_done(now=clock.now())}


def count_reviews() -> dict[str, int]:
    """Count the waterfalls that somebody waits for."""
    close_old_connections()
    return {"counted": kept_reviews.count_waiting(now=clock.now(), ends=clock.now)}


def open_follow_ups() -> dict[str, int]:
    """Open the calls that undelivered messages and replies ask for, and drop those that need none any more."""
    close_old_connections()
    return dict(follow_up_births.run(now=clock.now()))


def run_reminders() -> dict[str, int]:
    """Plan what came due of the reminders that are on, and wake the workers that send it."""
    close_old_connections()
    done = running.run(now=clock.now())
    if done["planned"]:
        for queue in {
            Purpose(purpose).queue for purpose in Reminder.objects.active().values_list("purpose", flat=True)
        }:
            doorbell.ring("notifications.jobs.send_due", queue=queue, names_queue=True)
    return dict(done)


def count_backtests() -> dict[str, int]:
    """Count the backtests that somebody waits for."""
    close_old_connections()
    return {"counted": kept_backtests.count_waiting(now=clock.now(), ends=clock.now)}
