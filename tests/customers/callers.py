"""Programs that speak to the API in the tests."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from customers import clock
from customers.choices import ApiScope
from customers.services import api_keys

BASE = "/api/v1"


class Caller:
    """A program with a key of its own."""

    def __init__(self, *scopes: str, name: str = "webshop", rate: int = 600, language: str = "en"):
        self.key, self.secret = api_keys.issue(
            name=name, scopes=scopes or ApiScope.values, rate=rate, by=None, now=clock.now()
        )
        self.client = Client(
            enforce_csrf_checks=True,
            headers={"authorization": f"Bearer {self.secret}", "accept-language": language},
        )

    def post(self, path: str, told: Any, **headers: str) -> HttpResponse:
        """Send something as JSON; bytes are sent as they are."""
        body = told if isinstance(told, bytes) else json.dumps(told)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(BASE + path, body, content_type="application/json", headers=named)

    def get(self, path: str) -> HttpResponse:
        """Ask for something."""
        return self.client.get(BASE + path)


def pointers(answer: HttpResponse) -> dict[str, str]:
    """What a refusal says, by the place that it points at."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    return {fault["pointer"]: fault["detail"] for fault in answer.json().get("errors", [])}


def order(number: str = "1001", **told: Any) -> dict[str, Any]:
    """An unpaid order of the shop's own system."""
    return {"platform": "other", "number": number, "status": "unpaid", "total": "128.50"} | told
