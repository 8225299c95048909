"""Changing the secret address at which a gateway reports, with time to enter the new one there."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from customers import clock
from notifications.admin import states
from notifications.admin.dialogs import ask, done, number_in
from notifications.choices import CallbackKind
from notifications.models import ProviderAccount
from notifications.services import callback_tokens, gateways


class CallbackAddress:
    """The address and its two buttons, for a ModelAdmin."""

    @action(
        description=gettext_lazy("Change the callback addresses"),
        icon="key",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Make new callback addresses?"),
            gettext_lazy(
                "Enter the new ones at the gateway within seven days; until then the old ones are believed as well. "
                "After that, receipts and replies that come there are lost."
            ),
            gettext_lazy("Make new ones"),
        ),
    )
    def change_callback(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Make a new secret; the old one holds for some days."""
        account = get_object_or_404(ProviderAccount, pk=number_in(object_id))
        until = callback_tokens.rotate(account.pk, now=clock.now())
        self.log_change(request, account, str(_("Changed the callback addresses.")))
        words = _("Enter the new addresses at the gateway. The old ones are believed until %s.") % states.moment(until)
        return done(request, _page_of(account), said=words)

    @action(
        description=gettext_lazy("End the old addresses now"),
        icon="key_off",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Believe the old callback addresses no longer?"),
            gettext_lazy(
                "Do this when somebody may know them. What the gateway still sends there is lost; receipts are asked "
                "for later where the gateway can be asked, replies are not."
            ),
            gettext_lazy("End them"),
        ),
    )
    def end_old_callback(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Believe the old secret no longer."""
        account = get_object_or_404(ProviderAccount, pk=number_in(object_id))
        if callback_tokens.forget_previous(account.pk):
            self.log_change(request, account, str(_("Ended the old callback addresses.")))
        return done(request, _page_of(account), said=_("Only the addresses shown here are believed now."))

    @display(description=gettext_lazy("Callback addresses"))
    def callback(self, account: ProviderAccount) -> SafeString:
        """Where the gateway reports to, and how long it may still report elsewhere."""
        if not account.callback_token:
            return _("Appears here once the account is saved; enter it at the gateway for receipts and replies.")
        note = _("Enter these addresses at the gateway. Whoever knows them can report in the gateway's name.")
        if account.previous_callback_token:
            until = states.moment(account.previous_token_until)
            note += " " + _("The addresses before these are believed until %s.") % until
        return format_html(
            '{} <code class="hy-copy" id="callback-address">{}</code>'
            '{} <code class="hy-copy">{}</code><span class="hy-soft hy-small">{}</span>',
            CallbackKind.RECEIPTS.label,
            gateways.callback_url(account.callback_token),
            CallbackKind.REPLIES.label,
            gateways.replies_url(account.callback_token),
            note,
        )


def _page_of(account: ProviderAccount) -> str:
    return reverse("admin:notifications_provideraccount_change", args=[account.pk])
