"""Connecting: one call that sends nothing, and says whether an account's key works."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from notifications import secrets
from notifications.choices import GatewayKind, RegistrationState, SignatureStatus
from notifications.models import ProviderAccount, Signature
from notifications.providers.base import Outcome, RegistrationStatus, spoken
from notifications.services import gateways, registration_states

# Of a shop that has no signature yet a name is asked for that nobody has; the answer proves the key as well.
NO_SIGNATURE = "鸿雁连接测试"


@dataclass(frozen=True)
class Trial:
    """Whether the gateway answered as one that knows us, and what to tell staff."""

    works: bool
    words: str


def try_out(account: ProviderAccount) -> Trial:
    """
    Ask the gateway how far the shop's signature is: free of charge, and refused without a valid key.

    A key that is refused here would be refused for every message, so the account is paused at once. A mail
    server is logged in to, and told the sender, without a letter.
    """
    if account.gateway == GatewayKind.SMTP:
        return _try_mail(account)
    signatures = Signature.objects.order_by("-pk")
    name = signatures.filter(status=SignatureStatus.APPROVED).values_list("name", flat=True).first()
    try:
        answer = registration_states.registry_of(account).registered_signature(name or NO_SIGNATURE)
    except registration_states.CannotRegister as trouble:
        return Trial(False, str(trouble))
    if answer.status is RegistrationStatus.UNKNOWN:
        words = spoken(answer.words, gettext=_)
        if answer.refuses_account and _pause(account, answer.words):
            words = _("%(words)s The account is paused: nothing is sent by it until somebody resumes it.") % {
                "words": words
            }
        return Trial(False, words)
    if not name:
        return Trial(True, _("The key works. Enter your signature under Signatures next."))
    said = {"signature": f"【{name}】", "state": RegistrationState(answer.status).label}
    return Trial(True, _("The key works. The signature %(signature)s there: %(state)s.") % said)


def _try_mail(account: ProviderAccount) -> Trial:
    try:
        verdict = gateways.provider_for(account).try_out()
    except secrets.Unreadable:
        return Trial(False, _(gateways.SECRET_UNREADABLE))
    except ValueError as trouble:
        return Trial(False, _(str(trouble)))
    if verdict is None:
        return Trial(True, _("The mail server takes the user name, the password and the sender. No letter was sent."))
    outcome, _code, told = verdict
    words = spoken(told, gettext=_)
    if outcome is Outcome.REFUSED_ACCOUNT and _pause(account, told):
        words = _("%(words)s The account is paused: nothing is sent by it until somebody resumes it.") % {
            "words": words
        }
    return Trial(False, words)


def _pause(account: ProviderAccount, words: str) -> bool:
    """Pause an account for a reason; answers whether it is paused now."""
    ProviderAccount.objects.filter(pk=account.pk, paused_for="").update(paused_for=words[:200])
    return ProviderAccount.objects.filter(pk=account.pk).exclude(paused_for="").exists()
