"""The small pages of one customer: recording consent, opting out, showing an address, erasing."""

from datetime import datetime, time

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from customers import clock
from customers.admin import audit
from customers.choices import CONSENT_PURPOSES, Channel, ConsentSource, Purpose
from customers.models import ContactPoint, Customer, Suppression
from customers.services import consent, privacy

PURPOSE_CHOICES = [(purpose.value, purpose.label) for purpose in CONSENT_PURPOSES]


class ConsentForm(forms.Form):
    """What a customer agreed to or refused, when, and in what words."""

    channels = forms.MultipleChoiceField(
        label=_("By which channels"),
        choices=Channel.choices,
        initial=[Channel.SMS],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": _("Choose at least one channel.")},
    )
    purposes = forms.MultipleChoiceField(
        label=_("For what"),
        choices=PURPOSE_CHOICES,
        initial=[Purpose.MARKETING],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": _("Choose at least one kind of message.")},
    )
    happened_on = forms.DateField(
        label=_("On which day"),
        widget=UnfoldAdminSingleDateWidget,
        error_messages={"required": _("Enter the day on which the customer said so.")},
    )
    wording = forms.CharField(
        label=_("How, where and in what words"), max_length=1000, widget=UnfoldAdminTextareaWidget({"rows": 3})
    )

    def __init__(self, *args, now: datetime, **kwargs):
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["happened_on"].initial = clock.shop_date(now)

    def clean_happened_on(self):
        """Refuse a day that has not come."""
        if self.cleaned_data["happened_on"] > clock.shop_date(self.now):
            raise forms.ValidationError(_("This day is in the future. Enter the day on which the customer said so."))
        return self.cleaned_data["happened_on"]

    def happened_at(self) -> datetime:
        """The moment to store: now for today, noon for an earlier day."""
        day = self.cleaned_data["happened_on"]
        if day == clock.shop_date(self.now):
            return self.now
        return datetime.combine(day, time(12), tzinfo=clock.shop_zone())


class GrantForm(ConsentForm):
    """Consent needs its evidence."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        wording = self.fields["wording"]
        wording.error_messages["required"] = _(
            "Write down how the customer agreed: without evidence the consent does not count."
        )
        wording.help_text = _("For example: ticked “I want offers by SMS” on the membership form in the shop.")


class OptOutForm(ConsentForm):
    """An opt-out is taken without asking for reasons."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["purposes"].initial = [purpose.value for purpose in CONSENT_PURPOSES]
        self.fields["wording"].required = False
        self.fields["wording"].help_text = _("For example: called the shop and wants no more offers.")


class EraseForm(forms.Form):
    """The one box that must be ticked."""

    is_certain = forms.BooleanField(
        label=_("The customer has asked for it, and I know that it cannot be undone."),
        widget=UnfoldBooleanWidget,
        error_messages={"required": _("Tick the box to erase the customer, or go back.")},
    )


