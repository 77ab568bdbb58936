"""The stored originals and their small pictures seen as files: which are there, and which are nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from documents.models import Document

ORIGINALS = "originals"
#: Of each original a folder with pictures of its pages (``thumbnails``).
THUMBNAILS = "thumbnails"
#: An upload stores its file before its row; when that takes longer than this, it has failed.
ABANDONED = timedelta(hours=1)


def stored_files() -> Iterator[str]:
    yield from files_in(ORIGINALS)
    yield from files_in(THUMBNAILS)


def files_in(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (str(PurePosixPath(folder) / name) for name in files)
    for name in folders:
        yield from files_in(str(PurePosixPath(folder) / name))


def thumbnails_of(original: str) -> str:
    """The folder with the pictures of an original."""
    return str(PurePosixPath(THUMBNAILS, *PurePosixPath(original).parts[1:]))


def original_of(name: str) -> str:
    """The original that a stored file is, or that it is a picture of."""
    path = PurePosixPath(name)
    is_picture = path.parts[0] == THUMBNAILS
    return str(PurePosixPath(ORIGINALS, *path.parts[1:-1])) if is_picture else name


def remove_thumbnails(storage: Storage, original: str) -> None:
    folder = thumbnails_of(original)
    try:
        _, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        storage.delete(f"{folder}/{name}")
    storage.delete(folder)


def unowned(names: Iterable[str]) -> list[str]:
    """Those that no document owns: as its file, as the one that its pages were read from, as a picture."""
    rows = Document.objects.values_list("file", "indexed_file")
    known = {name for row in rows for name in row}
    return [name for name in names if original_of(name) not in known]


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
