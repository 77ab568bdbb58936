"""Getting at a stored original as a file with a path, wherever the storage keeps it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models.fields.files import FieldFile

from documents.models import Document


@contextmanager
def local_copy(file: FieldFile) -> Iterator[str]:
    """A path to the file's bytes: the file itself on a local disk, else a temporary copy."""
    try:
        path = file.path
    except NotImplementedError:
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "original")
            with file.open("rb") as source, open(copy, "wb") as target:
                shutil.copyfileobj(source, target)
            yield copy
    else:
        yield path


@contextmanager
def indexed_copy(document: Document) -> Iterator[str]:
    """A path to the file that the present pages were read from, as ``local_copy`` gives it."""
    file = document.file
    if document.indexed_file and document.indexed_file != file.name:
        file = FieldFile(document, file.field, document.indexed_file)
    with local_copy(file) as path:
        yield path
