"""The door of the API: whose key it is, whether it may, how often; and the same request twice is done once."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja.security import HttpBearer

from customers.api import bodies
from customers.api.problems import Problem
from customers.choices import ApiScope
from customers.services import api_answers, api_keys
from customers.services.api_answers import Given

LONGEST_IDEMPOTENCY_KEY = 100
AGAIN_AFTER_SECONDS = "1"


class ApiKeyAuth(HttpBearer):
    """Lets a request in whose key is believed, may do one of some things, and has not asked too often."""

    def __init__(self, *scopes: ApiScope):
        self.scopes = frozenset(scope.value for scope in scopes)
        super().__init__()

    def __call__(self, request: HttpRequest) -> api_keys.Caller:
        """Who asks. Raises Problem for a stranger, also for one who sent something else than a key."""
        return super().__call__(request) or _stranger()

    def authenticate(self, request: HttpRequest, token: str) -> api_keys.Caller:
        """Who asks with a key. Raises Problem."""
        caller = api_keys.admit(token.strip())
        if caller is None:
            _stranger()
        if caller.is_too_quick:
            raise Problem(
                429,
                "too-many-requests",
                _("This key may ask %(rate)s times a minute. Try again in %(seconds)s seconds.")
                % {"rate": caller.rate, "seconds": caller.seconds_left},
                headers={"Retry-After": str(caller.seconds_left)},
            )
        if not caller.scopes & self.scopes:
            words = _("This key may not do that. Somebody with the role Owner can give it the permission: %s")
            raise Problem(403, "forbidden", words % " / ".join(sorted(self.scopes)))
        bodies.check_length(request)
        return caller


def answered(view: Callable[..., tuple[int, dict]]) -> Callable[..., HttpResponse]:
    """
    Turn what a view tells, a status and values, into an answer; done once for each Idempotency-Key.

    What the request does and the answer to it are committed together: after a crash both are there or neither, and
    asking again is safe. A refusal is not kept, because nothing was done.
    """

    @wraps(view)
    def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        idempotency_key = request.headers.get("Idempotency-Key", "")
        if not idempotency_key:
            return _response(_rendered(*view(request, *arguments, **named)))
        _check(idempotency_key)
        asked = api_answers.fingerprint(request.method, request.get_full_path(), request.body)
        try:
            with transaction.atomic():
                given = api_answers.hold(request.auth.key_id, idempotency_key, asked)
                if given:
                    return _response(given, is_repeated=True)
                given = _rendered(*view(request, *arguments, **named))
                api_answers.keep(request.auth.key_id, idempotency_key, asked, given, now=request.auth.now)
        except api_answers.InProgress:
            words = _("The same request is being done at this moment. Ask again for its answer.")
            raise Problem(409, "in-progress", words, headers={"Retry-After": AGAIN_AFTER_SECONDS}) from None
        except api_answers.AnotherRequest as refusal:
            raise Problem(422, "invalid", str(refusal)) from None
        return _response(given)

    return answer


def may_read(request: HttpRequest) -> bool:
    """Whether the caller may see whole phone numbers and addresses."""
    return ApiScope.READ in request.auth.scopes


def _stranger():
    raise Problem(
        401,
        "unauthorized",
        _("Send “Authorization: Bearer hy_…” with a key that was made under Settings, API keys, and not revoked."),
        headers={"WWW-Authenticate": 'Bearer realm="hongyan"'},
    )


def _check(idempotency_key: str) -> None:
    if len(idempotency_key) > LONGEST_IDEMPOTENCY_KEY or not (
        idempotency_key.isascii() and idempotency_key.isprintable()
    ):
        words = _("An Idempotency-Key has at most %s letters, digits and signs; a random UUID is best.")
        raise Problem(400, "invalid", words % LONGEST_IDEMPOTENCY_KEY)


def _rendered(status: int, values: dict) -> Given:
    return Given(status, json.dumps(values, ensure_ascii=False, default=str).encode())


def _response(given: Given, *, is_repeated: bool = False) -> HttpResponse:
    headers = {"Idempotent-Replayed": "true"} if is_repeated else {}
    return HttpResponse(given.body, status=given.status, content_type="application/json", headers=headers)
