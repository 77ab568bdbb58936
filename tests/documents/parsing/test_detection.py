from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import docx
import pptx
import pytest
import xlsxwriter
from PIL import Image

from documents.exceptions import EmptyUpload, UnsupportedType
from documents.parsing.detection import detect
from documents.parsing.registry import MEDIA_TYPES, NAMES, PARSERS, import_parser
from tests.documents.parsing.pdf_factory import make_pdf

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(256))
MAIL = b"From: Anna <a@x.org>\r\nTo: b@x.org\r\nSubject: Pump\r\nDate: Mon, 3 Feb 2025\r\n\r\nHi\r\n"
XHTML = b'<?xml version="1.0"?>\n<!-- saved -->\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'
ODT = "application/vnd.oasis.opendocument.text"


def kind_of(folder: Path, content: bytes, filename: str) -> str:
    path = folder / "stored"
    path.write_bytes(content)
    with path.open("rb") as file:
        return detect(file, filename).kind


def archive(*entries: tuple[str, str], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in entries:
            file.writestr(name, content)
    return out.getvalue()


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, kind)
    return out.getvalue()


def word() -> bytes:
    out = io.BytesIO()
    docx.Document().save(out)
    return out.getvalue()


def slides() -> bytes:
    out = io.BytesIO()
    pptx.Presentation().save(out)
    return out.getvalue()


def sheets() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet().write("A1", "one")
    return out.getvalue()


def reversed_order(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return archive(*((name, "") for name in reversed(file.namelist())), method=zipfile.ZIP_DEFLATED)


def odt_with_extra_field() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        entry = zipfile.ZipInfo("mimetype")
        entry.extra = struct.pack("<HH4s", 0xCAFE, 4, b"abcd")
        file.writestr(entry, ODT)
        file.writestr("content.xml", "")
    return out.getvalue()


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
        (b"Title\n=====\n", "index.rst", "rst"),
        (b"a,b\n1,2\n", "table.csv", "csv"),
        (b"a\tb\n1\t2\n", "table.tsv", "csv"),
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
    ("content", "filename", "kind"),
    [
        (b"<!DOCTYPE html><title>x</title>", "page", "html"),
        (b"\xef\xbb\xbf<html>\n<body>words", "page.txt", "html"),
        ("<html><body>Grüße aus Köln".encode("utf-16"), "page", "html"),
        (XHTML, "page", "html"),
        (XHTML, "page.xhtml", "html"),
        (XHTML, "data.xml", "text"),
        (b"<p>a fragment</p>", "page.htm", "html"),
        (b"A page begins with <html> and <body>.", "about", "text"),
        (b"# Title\n<svg></svg>", "notes.md", "markdown"),
        (b"<svg></svg> draws nothing.", "notes.md", "markdown"),
        (b"A drawing begins with <svg>.", "about.txt", "text"),
        (MAIL, "mail.eml", "email"),
        (MAIL, "mail", "email"),
        (b"From anna@x.org Mon Feb  3 10:00:00 2025\n" + MAIL, "mail.txt", "email"),
        (b"Received: by x\n\tfor y\n" + MAIL, "", "email"),
        (b"words only", "saved.eml", "email"),
        (b"from: a\nto: b\nsubject: c\ndate: d\n", "rule.yaml", "text"),
        (b"Note: to all\nDate: today\n\nwords", "memo.txt", "text"),
        (b'{"from": 1}', "data.json", "text"),
        (b"import os\n", "tool.py", "text"),
        (b"2024-01-01 started\n", "server.log", "text"),
    ],
)
def test_kinds_of_text_are_told_by_name_then_by_content(
    tmp_path: Path, content: bytes, filename: str, kind: str
) -> None:
    assert kind_of(tmp_path, content, filename) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (word(), "docx"),
        (slides(), "pptx"),
        (sheets(), "xlsx"),
        (reversed_order(word()), "docx"),
        (reversed_order(slides()), "pptx"),
        (reversed_order(sheets()), "xlsx"),
        (archive(("word/document2.xml", "")), "docx"),
        (b"junk before" + word(), ""),
        (archive(("mimetype", ODT), ("content.xml", "")), "odt"),
        (archive(("content.xml", ""), ("mimetype", ODT)), "odt"),
        (archive(("mimetype", ODT + "-template")), "odt"),
        (odt_with_extra_field(), "odt"),
        (archive(("mimetype", "application/epub+zip")), "epub"),
        (archive(("mimetype", "application/epub+zip\r\n"), method=zipfile.ZIP_DEFLATED), "epub"),
        (archive(("META-INF/container.xml", ""), ("a/book.opf", "")), "epub"),
    ],
)
def test_containers_are_known_by_their_directory(tmp_path: Path, content: bytes, kind: str) -> None:
    if kind:
        assert kind_of(tmp_path, content, "file") == kind
    else:
        with pytest.raises(UnsupportedType):
            kind_of(tmp_path, content, "file")


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "odt", "epub"])
def test_a_torn_container_goes_to_the_parser_that_its_name_calls_for(tmp_path: Path, suffix: str) -> None:
    assert kind_of(tmp_path, word()[:2_000], f"file.{suffix}") == suffix


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (archive(("a.txt", "words")), "a ZIP archive. Unpack it and upload the files in it. Sup"),
        (
            archive(("xl/workbook.bin", "")),
            "binary Excel workbook, which is not supported. Save it as .xlsx and",
        ),
        (archive(("mimetype", "application/vnd.oasis.opendocument.spreadsheet")), "OpenDocument spreadsheet"),
        (archive(("mimetype", "application/vnd.oasis.opendocument.presentation")), "presentation"),
    ],
)
def test_other_archives_are_refused_with_advice(tmp_path: Path, content: bytes, seems: str) -> None:
    with pytest.raises(UnsupportedType, match=seems):
        kind_of(tmp_path, content, "file.docx")


