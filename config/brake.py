"""The page of the automatic brake: its limits as sentences."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from notifications.models import BrakePull, BrakeRule
from notifications.services import brake_rules

PULLS_SHOWN = 20
INPUT = {"class": "hy-input"}


class BrakeRuleForm(forms.ModelForm):
    """The limits; an empty one switches its brake off."""

    class Meta:
        model = BrakeRule
        fields = [
            *("error_percent", "error_minimum", "error_minutes", "opt_out_percent", "complaint_percent"),
            *("answer_minimum", "canary_percent", "canary_minimum", "canary_minutes", "canary_undelivered_percent"),
        ]
        widgets = {name: forms.NumberInput(attrs=INPUT) for name in fields}


def show(request: HttpRequest) -> HttpResponse:
    """The limits, and what the brake stopped lately."""
    if not request.user.has_perm("notifications.view_brakerule"):
        raise PermissionDenied
    may_change = request.user.has_perm("notifications.change_brakerule")
    form = BrakeRuleForm(request.POST or None, instance=brake_rules.current())
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid():
            rule = form.save()
            if form.changed_data:
                _record(request, rule, form)
            messages.success(request, _("Saved. The limits hold from now on."))
            return redirect("brake")
    pulls = BrakePull.objects.select_related("message")[:PULLS_SHOWN]
    context = {
        **admin.site.each_context(request),
        "title": _("Automatic brake"),
        "form": form,
        "may_change": may_change,
        "pulls": [(pull, reverse("admin:notifications_message_change", args=[pull.message_id])) for pull in pulls],
    }
    return render(request, "admin/brake.html", context)


def _record(request: HttpRequest, rule: BrakeRule, form: BrakeRuleForm) -> None:
    changed = ", ".join(f"{form.fields[name].label}: {form.cleaned_data[name]}" for name in form.changed_data)
    LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(BrakeRule),
        object_id="1",
        object_repr=str(rule),
        action_flag=CHANGE,
        change_message=changed,
    )
