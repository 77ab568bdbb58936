"""Which document a ZIP file holds, without unpacking it.

This runs in the web process: no more than a bounded part of the file's directory is ever read,
whatever the file says of its size.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: Kinds that are ZIP files.
KINDS = ("docx", "pptx", "xlsx", "odt", "epub")
#: A document's directory is shorter; of a longer one only so much is read (tens of thousands of names).
MAX_DIRECTORY = 2 * 1024 * 1024

_PARTS = {"word/document": "docx", "ppt/presentation": "pptx", "xl/workbook": "xlsx"}
_MIMETYPES = {
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.text-template": "odt",
}
_REFUSALS = {
    b"application/vnd.oasis.opendocument.spreadsheet": (
        "This seems to be an OpenDocument spreadsheet, which is not supported. Save it as .xlsx and "
        "upload that."
    ),
    b"application/vnd.oasis.opendocument.presentation": (
        "This seems to be an OpenDocument presentation, which is not supported. Save it as .pptx and "
        "upload that."
    ),
}
_BINARY_WORKBOOK = (
    "This seems to be a binary Excel workbook, which is not supported. Save it as .xlsx and upload that."
)

#: The end of a ZIP file: its last record and the longest comment.
_TAIL = 22 + 65_535
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_MIMETYPE_LENGTH = 100


@dataclass(frozen=True, slots=True)
class _Entry:
    """``offset`` is where its content's header stands in the file."""

    name: str
    method: int
    packed: int
    offset: int


@dataclass(frozen=True, slots=True)
class Found:
    """``kind`` of document, or why it is refused (a sentence). A file without a directory is not whole."""

    kind: str = ""
    refusal: str = ""
    is_whole: bool = True


def look_into(file: BinaryIO) -> Found:
    """What the ZIP file is, by what it says of its type and by the names in its directory."""
    entries = list(_directory(file))
    is_whole = bool(entries)
    entries = entries or list(_first_entry(file))
    mimetype = next((_content(file, entry) for entry in entries if entry.name == "mimetype"), b"").strip()
    if mimetype in _MIMETYPES or mimetype in _REFUSALS:
        return Found(_MIMETYPES.get(mimetype, ""), _REFUSALS.get(mimetype, ""), is_whole)
    names = {entry.name for entry in entries}
    if "xl/workbook.bin" in names:
        return Found(refusal=_BINARY_WORKBOOK)
    kind = next(filter(None, map(kind_of_part, names)), "")
    is_book = "META-INF/container.xml" in names and any(name.endswith(".opf") for name in names)
    return Found(kind or ("epub" if is_book else ""), "", is_whole)


def kind_of_part(name: str) -> str:
    """The kind of document whose main part has this name, or nothing.

    Office programs number the main part now and then: ``word/document2.xml``.
    """
    stem, suffix = os.path.splitext(name)
    return _PARTS.get(stem.rstrip("0123456789"), "") if suffix == ".xml" else ""


def _directory(file: BinaryIO) -> Iterator[_Entry]:
    """The directory's entries, as far as they are read; none when the file has no end."""
    found = _extent(file)
    if found is None:
        return
    offset, size, shift = found
    records = _read(file, offset, min(size, MAX_DIRECTORY))
    at = 0
    while records[at : at + 4] == _ENTRY and at + 46 <= len(records):
        method, packed, name, extra, comment = struct.unpack_from("<10xH8xI4xHHH", records, at)
        start = struct.unpack_from("<I", records, at + 42)[0]
        raw = records[at + 46 : at + 46 + name]
        yield _Entry(raw.decode("utf-8", "replace").replace("\\", "/"), method, packed, start + shift)
        at += 46 + name + extra + comment


def _extent(file: BinaryIO) -> tuple[int, int, int] | None:
    """Where the directory begins, its size, and by how much the file has moved all its offsets."""
    length = file.seek(0, os.SEEK_END)
    base = max(0, length - _TAIL)
    tail = _read(file, base, _TAIL)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        return None
    end = base + at
    size, offset = struct.unpack_from("<II", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == _LOCATOR64 and tail[at - 76 : at - 72] == _END64:
        end -= 76
        size, offset = struct.unpack_from("<QQ", tail, at - 76 + 40)
    begin = end - size
    return (begin, size, begin - offset) if begin >= 0 else None


def _first_entry(file: BinaryIO) -> Iterator[_Entry]:
    """The entry at the beginning, which a file without an end still has."""
    header = _read(file, 0, 30)
    if header.startswith(_LOCAL) and len(header) == 30:
        method, packed, name = struct.unpack_from("<8xH8xI4xH", header)
        yield _Entry(_read(file, 30, name).decode("utf-8", "replace"), method, packed, 0)


def _content(file: BinaryIO, entry: _Entry) -> bytes:
    """The beginning of an entry's content; nothing when it is damaged."""
    header = _read(file, entry.offset, 30)
    if not header.startswith(_LOCAL) or len(header) < 30:
        return b""
    name, extra = struct.unpack_from("<26xHH", header)
    content = _read(file, entry.offset + 30 + name + extra, min(entry.packed, 1024) or _MIMETYPE_LENGTH)
    if entry.method == 0:
        return content[:_MIMETYPE_LENGTH]
    try:
        return zlib.decompressobj(-15).decompress(content, _MIMETYPE_LENGTH) if entry.method == 8 else b""
    except zlib.error:
        return b""


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    if start < 0 or start > 1 << 62:
        return b""
    file.seek(start)
    return file.read(size)
