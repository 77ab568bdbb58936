"""The worker: runs the queue's jobs, and beside them the sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

from documents import lexical, stored_files
from documents.embedding import registry, warming
from documents.sweep import HEARTBEAT_SECONDS, STALLED_SECONDS, call_if_due, sweep
from documents.tasks import QUEUE, connection_lost

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
ABANDONED_SECONDS = 3600.0


async def work(*, concurrency: int, wait: bool, signals: bool = True) -> None:
    """Run the queue's worker with the sweep beside it; ends by SIGTERM (not in a thread, which
    hears no ``signals``), or with an empty queue when not ``wait``."""
    assert isinstance(app.connector, DjangoConnector)
    worker_app = app.with_connector(app.connector.get_worker_connector())
    async with worker_app.open_async():
        if wait:
            warming.begin(registry.get_passage_embedder)
        works = [keep_sweeping(), *(keep_calling(path, due) for path, due in settings.PERIODIC.items())]
        beside = [asyncio.create_task(each) for each in works]
        try:
            await worker_app.run_worker_async(
                queues=[QUEUE],
                concurrency=concurrency,
                wait=wait,
                install_signal_handlers=signals,
                fetch_job_polling_interval=1.0,
                listen_notify=wait,
                delete_jobs="successful",
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                shutdown_graceful_timeout=20.0,
            )
        finally:
            for task in beside:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def keep_sweeping() -> None:
    """The sweep every few seconds, the files of unfinished uploads every hour."""
    looked_at = 0.0
    while True:
        await quietly(sweep_once)
        if time.monotonic() - looked_at > ABANDONED_SECONDS:
            await quietly(stored_files.remove_abandoned)
            looked_at = time.monotonic()
        await asyncio.sleep(SWEEP_SECONDS)


async def keep_calling(path: str, seconds: float) -> None:
    """One of the setting ``PERIODIC``. Each beside the others: an audit may take an hour."""
    while True:
        await quietly(lambda: call_if_due(path, seconds))
        await asyncio.sleep(SWEEP_SECONDS)


async def quietly(work: Callable[[], object]) -> None:
    try:
        await sync_to_async(with_a_connection, thread_sensitive=False)(work)
    except Exception as error:  # the next time comes anyhow
        if connection_lost(error):
            logger.warning("the sweep waits for the database: %s", error)
        else:
            logger.exception("the sweep failed")


def with_a_connection(work: Callable[[], object]) -> None:
    close_old_connections()
    try:
        work()
    finally:
        close_old_connections()


def sweep_once() -> None:
    lexical.repair_after_restart()
    sweep()
