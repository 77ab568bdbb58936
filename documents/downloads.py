"""Serving an original: whole or in ranges, with validators, so that it cannot act as one of our pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Generator
from contextlib import suppress

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from documents.models import Document

BLOCK = 256 * 1024
#: Uploaded bytes never run in our origin, whatever they are and whatever a browser takes them for.
SANDBOX = "default-src 'none'; sandbox"
#: What a browser shows without running anything; SVG and HTML are never among it.
INLINE_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})
ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


Original = HttpResponse | StreamingHttpResponse


def original_response(request: HttpRequest, document: Document) -> Original:
    """200, 206, 304, 412 or 416, as the request's conditions have it."""
    etag = f'"{document.sha256}"'
    unchanged = get_conditional_response(request, etag=etag)
    response = unchanged or ranged_response(request, document, etag)
    set_headers(response, document, etag)
    return response


def set_headers(response: Original, document: Document, etag: str) -> None:
    disposition = content_disposition_header(document.media_type not in INLINE_TYPES, document.filename)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = disposition or "attachment"
    response["Content-Security-Policy"] = SANDBOX
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"


def ranged_response(request: HttpRequest, document: Document, etag: str) -> Original:
    size = document.size
    wanted = asked_range(request, etag)
    if wanted is None:
        return streamed(request, document, 0, size - 1)
    start, end = span(wanted, size)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    response = streamed(request, document, start, end)
    response.status_code = 206
    response.headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return response


def asked_range(request: HttpRequest, etag: str) -> tuple[str, str] | None:
    """The one range asked for. Several ranges, other units and outdated ones get the whole file."""
    if request.headers.get("If-Range", etag) != etag:
        return None
    match = ONE_RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or not any(match.groups()) or max(map(len, match.groups())) > 18:
        return None
    return match.group(1), match.group(2)


def span(wanted: tuple[str, str], size: int) -> tuple[int, int]:
    """First and last byte; ``start > end`` when no byte of the file is meant."""
    first, last = wanted
    if not first:  # the last n bytes
        return (max(size - int(last), 0), size - 1) if int(last) else (1, 0)
    start, end = int(first), min(int(last or size), size - 1)
    return start, end


def streamed(request: HttpRequest, document: Document, start: int, end: int) -> StreamingHttpResponse:
    if not document.file.storage.exists(str(document.file.name)):
        raise Http404
    release_connection()
    blocks = blocks_of(document, start, end - start + 1)
    # Under ASGI Django would gather a plain iterator in memory before it sends the first byte.
    content = in_thread(blocks) if isinstance(request, ASGIRequest) else blocks
    response = StreamingHttpResponse(content, content_type=document.media_type)
    response.headers["Content-Length"] = str(end - start + 1)
    return response


def release_connection() -> None:
    """Back to the pool, before something slow: the request only ends when its last byte is sent."""
    if not connection.in_atomic_block:
        connection.close()


def blocks_of(document: Document, start: int, length: int) -> Generator[bytes]:
    """The bytes in blocks. The file is opened at the first one: HEAD asks for none."""
    with document.file.storage.open(str(document.file.name)) as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block


async def in_thread(blocks: Generator[bytes]) -> AsyncIterator[bytes]:
    try:
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
    finally:
        # A client that goes away leaves no file open; one that is being read is closed when collected.
        with suppress(ValueError):
            blocks.close()
