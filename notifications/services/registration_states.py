"""Asking providers how far texts and signatures are, and keeping what they say."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from customers.msgid import _
from notifications import secrets
from notifications.choices import COMPOSING_GATEWAYS, RegistrationState
from notifications.models import Message, ProviderAccount, RegisteredSignature, RegisteredText, Signature, Template
from notifications.providers.base import Registration, RegistrationStatus, Registry, spoken
from notifications.services import gateways
from notifications.services.registered_forms import is_same

# Approval can be taken back; an hour before a campaign's is soon enough to know.
CHECKED_EVERY = timedelta(hours=1)
# What one look at an account asks for at most: each may be a call of its own.
AT_MOST = 300
LONGEST_WORDS = 300
TEXT_CHANGED = _("Somebody changed the text there: customers would read another one.")


class CannotRegister(Exception):
    """The text cannot be handed in, taken over or asked about; the words say why and what to do."""


def composing_accounts() -> list[ProviderAccount]:
    """The active accounts that send only texts which they have approved."""
    return list(ProviderAccount.objects.filter(gateway__in=COMPOSING_GATEWAYS, is_active=True).order_by("name"))


def registry_of(account: ProviderAccount) -> Registry:
    """What registers texts at an account. Raises CannotRegister."""
    if account.gateway not in COMPOSING_GATEWAYS:
        raise CannotRegister(
            gettext("%(account)s takes every text: nothing has to be approved.") % {"account": account}
        )
    try:
        return gateways.provider_for(account)
    except secrets.Unreadable as trouble:
        raise CannotRegister(gettext(gateways.SECRET_UNREADABLE)) from trouble
    except ValueError as trouble:
        raise CannotRegister(spoken(str(trouble), gettext=gettext)) from trouble


def stored(answer: Registration) -> dict[str, str]:
    """What of a provider's answer is kept; a state that needs a code and came without one is unclear."""
    status = RegistrationState(answer.status)
    if status in (RegistrationState.IN_REVIEW, RegistrationState.APPROVED) and not answer.code:
        status = RegistrationState.UNKNOWN
    return {"status": status, "words": answer.words[:LONGEST_WORDS]}


def ask_again(row: RegisteredText, *, now: datetime) -> RegisteredText:
    """Ask the provider at once how far a text and its signature are. Raises CannotRegister if it does not say."""
    approver = registry_of(row.account)
    if not row.code:
        raise CannotRegister(
            gettext(
                "It is not known under which code the text was handed in. Look for it in the console of "
                "%(account)s and type its code, or hand it in again."
            )
            % {"account": row.account}
        )
    look_at_signatures(row.account, approver, [row.template.signature], now=now)
    (answer,) = approver.registered_texts([row.code])
    if answer.status is RegistrationStatus.UNKNOWN:
        words = spoken(answer.words, gettext=gettext)
        raise CannotRegister(
            gettext("%(account)s could not say: %(words)s") % {"account": row.account, "words": words}
        )
    note([row], [answer], approver, now=now)
    row.refresh_from_db()
    return row


def sync(*, now: datetime) -> dict[str, int]:
    """
    Ask every account how far its texts and signatures are; answers counts by what became of them.

    Those in review each time, the others once an hour: approval can be taken back. What a
    provider does not say changes nothing, and it is asked no further then.
    """
    counts: Counter = Counter()
    for account in composing_accounts():
        try:
            approver = registry_of(account)
        except CannotRegister:
            counts["not_asked"] += 1
            continue
        counts["signatures"] += look_at_signatures(account, approver, _due_signatures(account, now), now=now)
        counts += _look_at_texts(account, approver, now)
    return dict(counts)


def look_at_signatures(
    account: ProviderAccount, registry: Registry, signatures: Sequence[Signature], *, now: datetime
) -> int:
    """Ask about signatures and keep what the provider said; answers about how many it said something."""
    told = []
    for signature in signatures:
        answer = registry.registered_signature(signature.name)
        if answer.status is RegistrationStatus.UNKNOWN:
            break
        told.append(RegisteredSignature(account=account, signature=signature, checked_at=now, **stored(answer)))
    RegisteredSignature.objects.bulk_create(
        told,
        update_conflicts=True,
        unique_fields=["account", "signature"],
        update_fields=["status", "words", "checked_at"],
    )
    return len(told)


def note(
    rows: Sequence[RegisteredText], answers: Sequence[Registration], registry: Registry, *, now: datetime
) -> Counter:
    """Keep what the provider said of texts, unless somebody changed a row since it was read."""
    unchanged, counts = [], Counter()
    for row, answer in zip(rows, answers, strict=True):
        if answer.status is RegistrationStatus.UNKNOWN:
            counts["not_said"] += 1
            continue
        told = stored(answer)
        is_usable = told["status"] in (RegistrationState.IN_REVIEW, RegistrationState.APPROVED)
        if is_usable and answer.text and not is_same(answer.text, row.skeleton, row.names, registry=registry):
            told = {"status": RegistrationState.GONE, "words": TEXT_CHANGED}
        counts[str(told["status"])] += 1
        if told == {"status": row.status, "words": row.words}:
            unchanged.append(row.pk)
            continue
        moment = {} if told["status"] == row.status else {"changed_at": now}
        RegisteredText.objects.filter(pk=row.pk, status=row.status, code=row.code).update(
            checked_at=now, **told, **moment
        )
    RegisteredText.objects.filter(pk__in=unchanged).update(checked_at=now)
    return counts


def _look_at_texts(account: ProviderAccount, registry: Registry, now: datetime) -> Counter:
    waiting = Q(status=RegistrationState.IN_REVIEW) | Q(checked_at=None) | Q(checked_at__lte=now - CHECKED_EVERY)
    still_sent = Message.objects.filter(template=OuterRef("template"), canceled_at=None, send_until__gt=now)
    rows = list(
        account.registered_texts.filter(waiting, Q(template__archived_at=None) | Exists(still_sent))
        .exclude(code="")
        .order_by("checked_at", "id")[:AT_MOST]
    )
    counts: Counter = Counter()
    # One alone first: where the provider is away, the others would each wait for it in vain.
    for part in (rows[:1], rows[1:]):
        if not part or counts["not_said"]:
            break
        counts += note(part, registry.registered_texts([row.code for row in part]), registry, now=now)
    return counts


def _due_signatures(account: ProviderAccount, now: datetime) -> list[Signature]:
    """Those of templates in use that were not asked about within the hour, or are in review."""
    used = Template.objects.filter(archived_at=None, channel=account.channel)
    fresh = account.registered_signatures.filter(checked_at__gt=now - CHECKED_EVERY)
    known = fresh.exclude(status=RegistrationState.IN_REVIEW)
    return list(
        Signature.objects.filter(pk__in=used.values("signature")).exclude(pk__in=known.values("signature"))[:AT_MOST]
    )
