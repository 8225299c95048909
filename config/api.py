"""The HTTP API of the deployment: its routers, its documentation, and how every refusal is told."""

import logging

from django.contrib import admin
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from customers.api import faults, problems
from customers.api.bodies import StrictParser
from customers.api.problems import Problem
from customers.api.routes import router as customers_router
from notifications.api import router as notifications_router

logger = logging.getLogger(__name__)

VERSION = "1"
AGAIN_AFTER_SECONDS = "2"

api = NinjaAPI(
    title="鸿雁 Hongyan",
    version=VERSION,
    description="Tell of orders and customers, send one message to one customer, and read what became of it.",
    urls_namespace="api",
    parser=StrictParser(),
    docs_decorator=admin.site.admin_view,
)
api.add_router("", customers_router)
api.add_router("", notifications_router)


@api.exception_handler(Problem)
def _problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    return problems.answer(problem)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, trouble: ValidationError) -> HttpResponse:
    # Its places begin with where they stand and the name of our own parameter: ("body", "body", "orders", 0).
    errors = [error | {"loc": error["loc"][2 if error["loc"][0] == "body" else 1 :]} for error in trouble.errors]
    return problems.answer(faults.problem(faults.from_pydantic(errors)))


@api.exception_handler(HttpError)
def _refused(request: HttpRequest, trouble: HttpError) -> HttpResponse:
    # Whatever goes wrong while a body is read comes in this wrapping.
    if isinstance(trouble.__cause__, Problem):
        return problems.answer(trouble.__cause__)
    if trouble.status_code < 500:
        return problems.answer(Problem(400, "unreadable", _("The body cannot be read.")))
    return _our_fault(request, trouble)


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, trouble: RequestDataTooBig) -> HttpResponse:
    words = _("Send at most 2 MiB in one request: fewer items at a time.")
    return problems.answer(Problem(413, "too-large", words))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, trouble: Http404) -> HttpResponse:
    return problems.not_found(request)


@api.exception_handler(OperationalError)
@api.exception_handler(IntegrityError)
def _try_again(request: HttpRequest, trouble: DatabaseError) -> HttpResponse:
    """The database is away, or somebody else was writing the same at this moment; nothing was stored."""
    logger.warning("A request to %s is refused for now: %s", request.path, type(trouble).__name__)
    words = _("Nothing was stored. Send the request again in a moment.")
    return problems.answer(Problem(503, "try-again", words, headers={"Retry-After": AGAIN_AFTER_SECONDS}))


@api.exception_handler(Exception)
def _our_fault(request: HttpRequest, trouble: Exception) -> HttpResponse:
    logger.error("A request to %s failed", request.path, exc_info=trouble)
    words = _("Nothing was stored. This is an error of ours and is in our log; send the request again later.")
    return problems.answer(Problem(500, "internal", words))
