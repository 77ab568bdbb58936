"""The whole: the schema, the API page, and who may open a socket."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from portal.accounts.services import token_create
from portal.sockets import from_same_origin, socket_door


def test_the_schema_is_valid_openapi() -> None:
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    assert out.getvalue().startswith("openapi: 3.1")


def test_the_api_page_lists_every_call_without_inline_scripts(client: Client, db: None) -> None:
    response = client.get("/api/v1/docs/")
    text = response.content.decode()
    assert "/api/v1/documents/{id}/reindex/" in text
    assert "<script>" not in text
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        (b"http://portal.test:8000", True),
        (b"http://portal.test:9000", False),
        (b"http://evil.test", False),
        (b"null", False),
        (b"", False),
    ],
)
def test_only_pages_of_this_very_origin_use_a_session(origin: bytes, ours: bool) -> None:
    scope = {"headers": [(b"host", b"portal.test:8000"), (b"origin", origin)]}
    assert from_same_origin(scope) is ours


async def first_answers(headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    """What a socket hears when it knocks with these headers and then goes."""
    scope = {"type": "websocket", "path": "/ws/documents/", "headers": headers, "query_string": b""}
    socket = ApplicationCommunicator(socket_door, scope)
    await socket.send_input({"type": "websocket.connect"})
    heard = [await socket.receive_output(timeout=5)]
    if not await socket.receive_nothing(timeout=0.3):
        heard.append(await socket.receive_output(timeout=5))
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=5)
    return heard


@pytest.mark.django_db(transaction=True)
async def test_sockets_of_strangers_are_closed_and_tokens_need_no_origin(alice: User) -> None:
    foreign = [(b"host", b"localhost"), (b"origin", b"http://evil.test")]
    assert (await first_answers(foreign))[0]["type"] == "websocket.close"
    _, secret = await sync_to_async(token_create)(user=alice)
    bearer = [(b"authorization", f"Bearer {secret}".encode())]
    assert [message["type"] for message in await first_answers(bearer)] == ["websocket.accept"]
    unknown = await first_answers([(b"authorization", b"Bearer dp_wrong")])
    assert unknown[-1]["code"] == 4401
