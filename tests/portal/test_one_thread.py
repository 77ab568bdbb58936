"""A request stays in the thread that it came to; static files need none."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
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
