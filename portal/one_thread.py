"""Requests in one thread each: from the first middleware to the last, the view between them.

Every view here is written for a thread. In Django's own chain for ASGI each middleware of the old kind is
taken to the request's thread and back again, twice: a request changed threads twenty times.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase


class OneThreadHandler(ASGIHandler):
    """Django's way in with the chain of middleware that has no event loop. It has no static files."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)
