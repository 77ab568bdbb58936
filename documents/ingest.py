"""Uploading files and folders from the command line's side, and waiting for them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from django.core.files import File
from django.db import connection
from django.db.models import Count

from documents import lexical
from documents.exceptions import DocumentError
from documents.folders import is_meant
from documents.models import Attachment, Collection, Document, Status
from documents.services import document_create

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
#: A worker that is told to stop gets so long for the document it is at; see ``worker.work``.
STOP_SECONDS = 30.0


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
    #: How many of ``failed`` were no documents at all.
    refused: int = 0
    duplicates: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        told = {name: value for name, value in asdict(self).items() if name != "refused"}
        return {**told, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Advance:
    """How far it is: files sent, or documents that have ended, of ``total``."""

    phase: Literal["sending", "waiting"]
    done: int
    total: int
    failed: int = 0


Report = Callable[[Advance], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A file to upload; ``source`` is its path inside the folder that was named, or empty."""

    path: Path
    source: str = ""


def files_in(paths: Iterable[Path]) -> Iterator[Found]:
    """Each path that is a file; of a folder, every file below it.

    Passed over are files that are not meant (``folders``), and links that lead out of the folder.
    """
    for path in paths:
        if path.is_dir():
            yield from (Found(file, readable(file.relative_to(path))) for file in files_below(path))
        else:
            yield Found(path)


def files_below(root: Path) -> Iterator[Path]:
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not is_meant(path.relative_to(root)) or not path.is_file():
                continue
            if path.resolve().is_relative_to(inside):
                yield path


def readable(path: Path | str) -> str:
    """The path as text; a name in another encoding than UTF-8 loses what cannot be read of it."""
    return os.fsencode(path).decode(errors="replace")


def ingest_paths(
    paths: Iterable[Path],
    *,
    user: User,
    collection: Collection,
    wait: bool = True,
    report: Report | None = None,
    result: IngestReport | None = None,
) -> IngestReport:
    """Upload ``paths``; with ``wait``, until each is ready or failed, and what was attached to it too.

    Beside a running portal its worker does the work. Alone, this process works the queue off itself.
    What has happened so far stands in ``result`` when this is interrupted.
    """
    started = time.perf_counter()
    result = result or IngestReport()
    names: dict[UUID, str] = {}
    try:
        send_all(list(files_in(paths)), user, collection, result, names, report)
        if wait:
            wait_for(names, report)
    finally:
        if wait:
            count_outcomes(names, result)
        result.seconds = time.perf_counter() - started
    return result


def send_all(
    found: list[Found],
    user: User,
    collection: Collection,
    result: IngestReport,
    names: dict[UUID, str],
    report: Report | None,
) -> None:
    for number, file in enumerate(found, start=1):
        take(file, user, collection, result, names)
        if report:
            report(Advance("sending", number, len(found), len(result.failed)))


def take(
    file: Found, user: User, collection: Collection, result: IngestReport, names: dict[UUID, str]
) -> None:
    try:
        with file.path.open("rb") as stream:
            upload = File(stream, name=readable(file.path.name))
            accepted = document_create(user=user, collection=collection, upload=upload, source=file.source)
    except (DocumentError, OSError) as error:
        result.failed.append(Failure(readable(file.path), str(error)))
        result.refused += 1
        return
    if accepted.duplicate:
        result.duplicates += 1
    else:
        result.accepted += 1
    # A duplicate that is still on its way is waited for as well, but counted once.
    names.setdefault(accepted.document.pk, "" if accepted.duplicate else readable(file.path))


def wait_for(names: dict[UUID, str], report: Report | None) -> None:
    worker = OwnWorker()
    try:
        while True:
            add_attachments(names)
            states = count_states(names)
            waiting = states[Status.QUEUED] + states[Status.PROCESSING]
            if report:
                # One that was deleted meanwhile counts as ended.
                report(Advance("waiting", len(names) - waiting, len(names), states[Status.FAILED]))
            if not waiting:
                return
            worker.help_out()
            time.sleep(LOOK_SECONDS)
    finally:
        worker.stop()


def add_attachments(names: dict[UUID, str]) -> None:
    """What came in a mail is waited for; counted is only what was named."""
    links = Attachment.objects.filter(message__in=list(names))
    names.update((pk, "") for pk in links.values_list("document", flat=True) if pk not in names)


def count_states(names: dict[UUID, str]) -> Counter[str]:
    rows = Document.objects.filter(pk__in=list(names)).order_by().values_list("status")
    return Counter(dict(rows.annotate(Count("pk"))))


def count_outcomes(names: dict[UUID, str], result: IngestReport) -> None:
    new = [pk for pk, path in names.items() if path]
    for document in Document.objects.filter(pk__in=new).only("status", "reason"):
        if document.status == Status.READY:
            result.ready += 1
        elif document.status == Status.FAILED:
            result.failed.append(Failure(names[document.pk], document.reason))


class OwnWorker:
    """A worker in a thread of this process, for commands that no portal runs beside."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def help_out(self) -> None:
        """Begin to work on the queue, unless somebody does."""
        if (self._thread and self._thread.is_alive()) or a_worker_lives():
            return
        lexical.repair_after_restart()
        self._thread = Thread(target=self._run, name="indexing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the document at hand, and no other."""
        if self._thread and self._thread.is_alive():
            if self._loop and self._task:
                self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except asyncio.CancelledError:
            return
        except Exception:  # the database went away, say: ``help_out`` begins again
            logger.exception("indexing was interrupted")

    async def _work(self) -> None:
        from documents.worker import work

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        await work(concurrency=1, wait=True, signals=False)


def a_worker_lives() -> bool:
    from documents.sweep import STALLED_SECONDS

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_workers "
            "WHERE last_heartbeat > now() - make_interval(secs => %s) LIMIT 1",
            [STALLED_SECONDS],
        )
        return cursor.fetchone() is not None
