"""The page that greets whoever has entered too many wrong passwords."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def show(request: HttpRequest, *_arguments, **_keywords) -> HttpResponse:
    """Say how long the lock lasts and who can lift it."""
    minutes = int(settings.SIGN_IN_WINDOW.total_seconds() // 60)
    context = {**admin.site.each_context(request), "minutes": minutes}
    return render(request, "admin/locked_out.html", context, status=429)
