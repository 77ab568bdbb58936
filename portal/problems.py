"""Every error as its reader expects it: a problem object (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import logging
import sys
from functools import cache
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string
from django.utils.translation import get_language, gettext, gettext_lazy
from rest_framework import exceptions as rest
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from documents.exceptions import Deleted, StorageFull, room_lacking
from documents.told import told
from portal.reader import PROGRAM_PATHS

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
OPENAI_PATHS = ("/v1/",)
#: ``search.exceptions.TooManyAnswers``, and ``crowded``.
CROWDED = ("too-many-answers", "crowded")
RETRY_SECONDS = "5"
#: The base exceptions of the apps: each has ``code`` and ``status``, and reads as its message.
APP_ERRORS = ("documents.exceptions.DocumentError", "search.exceptions.SearchError")
DATABASE_GONE = (OperationalError, InterfaceError)
BUSY = "The portal has more to do at the moment than it can take on. Please try again in a few seconds."
UNAVAILABLE = gettext_lazy("The database does not answer at the moment. Please try again shortly.")


def problem(
    request: HttpRequest,
    status: int,
    detail: str = "",
    *,
    code: str = "",
    errors: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
) -> JsonResponse:
    """A problem object. ``errors`` names what is wrong with each field or parameter, ``members`` adds."""
    title = HTTPStatus(status).phrase
    if code in CROWDED:
        headers = {"Retry-After": RETRY_SECONDS, **(headers or {})}
    body: dict[str, Any] = {
        "type": f"urn:portal:problem:{code}" if code else "about:blank",
        "title": title,
        "status": status,
        "detail": told(str(detail)) or title,
        "instance": request.path,
        **(members or {}),
    }
    if errors:
        body["errors"] = errors
    if request.path.startswith(OPENAI_PATHS):
        status = openai_status(status, code)
        body["status"], body["title"] = status, HTTPStatus(status).phrase
        body["error"] = openai_error(status, body["detail"], code, errors)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers)


# --- For clients made for OpenAI ------------------------------------------------------------


def openai_status(status: int, code: str) -> int:
    """They wait and try again at 429; 503 is a failure to them."""
    return 429 if code in CROWDED else status


def openai_error(status: int, detail: str, code: str, errors: dict[str, list[str]] | None) -> dict[str, Any]:
    """OpenAI's own error object: they look for it beside the members of the problem."""
    kind = "requests" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    param = next((name for name in errors or {} if name != rest_non_field()), None)
    return {"message": detail, "type": kind, "param": param, "code": codes.get(status, code or None)}


# --- What REST views raise ------------------------------------------------------------------


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """REST_FRAMEWORK's EXCEPTION_HANDLER. None lets unforeseen errors become a logged 500."""
    set_rollback()
    return answer_to(error, context["request"])


def answer_to(error: Exception, request: HttpRequest) -> JsonResponse | None:
    if isinstance(error, tuple(import_string(path) for path in APP_ERRORS)):
        members = error.context if isinstance(error, Deleted) else {}
        return problem(request, error.status, str(error), code=error.code, members=members)  # type: ignore[attr-defined]
    if room_lacking(error):
        return answer_to(StorageFull(), request)
    if isinstance(error, DATABASE_GONE):
        logger.error("the database does not answer: %s", error)
        return problem(request, 503, str(UNAVAILABLE), headers={"Retry-After": RETRY_SECONDS})
    if isinstance(error, RecursionError):
        return problem(request, 400, gettext("The request is nested too deeply."), code="invalid")
    if isinstance(error, DataError):
        # What no serializer foresaw: a NUL character, a number out of the column's range.
        return problem(request, 400, gettext("A value in the request cannot be stored."), code="invalid")
    if isinstance(error, Http404 | rest.NotFound):
        return problem(request, 404)
    if isinstance(error, PermissionDenied):
        return problem(request, 403, str(error))
    if isinstance(error, ValidationError):
        return invalid(request, django_errors(error))
    if isinstance(error, rest.ValidationError):
        return invalid(request, flat_errors(error.detail))
    if isinstance(error, rest.APIException):
        return problem(request, error.status_code, str(error.detail), headers=rest_headers(error))
    return None


