"""News of a document on its way, for whoever is looking. The truth stays in the database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

if TYPE_CHECKING:
    from documents.models import Document

logger = logging.getLogger(__name__)


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
        "reason": document.reason,
        "pages": document.page_count,
        "chunks": document.chunk_count,
    }


def announce(document: Document) -> None:
    send(document.collection_id, snapshot(document))


def announce_deleted(pk: UUID, collection_id: int) -> None:
    send(collection_id, {"id": str(pk), "status": "deleted"})


def send(collection_id: int, payload: dict[str, Any]) -> None:
    """To the group of the collection; when Redis is gone, pages poll and nothing is lost."""
    layer = get_channel_layer()
    if layer is None:
        return
    message = {"type": "document.changed", "document": payload}
    try:
        async_to_sync(layer.group_send)(group_name(collection_id), message)
    except Exception as error:  # any failure of the bus: connection, time-out, protocol
        logger.warning("could not announce a change: %s", error)
