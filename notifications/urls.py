"""The addresses that gateways and customers call."""

from django.urls import path

from notifications import views
from notifications.choices import CallbackKind

app_name = "notifications"
urlpatterns = [
    path(f"callbacks/<str:token>/{kind.value}", views.receive, {"kind": kind}, name=kind.value)
    for kind in CallbackKind
] + [path("u/<str:token>", views.unsubscribe, name="unsubscribe")]
