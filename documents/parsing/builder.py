"""Builds pages from blocks, for formats that know headings, lists and tables but no places on paper.

Offsets hold by construction: a block is written into the page's text, and its span noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from documents.exceptions import UnreadableDocument
from documents.parsing.text import MAX_PAGES, PAGE_CHARACTERS, page_spans, unusable_removed
from documents.parsing.types import Attachment, Block, BlockKind, ParsedDocument, ParsedPage

CELL_SEPARATOR = " | "


class PageBuilder:
    """Takes the blocks of a file in reading order and gives its pages.

    A page ends where the format says so (``end_page``), or between blocks after about
    ``PAGE_CHARACTERS``; a block longer than a page is cut as plain text is, a table between rows.
    ``label`` names the first page (see ``end_page``).
    """

    def __init__(self, label: str = "") -> None:
        self._pages: list[ParsedPage] = []
        self._label = one_line(label)
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0
        self._first_heading = ""

    def heading(self, text: str, level: int) -> None:
        """``level`` 1 is the highest."""
        text = one_line(text)
        if text:
            self._first_heading = self._first_heading or text
            self._add("heading", text, level=min(max(level, 1), 9))

    def paragraph(self, text: str) -> None:
        self._add_long("paragraph", tidy(text))

    def code(self, text: str) -> None:
        """Text whose lines and indentation mean something."""
        self._add_long("code", unusable_removed(text).strip("\n").rstrip())

    def items(self, items: Iterable[tuple[int, str, str]]) -> None:
        """A list: each item's depth (0 = outermost), marker ("-", "3.") and text."""
        lines = [
            _item(min(max(depth, 0), 8), marker, text) for depth, marker, raw in items if (text := tidy(raw))
        ]
        if lines:
            self._add_long("list", "\n".join(lines))

    def table(self, rows: Iterable[Sequence[str]], *, header: int = 1) -> None:
        """Rows of cells; the first ``header`` of them name the columns. Several such rows become one."""
        rows = list(rows)
        if 1 < header < len(rows):
            rows, header = [merged(rows[:header]), *rows[header:]], 1
        lines = [line for row in rows if (line := table_line(row))]
        head = lines[0] if header and len(lines) > 1 else ""
        for part in _in_pages(lines):
            self._add("table", "\n".join(part), header=head)

    def end_page(self, label: str = "") -> None:
        """Begin a new page, if the present one holds anything.

        ``label`` is what the document calls the page that begins; one that is the page's number is left out.
        """
        if self._parts:
            number = len(self._pages) + 1
            if number > MAX_PAGES:
                raise UnreadableDocument(f"This file is too long: it has more than {MAX_PAGES:,} pages.")
            own = "" if self._label == str(number) else self._label[:100]
            page = ParsedPage(number, "".join(self._parts), tuple(self._blocks), label=own)
            self._pages.append(page)
            self._parts, self._blocks, self._length = [], [], 0
        self._label = one_line(label)

    def build(
        self,
        *,
        title: str = "",
        metadata: dict[str, str] | None = None,
        attachments: Sequence[Attachment] = (),
        heading_is_title: bool = True,
    ) -> ParsedDocument:
        """The document. Without a ``title`` of its own, its first heading is one, if that may be."""
        self.end_page()
        pages = tuple(self._pages) or (ParsedPage(1, "", ()),)
        kept = {key: text for key, value in (metadata or {}).items() if (text := one_line(value)[:500])}
        named = self._first_heading if heading_is_title else ""
        return ParsedDocument(pages, one_line(title) or named, kept, tuple(attachments))

    def _add_long(self, kind: BlockKind, text: str) -> None:
        for start, end in page_spans(text):
            if piece := text[start:end].strip("\n" if kind == "code" else None):
                self._add(kind, piece)

    def _add(self, kind: BlockKind, text: str, *, level: int = 0, header: str = "") -> None:
        if self._length and self._length + len(text) > PAGE_CHARACTERS:
            self._turn_page()
        if self._parts:
            self._parts.append("\n\n")
            self._length += 2
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self._blocks.append(Block(kind, start, self._length, level, text if level else "", header))

    def _turn_page(self) -> None:
        """Headings at the foot of a page move on with what they govern."""
        if all(block.kind == "heading" for block in self._blocks):
            if self._length > PAGE_CHARACTERS:
                self.end_page(self._label)
            return
        moved: list[Block] = []
        while self._blocks[-1].kind == "heading":
            moved.insert(0, self._blocks.pop())
            del self._parts[-2:]
        self.end_page(self._label)
        for heading in moved:
            self._add("heading", heading.title, level=heading.level)


def one_line(text: str) -> str:
    return " ".join(unusable_removed(text).split())


def tidy(text: str) -> str:
    """Blanks folded within lines, empty lines dropped: the text of one paragraph."""
    lines = (" ".join(line.split()) for line in unusable_removed(text).split("\n"))
    return "\n".join(filter(None, lines))


def _item(depth: int, marker: str, text: str) -> str:
    """One item; further lines of it stand below its first."""
    lead = "  " * depth + f"{marker} " * bool(marker)
    return lead + text.replace("\n", "\n" + " " * len(lead))


def table_line(cells: Sequence[str]) -> str:
    """One row as a line; empty when all its cells are."""
    tidied = [one_line(cell) if cell else "" for cell in cells]
    while tidied and not tidied[-1]:
        tidied.pop()
    return CELL_SEPARATOR.join(tidied)


def merged(rows: Sequence[Sequence[str]]) -> list[str]:
    """Several header rows as one: each column's words from top to bottom."""
    columns = zip_longest(*rows, fillvalue="")
    return [" ".join(dict.fromkeys(one_line(cell) for cell in column if cell)) for column in columns]


def _in_pages(lines: Sequence[str]) -> Iterable[Sequence[str]]:
    """The rows in stretches that fit a page."""
    part: list[str] = []
    length = 0
    for line in lines:
        if part and length + len(line) > PAGE_CHARACTERS:
            yield part
            part, length = [], 0
        part.append(line)
        length += len(line) + 1
    if part:
        yield part
