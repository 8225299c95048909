"""Registrations: which texts an account has approved, handing one in, and what was taken back."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from notifications import rendering
from notifications.choices import COMPOSING_GATEWAYS, RegistrationState
from notifications.models import Message, ProviderAccount, RegisteredSignature, RegisteredText, Template
from notifications.providers import base
from notifications.providers.base import Registration, RegistrationStatus, Registry, spoken
from notifications.services.registered_forms import (
    OtherText,
    names_of,
    needs_opt_out,
    skeleton_of,
    skeleton_of_message,
    written_for,
)
from notifications.services.registration_states import CannotRegister, composing_accounts, registry_of, stored, sync

__all__ = ["CannotRegister", "adopt", "composing_accounts", "hand_in", "sync", "trouble_for", "usable", "why_not"]

# A second click, or a tab that was open, hands nothing in twice.
PATIENCE = timedelta(minutes=1)
LONGEST_NAME = 30
LONGEST_CODE = RegisteredText._meta.get_field("code").max_length
LOST = [RegistrationState.REJECTED, RegistrationState.GONE]
# A call with such a signature is refused; one of which nothing is known is tried.
UNUSABLE_SIGNATURE = [*LOST, RegistrationState.IN_REVIEW]


# What the engine asks


def usable(message: Message, account: ProviderAccount) -> base.RegisteredText | None:
    """
    What a call of this account says to send the message; None where its text is not approved there.

    The same words approved for another template count: the provider knows no templates of ours.
    """
    try:
        skeleton = skeleton_of_message(message)
    except rendering.Refused:
        return None
    approved = _approved([account.pk], skeleton, message.signature).order_by("-changed_at", "-id")
    found = approved.values_list("code", "names").first()
    return base.RegisteredText(found[0], message.signature, tuple(found[1])) if found else None


def why_not(template: Template) -> str:
    """The sentence why no account of its channel can send a template for want of approval; "" if one can."""
    working = ProviderAccount.objects.filter(channel=template.channel, is_active=True, paused_for="")
    accounts = list(working.order_by("name"))
    if not accounts or any(account.gateway not in COMPOSING_GATEWAYS for account in accounts):
        return ""
    said = {"name": template, "accounts": "、".join(str(account) for account in accounts)}
    try:
        skeleton = skeleton_of(template)
    except rendering.Refused as refusal:
        said["words"] = refusal.sentence(_)
        return _("The template “%(name)s” cannot be sent over %(accounts)s: %(words)s") % said
    if _approved([account.pk for account in accounts], skeleton, template.signature.name).exists():
        return ""
    if troubles := trouble_for([template.pk]).get(template.pk):
        return " ".join(troubles)
    return (
        _(
            "The text of “%(name)s” is not approved at %(accounts)s yet. Open the template and see under "
            "“Registered with the provider”."
        )
        % said
    )


def trouble_for(template_ids: Iterable[int]) -> dict[int, list[str]]:
    """What providers rejected or withdrew of templates and their signatures, as sentences with the reason."""
    templates = list(Template.objects.filter(pk__in=list(template_ids)).select_related("signature"))
    lost = Q(account__is_active=True, account__gateway__in=COMPOSING_GATEWAYS, status__in=LOST)
    texts = RegisteredText.objects.filter(lost, template__in=templates).select_related("account")
    signatures = RegisteredSignature.objects.filter(
        lost, signature__in={template.signature_id for template in templates}
    ).select_related("account", "signature")
    lost_texts, lost_signatures = list(texts.order_by("account")), list(signatures.order_by("account"))
    # The same words may be approved for another template; the provider knows no templates of ours.
    replaced = set(
        RegisteredText.objects.filter(
            status=RegistrationState.APPROVED, skeleton__in={row.skeleton for row in lost_texts}
        ).values_list("account_id", "skeleton")
    )
    lost_texts = [row for row in lost_texts if (row.account_id, row.skeleton) not in replaced]
    found = {}
    for template in templates:
        rows = [row for row in lost_texts if row.template_id == template.pk]
        sentences = [_lost_text(template, row) for row in rows if row.skeleton == _skeleton_or_none(template)]
        sentences += [
            _lost_signature(row)
            for row in lost_signatures
            if row.signature_id == template.signature_id and row.account.channel == template.channel
        ]
        if sentences:
            found[template.pk] = sentences
    return found


def _approved(accounts: Sequence[int], skeleton: str, signature: str) -> QuerySet[RegisteredText]:
    unusable = RegisteredSignature.objects.filter(
        account=OuterRef("account"), signature__name=signature, status__in=UNUSABLE_SIGNATURE
    )
    return RegisteredText.objects.filter(
        ~Exists(unusable), account__in=accounts, skeleton=skeleton, status=RegistrationState.APPROVED
    )


def _skeleton_or_none(template: Template) -> str | None:
    try:
        return skeleton_of(template)
    except rendering.Refused:
        return None


def _lost_text(template: Template, row: RegisteredText) -> str:
    said = {"account": row.account, "name": template, "reason": _reason(row.words)}
    if row.status == RegistrationState.REJECTED:
        return _("%(account)s rejected the text of “%(name)s”. %(reason)s") % said
    return _("%(account)s no longer has the text of “%(name)s”. %(reason)s") % said


def _lost_signature(row: RegisteredSignature) -> str:
    said = {"account": row.account, "signature": row.signature, "reason": _reason(row.words)}
    if row.status == RegistrationState.REJECTED:
        return _("%(account)s rejected the signature %(signature)s. %(reason)s") % said
    return _("%(account)s no longer has the signature %(signature)s. %(reason)s") % said


def _reason(words: str) -> str:
    return spoken(words, gettext=_) or _("It gives no reason.")


# What staff do


def hand_in(template: Template, account: ProviderAccount, *, remark: str = "", by, now: datetime) -> RegisteredText:
    """
    Hand a text in for approval; the row says what the provider answered.

    The row is written before the call, so that a crash between leaves one that is unclear instead
    of none. Raises CannotRegister.
    """
    approver = registry_of(account)
    if template.archived_at is not None:
        raise CannotRegister(_("The template “%s” is archived. Restore it first.") % template)
    written, skeleton = _written(template, approver)
    row = _reserved(template, account, skeleton, by=by, now=now)
    answer = approver.register_text(
        name=template.name[:LONGEST_NAME],
        text=written,
        purpose="marketing" if needs_opt_out(template) else "notice",
        signature=template.signature.name,
        remark=remark or template.name,
    )
    reserved = RegisteredText.objects.filter(pk=row.pk, status=RegistrationState.UNKNOWN, submitted_at=now)
    if answer.status is RegistrationStatus.NOT_HANDED_IN:
        reserved.delete()
        raise CannotRegister(spoken(answer.words, gettext=_))
    reserved.update(code=answer.code[:LONGEST_CODE], checked_at=now, changed_at=now, **stored(answer))
    row.refresh_from_db()
    return row


def adopt(template: Template, account: ProviderAccount, code: str, *, by, now: datetime) -> RegisteredText:
    """
    Take over a text that was registered elsewhere, if it is the same to the character.

    Raises CannotRegister, which shows the difference.
    """
    code = code.strip()
    if not code or len(code) > LONGEST_CODE:
        raise CannotRegister(_("Type the code of the text as %(account)s shows it.") % {"account": account})
    approver = registry_of(account)
    written, skeleton = _written(template, approver)
    (answer,) = approver.registered_texts([code])
    names = _names_in(answer, account, code, written, approver)
    approved = account.registered_texts.filter(
        template=template, skeleton=skeleton, status=RegistrationState.APPROVED
    ).exclude(code=code)
    if answer.status is not RegistrationStatus.APPROVED and (other := approved.first()):
        raise CannotRegister(
            _("The text is approved under %(other)s already, and %(code)s is not approved.")
            % {"other": other.code, "code": code}
        )
    told = {"code": code, "names": names, "submitted_at": now, "submitted_by": by, "checked_at": now}
    row, _is_new = RegisteredText.objects.update_or_create(
        account=account,
        template=template,
        skeleton=skeleton,
        defaults=told | stored(answer) | {"changed_at": now},
    )
    return row


def _written(template: Template, registry: Registry) -> tuple[str, str]:
    """The text for this provider, and its skeleton. Raises CannotRegister."""
    try:
        return written_for(template, registry), skeleton_of(template)
    except rendering.Refused as refusal:
        raise CannotRegister(refusal.sentence(_)) from refusal


def _reserved(template: Template, account: ProviderAccount, skeleton: str, *, by, now: datetime) -> RegisteredText:
    """The row of a text that is being handed in now. Raises CannotRegister where it stands there already."""
    row, is_new = RegisteredText.objects.get_or_create(
        account=account,
        template=template,
        skeleton=skeleton,
        defaults={"submitted_at": now, "submitted_by": by, "changed_at": now},
    )
    if is_new:
        return row
    may_go_again = Q(status__in=LOST) | Q(status=RegistrationState.UNKNOWN, submitted_at__lte=now - PATIENCE)
    taken = RegisteredText.objects.filter(may_go_again, pk=row.pk, submitted_at=row.submitted_at).update(
        status=RegistrationState.UNKNOWN,
        code="",
        names=[],
        words="",
        submitted_at=now,
        submitted_by=by,
        changed_at=now,
    )
    row.refresh_from_db()
    if not taken:
        raise CannotRegister(
            _("The text is at %(account)s already: %(status)s. Ask again how far it is.")
            % {"account": account, "status": row.get_status_display()}
        )
    return row


def _names_in(
    answer: Registration, account: ProviderAccount, code: str, written: str, registry: Registry
) -> list[str]:
    """The parameters as the provider calls them, if its text is ours. Raises CannotRegister."""
    said = {"account": account, "code": code, "words": spoken(answer.words, gettext=_)}
    if answer.status is RegistrationStatus.UNKNOWN:
        raise CannotRegister(_("%(account)s could not say: %(words)s") % said)
    if answer.status is RegistrationStatus.GONE:
        raise CannotRegister(_("%(account)s has no text %(code)s. %(words)s") % said)
    if not answer.text:
        raise CannotRegister(
            _("%(account)s does not show what %(code)s says, so nobody can tell whether it is this text. Hand it in.")
            % said
        )
    try:
        return names_of(answer.text, ours=written, registry=registry)
    except OtherText as other:
        said["words"] = str(other)
        raise CannotRegister(_("The text %(code)s at %(account)s is another one. %(words)s") % said) from other
