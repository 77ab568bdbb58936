"""ZIP containers (office documents, e-books) opened with care, in the jail: nothing is unpacked to disk.

A library that reads such a file by itself is given the path only after ``check`` has passed.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from lxml import etree

from documents.exceptions import UnreadableDocument

MAX_ENTRIES = 20_000
#: Bytes, unpacked: of all entries, and of a single one.
MAX_UNPACKED = 512 * 1024 * 1024
MAX_ENTRY = 256 * 1024 * 1024
#: A file of real text and pictures shrinks by less; only looked at above MIN_SUSPECT bytes.
MAX_RATIO = 200
MIN_SUSPECT = 32 * 1024 * 1024
#: Bytes of an entry's own header, without its name.
_LOCAL_HEADER = 30
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

DAMAGED = (
    "This file is damaged and cannot be read. Open it in the program that made it, save it again, and "
    "upload that."
)
ENCRYPTED = "This file is protected by a password. Remove the protection and upload it again."
BOMB = "This file unpacks to far more than its size: it looks like an archive bomb and was not read."
BAD_XML = "This file holds XML that is damaged or that declares entities, and was not read."

#: What zipfile raises for damaged archives.
FAILURES = (zipfile.BadZipFile, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError, OSError)


@contextmanager
def opened(path: str) -> Iterator[zipfile.ZipFile]:
    """The archive at ``path``, checked. Raises ``UnreadableDocument``."""
    try:
        archive = zipfile.ZipFile(path)
    except FAILURES as error:
        raise UnreadableDocument(DAMAGED) from error
    with archive:
        _check(archive)
        yield archive


def check(path: str) -> None:
    """Refuse bombs and protected archives. Raises ``UnreadableDocument``."""
    with opened(path):
        pass


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry's bytes. Raises ``UnreadableDocument`` when it is missing, damaged or larger than it says."""
    try:
        size = archive.getinfo(name).file_size
        with archive.open(name) as entry:
            content = entry.read(size + 1)
    except (*FAILURES, zlib.error) as error:
        raise UnreadableDocument(DAMAGED) from error
    if len(content) > size:
        raise UnreadableDocument(BOMB)
    return content


def parse_xml(content: bytes) -> etree._Element:
    """The root of an XML document. Entities are refused and nothing is ever fetched."""
    refuse_entities(content)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableDocument(BAD_XML) from error


def refuse_entities(content: bytes) -> None:
    """Raises ``UnreadableDocument`` for XML that declares entities, before any parser has seen it."""
    if content.startswith(_UTF16_MARKS) or b"\0" in content[:4]:
        content = content.replace(b"\0", b"")
    if b"<!DOCTYPE" in content and b"<!ENTITY" in content:
        raise UnreadableDocument(BAD_XML)


@contextmanager
def damage_named() -> Iterator[None]:
    """What a library raises over a file that it does not understand becomes a sentence for users."""
    try:
        yield
    except (UnreadableDocument, MemoryError):
        raise
    except Exception as error:
        raise UnreadableDocument(DAMAGED) from error


def _check(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableDocument(ENCRYPTED)
    if (
        len(entries) > MAX_ENTRIES
        or unpacked > MAX_UNPACKED
        or any(entry.file_size > MAX_ENTRY for entry in entries)
        or (unpacked > MIN_SUSPECT and unpacked > MAX_RATIO * max(packed, 1))
    ):
        raise UnreadableDocument(BOMB)
    if _overlap(entries):
        raise UnreadableDocument(BOMB)


def _overlap(entries: list[zipfile.ZipInfo]) -> bool:
    """Whether entries share bytes: the trick by which a small file unpacks to petabytes."""
    placed = sorted(entries, key=lambda entry: entry.header_offset)
    return any(
        before.header_offset + _LOCAL_HEADER + before.compress_size > after.header_offset
        for before, after in pairwise(placed)
    )
