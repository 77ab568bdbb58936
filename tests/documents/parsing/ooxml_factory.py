"""Changes office packages entry by entry, to make what the libraries do not write; and checks pages."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from documents.parsing import wire
from documents.parsing.types import BlockKind, ParsedDocument

Change = Callable[[bytes], bytes]


def rezip(
    path: Path, changes: dict[str, Change | None] | None = None, added: dict[str, bytes] | None = None
) -> Path:
    """The package with some entries changed (None: left out) and others added, in place."""
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    for name, change in (changes or {}).items():
        content = entries.pop(name)
        if change is not None:
            entries[name] = change(content)
    return write_zip(path, entries | (added or {}))


def with_numbered_part(path: Path, part: str) -> Path:
    """The package with its main part (``word/document``) called as some programs do: ``word/document2``."""
    folder, name = part.split("/")
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    for old, new in (
        (f"{part}.xml", f"{part}2.xml"),
        (f"{folder}/_rels/{name}.xml.rels", f"{folder}/_rels/{name}2.xml.rels"),
    ):
        entries[new] = entries.pop(old)
    for naming in ("[Content_Types].xml", "_rels/.rels"):
        entries[naming] = entries[naming].replace(f"{part}.xml".encode(), f"{part}2.xml".encode())
    return write_zip(path, entries)


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in entries.items():
            target.writestr(name, content)
    return path


def replaced(old: str, new: str) -> Change:
    return lambda content: content.replace(old.encode(), new.encode())


def blocks(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    """Kind and text of every block, after the checks that hold for every parser."""
    assert wire.load(wire.dump(document)) == document
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    found = []
    for page in document.pages:
        between = page.text
        for block in page.blocks:
            text = page.text[block.start : block.end]
            assert text == text.strip()
            if block.kind == "heading":
                assert block.title == text
            between = between.replace(text, "", 1)
            found.append((block.kind, text))
        assert not between.strip()
    return found


def texts(document: ParsedDocument) -> list[str]:
    return [text for _, text in blocks(document)]
