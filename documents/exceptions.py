"""The errors of the write way. The docstring is the message, unless one is given."""

from __future__ import annotations

import errno


class DocumentError(Exception):
    """The document could not be handled."""

    #: Problem type (RFC 9457) and HTTP status, read once by the project's error handler.
    code = "document-error"
    status = 400

    def __init__(self, message: str = "", **context: object) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.context = context


class UnreadableDocument(DocumentError):
    """The file cannot be read."""

    code = "unreadable-document"
    status = 422


class PoisonedFile(UnreadableDocument):
    """Reading the file took too much, or took its reader down."""

    code = "poisoned-file"


class UnsupportedType(UnreadableDocument):
    """This type of file is not supported."""

    code = "unsupported-type"
    status = 415


class EmptyUpload(DocumentError):
    """The file is empty."""

    code = "empty-file"


class UploadTooLarge(DocumentError):
    """The file is larger than this portal accepts."""

    code = "upload-too-large"
    status = 413


class StorageFull(DocumentError):
    """The portal has no room left for this file. Nothing was stored; please try again later."""

    code = "storage-full"
    status = 507


class AlreadyThere(DocumentError):
    """Another document of this collection has exactly this content."""

    code = "already-there"
    status = 409


class Deleted(DocumentError):
    """This document was deleted."""

    code = "deleted"
    status = 410


class NotAllowed(DocumentError):
    """Your role in this collection does not allow that."""

    code = "not-allowed"
    status = 403


class IdempotencyConflict(DocumentError):
    """This Idempotency-Key was used before with a different file or collection."""

    code = "idempotency-conflict"
    status = 422


def room_lacking(error: BaseException) -> bool:
    """Whether a disk is full: this machine's, or that of the database."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error.__cause__, "sqlstate", None) == "53100"


class EmbeddingUnavailable(DocumentError):
    """No engine can run the embedding model here."""

    code = "embedding-unavailable"
    status = 503
