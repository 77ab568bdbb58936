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
from documents.models import Document
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


class Policy(BaseRetryStrategy):
    """Tries are counted on the document (``tries``), where the death of a worker does not count.

    A database that is away is nobody's fault: the job waits for it as long as that takes.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, TryAgain | OperationalError | InterfaceError):
            return RetryDecision(retry_in={"seconds": PAUSE_SECONDS})
        return None


@app.task(queue=QUEUE, name="documents.index_document", retry=Policy())
def index_document(document_id: str) -> None:
    pk = UUID(document_id)
    close_old_connections()
    try:
        indexing.index(pk)
    except UnreadableDocument as error:
        detail = str(error.context.get("traceback", ""))
        document_fail(document_id=pk, reason=str(error), detail=detail)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("indexing %s failed", document_id)
        count_try(pk, traceback.format_exc())
        raise TryAgain from error
    finally:
        close_old_connections()


def count_try(pk: UUID, detail: str) -> None:
    """One more error of the job itself; the third one ends the document."""
    Document.objects.filter(pk=pk).update(tries=F("tries") + 1, error_detail=detail)
    document = Document.objects.filter(pk=pk).only("tries").first()
    if document is not None and document.tries >= MAX_TRIES:
        document_fail(document_id=pk, reason=GAVE_UP, detail=detail)


def enqueue(document: Document) -> None:
    """Put the document's job into the current transaction, unless one is waiting already."""
    job = index_document.configure(queueing_lock=f"index:{document.pk}", lock=f"index:{document.pk}")
    try:
        # A savepoint, because the refusal would otherwise spoil the whole transaction.
        with transaction.atomic():
            job.defer(document_id=str(document.pk))
    except AlreadyEnqueued:
        logger.debug("%s waits in the queue already", document.pk)
