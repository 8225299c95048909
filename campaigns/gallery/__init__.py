"""The gallery: ready-made reminders as data, which staff switch on with three clicks and change as they like."""

from campaigns.gallery import exceptions, life_cycle, services, win_back
from campaigns.gallery.entry import Entry, Group, Step
from campaigns.gallery.texts import LANGUAGES, text_of

ENTRIES = (*life_cycle.ENTRIES, *exceptions.ENTRIES, *services.ENTRIES, *win_back.ENTRIES)
BY_KEY = {entry.key: entry for entry in ENTRIES}

__all__ = ["BY_KEY", "ENTRIES", "LANGUAGES", "Entry", "Group", "Step", "text_of"]