def lying(size: int) -> bytes:
    """A document whose directory claims to be of ``size`` bytes."""
    content = bytearray(word())
    struct.pack_into("<I", content, len(content) - 10, size)
    return bytes(content)


@pytest.mark.parametrize("size", [0, 3, 2**31, 2**32 - 1])
def test_a_directory_that_lies_about_its_size_is_left_to_the_parser(tmp_path: Path, size: int) -> None:
    assert kind_of(tmp_path, lying(size), "file.docx") == "docx"


def test_a_directory_of_64_bit_sizes_is_read(tmp_path: Path) -> None:
    content = word()
    at = content.rfind(b"PK\x05\x06")
    count, size, offset = struct.unpack_from("<HII", content, at + 10)
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    end = content[at : at + 10] + struct.pack("<HII", 0xFFFF, 2**32 - 1, 2**32 - 1) + b"\0\0"
    assert kind_of(tmp_path, content[:at] + end64 + locator + end, "file") == "docx"


def test_a_directory_of_a_million_entries_costs_next_to_nothing(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *[0] * 6, 0, 0, 0, 8, *[0] * 4, 0, 0)
    directory = b"".join(entry + b"%08d" % number for number in range(1_000_000))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 30, 0)
    path = tmp_path / "stored"
    path.write_bytes(struct.pack("<4s5H3I2H", b"PK\x03\x04", *[0] * 10) + directory + end)
    tracemalloc.start()
    start = time.perf_counter()
    with path.open("rb") as file, pytest.raises(UnsupportedType, match="ZIP archive"):
        detect(file, "file.docx")
    assert time.perf_counter() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    tracemalloc.stop()


def test_a_run_of_comments_is_read_once(tmp_path: Path) -> None:
    start = time.perf_counter()
    assert kind_of(tmp_path, b"<!-- x -->" * 3_000 + b"words", "page") == "text"
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("GIF"), "image/gif"),
        (picture("TIFF"), "image/tiff"),
        (picture("BMP"), "image/bmp"),
        (picture("WEBP"), "image/webp"),
    ],
)
def test_pictures_are_known_by_their_first_bytes(content: bytes, media_type: str) -> None:
    found = detect(io.BytesIO(content), "scan.txt")
    assert (found.kind, found.media_type) == ("image", media_type)


@pytest.mark.parametrize(
    "text", [b"BM is short for bill of material.", b"II* is a mark.", b"GIF89a is a format.", b"MM or mm?"]
)
def test_a_text_may_begin_like_a_picture(tmp_path: Path, text: bytes) -> None:
    assert kind_of(tmp_path, text, "notes.txt") == "text"


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        (WAV, "This seems to be"),
        (WAV, "Waveform Audio"),
        (b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(200), "This seems to be a ZIP archive. Unpack it"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "ELF"),
        (
            random.Random(7).randbytes(5000),
            "This is a binary file that no reader here understands. Supported",
        ),
        (b"\x05admin" + bytes(150), "This is a binary file that no reader here understands. Supported"),
        (b"{\\rtf1\\ansi some words}", "RTF"),
        (b"words, " * 20_000 + bytes(range(32)) * 4_000, "This is a binary file"),
    ],
)
def test_binary_content_is_refused_by_name(tmp_path: Path, content: bytes, seems: str) -> None:
    with pytest.raises(UnsupportedType, match=seems) as refusal:
        kind_of(tmp_path, content, "harmless.txt")
    assert "Supported: PDF" in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "drawing.svg"),
        (b"<svg><text>Words</text></svg>", "drawing"),
        (b"<svg/>", "drawing"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg:svg></svg:svg>', "drawing.xml"),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg/>', "drawing.txt"),
        ("<svg><text>Grüße</text></svg>".encode("utf-16"), "drawing.txt"),
    ],
)
def test_a_drawing_is_refused_with_what_to_do(tmp_path: Path, content: bytes, filename: str) -> None:
    with pytest.raises(UnsupportedType, match=r"an SVG drawing.*Save it as PNG or PDF and upload that\. Sup"):
        kind_of(tmp_path, content, filename)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyUpload):
        kind_of(tmp_path, b"", "empty.pdf")


def test_every_kind_has_a_parser_and_a_media_type() -> None:
    assert PARSERS.keys() == MEDIA_TYPES.keys() == NAMES.keys()
    assert all(callable(import_parser(path)) for path in PARSERS.values())
