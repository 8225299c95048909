"""The live preview of a template: what real customers would read, and what it would cost."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from customers.choices import Channel, Purpose
from notifications import rendering, text
from notifications.admin import registered, samples
from notifications.choices import SignatureStatus
from notifications.models import Signature
from notifications.services import gateways

LONGEST_DRAFT = 4_000
LONGEST_LETTER = rendering.MAXIMUM_LETTER + 1_000
LONGEST_SUBJECT = 200
# Each reader gets a link of their own.
EXAMPLE_LINK = "https://shop.example.com/u/…"


@dataclass(frozen=True)
class Draft:
    """What stands in the form right now, saved or not."""

    body: str
    channel: str
    purpose: str
    signature: Signature | None
    opt_out: str
    subject: str
    html: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Draft":
        """The draft that the form sent; whatever is no choice falls back to the usual one."""
        sent = request.POST
        channel = sent.get("channel") if sent.get("channel") in Channel.values else Channel.SMS.value
        purpose = sent.get("purpose") if sent.get("purpose") in Purpose.values else Purpose.MARKETING.value
        number = sent.get("signature", "")
        signature = Signature.objects.filter(pk=number).first() if number.isascii() and number.isdigit() else None
        opt_out = ""
        if Purpose(purpose).needs_consent and channel == Channel.SMS:
            opt_out = sent.get("opt_out_wording", "").strip()[:30] or text.DEFAULT_OPT_OUT
        elif Purpose(purpose).needs_consent and channel == Channel.EMAIL:
            opt_out = EXAMPLE_LINK
        longest = LONGEST_LETTER if channel in rendering.LETTER_CHANNELS else LONGEST_DRAFT
        subject = sent.get("subject", "")[:LONGEST_SUBJECT]
        html = sent.get("html", "").strip()[:longest] if channel == Channel.EMAIL else ""
        return cls(sent.get("body", "")[:longest], channel, purpose, signature, opt_out, subject, html)

    @property
    def is_letter(self) -> bool:
        """Whether it has a subject, and no segments."""
        return self.channel in rendering.LETTER_CHANNELS

    @property
    def signature_name(self) -> str:
        """The signature without its brackets."""
        return self.signature.name if self.signature else ""


def show(request: HttpRequest, *, is_allowed: bool) -> HttpResponse:
    """The preview as a fragment for htmx."""
    if not is_allowed:
        raise PermissionDenied
    draft = Draft.of(request)
    template = "admin/notifications/template/preview.html"
    try:
        compiled = rendering.compiled(draft)
    except rendering.Refused as refusal:
        context = {"refusal": refusal.sentence(_), "is_empty": refusal.code == "empty" and not draft.body.strip()}
        return render(request, template, context)
    chosen = samples.choose(compiled, channel=draft.channel, signature=draft.signature_name, opt_out=draft.opt_out)
    kind = request.POST.get("sample")
    sample = chosen.get(kind) or next(iter(chosen.values()))
    seen = rendering.preview(compiled, sample.values, signature=draft.signature_name, opt_out=draft.opt_out)
    written, refusals = registered.drafts(
        compiled, channel=draft.channel, signature=draft.signature_name, opt_out=draft.opt_out
    )
    context = {
        "registered": written,
        "kinds": [(kind, samples.KINDS[kind], kind == sample.kind) for kind in chosen],
        "sample": sample,
        "seen": seen,
        "is_letter": draft.is_letter,
        "pieces": [("", seen.text)] if draft.is_letter else pieces(seen, draft),
        "price": price_of(draft.channel),
        "cost": price_of(draft.channel) * seen.segments,
        "spare": 0 if draft.is_letter else spare(seen),
        "notes": [_(sentence) % values for sentence, values in seen.notes] + remarks(draft) + refusals,
        "single": text.SINGLE_LENGTH,
    }
    return render(request, template, context)


def price_of(channel: str) -> Decimal:
    """What one segment costs with the account that would carry it."""
    account = gateways.account_for(channel)
    if account is None:
        return Decimal(settings.SMS_PRICE) if channel == Channel.SMS else Decimal(0)
    return account.price


def spare(seen: rendering.Preview) -> int:
    """By how many characters the text must shrink to save one SMS; 0 where it cannot."""
    if seen.segments < 2:
        return 0
    fits = text.SINGLE_LENGTH if seen.segments == 2 else text.PART_LENGTH * (seen.segments - 1)
    return seen.units - fits


def remarks(draft: Draft) -> list[str]:
    """What is worth knowing about the choices beside the text."""
    if draft.is_letter:
        return [] if draft.signature else [_("Choose a signature: it is the name of the shop in the letter.")]
    if draft.signature is None:
        return [_("Choose a signature: carriers take no SMS without one.")]
    if draft.channel == Channel.SMS and draft.signature.status != SignatureStatus.APPROVED:
        return [
            _("The signature %(signature)s is not approved yet; carriers block it until it is.")
            % {"signature": draft.signature}
        ]
    return []


def pieces(seen: rendering.Preview, draft: Draft) -> list[tuple[str, str]]:
    """The message in pieces with their CSS classes: added by us, second SMS, too long."""
    signature = f"【{draft.signature_name}】" if draft.signature_name else ""
    starts = len(signature) if signature and seen.text.startswith(signature) else 0
    ends = (
        len(seen.text) - len(draft.opt_out) if draft.opt_out and seen.text.endswith(draft.opt_out) else len(seen.text)
    )
    part_length = text.SINGLE_LENGTH if seen.segments < 2 else text.PART_LENGTH
    marked, units = [], 0
    for position, character in enumerate(seen.text):
        classes = []
        if position < starts or position >= ends:
            classes.append("hy-added")
        if units >= text.MAXIMUM_LENGTH:
            classes.append("hy-too-long")
        elif units // part_length % 2:
            classes.append("hy-next-part")
        marked.append((" ".join(classes), character))
        units += 2 if character > "\uffff" else 1
    return [
        (classes, "".join(character for _class, character in run))
        for classes, run in groupby(marked, lambda pair: pair[0])
    ]