def invalid(request: HttpRequest, errors: dict[str, list[str]]) -> JsonResponse:
    """400; the detail reads well without looking into ``errors``."""
    first, messages = next(iter(errors.items()), ("", []))
    detail = " ".join(messages)
    named = detail if first in ("", rest_non_field()) else f"{first}: {detail}"
    return problem(request, 400, named, code="invalid", errors=errors)


def rest_non_field() -> str:
    return str(api_settings.NON_FIELD_ERRORS_KEY)


def django_errors(error: ValidationError) -> dict[str, list[str]]:
    found = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    return {rest_non_field() if name == NON_FIELD_ERRORS else name: texts for name, texts in found.items()}


def flat_errors(detail: Any, name: str = "") -> dict[str, list[str]]:
    """DRF nests errors like the data: ``{"a": {"0": ["no"]}}`` becomes ``{"a.0": ["no"]}``."""
    if isinstance(detail, dict):
        nested = [flat_errors(part, f"{name}.{key}" if name else str(key)) for key, part in detail.items()]
        return {key: texts for errors in nested for key, texts in errors.items()}
    texts = detail if isinstance(detail, list) else [detail]
    return {name or rest_non_field(): [str(text) for text in texts]}


def rest_headers(error: rest.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


# --- What everything else raises ------------------------------------------------------------


def for_program(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept", "")
    return request.path.startswith(PROGRAM_PATHS) or ("json" in accepted and "text/html" not in accepted)


def error_answer(
    request: HttpRequest, status: int, detail: str = "", *, page: str = "", back: str = ""
) -> HttpResponse:
    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
    if for_program(request):
        return problem(request, status, detail, headers=headers)
    # The page of a 500 asks nothing of the database; the others show who is signed in.
    name, asker = ("500.html", None) if status >= 500 else (page or f"{status}.html", request)
    context = {
        "detail": detail,
        "status": status,
        "back": back,
        "again": request.get_full_path() if request.method == "GET" else "",
        "theme": themed(request),
    }
    return HttpResponse(render_to_string(name, context, asker), status=status, headers=headers)


def crowded(request: HttpRequest) -> HttpResponse:
    """503 to who comes while more is to be done than can be. Cheap: it is asked for by the hundred."""
    if for_program(request):
        return problem(request, 503, BUSY, code="crowded")
    page = crowded_page(get_language() or "", themed(request))
    return HttpResponse(page, status=503, headers={"Retry-After": RETRY_SECONDS})


@cache
def crowded_page(language: str, theme: str) -> str:
    return render_to_string("500.html", {"status": 503, "theme": theme, "crowded": True})


def themed(request: HttpRequest) -> str:
    chosen = request.COOKIES.get("theme", "")
    return chosen if chosen in ("light", "dark") else ""


def page_before(request: HttpRequest) -> str:
    """Where the form was, if that is ours."""
    before = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure())
    return before if ours else ""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_answer(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_answer(request, 403, str(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; 503 when the database is gone, 507 when the disk is full. Django has logged the traceback."""
    error = sys.exception()
    if error and room_lacking(error):
        return no_room(request)
    if isinstance(error, DATABASE_GONE):
        return error_answer(request, 503, str(UNAVAILABLE))
    return error_answer(request, 500)


def no_room(request: HttpRequest) -> HttpResponse:
    return error_answer(request, StorageFull.status, told(str(StorageFull())))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """settings.CSRF_FAILURE_VIEW."""
    detail = gettext("The form is too old, or this browser keeps no cookies. Load the page again.")
    detail = f"{detail} ({reason})" if settings.DEBUG else detail
    return error_answer(request, 403, detail, page="403_csrf.html", back=page_before(request))
