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
    before = timezone.now() - ABANDONED
    # Listed before the rows are read: a file whose row comes in between is known.
    abandoned = unowned([name for name in stored_files() if older_than(name, before)])
    for name in abandoned:
        default_storage.delete(name)
    return len(abandoned)


def older_than(name: str, moment: datetime) -> bool:
    try:
        return bool(default_storage.get_modified_time(name) < moment)
    except FileNotFoundError:
        return False
