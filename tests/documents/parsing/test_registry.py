from __future__ import annotations

import random
from pathlib import Path

import pytest

from documents.exceptions import EmptyUpload, UnsupportedType
from documents.parsing.registry import MEDIA_TYPES, PARSERS, detect, import_parser
from tests.documents.parsing.pdf_factory import make_pdf

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))


def kind_of(folder: Path, content: bytes, filename: str) -> str:
    path = folder / "stored"
    path.write_bytes(content)
    with path.open("rb") as file:
        return detect(file, filename).kind


@pytest.mark.parametrize(
    ("content", "filename", "kind"),
    [
        (make_pdf([["hello"]]), "report.pdf", "pdf"),
        (make_pdf([["hello"]]), "report.txt", "pdf"),
        (b"junk before\n" + make_pdf([["hello"]]), "report", "pdf"),
        (b"only words", "report.pdf", "text"),
        (b"A file begins with %PDF-1.7 when it is a PDF.", "about.txt", "text"),
        (b"# Title\n", "notes.md", "markdown"),
        (b"# Title\n", "NOTES.MARKDOWN", "markdown"),
        (b"# Title\n", "notes", "text"),
        ("Grüße".encode(), "a.txt", "text"),
        ("Grüße".encode("latin-1"), "a.txt", "text"),
        ("Grüße aus Köln".encode("utf-16"), "a.txt", "text"),
        ("Grüße aus Köln und Bonn".encode("utf-16-le"), "a.txt", "text"),
        (("日本語の文章です。" * 20).encode("shift_jis"), "a.txt", "text"),
        (b"a text with one\0stray zero byte, and many words around it, as it happens" * 3, "a.txt", "text"),
        (b"   \n\n ", "blank.txt", "text"),
    ],
)
def test_content_decides(tmp_path: Path, content: bytes, filename: str, kind: str) -> None:
    assert kind_of(tmp_path, content, filename) == kind


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (PNG, "Portable Network Graphics"),
        (b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(200), "This seems to be"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "ELF"),
        (random.Random(7).randbytes(5000), "This seems to be"),
        (b"{\\rtf1\\ansi some words}", "RTF"),
        (b"words, " * 20_000 + bytes(range(32)) * 4_000, "This seems to be"),
    ],
)
def test_binary_content_is_refused_by_name(tmp_path: Path, content: bytes, seems: str) -> None:
    with pytest.raises(UnsupportedType, match=seems) as refusal:
        kind_of(tmp_path, content, "harmless.txt")
    assert "Supported: PDF" in str(refusal.value)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyUpload):
        kind_of(tmp_path, b"", "empty.pdf")


def test_every_kind_has_a_parser_and_a_media_type() -> None:
    assert PARSERS.keys() == MEDIA_TYPES.keys()
    assert all(callable(import_parser(path)) for path in PARSERS.values())
