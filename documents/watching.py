"""A watched folder: its files become documents, and what changes in it changes them.

Nothing in the folder is ever changed or moved. A document belongs to its file by ``source``, the path
inside the folder. A file that is deleted leaves its document alone.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.db import close_old_connections
from watchfiles import Change, watch

from documents.exceptions import AlreadyThere, DocumentError, StorageFull
from documents.folders import is_meant
from documents.ingest import OwnWorker, files_below, readable
from documents.models import Collection, Document, Status
from documents.services import document_create, document_replace_file, document_set_source
from documents.tasks import connection_lost
from documents.uploads import checked_digest, clean_source

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

#: A file has stopped growing when its size and time of change were the same for so long.
QUIET_SECONDS = 1.5
#: How often files are looked at that wait for that, in milliseconds.
LOOK_MILLISECONDS = 500
#: How often the whole folder is compared: some file systems (shares, say) tell of no changes.
COMPARE_SECONDS = 30.0
#: The pause before another try when the database is away or the disk is full.
PATIENCE_SECONDS = 5.0
#: How often it is asked what became of the documents, and of so many in one query.
TELL_SECONDS = 5.0
ASKED_AT_ONCE = 500


class Shape(NamedTuple):
    """What tells that a file is another one now, without reading it."""

    size: int
    modified_ns: int


class ChangedMeanwhile(Exception):
    """The file was written to while it was read."""


@dataclass(slots=True)
class Pending:
    """A file that may still be growing: how it looked last, and when it is looked at again."""

    shape: Shape
    due: float


class FolderWatch:
    """One folder, and the collection that follows it."""

    def __init__(self, folder: Path, *, user: User, collection: Collection) -> None:
        self.folder = folder.resolve()
        self.user, self.collection = user, collection
        self.pending: dict[Path, Pending] = {}
        #: How each file looked when it was dealt with: taken, known already or refused.
        self.settled: dict[Path, Shape] = {}
        #: Files with the same content as another one, by the source of that other one.
        self.copies: dict[str, set[Path]] = {}
        self.paths: dict[str, Path] = {}
        #: Documents that were sent and have not ended, with their sources; files that are gone.
        self.sent: dict[UUID, str] = {}
        self.gone: set[Path] = set()
        self.away = False
        self.compare_at = self.tell_at = 0.0

    # --- What to look at ----------------------------------------------------------------------

    def compare(self) -> None:
        """Note every file that does not look as it did when it was dealt with, and forget those gone."""
        there = set(files_below(self.folder))
        for path in self.settled.keys() - there:
            self.forget(path)
        for path in there:
            self.note(path)

    def note(self, path: Path) -> None:
        """A file is there, or has changed: to be taken once it is quiet. A folder: all its files."""
        if not is_meant(path.relative_to(self.folder)):
            return
        if path.is_dir() and not path.is_symlink():
            for below in files_below(path):
                self.note(below)
        elif (shape := self.shape_of(path)) and self.settled.get(path) != shape and path not in self.pending:
            self.pending[path] = Pending(shape, time.monotonic() + QUIET_SECONDS)

    def forget(self, path: Path) -> None:
        """A file or folder is gone. Its documents stay; a copy of it may take one over."""
        for gone in [each for each in self.settled if each == path or path in each.parents]:
            del self.settled[gone]
            self.gone.add(gone)
            self.take_again(self.copies.pop(self.source_of(gone), set()))

    def take_again(self, paths: set[Path]) -> None:
        for path in paths:
            self.settled.pop(path, None)
            self.note(path)

    def shape_of(self, path: Path) -> Shape | None:
        """None for what is no file, is gone, or lies outside the folder."""
        try:
            if not path.is_file() or not path.resolve().is_relative_to(self.folder):
                return None
            status = path.stat()
        except OSError:
            return None
        return Shape(status.st_size, status.st_mtime_ns)

    # --- What to do ---------------------------------------------------------------------------

    def look(self) -> None:
        """Deal with every noted file that has been quiet for long enough."""
        now = time.monotonic()
        for path in [path for path, pending in self.pending.items() if pending.due <= now]:
            pending = self.pending.pop(path)
            shape = self.shape_of(path)
            if shape is None:
                continue
            if shape != pending.shape:
                self.pending[path] = Pending(shape, now + QUIET_SECONDS)
                continue
            self.deal_with(path, shape)
            if self.away:
                return

    def deal_with(self, path: Path, shape: Shape) -> None:
        """Take the file; what is refused is told once, and not tried again until it changes."""
        try:
            self.take(path)
        except (StorageFull, ChangedMeanwhile) as error:
            self.postpone(path, shape, error)
            return
        except (DocumentError, OSError) as error:
            logger.warning("refused %s: %s", self.source_of(path), error)
        except Exception as error:
            if connection_lost(error):
                self.database_lost(path, shape, error)
                return
            logger.exception("could not take %s", self.source_of(path))
        self.settled[path] = shape
        self.away = False

    def postpone(self, path: Path, shape: Shape, error: Exception) -> None:
        logger.info("%s is tried again: %s", self.source_of(path), error)
        self.pending[path] = Pending(shape, time.monotonic() + PATIENCE_SECONDS)

    def database_lost(self, path: Path, shape: Shape, error: Exception) -> None:
        if not self.away:
            logger.warning("the database is away; waiting for it: %s", str(error).strip())
        self.away = True
        self.pending[path] = Pending(shape, time.monotonic() + PATIENCE_SECONDS)

    def take(self, path: Path) -> None:
        """Make the documents follow the file.

        Raises ``OSError``, ``ChangedMeanwhile`` and what the services raise.
        """
        source = self.source_of(path)
        self.paths[source] = path
        with path.open("rb") as stream:
            sha256 = checked_digest(File(stream, name=str(path)))
        owners = list(Document.objects.filter(collection=self.collection, source=source))
        if any(document.sha256 == sha256 for document in owners):
            return
        own = owners[0] if owners else None
        twin = Document.objects.filter(collection=self.collection, sha256=sha256).first()
        if twin:
            self.take_twin(path, source, twin, own)
        elif own:
            self.replace(path, source, own)
        else:
            with unchanging_copy(path, sha256) as upload:
                accepted = document_create(
                    user=self.user, collection=self.collection, upload=upload, source=source
                )
            self.sent[accepted.document.pk] = source
            logger.info("added %s", source)

    def replace(self, path: Path, source: str, own: Document) -> None:
        with unchanging_copy(path, own.sha256, same=False) as upload:
            try:
                document_replace_file(document=own, upload=upload)
            except AlreadyThere:  # since just now
                raise ChangedMeanwhile("another document has its content since just now") from None
        self.sent[own.pk] = source
        logger.info("replaced %s", source)
        # What they were copies of is no document any more.
        self.take_again(self.copies.pop(source, set()))

    def take_twin(self, path: Path, source: str, twin: Document, own: Document | None) -> None:
        """The collection has this content: a moved file takes its document along, a copy does not."""
        if self.is_there(twin.source):
            self.copies.setdefault(twin.source, set()).add(path)
            logger.info("%s has the same content as %s", source, twin.source)
            return
        if own:
            # Its content was overwritten by the file that moved here; the document stays without a file.
            document_set_source(document=own, source="")
        logger.info("%s is now %s", twin.source or twin.title, source)
        document_set_source(document=twin, source=source)

    def is_there(self, source: str) -> bool:
        """Whether the file that a document belongs to still lies in the folder."""
        path = self.paths.get(source, self.folder / source)
        return bool(source) and self.shape_of(path) is not None

    def source_of(self, path: Path) -> str:
        return clean_source(readable(path.relative_to(self.folder)))

    # --- What became of it --------------------------------------------------------------------

    def tell_when_due(self) -> None:
        if time.monotonic() >= self.tell_at:
            self.tell_outcomes()
            self.tell_gone()
            self.tell_at = time.monotonic() + TELL_SECONDS

    def tell_outcomes(self) -> None:
        """Warn of each document that was sent and could not be read; forget all that have ended."""
        asked = list(islice(self.sent, ASKED_AT_ONCE))
        rows = Document.objects.in_bulk(asked) if asked else {}
        for pk in asked:
            row = rows.get(pk)
            if row and row.status in (Status.QUEUED, Status.PROCESSING):
                continue
            source = self.sent.pop(pk)
            if row and row.status == Status.FAILED:
                logger.warning("could not read %s: %s", source, row.reason)

    def tell_gone(self) -> None:
        """Say which documents stay without their file: once nothing waits that a gone file may be now."""
        if self.pending:
            return
        sources = [self.source_of(path) for path in self.gone if self.shape_of(path) is None]
        self.gone.clear()
        kept = Document.objects.filter(collection=self.collection, source__in=sources)
        for source in kept.values_list("source", flat=True) if sources else ():
            logger.info("%s is gone; its document stays", source)

    # --- Following ----------------------------------------------------------------------------

    def run(self, stop: Event) -> None:
        """Take what is there, then what comes, until ``stop`` is set.

        Beside a running portal its worker indexes; alone, this process does.
        """
        worker = OwnWorker()
        try:
            for changes in self.changes(stop):
                for change, name in changes:
                    act = self.forget if change == Change.deleted else self.note
                    act(Path(name))
                self.compare_when_due()
                close_old_connections()
                self.look()
                self.unless_away(self.tell_when_due)
                self.unless_away(worker.help_out)
        finally:
            worker.stop()

    def compare_when_due(self) -> None:
        started = time.monotonic()
        if started >= self.compare_at:
            self.compare()
            # A folder that takes long to walk is walked less often.
            took = time.monotonic() - started
            self.compare_at = started + max(COMPARE_SECONDS, 20 * took)

    def changes(self, stop: Event) -> Iterator[set[tuple[Change, str]]]:
        """What the operating system tells of the folder; an empty set at least every LOOK_MILLISECONDS."""
        yield set()
        try:
            yield from watch(
                self.folder,
                watch_filter=None,
                debounce=LOOK_MILLISECONDS,
                rust_timeout=LOOK_MILLISECONDS,
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            )
        except OSError as error:  # more folders than the system watches, say
            logger.warning("the system tells of no changes here (%s); comparing instead", error)
        while not stop.wait(LOOK_MILLISECONDS / 1000):
            yield set()

    def unless_away(self, act: Callable[[], None]) -> None:
        """What needs the database and can wait for it."""
        try:
            act()
            self.away = False
        except Exception as error:
            if not connection_lost(error):
                raise


@contextmanager
def unchanging_copy(path: Path, sha256: str, *, same: bool = True) -> Iterator[File[bytes]]:
    """The bytes of ``path`` as they are now: what is stored must be what its digest was made of.

    Raises ``ChangedMeanwhile`` when the digest is not ``sha256`` any more (or, unless ``same``, still is).
    """
    os.makedirs(settings.FILE_UPLOAD_TEMP_DIR, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        with path.open("rb") as stream:
            shutil.copyfileobj(stream, copy)
        copy.seek(0)
        upload = File(copy, name=readable(path.name))
        upload.size = os.fstat(copy.fileno()).st_size
        if (checked_digest(upload) == sha256) is not same:
            raise ChangedMeanwhile("it was written to while it was read")
        yield upload
