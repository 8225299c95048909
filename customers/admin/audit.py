"""Entries of the admin's history that name a customer by number, never by name or address."""

import json
from typing import NoReturn

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from customers.models import Customer

LONGEST_REPRESENTATION = 200


def record(request: HttpRequest, customer: Customer, sentence: str, *, flag: int = CHANGE) -> LogEntry:
    """Write down who did what to a customer; the entry outlives an erasure, so it holds nothing personal."""
    return LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(customer.pk),
        object_repr=_("Customer %(number)s") % {"number": customer.pk},
        action_flag=flag,
        change_message=sentence,
    )


def record_for_all(
    request: HttpRequest, sentence: str, *, model: type[Model] = Customer, key: int | None = None
) -> LogEntry:
    """Write down what somebody did to many customers at once, or to many records of another kind."""
    return LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(model),
        object_id=None if key is None else str(key),
        object_repr=str(model._meta.verbose_name_plural)[:LONGEST_REPRESENTATION],
        action_flag=CHANGE,
        change_message=sentence,
    )


def refuse(request: HttpRequest, sentence: str, *, model: type[Model], key: int | None = None) -> NoReturn:
    """Write down what somebody tried who may not, and answer 403."""
    record_for_all(request, sentence, model=model, key=key)
    raise PermissionDenied


def sentence_of(message: object) -> str:
    """Django's own list of changed fields as it stores it, or a sentence as it is."""
    return message if isinstance(message, str) else json.dumps(message)
