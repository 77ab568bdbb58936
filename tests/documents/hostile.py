"""Writes the hostile set into a folder: ``python -m tests.documents.hostile FOLDER``. Always the same bytes.

Files that want too much memory, time or depth, that lie about themselves, reach for what is not theirs, were
cut off, or bear names that mean something to a file system.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.documents.hostile_archives import archive_files
from tests.documents.hostile_images import image_files
from tests.documents.hostile_pdf import pdf_files
from tests.documents.hostile_texts import text_files
from tests.documents.hostile_types import Hostile


def hostile_files() -> Iterator[Hostile]:
    yield from pdf_files()
    yield from archive_files()
    yield from image_files()
    yield from text_files()


def write(folder: Path) -> None:
    """Each file under its id, with the suffix of its name: some names cannot be written at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for hostile in hostile_files():
        suffix = Path(hostile.filename.replace("\0", "")).suffix
        (folder / f"{hostile.id}{suffix if suffix.isascii() else ''}").write_bytes(hostile.make())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
