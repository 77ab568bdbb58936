"""The socket of documents on their way: news for members, for as long as they are members."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User

from documents import consumers, progress
from documents.models import Collection
from documents.services import membership_remove

pytestmark = pytest.mark.django_db(transaction=True)


async def opened(user: Any) -> ApplicationCommunicator:
    scope = {"type": "websocket", "path": "/ws/documents/", "headers": [], "user": user}
    socket = ApplicationCommunicator(consumers.DocumentConsumer.as_asgi(), scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    return socket


async def announced(collection: Collection, title: str) -> None:
    await sync_to_async(progress.send)(collection.pk, {"id": "1", "title": title, "status": "queued"})


async def test_members_get_news_until_they_are_removed(
    collection: Collection, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await opened(bob)
    await asyncio.sleep(0.5)
    await announced(collection, "For all members")
    news = json.loads((await socket.receive_output(5))["text"])
    assert (news["type"], news["title"]) == ("document", "For all members")
    await sync_to_async(membership_remove)(collection=collection, user=bob)
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.0)
    await announced(collection, "Not for bob")
    assert await socket.receive_nothing(1)
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(5)


async def test_strangers_hear_nothing_and_the_anonymous_are_sent_away(
    collection: Collection, charlie: User
) -> None:
    socket = await opened(charlie)
    await asyncio.sleep(0.3)
    await announced(collection, "Not for charlie")
    assert await socket.receive_nothing(1)
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(5)
    anonymous = await opened(AnonymousUser())
    assert (await anonymous.receive_output(5))["code"] == consumers.ANONYMOUS
