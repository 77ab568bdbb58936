"""News of documents on their way, over a WebSocket. Without Redis the page polls instead."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user_model
from django.db import connection

from documents.models import Collection
from documents.progress import group_name
from documents.services import collection_private
from documents.told import told

ANONYMOUS = 4401
TRY_LATER = 1013
RECHECK_SECONDS = 2.0

#: Bounded, so that many sockets that open at once cannot take every database connection.
DATABASE = ThreadPoolExecutor(2, thread_name_prefix="watch")


class DocumentConsumer(AsyncJsonWebsocketConsumer):
    """Sends every change of a document in the collections that the user can see."""

    async def connect(self) -> None:
        self.groups_joined: list[str] = []
        self.seen: set[int] = set()
        self.seen_at = 0.0
        user = self.scope.get("user")
        await self.accept()
        if user is None or not user.is_authenticated:
            await self.close(code=ANONYMOUS)
            return
        # Made now, so that news of a first upload into it is heard.
        await asyncio.get_running_loop().run_in_executor(DATABASE, private_collection, user)
        for pk in await self.visible():
            if not await self.join(group_name(pk)):
                return

    async def join(self, group: str) -> bool:
        try:
            await self.channel_layer.group_add(group, self.channel_name)
        except Exception:  # whatever the bus raises when it is gone: the page has to poll
            await self.close(code=TRY_LATER)
            return False
        self.groups_joined.append(group)
        return True

    async def disconnect(self, code: int) -> None:
        for group in self.groups_joined:
            try:
                await self.channel_layer.group_discard(group, self.channel_name)
            except Exception:  # the bus is gone, and with it the group
                return

    async def receive(self, **kwargs: Any) -> None:
        """Nothing is asked over this socket."""

    async def document_changed(self, message: dict[str, Any]) -> None:
        if message["collection"] in await self.visible():
            await self.send_json({"type": "document", **in_words(message["document"])})

    async def visible(self) -> set[int]:
        """What the user may see now, asked again every few seconds: a membership may have ended."""
        if time.monotonic() - self.seen_at > RECHECK_SECONDS:
            loop = asyncio.get_running_loop()
            self.seen = await loop.run_in_executor(DATABASE, visible_collections, self.scope["user"].pk)
            self.seen_at = time.monotonic()
        return self.seen


def in_words(document: dict[str, Any]) -> dict[str, Any]:
    """What is stored in English, in the language of the page that opened the socket."""
    return {**document, **{name: told(document[name]) for name in ("reason", "notice") if name in document}}


def private_collection(user: Any) -> None:
    try:
        collection_private(user=user)
    finally:
        connection.close()


def visible_collections(user_id: int) -> set[int]:
    try:
        user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
        return set(Collection.objects.visible_to(user).values_list("pk", flat=True)) if user else set()
    finally:
        connection.close()
