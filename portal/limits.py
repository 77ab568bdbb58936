"""Bodies that are too large are refused here, before Django spools them to disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MEGABYTE = 1024 * 1024
#: Addresses that take files; the multipart framing and the other fields come on top of the file.
UPLOAD_PATHS = ("/api/v1/documents/", "/documents/")
MULTIPART_OVERHEAD = MEGABYTE
#: Most clients read the answer only when they have sent everything: so much is read and thrown away.
DRAIN_FACTOR = 4
DRAIN_SECONDS = 60


class BodyTooLargeError(Exception):
    """More bytes came than this address takes."""


class BodyLimit:
    """ASGI application in front of ``inner``; only HTTP requests are looked at."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.inner(scope, receive, send)
        limit = limit_for(scope["path"])
        if announced_length(scope) > limit:
            return await refuse(scope, receive, send, limit)
        try:
            await self.inner(scope, counted(receive, limit), send)
        except BodyTooLargeError:
            await refuse(scope, receive, send, limit)


def limit_for(path: str) -> int:
    if path.startswith(UPLOAD_PATHS):
        return settings.UPLOAD_LIMIT + MULTIPART_OVERHEAD
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key.lower() == name), b"")


def announced_length(scope: Scope) -> int:
    """What Content-Length says, or 0: then the bytes are counted as they come."""
    value = header(scope, b"content-length")
    return int(value) if value.isdigit() else 0


def counted(receive: Receive, limit: int) -> Receive:
    """``receive`` that raises ``BodyTooLargeError`` at the first byte too many."""
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLargeError
        return message

    return receive_counted


async def refuse(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    # Whoever asks first (Expect: 100-continue) has sent nothing yet, and reading would invite it.
    if header(scope, b"expect").lower() != b"100-continue":
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await drain(receive, limit * DRAIN_FACTOR)
        except TimeoutError:
            pass
    body = json.dumps(too_large(scope["path"], limit)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def drain(receive: Receive, bound: int) -> None:
    more, seen = True, 0
    while more and seen < bound:
        message = await receive()
        seen += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)


def too_large(path: str, limit: int) -> dict[str, object]:
    if path.startswith(UPLOAD_PATHS):
        limit -= MULTIPART_OVERHEAD
    return {
        "type": "urn:portal:problem:upload-too-large",
        "title": "Content Too Large",
        "status": 413,
        "detail": f"The request is larger than the limit of {limit // MEGABYTE} MB. Nothing was stored.",
        "instance": path,
    }
