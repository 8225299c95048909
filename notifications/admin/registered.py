"""What providers have approved: a section on the page of a template and on that of an account, with its buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from customers import clock
from notifications import rendering
from notifications.choices import COMPOSING_GATEWAYS, RegistrationState
from notifications.models import ProviderAccount, RegisteredSignature, RegisteredText, Template
from notifications.services import registration_states, registrations
from notifications.services.registered_forms import skeleton_of, written_for
from notifications.services.registrations import CannotRegister

TONES = {
    RegistrationState.APPROVED: "good",
    RegistrationState.IN_REVIEW: "warn",
    RegistrationState.UNKNOWN: "warn",
    RegistrationState.REJECTED: "bad",
    RegistrationState.GONE: "bad",
}
TROUBLE_FIRST = ["bad", "warn", "good"]
LONGEST_REMARK = 100
LISTED_AT_MOST = 200


@dataclass(frozen=True)
class Standing:
    """How far a template is at one account, and what can be done about it."""

    account: ProviderAccount
    text: RegisteredText | None
    signature: RegisteredSignature | None
    written: str = ""
    refusal: str = ""

    @property
    def tone(self) -> str:
        """The color of the state."""
        return TONES[self.text.status] if self.text else "plain"

    @property
    def signature_tone(self) -> str:
        """The color of the state of its signature."""
        return TONES[self.signature.status] if self.signature else "plain"

    @property
    def may_be_handed_in(self) -> bool:
        """Whether another try makes sense."""
        standing = (RegistrationState.APPROVED, RegistrationState.IN_REVIEW)
        return not self.refusal and (self.text is None or self.text.status not in standing)

    @property
    def is_of_another(self) -> bool:
        """Whether the same words were approved for another template."""
        return self.text is not None and self.text.is_of_another


def of_template(template: Template | None) -> dict[str, list]:
    """What the page of a template shows of it: how far it is, and what was taken back."""
    if template is None:
        return {}
    return {
        "standings": standings(template),
        "taken_back": registrations.trouble_for([template.pk]).get(template.pk, []),
    }


def standings(template: Template) -> list[Standing]:
    """How far a template is, at each account that approves its texts first."""
    accounts = [one for one in registration_states.composing_accounts() if one.channel == template.channel]
    if not accounts:
        return []
    texts, refusal = _texts(template, accounts)
    signatures = {row.account_id: row for row in template.signature.registrations.filter(account__in=accounts)}
    return [
        _standing(template, account, texts.get(account.pk), signatures.get(account.pk), refusal)
        for account in accounts
    ]


def _texts(template: Template, accounts: list[ProviderAccount]) -> tuple[dict[int, RegisteredText], str]:
    """The row that stands for the words of a template at each account, or why it can have none."""
    try:
        skeleton = skeleton_of(template)
    except rendering.Refused as refusal:
        return {}, refusal.sentence(_)
    found: dict[int, RegisteredText] = {}
    rows = list(RegisteredText.objects.filter(account__in=accounts, skeleton=skeleton).select_related("template"))
    for row in rows:
        row.is_of_another = row.template_id != template.pk
    # An approval counts whichever template it was given for; any other state only of this one.
    rows.sort(key=lambda row: (row.status == RegistrationState.APPROVED, not row.is_of_another))
    for row in rows:
        if row.status == RegistrationState.APPROVED or not row.is_of_another:
            found[row.account_id] = row
    return found, ""


def _standing(
    template: Template,
    account: ProviderAccount,
    text: RegisteredText | None,
    signature: RegisteredSignature | None,
    refusal: str,
) -> Standing:
    if refusal:
        return Standing(account, None, signature, refusal=refusal)
    try:
        return Standing(account, text, signature, written_for(template, registration_states.registry_of(account)))
    except rendering.Refused as refused:
        return Standing(account, text, signature, refusal=refused.sentence(_))
    except CannotRegister as refused:
        return Standing(account, text, signature, refusal=str(refused))


def drafts(
    compiled: rendering.CompiledTemplate, *, channel: str, signature: str, opt_out: str
) -> tuple[dict[str, list[str]], list[str]]:
    """What providers would register of a draft, with the accounts it is for, and why some would not."""
    written: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    for account in registration_states.composing_accounts():
        if account.channel != channel:
            continue
        try:
            placeholder = registration_states.registry_of(account).placeholder
            form = compiled.skeleton(placeholder, signature=signature, opt_out=opt_out, is_marketing=bool(opt_out))
        except rendering.Refused as refusal:
            refused.setdefault(refusal.sentence(_), []).append(account.name)
            continue
        except CannotRegister:
            continue  # The page of the account says what it lacks.
        written.setdefault(form, []).append(account.name)
    sentences = [
        _("Not for %(account)s: %(words)s") % {"account": "、".join(names), "words": words}
        for words, names in refused.items()
    ]
    return written, sentences


def of_account(account: ProviderAccount | None) -> dict[str, list | None]:
    """The texts and signatures of an account for its page, those with trouble first; None where it approves none."""
    if account is None or account.gateway not in COMPOSING_GATEWAYS:
        return {"registered_texts": None}
    texts = list(account.registered_texts.select_related("template").order_by("template__name")[:LISTED_AT_MOST])
    signatures = list(account.registered_signatures.select_related("signature").order_by("signature__name"))
    for row in [*texts, *signatures]:
        row.tone = TONES[row.status]
    texts.sort(key=lambda row: TROUBLE_FIRST.index(row.tone))
    return {"registered_texts": texts, "registered_signatures": signatures}


# The buttons of a template's page


def urls(admin: ModelAdmin) -> list[URLPattern]:
    """The addresses behind the buttons."""
    return [
        path(
            f"<int:template_id>/registered/<int:account_id>/{address}/",
            admin.admin_site.admin_view(require_POST(_bound(admin, act))),
            name=f"notifications_template_{name}",
        )
        for address, name, act in [
            ("hand-in", "hand_in", _hand_in),
            ("adopt", "adopt", _adopt),
            ("ask", "ask_again", _ask_again),
        ]
    ]


def _bound(admin: ModelAdmin, act: Callable[..., str]) -> Callable[..., HttpResponse]:
    """A view that acts on a template at an account and says one sentence."""

    def view(request: HttpRequest, template_id: int, account_id: int) -> HttpResponse:
        if not admin.has_change_permission(request):
            raise PermissionDenied
        template = get_object_or_404(Template.objects.select_related("signature"), pk=template_id)
        account = get_object_or_404(ProviderAccount, pk=account_id, channel=template.channel)
        try:
            words = act(request, template, account)
        except CannotRegister as refusal:
            messages.error(request, str(refusal))
        else:
            admin.log_change(request, template, words)
            messages.success(request, words)
        return redirect("admin:notifications_template_change", template.pk)

    return view


def _hand_in(request: HttpRequest, template: Template, account: ProviderAccount) -> str:
    remark = request.POST.get("remark", "").replace("\x00", "").strip()[:LONGEST_REMARK]
    row = registrations.hand_in(template, account, remark=remark, by=request.user, now=clock.now())
    return _told(row)


def _adopt(request: HttpRequest, template: Template, account: ProviderAccount) -> str:
    code = request.POST.get("code", "").replace("\x00", "")
    return _told(registrations.adopt(template, account, code, by=request.user, now=clock.now()))


def _ask_again(request: HttpRequest, template: Template, account: ProviderAccount) -> str:
    row = _texts(template, [account])[0].get(account.pk)
    if row is None:
        raise CannotRegister(_("The text was not handed in at %(account)s yet.") % {"account": account})
    return _told(registration_states.ask_again(row, now=clock.now()))


def _told(row: RegisteredText) -> str:
    return _("%(account)s says of the text: %(status)s.") % {
        "account": row.account,
        "status": row.get_status_display(),
    }
