"""Telling staff: a reminder's text to a group of the shop, by the bots and mailboxes that alerts use."""

import json
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns.models import ReminderText
from notifications import rendering
from notifications.choices import AlertKind
from notifications.models import Alert, AlertNotice

# A group reads a few; the reminder's page has them all.
AT_MOST = 5
FACTS = """
SELECT f.facts || jsonb_build_object('name', c.name, 'city', c.city)
FROM found_due f JOIN customers_customer c ON c.id = f.customer_id
WHERE f.outcome IN ('planned', 'called') ORDER BY f.place LIMIT %s
"""
HOW_MANY = "SELECT count(*), min(place) FROM found_due WHERE outcome IN ('planned', 'called')"


def tell(cursor: CursorWrapper, texts: Sequence[ReminderText], *, now: datetime) -> int:
    """
    Leave a notice of what is being planned for each group that a step tells; answers how many notices.

    In the caller's transaction: what is not planned is not told. Whoever sends alerts sends it.
    """
    cursor.execute(HOW_MANY)
    count, _first = cursor.fetchone()
    if not count or not texts:
        return 0
    cursor.execute(FACTS, [AT_MOST])
    told = [json.loads(row[0]) for row in cursor.fetchall()]
    for text in texts:
        alert = Alert.objects.create(
            kind=AlertKind.REMINDER,
            cause=f"reminder-text-{text.pk}-{now.timestamp():.6f}",
            words=_words(text, told, count),
            page=reverse("admin:campaigns_reminder_change", args=[text.step.reminder_id]),
            raised_at=now,
            ended_at=now,
        )
        AlertNotice.objects.create(alert=alert, channel=text.alert_channel, send_after=now)
    return len(texts)


def _words(text: ReminderText, told: Sequence[dict[str, str]], count: int) -> dict[str, str]:
    lines = [_line(text.staff_text, facts) for facts in told]
    words = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            more = [_("… and %(count)d more") % {"count": count - len(told)}] if count > len(told) else []
            words[language] = "\n".join([f"{text.step.reminder}:", *lines, *more])
    return words


def _line(source: str, facts: dict[str, str]) -> str:
    """The text about one occasion; as it was written where a value is missing, because staff can cope."""
    values = {name: facts.get(name, "") for name in rendering.VARIABLES}
    try:
        return rendering.parse(source).render(values)
    except (rendering.Refused, rendering.MissingValue, rendering.TooLong):
        return " ".join(filter(None, [source, facts.get("order_number") or facts.get("event_title")]))
