"""Pushes of shop systems: verify, store, answer; the meaning is worked out later by a job."""

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from customers import clock, doorbell
from customers.services import integrations

logger = logging.getLogger(__name__)

LARGEST_BODY = 2 * 1024 * 1024
LONGEST_LENGTH = 18
AGAIN_AFTER_SECONDS = "60"
# In the words of Youzan, which repeats whatever is answered otherwise; the others read the status alone.
UNDERSTOOD = {"code": 0, "msg": "success"}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """
    Keep what a shop system pushes and acknowledge it once it is stored.

    A GET or HEAD is the check that a console makes before it takes the address. A wrong path gets the same 404 as
    any address that does not exist, a wrong signature 401; whatever keeps us from storing answers 503, so that the
    shop system pushes again.
    """
    try:
        now = clock.now()
        integration = integrations.owner(token, now=now)
        if integration is None:
            return JsonResponse({"error": "not found"}, status=404)
        if request.method == "POST":
            body = _body(request)
            if isinstance(body, HttpResponse):
                return body
            if integrations.store(integration, body, request.headers, now=now):
                doorbell.ring("customers.jobs.apply_webhooks", queue="urgent")
    except integrations.Refused as refusal:
        return JsonResponse({"error": str(refusal)}, status=401)
    except DatabaseError as trouble:
        logger.warning("A push could not be stored and is refused for now: %s", type(trouble).__name__)
        return JsonResponse({"error": "try again"}, status=503, headers={"Retry-After": AGAIN_AFTER_SECONDS})
    return HttpResponse(content_type="application/json") if request.method == "HEAD" else JsonResponse(UNDERSTOOD)


def _body(request: HttpRequest) -> bytes | HttpResponse:
    """The body, or the refusal of one that is too large, or cut short, without reading that."""
    length = request.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        return JsonResponse({"error": "send a Content-Length"}, status=411)
    if len(length) > LONGEST_LENGTH or int(length) > LARGEST_BODY:
        return JsonResponse({"error": "at most 2 MiB in one call"}, status=413)
    try:
        body = request.body
    except UnreadablePostError:
        body = b""
    return body if len(body) == int(length) else JsonResponse({"error": "the body is cut short"}, status=400)
