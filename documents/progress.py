"""News of a document on its way, for whoever is looking. The truth stays in the database."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

if TYPE_CHECKING:
    from documents.models import Document

logger = logging.getLogger(__name__)

#: A bus that hangs holds up no document: so long for one message, then so long without any.
SEND_SECONDS = 0.5
QUIET_SECONDS = 10.0
_quiet_until = 0.0


def group_name(collection_id: int) -> str:
    """The channel group of everybody who watches this collection."""
    return f"collection-{collection_id}"


def snapshot(document: Document) -> dict[str, Any]:
    """What a watcher needs: the same fields as the polling answer."""
    return {
        "id": str(document.pk),
        "title": document.title,
        "status": document.status,
        "stage": document.stage,
        "percent": document.percent,
        "done": document.stage_done,
        "total": document.stage_total,
        "reason": document.reason,
        "notice": document.notice,
        "quality": document.quality,
        "pages": document.page_count,
        "chunks": document.chunk_count,
    }


def announce(document: Document) -> None:
    send(document.collection_id, snapshot(document))


def announce_deleted(pk: UUID, collection_id: int) -> None:
    send(collection_id, {"id": str(pk), "status": "deleted"})


def send(collection_id: int, payload: dict[str, Any]) -> None:
    """To the group of the collection; when Redis is gone, pages poll and nothing is lost."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    message = {"type": "document.changed", "collection": collection_id, "document": payload}
    try:
        async_to_sync(send_in_time)(group_name(collection_id), message)
    except Exception as error:  # any failure of the bus: connection, time-out, protocol
        logger.warning("could not announce a change: %s", error or type(error).__name__)
        _quiet_until = time.monotonic() + QUIET_SECONDS


async def send_in_time(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        await asyncio.wait_for(layer.group_send(group, message), SEND_SECONDS)
