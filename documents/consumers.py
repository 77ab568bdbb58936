"""News of documents on their way, over a WebSocket. Without Redis the page polls instead."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import connection

from documents.models import Collection
from documents.progress import group_name

ANONYMOUS = 4401
TRY_LATER = 1013

#: Bounded, so that many sockets that open at once cannot take every database connection.
DATABASE = ThreadPoolExecutor(2, thread_name_prefix="watch")


class DocumentConsumer(AsyncJsonWebsocketConsumer):
    """Sends every change of a document in the collections that the user could see when it opened."""

    async def connect(self) -> None:
        self.groups_joined: list[str] = []
        user = self.scope.get("user")
        await self.accept()
        if user is None or not user.is_authenticated:
            await self.close(code=ANONYMOUS)
            return
        loop = asyncio.get_running_loop()
        for pk in await loop.run_in_executor(DATABASE, visible_collections, user):
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
        await self.send_json({"type": "document", **message["document"]})


def visible_collections(user: Any) -> list[int]:
    try:
        return list(Collection.objects.visible_to(user).values_list("pk", flat=True))
    finally:
        connection.close()
