"""An upload before it is a document: checked, named harmlessly, stored."""

from __future__ import annotations

import errno
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage

from documents.exceptions import EmptyUpload, StorageFull, UploadTooLarge
from documents.models import TITLE_LENGTH, Document
from documents.parsing.registry import detect

FILENAME_LENGTH = 255
#: Characters that turn the direction of text or hide it: a name must read as what it is.
INVISIBLE = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def checked_digest(upload: File[bytes]) -> str:
    """The SHA-256 of the upload, read in pieces; refuses what is empty or too large."""
    if not upload.size:
        raise EmptyUpload
    if upload.size > settings.UPLOAD_LIMIT:
        limit = settings.UPLOAD_LIMIT // (1024 * 1024)
        raise UploadTooLarge(f"The file is larger than the limit of {limit} MB. Nothing was stored.")
    digest = hashlib.sha256()
    for piece in upload.chunks():
        digest.update(piece)
    upload.seek(0)
    return digest.hexdigest()


def detect_type(upload: File[bytes], filename: str) -> tuple[str, str]:
    """Kind and media type, from the upload's bytes."""
    found = detect(cast(BinaryIO, upload.file), filename)
    upload.seek(0)
    return found.kind, found.media_type


def described(upload: File[bytes], *, title: str = "", tags: Iterable[str] = ()) -> Document:
    """What can be said of the file by itself. Raises ``UnsupportedType``."""
    filename = clean_filename(upload.name or "")
    kind, media_type = detect_type(upload, filename)
    return Document(
        title=clean_title(title) or title_from_filename(filename),
        filename=filename,
        kind=kind,
        media_type=media_type,
        size=upload.size,
        tags=clean_tags(tags),
        metadata={"title_given": True} if clean_title(title) else {},
    )


def store_file(document: Document, upload: File[bytes]) -> None:
    try:
        document.file.save(document.filename, upload, save=False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise


def discard_file(document: Document) -> None:
    delete_file(document.file.storage, document.file.name)


def delete_file(storage: Storage, name: str | None) -> None:
    if name:
        storage.delete(name)


def clean_filename(name: str) -> str:
    """A name to show: the last part of the path, without control or direction characters."""
    last = PurePath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    visible = INVISIBLE.sub("", last).strip(" .")
    if len(visible) > FILENAME_LENGTH:
        stem, dot, suffix = visible.rpartition(".")
        suffix = f".{suffix}" if dot and len(suffix) <= 10 else ""
        visible = (stem if suffix else visible)[: FILENAME_LENGTH - len(suffix)] + suffix
    return visible or "document"


def title_from_filename(filename: str) -> str:
    stem = PurePath(filename).stem
    return clean_title(re.sub(r"[_\s]+", " ", stem)) or filename


def clean_title(title: str) -> str:
    return " ".join(INVISIBLE.sub(" ", title).split())[:TITLE_LENGTH]


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Folded, each once, in the order given."""
    folded = (" ".join(INVISIBLE.sub(" ", tag).split()).casefold()[:50] for tag in tags)
    return list(dict.fromkeys(tag for tag in folded if tag))
