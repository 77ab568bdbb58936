"""What a request says of its reader: the language they read and the time zone they are in."""

from __future__ import annotations

from functools import cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language_from_request

#: What programs read. It is English whoever's browser asks, as programs compare words.
PROGRAM_PATHS = ("/api/", "/v1/", "/mcp", "/healthz/", "/metrics")
#: Set by the portal's own pages (``http.js``), which show people what the API says.
PAGE_LANGUAGE = "X-Page-Language"
#: Set by ``zone.js``.
ZONE_COOKIE = "zone"


def language_of(request: HttpRequest) -> str:
    """Of pages: the cookie's, else the browser's, else English."""
    if is_page(request):
        return get_language_from_request(request)
    return spoken(request.headers.get(PAGE_LANGUAGE, ""))


def is_page(request: HttpRequest) -> bool:
    return not request.path_info.startswith(PROGRAM_PATHS) or request.path_info == "/api/v1/docs/"


def spoken(language: str) -> str:
    """A language that the portal has: the one that is asked for, or English."""
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def zone_of(request: HttpRequest) -> ZoneInfo | None:
    """The zone that the browser told, for pages; None when it told none, or one that does not exist."""
    name = unquote(request.COOKIES.get(ZONE_COOKIE, "")) if is_page(request) else ""
    return ZoneInfo(name) if name in known_zones() else None


@cache
def known_zones() -> frozenset[str]:
    return frozenset(available_timezones())
