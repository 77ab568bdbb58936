"""Middleware of the whole portal. Both kinds of views pass through without a change of thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from time import perf_counter
from typing import cast

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from servestatic.middleware import ServeStaticMiddleware

from portal.metrics import request_latency_seconds
from portal.problems import error_answer, for_program
from portal.reader import is_page, language_of, zone_of

SyncGet = Callable[[HttpRequest], HttpResponseBase]
AsyncGet = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
Get = SyncGet | AsyncGet

#: Nothing from elsewhere and nothing inline. 'self' covers the sockets of the same origin (CSP 3).
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
#: Anybody may send any word as a method; each would be a time series of its own.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@sync_and_async_middleware
def static_files(get_response: Get) -> Get:
    """Static files, where requests stay in the event loop; the other chain is not asked for any."""
    if iscoroutinefunction(get_response):
        return cast(AsyncGet, ServeStaticMiddleware(cast(AsyncGet, get_response)))
    return get_response


@sync_and_async_middleware
def content_security_policy(get_response: Get) -> Get:
    """The strict policy, on every answer that does not bring a stricter one."""
    if iscoroutinefunction(get_response):
        get_async = cast(AsyncGet, get_response)

        async def guard_async(request: HttpRequest) -> HttpResponseBase:
            return with_policy(await get_async(request))

        return guard_async
    get_sync = cast(SyncGet, get_response)

    def guard(request: HttpRequest) -> HttpResponseBase:
        return with_policy(get_sync(request))

    return guard


def with_policy(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response


@sync_and_async_middleware
def request_latency(get_response: Get) -> Get:
    """Measures each request under the pattern of its address, never under the address itself."""
    if iscoroutinefunction(get_response):
        get_async = cast(AsyncGet, get_response)

        async def measure_async(request: HttpRequest) -> HttpResponseBase:
            started = perf_counter()
            response = await get_async(request)
            observe(request, perf_counter() - started)
            return response

        return measure_async
    get_sync = cast(SyncGet, get_response)

    def measure(request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = get_sync(request)
        observe(request, perf_counter() - started)
        return response

    return measure


@sync_and_async_middleware
def pages_for_forms(get_response: Get) -> Get:
    """A page for who opens an address that only forms send to: back from signing in, or by a reload."""
    if iscoroutinefunction(get_response):
        get_async = cast(AsyncGet, get_response)

        async def show_async(request: HttpRequest) -> HttpResponseBase:
            response = await get_async(request)
            return await sync_to_async(method_page)(request) if is_bare(request, response) else response

        return show_async
    get_sync = cast(SyncGet, get_response)

    def show(request: HttpRequest) -> HttpResponseBase:
        response = get_sync(request)
        return method_page(request) if is_bare(request, response) else response

    return show


def is_bare(request: HttpRequest, response: HttpResponseBase) -> bool:
    return response.status_code == 405 and request.method == "GET" and not for_program(request)


def method_page(request: HttpRequest) -> HttpResponseBase:
    return error_answer(request, 405)


def observe(request: HttpRequest, seconds: float) -> None:
    match = request.resolver_match
    endpoint = (match.view_name or match.route) if match else "unmatched"
    method = request.method if request.method in METHODS else "other"
    request_latency_seconds.labels(method, endpoint).observe(seconds)


@sync_and_async_middleware
def reader(get_response: Get) -> Get:
    """Each request in the language and the time zone of its reader, and nothing of them after it."""
    if iscoroutinefunction(get_response):
        get_async = cast(AsyncGet, get_response)

        async def read_async(request: HttpRequest) -> HttpResponseBase:
            with as_read(request):
                return told_language(request, await get_async(request))

        return read_async
    get_sync = cast(SyncGet, get_response)

    def read(request: HttpRequest) -> HttpResponseBase:
        with as_read(request):
            return told_language(request, get_sync(request))

    return read


@contextmanager
def as_read(request: HttpRequest) -> Iterator[None]:
    with translation.override(language_of(request)), timezone.override(zone_of(request)):
        yield


def told_language(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """As Django's own middleware does, so that nobody keeps a page for a reader of another language."""
    if is_page(request):
        patch_vary_headers(response, ("Accept-Language",))
    response.headers.setdefault("Content-Language", translation.get_language() or "")
    return response
