"""An upload before it is a document: checked, named harmlessly, stored."""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.utils.translation import gettext

from documents.exceptions import EmptyUpload, StorageFull, UploadTooLarge, room_lacking
from documents.invisible import visible
from documents.models import TITLE_LENGTH, Document
from documents.parsing.detection import detect
from documents.receiving import HashedUpload
from documents.stored_files import remove_thumbnails

FILENAME_LENGTH = 255
SOURCE_LENGTH = 1000
#: How long a lost database is asked whether it kept an upload.
ASK_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0)
#: Characters that turn the direction of text, hide it or are none: a file's name must read as what it is.
INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
#: What a title is without besides.
CONTROLS = re.compile("[\u0000-\u001f\u007f-\u009f\ufeff\ud800-\udfff]")


def checked_digest(upload: File[bytes]) -> str:
    """The SHA-256 of the upload, taken as it came or read in pieces; refuses what is empty or too large."""
    if not upload.size:
        raise EmptyUpload
    if upload.size > settings.UPLOAD_LIMIT:
        limit = settings.UPLOAD_LIMIT // (1024 * 1024)
        text = gettext("The file is larger than the limit of %s MB. Nothing was stored.")
        raise UploadTooLarge(text % limit)
    if isinstance(upload, HashedUpload):
        return upload.sha256
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
    """Raises ``StorageFull``, and leaves nothing then of what was written so far."""
    storage = document.file.storage
    name = document.file.field.generate_filename(document, document.filename)
    try:
        document.file = storage.save(name, upload)
    except OSError as error:
        storage.delete(name)
        if room_lacking(error):
            raise StorageFull from error
        raise


def discard_file(document: Document) -> None:
    delete_file(document.file.storage, document.file.name)


def discard_unless_kept(document: Document) -> bool:
    """After a lost connection: whether the row is there all the same; if not, its file goes.

    When the database stays away the file stays too, and the sweep removes it if it is nobody's.
    """
    for pause in ASK_AGAIN_SECONDS:
        time.sleep(pause)
        close_old_connections()
        try:
            kept = Document.objects.filter(pk=document.pk).exists()
        except (OperationalError, InterfaceError):
            continue
        if not kept:
            discard_file(document)
        return kept
    return False


def discard_former_file(document: Document) -> None:
    """The file that pages and passages were read from, when it is no longer the document's own."""
    former, document.indexed_file = document.indexed_file, ""
    if former and former != document.file.name:
        storage = document.file.storage
        transaction.on_commit(lambda: delete_file(storage, former))


def delete_file(storage: Storage, name: str | None) -> None:
    """An original, and the pictures of its pages."""
    if name:
        storage.delete(name)
        remove_thumbnails(storage, name)


def clean_filename(name: str) -> str:
    """A name to show: the last part of the path, without control or direction characters."""
    last = PurePath(unicodedata.normalize("NFC", name).replace("\\", "/")).name
    shown = visible(INVISIBLE.sub("", last)).strip(" .")
    if len(shown) > FILENAME_LENGTH:
        stem, dot, suffix = shown.rpartition(".")
        suffix = f".{suffix}" if dot and len(suffix) <= 10 else ""
        shown = (stem if suffix else shown)[: FILENAME_LENGTH - len(suffix)] + suffix
    return shown or "document"


def title_from_filename(filename: str) -> str:
    stem = PurePath(filename).stem
    return clean_title(re.sub(r"[_\s]+", " ", stem)) or filename


def clean_title(title: str) -> str:
    """On one line, without what hides in it; joiners that its script is spelled with stay."""
    return " ".join(CONTROLS.sub(" ", visible(title)).split())[:TITLE_LENGTH]


def clean_source(path: str) -> str:
    """The path inside a folder, with ``/`` between its parts and none that leads out of it."""
    parts = INVISIBLE.sub("", unicodedata.normalize("NFC", path)).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-SOURCE_LENGTH:]


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Folded, each once, in the order given."""
    folded = (" ".join(INVISIBLE.sub(" ", visible(tag)).split()).casefold()[:50] for tag in tags)
    return list(dict.fromkeys(tag for tag in folded if tag))
