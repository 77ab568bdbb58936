"""The worker: runs the queue's jobs, and beside them the sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

from documents import lexical
from documents.sweep import HEARTBEAT_SECONDS, STALLED_SECONDS, sweep
from documents.tasks import QUEUE

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0


async def work(*, concurrency: int, wait: bool) -> None:
    """Run the queue's worker with the sweep beside it; ends by SIGTERM, or empty when not ``wait``."""
    assert isinstance(app.connector, DjangoConnector)
    worker_app = app.with_connector(app.connector.get_worker_connector())
    async with worker_app.open_async():
        sweeper = asyncio.create_task(keep_sweeping())
        try:
            await worker_app.run_worker_async(
                queues=[QUEUE],
                concurrency=concurrency,
                wait=wait,
                fetch_job_polling_interval=1.0,
                listen_notify=wait,
                delete_jobs="successful",
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                shutdown_graceful_timeout=20.0,
            )
        finally:
            sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeper


async def keep_sweeping() -> None:
    while True:
        try:
            await sync_to_async(sweep_once, thread_sensitive=False)()
        except Exception:  # the database is away, say: the next sweep comes anyhow
            logger.exception("the sweep failed")
        await asyncio.sleep(SWEEP_SECONDS)


def sweep_once() -> None:
    close_old_connections()
    try:
        lexical.repair_after_restart()
        sweep()
    finally:
        close_old_connections()
