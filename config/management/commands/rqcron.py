"""The scheduler of the timetable, in place of django-rq's command of the same name."""

import logging

from django.core.management.base import CommandError
from django_rq.management.commands import rqcron
from redis import RedisError

from config.queues import Timetable


class Command(rqcron.Command):
    """Put the jobs of the timetable on their queues."""

    help = "Puts the jobs of config.cron on their queues; run exactly one."

    def handle(self, *, config_path: str, logging_level: str, **options) -> None:
        """Run until a signal, or until Redis fails: whoever supervises starts it again."""
        timetable = Timetable(logging_level=getattr(logging, logging_level))
        timetable.load_config_from_file(config_path)
        try:
            timetable.start()
        except RedisError as trouble:
            raise CommandError(f"Redis does not answer: {trouble}") from trouble
