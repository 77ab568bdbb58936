"""Background jobs: each takes a primary key, carries its retry policy and calls one function.

A job that is to be tried again is queued anew instead of by procrastinate's own retry: that one would
collide with a newer job of the same document and leave both undone.
"""

from __future__ import annotations

import logging
import time
import traceback
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from documents import indexing, memory
from documents.exceptions import PoisonedFile, UnreadableDocument, room_lacking
from documents.models import Document, Status
from documents.services import document_fail

logger = logging.getLogger(__name__)

QUEUE = "indexing"
MAX_TRIES = 3
MAX_INTERRUPTIONS = 20
#: Tries of a file whose reader was stopped by a limit, or died.
POISON_TRIES = 2
PAUSE_SECONDS = 3
#: How long a document waits when the machine is full.
ROOM_SECONDS = 15
#: How long a job waits for the database before it leaves the document to the sweep.
AWAY_SECONDS = 60.0
GAVE_UP = "Something went wrong while this file was being read. The administrators can see what."
NO_ROOM = "The portal has no room left at the moment. This document waits and goes on by itself."
TOO_MANY_DEATHS = "The reading of this file was interrupted too often. It may be too large for this machine."


def connection_lost(error: BaseException) -> bool:
    """Whether the database is away, and not refusing: its disk is full, say, or a limit is reached."""
    if not isinstance(error, OperationalError):
        return isinstance(error, InterfaceError)
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "57P0"))


def conflicted(error: BaseException) -> bool:
    """Whether the database ended one of two transactions that waited for each other: nobody's fault."""
    return getattr(error.__cause__, "sqlstate", None) in ("40001", "40P01")


@app.task(queue=QUEUE, name="documents.index_document")
def index_document(document_id: str) -> None:
    """Index a document; when the database is away, wait for it: that is nobody's fault and no try."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        close_old_connections()
        try:
            return attempt(UUID(document_id))
        except (OperationalError, InterfaceError) as error:
            if not connection_lost(error) or time.monotonic() > deadline:
                raise  # the sweep finds the document without a job
            logger.warning("the database is away; %s waits for it", document_id)
            time.sleep(PAUSE_SECONDS)
        finally:
            close_old_connections()
            # Else a worker without work keeps what its last document's batches took: 100 MB and more.
            memory.give_back()


def attempt(pk: UUID) -> None:
    """One try. Errors are counted on the document (``tries``), where a worker's death does not count."""
    version: int | None = None
    try:
        if claim := indexing.claim_document(pk):
            version = claim.version
            indexing.process(claim)
    except PoisonedFile as error:
        # It may have been the machine's fault, so a second time is enough to blame the file.
        try_again(pk, POISON_TRIES, str(error), str(error.context.get("traceback", "")), version)
    except UnreadableDocument as error:
        detail = str(error.context.get("traceback", ""))
        document_fail(document_id=pk, reason=str(error), detail=detail, version=version)
    except Exception as error:
        if connection_lost(error):
            raise
        if room_lacking(error):
            return wait_for_room(pk, error)
        if conflicted(error):
            return enqueue(pk, in_seconds=1)
        logger.exception("indexing %s failed", pk)
        try_again(pk, MAX_TRIES, GAVE_UP, traceback.format_exc(), version)


def try_again(pk: UUID, limit: int, reason: str, detail: str, version: int | None) -> None:
    """Count a try and queue the document once more; at the limit it fails with ``reason``.

    Nothing happens when nobody waits for this job any more: the document was cancelled, replaced or
    deleted.
    """
    waiting = Document.objects.filter(pk=pk, status__in=[Status.QUEUED, Status.PROCESSING])
    if version is not None:
        waiting = waiting.filter(content_version=version)
    if not waiting.update(tries=F("tries") + 1, error_detail=detail):
        return
    if waiting.filter(tries__gte=limit).exists():
        document_fail(document_id=pk, reason=reason, detail=detail, version=version)
    else:
        enqueue(pk, in_seconds=PAUSE_SECONDS)


def wait_for_room(pk: UUID, error: Exception) -> None:
    """No fault of the document and no try: it waits, and says why."""
    logger.warning("no room for %s, which waits for some: %s", pk, error)
    Document.objects.filter(pk=pk, status=Status.PROCESSING).update(reason=NO_ROOM)
    enqueue(pk, in_seconds=ROOM_SECONDS)


def enqueue(pk: UUID, *, in_seconds: int = 0) -> None:
    """Put a document's job into the current transaction, unless one is waiting already."""
    job = index_document.configure(
        queueing_lock=f"index:{pk}",
        lock=f"index:{pk}",
        schedule_in={"seconds": in_seconds} if in_seconds else None,
    )
    try:
        # A savepoint, because the refusal would otherwise spoil the whole transaction.
        with transaction.atomic():
            job.defer(document_id=str(pk))
    except AlreadyEnqueued:
        logger.debug("%s waits in the queue already", pk)
