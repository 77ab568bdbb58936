"""``manage.py worker``: takes documents from the queue, and sweeps up after workers that died."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from documents.exposition import open_door
from documents.worker import work


class Command(BaseCommand):
    help = "Index documents in the background."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=1, help="documents at a time")
        parser.add_argument("--drain", action="store_true", help="end when the queue is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_METRICS_PORT:
            open_door(settings.WORKER_METRICS_PORT, settings.WORKER_METRICS_HOST)
        asyncio.run(work(concurrency=options["concurrency"], wait=not options["drain"]))
