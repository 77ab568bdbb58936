"""The sweep: no document waits for a job that is dead or was never there. And what runs now and then."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Status as JobStatus

from documents import tasks
from documents.models import Document
from documents.services import document_fail

logger = logging.getLogger(__name__)

#: A worker says that it lives every HEARTBEAT; one that was silent for STALLED is taken for dead.
HEARTBEAT_SECONDS = 3.0
STALLED_SECONDS = 10.0


def sweep() -> int:
    """Requeue what a dead worker left and what has no job at all; how many documents that were."""
    return requeue_stalled() + enqueue_forgotten()


def requeue_stalled() -> int:
    """One sweep at a time: two would hand on the same job twice, the second time from a living worker."""
    with alone("documents.sweep") as first:
        stalled = stalled_jobs() if first else []
        for job_id, document_id in stalled:
            requeue(job_id, document_id)
    return len(stalled)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether no other process is within; a lock that dies with its connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name])
        first = bool(cursor.fetchone()[0])
    try:
        yield first
    finally:
        if first:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def stalled_jobs() -> list[tuple[int, UUID]]:
    """Jobs that a worker took and no living worker works on, with their documents."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT j.id, (j.args->>'document_id')::uuid FROM procrastinate_jobs j "
            "WHERE j.status = 'doing' AND j.task_name = %s AND NOT EXISTS ("
            "SELECT 1 FROM procrastinate_workers w WHERE w.id = j.worker_id "
            "AND w.last_heartbeat > now() - make_interval(secs => %s))",
            [tasks.index_document.name, STALLED_SECONDS],
        )
        return list(cursor.fetchall())


def requeue(job_id: int, pk: UUID) -> None:
    """Give a dead worker's job to the next one. A death is not a try: it has a limit of its own."""
    logger.warning("the worker of %s died; the job goes on with another", pk)
    Document.objects.filter(pk=pk).update(interruptions=F("interruptions") + 1)
    document = Document.objects.filter(pk=pk).only("interruptions", "content_version").first()
    if document is not None and document.interruptions > tasks.MAX_INTERRUPTIONS:
        # The job still runs once more, finds the document ended, and does nothing.
        version = document.content_version
        document_fail(document_id=pk, reason=tasks.TOO_MANY_DEATHS, version=version)
    try:
        with transaction.atomic():
            app.job_manager.retry_job_by_id(job_id, retry_at=timezone.now())
    except (AlreadyEnqueued, UniqueViolation, IntegrityError):
        # A newer job of the same document waits already: this one has nothing left to do.
        finish = async_to_sync(app.job_manager.finish_job_by_id_async)
        finish(job_id=job_id, status=JobStatus.FAILED, delete_job=False)


def enqueue_forgotten() -> int:
    """Documents on their way without a job: none should be, whatever happened to the queue."""
    with transaction.atomic():
        waiting = Document.objects.on_their_way().without_job()
        forgotten = list(waiting.select_for_update(skip_locked=True, of=("self",)))
        for document in forgotten:
            logger.warning("%s had no job; queued again", document.pk)
            tasks.enqueue(document.pk)
    return len(forgotten)


def call_if_due(path: str, seconds: float) -> bool:
    """Call ``path`` of the setting ``PERIODIC`` when its time has come; whether it was called.

    By one process at a time, whatever the number of workers. When something was called last is kept in Redis:
    without it nothing is due. What raises is logged, and called again when its time has come.
    """
    with alone(f"periodic:{path}") as first:
        due = first and is_due(path, seconds)
        if due:
            try:
                import_string(path)()
            except Exception:  # its time comes again
                logger.exception("%s failed", path)
    return due


def is_due(path: str, seconds: float) -> bool:
    """Whether ``path`` was not called within ``seconds``; from now on it was."""
    return bool(cache.add(f"periodic:{path}", 1, timeout=seconds))
