"""Conditions → customers: the registry of questions, their words, and the query they compile to."""

from campaigns.segmentation.conditions import BadConditions, as_sentence, from_json, in_words, people, read, stored
from campaigns.segmentation.counting import Count, TooSlow, count, within
from campaigns.segmentation.fields import FIELDS
from campaigns.segmentation.list_filters import conditions_from

__all__ = [
    "FIELDS",
    "BadConditions",
    "Count",
    "TooSlow",
    "as_sentence",
    "conditions_from",
    "count",
    "from_json",
    "in_words",
    "people",
    "read",
    "stored",
    "within",
]
