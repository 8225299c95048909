"""The addresses that gateways and customers call."""

from django.urls import path

from notifications import views

app_name = "notifications"
urlpatterns = [
    path("callbacks/<str:token>/receipts", views.store_receipts, name="receipts"),
]
