"""Callbacks of providers: verify, store, answer; the meaning is worked out later by a job."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from customers import clock
from notifications.models import ProviderAccount
from notifications.services import receipts

MAXIMUM_BODY = 1024 * 1024


@csrf_exempt
@require_POST
def store_receipts(request: HttpRequest, token: str) -> HttpResponse:
    """
    Keep a gateway's receipts and answer 200 once they are stored.

    The secret path is the only thing that gateways of this kind can prove themselves by; a wrong
    one gets the same 404 as any address that does not exist.
    """
    # PostgreSQL takes no NUL byte in a question either.
    account = None if "\0" in token else ProviderAccount.objects.filter(callback_token=token).first()
    if account is None:
        return JsonResponse({"error": "not found"}, status=404)
    length = request.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        # A chunked body would be read as an empty one, and its receipts would be lost with a 200.
        return JsonResponse({"error": "send a Content-Length"}, status=411)
    if int(length) > MAXIMUM_BODY:
        return JsonResponse({"error": "at most 1 MiB in one call"}, status=413)
    receipts.store(account, request.body, now=clock.now())
    return JsonResponse({"code": "ok"})
