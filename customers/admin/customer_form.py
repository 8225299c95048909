"""The form with which staff add and change one customer."""

from datetime import date, datetime

from django import forms
from django.core.validators import validate_email
from django.forms.models import ModelForm
from django.utils.dates import MONTHS
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from customers import clock, phone
from customers.choices import Channel
from customers.models import Customer, Tag
from customers.models.contact_point import masked
from customers.services import customers

MONTH_CHOICES = [("", "—"), *MONTHS.items()]
DAY_CHOICES = [("", "—"), *((day, day) for day in range(1, 32))]
OLDEST = 120
# A leap year: somebody born on 29 February who does not tell the year has a birthday too.
ANY_YEAR = 2000
LONGEST_LUNAR_MONTH = 30


class CustomerForm(ModelForm):
    """
    A customer's facts, primary addresses and tags.

    Stored addresses are never put into the page: an empty field keeps what is there.
    """

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    phone = forms.CharField(label=_("Mobile number"), required=False, max_length=60, widget=UnfoldAdminTextInputWidget)
    email = forms.CharField(label=_("E-mail"), required=False, max_length=254, widget=UnfoldAdminTextInputWidget)
    remove_phone = forms.BooleanField(label=_("Remove the mobile number"), required=False, widget=UnfoldBooleanWidget)
    remove_email = forms.BooleanField(label=_("Remove the e-mail"), required=False, widget=UnfoldBooleanWidget)
    computed_again = forms.BooleanField(
        label=_("Compute the tier again"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("It was given by hand or by a file. Ticked, spending and orders decide from now on."),
    )
    carried_tags = forms.ModelMultipleChoiceField(
        label=_("Tags"), queryset=Tag.objects.all(), required=False, widget=UnfoldAdminSelect2MultipleWidget
    )
    birth_month = forms.TypedChoiceField(
        label=_("Month of birth"),
        choices=MONTH_CHOICES,
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    birth_day = forms.TypedChoiceField(
        label=_("Day of birth"),
        choices=DAY_CHOICES,
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Customer
        fields = ["name", "gender", "birth_year", "birth_month", "birth_day", "birth_calendar", "tier", "city"]
        fields += ["province", "external_id", "note"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        customer = self.instance
        self.stored = {}
        if customer.pk:
            self.fields["seen"].initial = customer.updated_at.isoformat()
            self.stored = {point.channel: point.address for point in customer.contact_points.filter(is_primary=True)}
            if "carried_tags" in self.fields:
                self.fields["carried_tags"].initial = list(customer.tags.values_list("pk", flat=True))
        if not (customer.pk and customer.has_own_tier):
            self.fields.pop("computed_again", None)
        self._describe("phone", Channel.SMS)
        self._describe("email", Channel.EMAIL)

    def _describe(self, name: str, channel: Channel) -> None:
        stored = self.stored.get(channel)
        if name in self.fields and stored:
            shown = masked(stored)
            self.fields[name].widget.attrs["placeholder"] = shown
            self.fields[name].help_text = format_html(_("Leave it empty to keep {}."), shown)
        if not stored:
            self.fields.pop(f"remove_{name}", None)

    def clean_name(self) -> str:
        """Take the name without outer spaces."""
        return self.cleaned_data["name"].strip()

    def clean_note(self) -> str:
        """End lines as files do: browsers send two characters for each end."""
        return self.cleaned_data["note"].replace("\r\n", "\n").replace("\r", "\n").strip()

    def clean_birth_year(self) -> int | None:
        """Refuse a year in which no living customer was born."""
        year = self.cleaned_data["birth_year"]
        this_year = clock.shop_date(clock.now()).year
        if year is not None and not this_year - OLDEST <= year <= this_year:
            raise forms.ValidationError(
                _("Enter a year from %(first)s to %(last)s, or leave it empty."),
                params={"first": this_year - OLDEST, "last": this_year},
            )
        return year

    def clean_phone(self) -> str:
        """Bring the number to eleven digits, or say why it is none."""
        typed = self.cleaned_data["phone"]
        if not typed.strip():
            return ""
        number, reason = phone.normalize(typed)
        if not number:
            problem, remedy = phone.REMEDIES[reason]
            raise forms.ValidationError(
                _("%(problem)s. %(remedy)s"), params={"problem": _(problem), "remedy": _(remedy)}
            )
        return self._unowned(Channel.SMS, number)

    def clean_email(self) -> str:
        """Bring the address to lower case, or say that it is none."""
        address = self.cleaned_data["email"].strip().lower()
        if not address:
            return ""
        try:
            validate_email(address)
        except forms.ValidationError as refusal:
            raise forms.ValidationError(
                _("This is no e-mail address. Write it like name@example.com, or leave it empty.")
            ) from refusal
        return self._unowned(Channel.EMAIL, address)

    def _unowned(self, channel: Channel, address: str) -> str:
        owner = customers.owner_of(channel, address, other_than=self.instance)
        if owner:
            raise forms.ValidationError(
                _("Customer %(number)s already has this address. Search the list for it and change that customer."),
                params={"number": owner.pk},
            )
        return address

    def clean(self) -> dict:
        """Check what several fields say together, then keep the customer until it is saved."""
        cleaned = super().clean()
        self._check_birthday(cleaned)
        for name in ("phone", "email"):
            if cleaned.get(f"remove_{name}") and cleaned.get(name):
                self.add_error(name, _("Either enter a new address or remove the present one, not both."))
        if cleaned.get("computed_again") and "tier" in self.changed_data:
            self.add_error("tier", _("Either choose a tier or let it be computed, not both."))
        reachable = any(cleaned.get(name) for name in ("name", "phone", "email", "external_id"))
        if not self.instance.pk and not self.errors and not reachable:
            raise forms.ValidationError(_("Enter at least a name, a mobile number, an e-mail or the shop's number."))
        if self.instance.pk and not self.errors:
            try:
                customers.hold(self.instance, seen=_moment(cleaned.get("seen")))
            except customers.CannotSave as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return cleaned

    def _check_birthday(self, cleaned: dict) -> None:
        year, month, day = (cleaned.get(f"birth_{part}") for part in ("year", "month", "day"))
        if "birth_year" in self.errors or (year, month, day) == (None, None, None):
            cleaned["birth_calendar"] = ""
            return
        if not (month and day):
            self.add_error("birth_month", _("Enter month and day of the birthday, or leave all of it empty."))
            return
        if cleaned.get("birth_calendar"):
            # The months of the lunar calendar have 29 or 30 days, each year anew.
            if day > LONGEST_LUNAR_MONTH:
                self.add_error("birth_day", _("This day does not exist. Check month and day."))
            return
        try:
            date(year or ANY_YEAR, month, day)
        except ValueError:
            self.add_error("birth_day", _("This day does not exist. Check month and day."))

    def settle_tier(self) -> bool:
        """Mark on the customer who decides about the tier; answers whether it is to be computed now."""
        customer = self.instance
        if self.cleaned_data.get("computed_again"):
            customer.has_own_tier = False
            if customer.tier and not customer.tier.has_threshold:
                customer.tier = None
            return True
        if "tier" in self.changed_data:
            customer.has_own_tier = True
        return False

    def changed_addresses(self) -> dict[Channel, str]:
        """The addresses to put in place of the present ones, an empty text for one to remove."""
        changed = {}
        for name, channel in (("phone", Channel.SMS), ("email", Channel.EMAIL)):
            if self.cleaned_data.get(name):
                changed[channel] = self.cleaned_data[name]
            elif self.cleaned_data.get(f"remove_{name}"):
                changed[channel] = ""
        return changed


def _moment(token: str | None) -> datetime | None:
    """The moment in the page's hidden field; None, which never fits, when somebody has played with it."""
    try:
        return datetime.fromisoformat(token or "")
    except ValueError:
        return None
