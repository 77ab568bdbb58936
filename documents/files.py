"""Getting at a stored original as a file with a path, wherever the storage keeps it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models.fields.files import FieldFile


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
