"""What staff do on the page of an order: give it a status, write down what went wrong with it, settle that."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from customers import clock
from customers.admin import audit
from customers.choices import OrderExceptionKind, OrderStatus
from customers.models import Order, OrderException
from customers.services import order_exceptions, orders

STATUSES = [(status.value, status.label) for status in OrderStatus if status]
SELECT = {"class": "hy-input"}


class StatusForm(forms.Form):
    """The status that an order has by the word of staff; `seen` is the one that the page showed."""

    status = forms.ChoiceField(label=_("Status"), choices=STATUSES, widget=forms.Select(SELECT))
    seen = forms.ChoiceField(choices=OrderStatus.choices, required=False, widget=forms.HiddenInput)


class ExceptionForm(forms.Form):
    """What went wrong with an order, with the reason that the customer may read."""

    kind = forms.ChoiceField(
        label=_("What went wrong"), choices=OrderExceptionKind.choices, widget=forms.Select(SELECT)
    )
    note = forms.CharField(
        label=_("Reason, as the customer may read it"),
        max_length=order_exceptions.LONGEST_NOTE,
        required=False,
        widget=forms.TextInput(SELECT),
    )


class OrderClicks:
    """The addresses behind the small forms on an order's page."""

    def get_urls(self) -> list[URLPattern]:
        """One address for each click, beside the usual pages."""
        clicks = {
            "status": (self.change_status, "customers.change_order"),
            "exception": (self.raise_exception, "customers.add_orderexception"),
            "settle": (self.settle, "customers.change_orderexception"),
        }
        return [
            path(
                f"<int:order_id>/{name}/",
                self.admin_site.admin_view(require_POST(self._click(view, permission))),
                name=f"customers_order_{name}",
            )
            for name, (view, permission) in clicks.items()
        ] + super().get_urls()

    def _click(self, view: Callable[[HttpRequest, Order], str], permission: str) -> Callable[..., HttpResponse]:
        def clicked(request: HttpRequest, order_id: int) -> HttpResponse:
            if not (self.has_view_permission(request) and request.user.has_perm(permission)):
                raise PermissionDenied
            order = Order.objects.filter(pk=order_id).first()
            if order is None:
                raise Http404
            try:
                messages.success(request, view(request, order))
            except (orders.CannotChange, order_exceptions.CannotRaise) as refusal:
                messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:customers_order_change", args=[order.pk]))

        return clicked

    def change_status(self, request: HttpRequest, order: Order) -> str:
        """Give the order another status."""
        form = StatusForm(request.POST)
        if not form.is_valid():
            raise orders.CannotChange(_("Choose one of the statuses of the list."))
        order.status = form.cleaned_data["seen"]
        status = form.cleaned_data["status"]
        orders.change_status(order, status, by=request.user, now=clock.now())
        return _("The order's status is “%(status)s” now; reminders go by it.") % {"status": OrderStatus(status).label}

    def raise_exception(self, request: HttpRequest, order: Order) -> str:
        """Write down what went wrong."""
        form = ExceptionForm(request.POST)
        if not form.is_valid():
            raise order_exceptions.CannotRaise(
                _("Choose what went wrong, and give a reason of at most 100 characters.")
            )
        raised = order_exceptions.raise_exception(order, **form.cleaned_data, by=request.user, now=clock.now())
        if raised is None:
            raise order_exceptions.CannotRaise(_("This is written down already, and stands."))
        return _("Written down: %(what)s. Reminders that speak of it will see it.") % {
            "what": raised.get_kind_display()
        }

    def settle(self, request: HttpRequest, order: Order) -> str:
        """Settle what went wrong."""
        kind = request.POST.get("kind", "")
        if not order_exceptions.resolve(order, kind, now=clock.now()):
            raise order_exceptions.CannotRaise(_("Nothing stands any more: somebody was faster."))
        audit.record_for_all(request, gettext("Settled what went wrong with it."), model=Order, key=order.pk)
        return _("Settled. Nobody is written to because of it any more.")


def forms_for(request: HttpRequest, order: Order) -> dict[str, object]:
    """The forms that this person may use on the page of an order."""
    may = request.user.has_perm
    present = order.status or OrderStatus.UNPAID
    return {
        "status_form": StatusForm(initial={"status": present, "seen": order.status}, auto_id="order_%s")
        if may("customers.change_order")
        else None,
        "exception_form": ExceptionForm(auto_id="exception_%s") if may("customers.add_orderexception") else None,
        "may_settle": may("customers.change_orderexception"),
        "exceptions": OrderException.objects.filter(order=order).select_related("actor").order_by("-id"),
    }
