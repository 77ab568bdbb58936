"""Files as they are received: written to the disk piece by piece, and hashed on the way."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class HashedUpload(TemporaryUploadedFile):
    """A file on the disk that need not be read again to be named. ``sha256``: of all that was written."""

    sha256 = ""


class HashingUploadHandler(TemporaryFileUploadHandler):
    """For files that are too large for Django's own handler, which keeps small ones in memory."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        # Past the parent's, which would make a file of its own.
        super(TemporaryFileUploadHandler, self).new_file(*args, **kwargs)
        self.digest = hashlib.sha256()
        name = self.file_name or ""
        self.file = HashedUpload(name, self.content_type, 0, self.charset, self.content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.digest.update(raw_data)
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        upload = cast(HashedUpload, super().file_complete(file_size))
        upload.sha256 = self.digest.hexdigest()
        return upload
