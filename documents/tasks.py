"""Background jobs: each takes a primary key, carries its retry policy and calls one function."""

from __future__ import annotations

import logging
import traceback
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job

from documents import indexing
from documents.exceptions import UnreadableDocument
from documents.models import Document, Status
from documents.services import document_fail

logger = logging.getLogger(__name__)

QUEUE = "indexing"
MAX_TRIES = 3
MAX_INTERRUPTIONS = 20
PAUSE_SECONDS = 3
GAVE_UP = "Something went wrong while this file was being read. The administrators can see what."
TOO_MANY_DEATHS = "The reading of this file was interrupted too often. It may be too large for this machine."


class TryAgain(Exception):
    """The job failed in a way that another try may mend."""


def connection_lost(error: BaseException) -> bool:
    """Whether the database is away, and not refusing: its disk is full, say, or a limit is reached."""
    if not isinstance(error, OperationalError):
        return isinstance(error, InterfaceError)
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "57P0"))


class Policy(BaseRetryStrategy):
    """Tries are counted on the document (``tries``), where the death of a worker does not count.

    A database that is away is nobody's fault: the job waits for it as long as that takes.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, TryAgain) or connection_lost(exception):
            return RetryDecision(retry_in={"seconds": PAUSE_SECONDS})
        return None


@app.task(queue=QUEUE, name="documents.index_document", retry=Policy())
def index_document(document_id: str) -> None:
    pk = UUID(document_id)
    version: int | None = None
    close_old_connections()
    try:
        if claim := indexing.claim_document(pk):
            version = claim.version
            indexing.process(claim)
    except UnreadableDocument as error:
        detail = str(error.context.get("traceback", ""))
        document_fail(document_id=pk, reason=str(error), detail=detail, version=version)
    except Exception as error:
        if connection_lost(error):
            raise
        logger.exception("indexing %s failed", document_id)
        if count_try(pk, traceback.format_exc(), version=version):
            raise TryAgain from error
    finally:
        close_old_connections()


def count_try(pk: UUID, detail: str, *, version: int | None) -> bool:
    """One more error of the job itself; the third one ends the document.

    False when nobody waits for this job any more: the document was cancelled, replaced or deleted.
    """
    waiting = Document.objects.filter(pk=pk, status__in=[Status.QUEUED, Status.PROCESSING])
    if version is not None:
        waiting = waiting.filter(content_version=version)
    if not waiting.update(tries=F("tries") + 1, error_detail=detail):
        return False
    if waiting.filter(tries__gte=MAX_TRIES).exists():
        document_fail(document_id=pk, reason=GAVE_UP, detail=detail, version=version)
    return True


def enqueue(document: Document) -> None:
    """Put the document's job into the current transaction, unless one is waiting already."""
    job = index_document.configure(queueing_lock=f"index:{document.pk}", lock=f"index:{document.pk}")
    try:
        # A savepoint, because the refusal would otherwise spoil the whole transaction.
        with transaction.atomic():
            job.defer(document_id=str(document.pk))
    except AlreadyEnqueued:
        logger.debug("%s waits in the queue already", document.pk)
