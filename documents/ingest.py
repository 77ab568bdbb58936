"""Uploading files and folders from the command line's side, and waiting for them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.files import File
from django.db import connection

from documents import lexical
from documents.exceptions import DocumentError
from documents.models import Collection, Document, Status
from documents.services import document_create

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LOOK_SECONDS = 0.25
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Failure:
    file: str
    reason: str


@dataclass(slots=True)
class IngestReport:
    """What became of the files; ``failed`` holds refused and unreadable ones alike."""

    accepted: int = 0
    ready: int = 0
    failed: list[Failure] = field(default_factory=list)
    duplicates: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Each path that is a file; of a folder, every file below it. Hidden ones are passed over."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        else:
            yield path


def ingest_paths(
    paths: Iterable[Path],
    *,
    user: User,
    collection: Collection,
    wait: bool = True,
    report: Report | None = None,
) -> IngestReport:
    """Upload ``paths``; with ``wait``, until each is ready or failed.

    Beside a running portal its worker does the work. Alone, this process works the queue off itself.
    ``report`` is called with (ended, accepted) while waiting.
    """
    started = time.perf_counter()
    result = IngestReport()
    names: dict[UUID, str] = {}
    for path in files_in(paths):
        take(path, user, collection, result, names)
    if wait:
        wait_for(names, result, report)
    result.seconds = time.perf_counter() - started
    return result


def take(
    path: Path, user: User, collection: Collection, result: IngestReport, names: dict[UUID, str]
) -> None:
    try:
        with path.open("rb") as stream:
            accepted = document_create(user=user, collection=collection, upload=File(stream, name=path.name))
    except (DocumentError, OSError) as error:
        result.failed.append(Failure(str(path), str(error)))
        return
    if accepted.duplicate:
        result.duplicates += 1
    else:
        result.accepted += 1
    # A duplicate that is still on its way is waited for as well, but counted once.
    names.setdefault(accepted.document.pk, "" if accepted.duplicate else str(path))


def wait_for(names: dict[UUID, str], result: IngestReport, report: Report | None) -> None:
    if not a_worker_lives():
        lexical.repair_after_restart()
    while (ended := count_ended(names)) < len(names):
        if report:
            report(ended, len(names))
        # Again and again: a job that is to be tried once more is not in the queue yet when it is empty.
        if not a_worker_lives():
            asyncio.run(drain())
        time.sleep(LOOK_SECONDS)
    if report:
        report(len(names), len(names))
    new = [pk for pk, path in names.items() if path]
    for document in Document.objects.filter(pk__in=new).only("status", "reason"):
        if document.status == Status.READY:
            result.ready += 1
        else:
            result.failed.append(Failure(names[document.pk], document.reason))


def count_ended(names: dict[UUID, str]) -> int:
    """How many are no longer on their way; one that was deleted meanwhile counts as ended."""
    waiting = Document.objects.filter(pk__in=list(names), status__in=[Status.QUEUED, Status.PROCESSING])
    return len(names) - waiting.count()


def a_worker_lives() -> bool:
    from documents.sweep import STALLED_SECONDS

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_workers "
            "WHERE last_heartbeat > now() - make_interval(secs => %s) LIMIT 1",
            [STALLED_SECONDS],
        )
        return cursor.fetchone() is not None


async def drain() -> None:
    from documents.worker import work

    await work(concurrency=1, wait=False)
