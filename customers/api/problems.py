"""Refusals as RFC 9457 problem details: what went wrong, where in the body, and what to do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

MEDIA_TYPE = "application/problem+json"
TITLES = {
    "unauthorized": _("A key is needed"),
    "forbidden": _("The key may not do this"),
    "not-found": _("There is no such thing"),
    "length-required": _("The length of the body is missing"),
    "too-large": _("The body is too large"),
    "unreadable": _("The body cannot be read"),
    "invalid": _("Something in the request is not right"),
    "in-progress": _("The same request is being done"),
    "too-many-requests": _("Too many requests"),
    "try-again": _("Not possible at this moment"),
    "internal": _("An error of ours"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a body: where, as a JSON pointer, and a sentence with a remedy."""

    pointer: str
    detail: str | Promise

    def as_json(self) -> dict[str, str]:
        """The fault in the words of the reader's language."""
        return {"pointer": self.pointer, "detail": str(self.detail)}


@dataclass
class Problem(Exception):
    """A request that is refused: the status, the kind, a sentence, and the faults of the body."""

    status: int
    kind: str
    detail: str | Promise
    faults: Sequence[Fault] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.detail)


def answer(problem: Problem) -> HttpResponse:
    """The problem as its caller reads it."""
    document = {
        "type": f"urn:hongyan:problem:{problem.kind}",
        "title": str(TITLES[problem.kind]),
        "status": problem.status,
        "detail": str(problem.detail),
    }
    if problem.faults:
        document["errors"] = [fault.as_json() for fault in problem.faults]
    body = json.dumps(document, ensure_ascii=False)
    return HttpResponse(body, status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers)


@csrf_exempt
def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What addresses that do not exist answer to programs."""
    return answer(Problem(404, "not-found", _("There is no such address. Look at /api/v1/docs.")))
