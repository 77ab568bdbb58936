"""Bodies that are too large are refused before Django sees them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from portal.limits import MULTIPART_OVERHEAD, BodyLimit, limit_for

UPLOADS = "/api/v1/documents/"
ELSEWHERE = "/api/v1/answers/"


@pytest.fixture(autouse=True)
def _small_limits(settings: Any) -> None:
    settings.UPLOAD_LIMIT = 1000
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100


class Exchange:
    """One request with its body in pieces, and what came back."""

    def __init__(self, path: str, pieces: Sequence[bytes], **headers: str) -> None:
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope = {"type": "http", "path": path, "headers": named}
        self.pieces = list(pieces)
        self.sent: list[Any] = []
        self.read = 0
        self.reached = False

    async def receive(self) -> Any:
        piece = self.pieces.pop(0)
        self.read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def inner(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        self.reached = True
        await send({"type": "http.response.start", "status": 200})

    async def run(self) -> int:
        await BodyLimit(self.inner)(self.scope, self.receive, self.send)
        return int(self.sent[0]["status"])


async def test_what_fits_goes_through() -> None:
    exchange = Exchange(ELSEWHERE, [b"x" * 50, b"x" * 50], content_length="100")
    assert await exchange.run() == 200
    assert exchange.reached


async def test_an_announced_body_is_refused_at_once_and_drained() -> None:
    exchange = Exchange(ELSEWHERE, [b"x" * 101], content_length="101")
    assert await exchange.run() == 413
    assert not exchange.reached
    assert exchange.read == 101


async def test_a_chunked_body_is_counted() -> None:
    exchange = Exchange(ELSEWHERE, [b"x" * 60] * 3)
    assert await exchange.run() == 413
    assert not exchange.reached
    assert exchange.read == 180


async def test_draining_has_an_end() -> None:
    exchange = Exchange(ELSEWHERE, [b"x" * 100] * 50)
    assert await exchange.run() == 413
    assert exchange.read < 1000


async def test_who_asks_first_is_answered_without_reading() -> None:
    exchange = Exchange(ELSEWHERE, [b"x"], content_length="5000", expect="100-continue")
    assert await exchange.run() == 413
    assert exchange.read == 0


async def test_the_answer_is_a_problem() -> None:
    exchange = Exchange(UPLOADS, [b"x"], content_length="9999999")
    assert await exchange.run() == 413
    assert dict(exchange.sent[0]["headers"])[b"content-type"] == b"application/problem+json"
    assert json.loads(exchange.sent[1]["body"])["instance"] == UPLOADS


def test_uploads_may_be_larger() -> None:
    assert limit_for(UPLOADS) == 1000 + MULTIPART_OVERHEAD
    assert limit_for("/documents/upload/") == 1000 + MULTIPART_OVERHEAD
    assert limit_for(ELSEWHERE) == 100


async def test_other_protocols_pass() -> None:
    exchange = Exchange(ELSEWHERE, [b""])
    exchange.scope["type"] = "websocket"
    assert await exchange.run() == 200
