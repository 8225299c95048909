"""The page that tells whether the deployment works: workers, queues, gateways, clock."""

from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config import health, pulse, servers, shell
from customers import clock
from notifications.models import Receipt
from notifications.models.provider_account import ProviderAccount
from notifications.services import clock as clock_service

STUCK_AFTER_TRIES = 3


class ClockForm(forms.Form):
    """The moment at which the deployment shall believe to be."""

    moment = forms.DateTimeField(
        label=gettext_lazy("It shall be"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "hy-input"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": gettext_lazy("Enter a date and a time, such as 2027-02-06 09:00.")},
    )


def show(request: HttpRequest) -> HttpResponse:
    """The page, and the two acts on it: shift the clock, set it back."""
    if not request.user.has_perm("notifications.view_provideraccount"):
        raise PermissionDenied
    may_shift = request.user.has_perm("notifications.change_provideraccount") and shell.is_practice()
    now = clock.now()
    form = ClockForm(request.POST or None, initial={"moment": localtime(now)})
    if request.method == "POST":
        if not may_shift:
            raise PermissionDenied
        if "back" in request.POST:
            return _shift(request, timedelta(0))
        if form.is_valid():
            real_now = now - shell.clock_offset()
            return _shift(request, form.cleaned_data["moment"] - real_now)
    problems = health.find_problems()
    context = {
        **admin.site.each_context(request),
        "title": _("System status"),
        "queues": pulse.workload(now),
        "reaches_redis": "queue" not in problems,
        "reaches_scheduler": "scheduler" not in problems,
        "warnings": [_(words) % word if word else _(words) for words, word in servers.warnings().values()],
        "accounts": ProviderAccount.objects.order_by("id"),
        "receipts_waiting": Receipt.objects.filter(applied_at=None).count(),
        "receipts_stuck": Receipt.objects.filter(applied_at=None, tries__gte=STUCK_AFTER_TRIES).count(),
        "now": now,
        "offset": shell.clock_offset(),
        "may_shift": may_shift,
        "is_practice": shell.is_practice(),
        "form": form,
        "queue_pages": reverse("admin:django_rq_dashboard_changelist") if request.user.is_superuser else "",
    }
    return render(request, "admin/system_status.html", context)


def _shift(request: HttpRequest, offset: timedelta) -> HttpResponse:
    """Move the clock, and say what it shows now."""
    try:
        clock_service.shift(offset, request.user)
    except clock_service.CannotShift as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The clock is shifted.") if offset else _("The clock shows the real time again."))
    return redirect("system_status")