class CustomerPages:
    """The pages, for a ModelAdmin."""

    def get_urls(self) -> list[URLPattern]:
        """The pages' addresses, beside the admin's own."""
        reveal = self.admin_site.admin_view(require_POST(self.reveal))
        return [path("<int:customer_id>/reveal/", reveal, name="customers_customer_reveal"), *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list:
        """The buttons above the form; an erased customer has none."""
        customer = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if customer and not customer.erased_at else []

    # Named methods, because the theme looks a dotted permission up in the database at every start,
    # and so could not migrate an empty one.
    def has_change_consent_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether this person may record what customers allow."""
        return request.user.has_perm("customers.change_consent")

    def has_erase_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether this person may erase a customer."""
        return request.user.has_perm("customers.erase_customer")

    def reveal(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        """Show one whole address, and write down who looked."""
        if not request.user.has_perms(["customers.view_customer", "customers.view_full_address"]):
            raise PermissionDenied
        number = request.POST.get("point", "")
        if not (number.isascii() and number.isdigit() and len(number) <= 18):
            raise Http404
        point = get_object_or_404(ContactPoint.objects.select_related("customer"), pk=number, customer=customer_id)
        channel = point.get_channel_display()
        audit.record(request, point.customer, str(_("Looked at the whole address (%s).") % channel))
        response = HttpResponse(format_html("<span>{}</span>", point.address))
        add_never_cache_headers(response)
        return response

    @action(description=_("Record consent"), icon="thumb_up", permissions=["change_consent"])
    def record_consent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Record that the customer agreed, in what words."""
        customer = self._present(request, object_id)
        form = GrantForm(_sent(request), now=clock.now())
        if form.is_valid():
            try:
                changed = consent.grant(
                    [customer.pk], source=ConsentSource.STAFF, by=request.user, now=form.now, **_answer(form)
                )
            except consent.CannotGrant as refusal:
                form.add_error("wording", str(refusal))
            else:
                self._tell(request, customer, changed)
                self._warn_of_closed_addresses(request, customer, form.cleaned_data["channels"])
                return _back_to(customer)
        return self._page(request, customer, form, title=_("Record consent"), button=_("Record consent"))

    @action(description=_("Record opt-out"), icon="thumb_down", permissions=["change_consent"])
    def record_opt_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Record that the customer wants no more of this."""
        customer = self._present(request, object_id)
        form = OptOutForm(_sent(request), now=clock.now())
        if form.is_valid():
            changed = consent.withdraw(
                [customer.pk], source=ConsentSource.STAFF, by=request.user, now=form.now, **_answer(form)
            )
            self._tell(request, customer, changed)
            return _back_to(customer)
        return self._page(request, customer, form, title=_("Record opt-out"), button=_("Record opt-out"))

    @action(description=_("Erase"), icon="person_remove", permissions=["erase"])
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask with numbers, then erase the customer's personal data."""
        customer = self._present(request, object_id)
        form = EraseForm(_sent(request))
        if form.is_valid():
            try:
                privacy.erase(customer.pk, by=request.user, now=clock.now())
            except privacy.CannotErase as refusal:
                messages.error(request, str(refusal))
            else:
                audit.record(request, customer, str(_("Erased the personal data.")))
                messages.success(request, _("The customer's personal data has been erased."))
            return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
        return self._page(
            request,
            customer,
            form,
            title=_("Erase customer"),
            button=_("Erase for good"),
            belongings=privacy.belongings(customer),
        )

    def _present(self, request: HttpRequest, object_id: str) -> Customer:
        customer = self.get_object(request, object_id)
        if customer is None or customer.erased_at or not self.has_view_permission(request, customer):
            raise Http404(_("There is no such customer, or it has been erased."))
        return customer

    def _page(self, request: HttpRequest, customer: Customer, form: forms.Form, **context) -> TemplateResponse:
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "original": customer, "customer": customer, "form": form}
        context["media"] = self.media + form.media
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/customers/customer/answer.html", context)

    def _tell(self, request: HttpRequest, customer: Customer, changed: int) -> None:
        if not changed:
            messages.info(request, _("It stood like this already; nothing was changed."))
            return
        audit.record(request, customer, str(_("Recorded consent or opt-out.")))
        words = ngettext("%d answer recorded, with evidence.", "%d answers recorded, with evidence.", changed)
        messages.success(request, words % changed)

    def _warn_of_closed_addresses(self, request: HttpRequest, customer: Customer, channels: list[str]) -> None:
        points = customer.contact_points.filter(channel__in=channels).values("address")
        if Suppression.objects.filter(channel__in=channels, address__in=points).exists():
            messages.warning(
                request,
                _(
                    "An address of this customer is on the “Do not contact” list and stays closed. If the customer "
                    "wants messages there, remove it from that list."
                ),
            )


def _sent(request: HttpRequest) -> QueryDict | None:
    """What was submitted; None on the first look."""
    return request.POST if request.method == "POST" else None


def _answer(form: ConsentForm) -> dict[str, object]:
    """The fields of the form as the consent service takes them."""
    return {
        "channels": form.cleaned_data["channels"],
        "purposes": form.cleaned_data["purposes"],
        "wording": form.cleaned_data["wording"],
        "happened_at": form.happened_at(),
    }


def _back_to(customer: Customer) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[customer.pk]))
