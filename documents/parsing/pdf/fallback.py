"""PDF text by pypdf: slower and without boxes, for files and pages that PDFium refuses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PasswordType, PdfReader
from pypdf.errors import DependencyError
from pypdf.generic import Destination

from documents.exceptions import UnreadableDocument
from documents.invisible import visible
from documents.parsing.pdf.catalog import FAILURES, open_reader
from documents.parsing.pdf.outline import MAX_DEPTH, MAX_ENTRIES, tidy_label
from documents.parsing.text import paragraphs
from documents.parsing.types import Block, ParsedDocument, ParsedPage, Report, unheard

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]")

#: Page (0 = first) -> title -> level.
_Titles = dict[int, dict[str, int]]


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read the whole file. Raises ``UnreadableDocument`` if pypdf cannot read it either."""
    from documents.parsing.pdf.parser import DAMAGED, MAX_PAGES, own_title, tidy_metadata

    try:
        reader = _opened(path)
        count = min(len(reader.pages), MAX_PAGES + 1)
        found = {str(key).lstrip("/"): str(value) for key, value in (reader.metadata or {}).items()}
    except FAILURES as error:
        raise UnreadableDocument(DAMAGED) from error
    titles, labels = _titles(reader), _labels(reader)
    pages = []
    for index in range(count):
        label = tidy_label(labels[index], index) if index < len(labels) else ""
        pages.append(_page(reader, index, titles.get(index, {}), label))
        if index % 10 == 9:
            report(index + 1, count)
    if not any(page.text for page in pages):
        raise UnreadableDocument(DAMAGED)
    metadata = tidy_metadata(found)
    return ParsedDocument(tuple(pages), own_title(metadata), metadata)


def _opened(path: str) -> PdfReader:
    """With the empty password, where the file is encrypted."""
    from documents.parsing.pdf.parser import ENCRYPTED, UNKNOWN_PROTECTION

    try:
        reader = open_reader(path)
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise UnreadableDocument(ENCRYPTED)
    except (DependencyError, NotImplementedError) as error:
        raise UnreadableDocument(UNKNOWN_PROTECTION) from error
    return reader


def read_page(path: str, number: int) -> ParsedPage:
    """One page (1 = first); empty if pypdf cannot read it either."""
    try:
        return _page(open_reader(path), number - 1, {}, "")
    except FAILURES:
        return ParsedPage(number, "", ())


def _page(reader: PdfReader, index: int, titles: dict[str, int], label: str) -> ParsedPage:
    try:
        text = reader.pages[index].extract_text()
    except FAILURES:
        text = ""
    text = visible(_UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()
    return ParsedPage(index + 1, text, tuple(_blocks(text, titles)), label=label)


def _blocks(text: str, titles: dict[str, int]) -> Iterator[Block]:
    """Paragraphs, and the lines that the outline names as headings."""
    start = 0
    for line in re.finditer(r"[^\n]+", text):
        level = titles.get(" ".join(line[0].split()).casefold())
        if level:
            yield from _moved(paragraphs(text[start : line.start()]), start)
            yield Block("heading", line.start(), line.end(), level)
            start = line.end()
    yield from _moved(paragraphs(text[start:]), start)


def _moved(blocks: Iterator[Block], by: int) -> Iterator[Block]:
    return (Block(block.kind, block.start + by, block.end + by) for block in blocks)


def _labels(reader: PdfReader) -> Sequence[str]:
    try:
        return reader.page_labels if "/PageLabels" in reader.root_object else []
    except FAILURES:
        return []


def _titles(reader: PdfReader) -> _Titles:
    titles: _Titles = defaultdict(dict)
    try:
        if "/Outlines" in reader.root_object:
            for level, entry in _entries(reader.outline, 1):
                page = reader.get_destination_page_number(entry)
                if page is not None and len(titles) < MAX_ENTRIES:
                    titles[page].setdefault(" ".join(str(entry.title).split()).casefold(), level)
    except FAILURES:
        pass
    return titles


def _entries(outline: Sequence[Any], level: int) -> Iterator[tuple[int, Destination]]:
    for entry in outline:
        if not isinstance(entry, list):
            yield level, entry
        elif level < MAX_DEPTH:
            yield from _entries(entry, level + 1)
