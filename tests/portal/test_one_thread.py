"""A request stays in the thread that it came to; static files need none."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse

from portal import asgi, middleware

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


async def answered(application: Any, path: str) -> int:
    door = ApplicationCommunicator(application, {**SCOPE, "path": path, "raw_path": path.encode()})
    await door.send_input({"type": "http.request", "body": b""})
    status = (await door.receive_output(10))["status"]
    await door.wait(10)
    return int(status)


def test_middleware_and_view_share_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def policy(response: HttpResponse) -> HttpResponse:
        seen.append(threading.get_ident())
        return response

    def observe(request: HttpRequest, seconds: float) -> None:
        seen.append(threading.get_ident())

    monkeypatch.setattr(middleware, "with_policy", policy)
    monkeypatch.setattr(middleware, "observe", observe)
    assert async_to_sync(answered)(asgi.application, "/healthz/live") == 200
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_static_files_have_a_door_of_their_own() -> None:
    assert asgi.door_of("/static/icon.svg") is asgi.django_application
    assert asgi.door_of("/api/v1/search/") is asgi.door_of("/login/") is asgi.in_one_thread


def test_what_does_not_stream_is_closed_before_it_is_sent() -> None:
    """So that a slow client keeps no connection from anybody."""
    order: list[str] = []

    async def asked() -> None:
        async def send(message: Any) -> None:
            order.append(message["type"])

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {**SCOPE, "path": "/healthz/live", "raw_path": b"/healthz/live"}
        await asgi.application(scope, receive, send)

    def finished(**_: Any) -> None:
        order.append("finished")

    request_finished.connect(finished)
    try:
        asyncio.run(asked())
    finally:
        request_finished.disconnect(finished)
    assert order == ["finished", "http.response.start", "http.response.body"]
