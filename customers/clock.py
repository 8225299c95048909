"""The only place that asks what time it is."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection


def now() -> datetime:
    """The time of PostgreSQL plus the deployment's offset, the same for every process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT hongyan_now()")
        return cursor.fetchone()[0]


def real_now() -> datetime:
    """The time of PostgreSQL without the offset: what others, who know nothing of it, believe."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def shop_zone() -> ZoneInfo:
    """The zone in which the shop counts its days and hours."""
    return ZoneInfo(settings.TIME_ZONE)


def shop_date(moment: datetime) -> date:
    """The shop's calendar day at a moment."""
    return moment.astimezone(shop_zone()).date()
