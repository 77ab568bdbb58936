"""A large upload is on the disk while it comes, and its digest is known when its last byte is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.test import Client, RequestFactory

from documents.models import Document
from documents.receiving import HashedUpload
from documents.uploads import checked_digest

LARGE = b"A heron stood in the reeds.\n" * 120_000


def received(body: bytes, name: str = "large.txt") -> UploadedFile:
    request = RequestFactory().post("/documents/upload/", {"file": ContentFile(body, name=name)})
    upload = request.FILES["file"]
    assert isinstance(upload, UploadedFile)
    return upload


def test_a_large_file_is_hashed_on_the_way_and_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = received(LARGE)
    assert isinstance(upload, HashedUpload)
    monkeypatch.setattr(HashedUpload, "chunks", None)
    assert checked_digest(upload) == hashlib.sha256(LARGE).hexdigest()
    assert upload.read() == LARGE
    upload.close()


def test_a_small_one_is_hashed_in_memory() -> None:
    upload = received(b"small")
    assert not isinstance(upload, HashedUpload)
    assert checked_digest(upload) == hashlib.sha256(b"small").hexdigest()


def test_one_file_is_made_for_it_and_none_is_left(settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    upload = received(LARGE)
    assert len(list(tmp_path.iterdir())) == 1
    upload.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_the_digest_is_that_of_the_bytes_stored(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    client.post("/documents/upload/", {"file": ContentFile(LARGE, name="large.txt")})
    document = Document.objects.get()
    with document.file.open("rb") as stored:
        assert hashlib.sha256(stored.read()).hexdigest() == document.sha256
