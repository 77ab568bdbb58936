"""The stored originals seen as files: which are there, and which of them are nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from django.core.files.storage import default_storage
from django.utils import timezone

from documents.models import Document

FOLDER = "originals"
#: An upload stores its file before its row; when that takes longer than this, it has failed.
ABANDONED = timedelta(hours=1)


def stored_files(folder: str = FOLDER) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (str(PurePosixPath(folder) / name) for name in files)
    for name in folders:
        yield from stored_files(str(PurePosixPath(folder) / name))


def unowned(names: Iterable[str]) -> list[str]:
    """Those that no document owns, neither as its file nor as the one that its pages were read from."""
    rows = Document.objects.values_list("file", "indexed_file")
    known = {name for row in rows for name in row}
    return [name for name in names if name not in known]


def remove_abandoned() -> int:
    """Delete the files of uploads that were never finished; how many these were."""
    return remove_unowned(list(stored_files()), older_than=ABANDONED)


def remove_unowned(names: Iterable[str], *, older_than: timedelta) -> int:
    """Delete those of ``names`` that are nobody's for so long."""
    before = timezone.now() - older_than
    # Their age is asked before the rows are: a file whose row comes in between is known.
    gone = unowned([name for name in names if is_older(name, before)])
    for name in gone:
        default_storage.delete(name)
    return len(gone)


def is_older(name: str, moment: datetime) -> bool:
    try:
        return bool(default_storage.get_modified_time(name) < moment)
    except FileNotFoundError:
        return False
