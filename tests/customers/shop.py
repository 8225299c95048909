"""Staff and a browser for the tests of the customer pages."""

import re

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

LIST = "/admin/customers/customer/"
CLERK = ("view_customer", "add_customer", "change_customer", "change_consent", "view_suppression")


def staff(*codenames: str, name: str = "clerk") -> User:
    """A member of staff who may do these things with customers and nothing else."""
    person = User.objects.create_user(name, password="a-long-password-1", is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(codename__in=codenames, content_type__app_label__in=["customers", "campaigns"])
    )
    return person


def browser(person: User, language: str = "en") -> Client:
    """A browser in which this person has logged in."""
    client = Client(headers={"accept-language": language})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(customer) -> str:
    """The address of a customer's page."""
    return reverse("admin:customers_customer_change", args=[customer.pk])


def names_in(response) -> list[str]:
    """The names the list shows, from top to bottom."""
    return [customer.name for customer in response.context["cl"].result_list]


def form_of(response) -> dict[str, str]:
    """What the browser would send if the form on the page were submitted untouched."""
    form = response.context["adminform"].form
    values = {}
    for field in form:
        value = field.value()
        if value not in (None, "", False):
            values[field.html_name] = value
    return values


def sentences(response) -> str:
    """The messages and errors on the page, as text."""
    return re.sub(r"<[^>]+>", " ", response.content.decode())
