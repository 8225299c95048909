"""Callbacks of providers, stored and answered, their meaning worked out later by a job; and the way to unsubscribe."""

import logging

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from customers import clock
from notifications.choices import CallbackKind
from notifications.services import callback_tokens, callbacks, unsubscribing

logger = logging.getLogger(__name__)

MAXIMUM_BODY = 1024 * 1024
LONGEST_LENGTH = 18
AGAIN_AFTER_SECONDS = "60"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def receive(request: HttpRequest, token: str, kind: CallbackKind) -> HttpResponse:
    """
    Keep what a gateway pushes and acknowledge it in the gateway's own words once it is stored.

    A GET or HEAD is the check that a provider's console makes before it takes the address. The secret path
    is the only thing that gateways of this kind can prove themselves by; a wrong one gets the same
    404 as any address that does not exist. Whatever keeps us from storing answers 503 within the
    provider's patience, so that it pushes again.
    """
    try:
        with callbacks.hurried():
            now = clock.now()
            account = callback_tokens.owner(token, now=now)
        if account is None:
            return JsonResponse({"error": "not found"}, status=404)
        if request.method == "POST":
            body = _body(request)
            if isinstance(body, HttpResponse):
                return body
            with callbacks.hurried():
                callbacks.store(account, body, kind=kind, now=now)
    except DatabaseError as trouble:
        logger.warning("A callback could not be stored and is refused for now: %s", type(trouble).__name__)
        return JsonResponse({"error": "try again"}, status=503, headers={"Retry-After": AGAIN_AFTER_SECONDS})
    # Not every server takes the body off the answer to a HEAD; one that arrives breaks the next answer.
    words = b"" if request.method == "HEAD" else callbacks.acknowledgement(account)
    return HttpResponse(words, content_type="application/json")


def _body(request: HttpRequest) -> bytes | HttpResponse:
    """The body, or the refusal of one that is too large, without reading that."""
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit():
        if len(length) > LONGEST_LENGTH or int(length) > MAXIMUM_BODY:
            return _too_large()
        try:
            body = request.body
        except UnreadablePostError:
            body = b""
        # One that broke off will be repeated; half of it says nothing.
        return body if len(body) == int(length) else JsonResponse({"error": "the body is cut short"}, status=400)
    if not request.META.get("wsgi.input_terminated"):
        # Without a length and an end it would be read as an empty one, and its receipts be lost with a 200.
        return JsonResponse({"error": "send a Content-Length"}, status=411)
    body = request.META["wsgi.input"].read(MAXIMUM_BODY + 1)
    return body if len(body) <= MAXIMUM_BODY else _too_large()


def _too_large() -> HttpResponse:
    return JsonResponse({"error": "at most 1 MiB in one call"}, status=413)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """
    Opt out whoever got the letter that held this link.

    A POST does it at once, without a page in between and without a look at what it brings: mailbox providers send
    one when their own button is pressed (RFC 8058). A GET shows one button and changes nothing, because scanners
    follow every link of a letter. A link that we never made is no address.
    """
    delivery = unsubscribing.delivery_of(token)
    if delivery is None:
        raise Http404
    status = 200
    if request.method == "POST":
        try:
            unsubscribing.unsubscribe(delivery, now=clock.now())
        except DatabaseError as trouble:
            logger.warning("An opt-out by a link could not be stored: %s", type(trouble).__name__)
            status = 503
    context = {
        "is_asked": request.method != "POST",
        "is_stored": status == 200,
        "is_test": delivery.message.is_test,
        "shop": delivery.message.signature,
    }
    answer = render(request, "unsubscribe.html", context, status=status)
    # The address is a key; nobody's index should hold it, and no site that is opened next should learn it.
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
