from __future__ import annotations

import os
import struct
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing import archive
from tests.documents.parsing.ooxml_factory import write_zip

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
BILLION = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">' + LAUGHS + b"]><r>&l11;</r>"


def zipped(folder: Path, entries: dict[str, bytes]) -> str:
    return str(write_zip(folder / "file.zip", entries))


def test_an_ordinary_archive_passes(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a.xml": b"<a/>", "b/c.xml": b"x" * 100_000})
    archive.check(path)
    with archive.opened(path) as opened:
        assert archive.read(opened, "a.xml") == b"<a/>"


def test_names_that_point_outside_are_only_names(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"../../evil.txt": b"evil", "/etc/evil": b"evil"})
    with archive.opened(path) as opened:
        assert archive.read(opened, "../../evil.txt") == b"evil"
    assert os.listdir(tmp_path) == ["file.zip"]


def test_a_missing_entry_is_damage(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a": b""})
    with archive.opened(path) as opened, pytest.raises(UnreadableDocument, match="damaged"):
        archive.read(opened, "b")


@pytest.mark.parametrize("keep", [0, 1, 10, 60, -30])
def test_a_truncated_archive_is_damaged(tmp_path: Path, keep: int) -> None:
    path = Path(zipped(tmp_path, {"a": b"some content", "b": b"more"}))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableDocument, match="damaged"):
        archive.check(str(path))


def test_an_entry_with_a_wrong_checksum_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("a", b"some content")
    path.write_bytes(path.read_bytes().replace(b"some content", b"SOME content"))
    with archive.opened(str(path)) as opened, pytest.raises(UnreadableDocument, match="damaged"):
        archive.read(opened, "a")


def test_a_bomb_of_one_entry_is_refused_unopened(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"a": bytes(64 * 1024 * 1024)})
    with pytest.raises(UnreadableDocument, match="archive bomb"):
        archive.check(path)


@pytest.mark.parametrize(("limit", "value"), [("MAX_ENTRIES", 3), ("MAX_UNPACKED", 300), ("MAX_ENTRY", 90)])
def test_limits_of_number_and_size(
    tmp_path: Path, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, {str(n): os.urandom(100) for n in range(4)})
    archive.check(path)
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(UnreadableDocument, match="archive bomb"):
        archive.check(path)


def test_entries_that_share_bytes_are_a_bomb(tmp_path: Path) -> None:
    content = Path(zipped(tmp_path, {"a": os.urandom(1000)})).read_bytes()
    directory = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entry = content[directory:end]
    twice = bytearray(content[:directory] + entry + entry + content[end:])
    at = len(content[:directory]) + 2 * len(entry)
    twice[at + 8 : at + 16] = struct.pack("<HHI", 2, 2, 2 * len(entry))
    path = tmp_path / "overlap.zip"
    path.write_bytes(twice)
    with pytest.raises(UnreadableDocument, match="archive bomb"):
        archive.check(str(path))


def test_an_entry_larger_than_it_says_is_not_unpacked_beyond_that(tmp_path: Path) -> None:
    path = Path(zipped(tmp_path, {"a": bytes(5_000_000)}))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 100)))
    with archive.opened(str(path)) as opened, pytest.raises(UnreadableDocument, match="damaged"):
        archive.read(opened, "a")


def test_protected_entries_are_named(tmp_path: Path) -> None:
    path = Path(zipped(tmp_path, {"a": b"secret"}))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableDocument, match="protected by a password"):
        archive.check(str(path))


def test_xml_is_parsed() -> None:
    assert archive.parse_xml(b"<a><b/></a>")[0].tag == "b"
    html = b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://192.0.2.1/x.dtd"><html/>'
    assert archive.parse_xml(html).tag == "html"


@pytest.mark.parametrize(
    "content",
    [
        BILLION,
        BILLION.decode().encode("utf-16"),
        b'<!DOCTYPE r [<!ENTITY a "' + b"x" * 100_000 + b'">]><r>' + b"&a;" * 50_000 + b"</r>",
        b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r>&e;</r>',
        b'<!DOCTYPE r [<!ENTITY e SYSTEM "http://192.0.2.1/x">]><r>&e;</r>',
        b'<!DOCTYPE r [<!ENTITY % e SYSTEM "http://192.0.2.1/x"> %e;]><r/>',
        b"<a><b></a>",
        b"",
        b"\xff\xfe",
        b"<a>" * 300 + b"</a>" * 300,
    ],
)
def test_entities_and_broken_xml_are_refused_at_once(content: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(UnreadableDocument, match="damaged or that declares entities"):
        archive.parse_xml(content)
    assert time.monotonic() - started < 1


def test_what_a_library_raises_becomes_a_sentence() -> None:
    with pytest.raises(UnreadableDocument, match="damaged"), archive.damage_named():
        raise KeyError("rId7")
    with pytest.raises(UnreadableDocument, match="own reason"), archive.damage_named():
        raise UnreadableDocument("own reason")
    with pytest.raises(MemoryError), archive.damage_named():
        raise MemoryError


def test_a_comment_at_the_end_of_an_archive_is_harmless(tmp_path: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr("a", b"x")
        target.comment = b"comment"
    path = tmp_path / "file.zip"
    path.write_bytes(content.getvalue())
    archive.check(str(path))
