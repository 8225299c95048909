"""The people behind the counter, each in one of the four roles, signed in."""

from django.contrib.auth.models import Group, User
from django.test import Client

from config import roles

BACKEND = "django.contrib.auth.backends.ModelBackend"


def member(role: str) -> User:
    """A person in a role; the role "superuser" may do everything."""
    roles.write()
    if role == "superuser":
        return User.objects.create_superuser(role, password="a-long-password-1")
    person = User.objects.create_user(role, password="a-long-password-1", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    return person


def signed_in(role: str, *, language: str = "en") -> Client:
    """The browser of a person in a role."""
    client = Client(headers={"accept-language": language})
    client.force_login(member(role), backend=BACKEND)
    return client


def again(role: str) -> Client:
    """Another browser of a person who exists already, signed in with the password alone."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(User.objects.get(username=role), backend=BACKEND)
    return client
