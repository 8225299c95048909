"""Two-step sign-in: a code from an authenticator app after the password."""

from base64 import b32encode
from io import BytesIO

import qrcode
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_otp import login as otp_login
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage

from config import roles

RECOVERY_CODES = 8
# Where one may go before the second step: out, to another language, and to the step itself.
OPEN_ROUTES = frozenset({
    "set_language", "second_factor", "second_factor_settings", "second_factor_off", "admin:logout", "admin:login",
    "admin:jsi18n", "healthz", "readyz",
})  # fmt: skip


class CodeForm(forms.Form):
    """Six digits, or a recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Code from your app"),
        max_length=16,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
                "class": "hy-input hy-code",
                "placeholder": "000000",
            }
        ),
    )

    def clean_code(self) -> str:
        """The code without the blanks that apps show in it."""
        return "".join(self.cleaned_data["code"].split())


def is_required(user: AbstractBaseUser) -> bool:
    """Whether this person may send or export, in a deployment that guards that with a second step."""
    return settings.REQUIRE_SECOND_FACTOR and any(
        user.has_perm(permission) for permission in roles.GUARDED_BY_SECOND_FACTOR
    )


def app_of(user: AbstractBaseUser) -> TOTPDevice | None:
    """The authenticator app that this person has confirmed."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


class SecondFactorMiddleware:
    """Leads everybody who has, or must have, a second step through it before anything else."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view, args, kwargs) -> HttpResponse | None:
        """Let the request through, or send its author to the step that is missing."""
        user = request.user
        if not user.is_authenticated or request.resolver_match.view_name in OPEN_ROUTES or user.is_verified():
            return None
        if app_of(user):
            step = "second_factor"
        elif is_required(user):
            step = "second_factor_settings"
        else:
            return None
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": reverse(step)})
        if request.method != "GET":
            raise PermissionDenied(_("Confirm your sign-in with the code from your app first."))
        return redirect(f"{reverse(step)}?next={request.get_full_path()}")


def _next(request: HttpRequest) -> str:
    """Where the person wanted to go; never to another host."""
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")


def _page(request: HttpRequest, template: str, **context) -> HttpResponse:
    """A page in the frame of the admin's sign-in."""
    return render(request, template, {**admin.site.each_context(request), **context})


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the code after the password."""
    if not request.user.is_authenticated:
        return redirect("admin:login")
    if request.user.is_verified():
        return redirect(_next(request))
    form = CodeForm(request.POST or None)
    if form.is_valid():
        device = _device_of_code(request.user, form.cleaned_data["code"])
        if device:
            otp_login(request, device)
            return redirect(_next(request))
        form.add_error("code", _wait_or_wrong(request.user))
    return _page(request, "admin/second_factor/confirm.html", form=form, title=_("Two-step sign-in"))


def _device_of_code(user: AbstractBaseUser, code: str) -> TOTPDevice | StaticDevice | None:
    """The app or the list of recovery codes that this code comes from; each code counts once."""
    with transaction.atomic():
        kind = TOTPDevice if code.isdecimal() and len(code) == 6 else StaticDevice
        for device in kind.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(code):
                return device
    return None


def _wait_or_wrong(user: AbstractBaseUser) -> str:
    """Why the code was not taken."""
    device = app_of(user)
    is_allowed, reason = device.verify_is_allowed() if device else (True, None)
    if not is_allowed and reason and "locked_until" in reason:
        seconds = 2 ** (device.throttling_failure_count - 1)
        return ngettext(
            "Wrong code. Wait %(seconds)d second, then enter the code that your app shows now.",
            "Wrong code. Wait %(seconds)d seconds, then enter the code that your app shows now.",
            seconds,
        ) % {"seconds": seconds}
    return _("That code is not right. Enter the six digits that your app shows now, or one of your recovery codes.")


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def enroll(request: HttpRequest) -> HttpResponse:
    """Show the picture to scan, and take the first code; afterwards show the recovery codes once."""
    user = request.user
    if not user.is_authenticated:
        return redirect("admin:login")
    if app_of(user):
        if not user.is_verified():
            return redirect("second_factor")
        return _page(
            request, "admin/second_factor/enrolled.html", title=_("Two-step sign-in"), is_required=is_required(user)
        )
    device, _created = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "app"})
    form = CodeForm(request.POST or None)
    if form.is_valid():
        if device.verify_token(form.cleaned_data["code"]):
            return _finish(request, device)
        form.add_error("code", _("That code is not right. Check the clock of your phone, and enter the newest code."))
    return _page(
        request,
        "admin/second_factor/enroll.html",
        form=form,
        picture=_picture(device.config_url),
        secret=_spaced(b32encode(device.bin_key).decode()),
        title=_("Set up two-step sign-in"),
        is_required=is_required(user),
    )


def _finish(request: HttpRequest, device: TOTPDevice) -> HttpResponse:
    """Confirm the app, make recovery codes and show them this once."""
    with transaction.atomic():
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
        StaticDevice.objects.filter(user=request.user).delete()
        spare = StaticDevice.objects.create(user=request.user, name="recovery")
        codes = [StaticToken.random_token() for _number in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=spare, token=code) for code in codes)
    otp_login(request, device)
    return _page(
        request,
        "admin/second_factor/recovery.html",
        codes=codes,
        next=_next(request),
        title=_("Two-step sign-in is on"),
    )


def _picture(url: str) -> str:
    """The QR code as SVG inside the page: no request carries the secret."""
    picture = qrcode.make(url, image_factory=SvgPathImage, box_size=10, border=1)
    drawn = BytesIO()
    picture.save(drawn)
    return mark_safe(drawn.getvalue().decode().partition("?>")[2])


def _spaced(secret: str) -> str:
    """The secret in groups of four, for typing."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


@require_POST
def switch_off(request: HttpRequest) -> HttpResponse:
    """Forget the app; only after this session's second step, and not where the role demands it."""
    user = request.user
    if not user.is_authenticated or not user.is_verified():
        raise PermissionDenied
    if is_required(user):
        messages.error(request, _("Your role needs the two-step sign-in: you may send or export."))
        return redirect("second_factor_settings")
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    messages.success(request, _("Two-step sign-in is off."))
    return redirect("admin:index")
