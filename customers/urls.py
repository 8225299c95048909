"""The addresses that shop systems push to."""

from django.urls import path

from customers import views

app_name = "customers"
urlpatterns = [path("webhooks/<str:token>", views.receive, name="webhook")]
