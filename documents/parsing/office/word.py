"""Word documents: the body in its order, in pages as Word last laid them out.

python-docx opens the package; what it leaves out (lists' numbers, notes, text boxes, content controls,
tracked changes) is read from the XML that it holds. Headers and footers of pages are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docx
from docx.opc.part import XmlPart
from lxml import etree

from documents.parsing import archive
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.office import ooxml
from documents.parsing.office.word_styles import Numbering, Style, Styles, number, value
from documents.parsing.office.word_text import (
    PAGE_BREAK,
    RENDERED_BREAK,
    Reference,
    W,
    WordReader,
    Words,
    is_on,
    seen,
)
from documents.parsing.types import ParsedDocument, Report, unheard

#: Headings that are longer are paragraphs in the wrong style.
_LONGEST_HEADING = 300
#: A table with such cells arranges text on the page.
_LONGEST_CELL = 2_000
#: Word's own limit.
_MOST_COLUMNS = 63
_MOST_HEADER_ROWS = 3
_RENDERED = W + "lastRenderedPageBreak"
_BLOCKS = frozenset((W + "p", W + "tbl"))
_SAME_PAGE = ("continuous", "nextColumn")


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a .docx file (or .docm, .dotx) as a reader sees it. Raises ``UnreadableDocument``."""
    with archive.damage_named():
        document = docx.Document(ooxml.accepted(path))
        body = _Body(document.part)
        body.read(document.element.body)
        metadata = ooxml.metadata(path)
        return body.builder.build(title=metadata.get("title") or body.title, metadata=metadata)


class _Body:
    """Walks the body and hands its blocks to the builder."""

    def __init__(self, part: XmlPart) -> None:
        self.title = ""
        related = {
            link.reltype.rpartition("/")[2]: link for link in part.rels.values() if not link.is_external
        }
        roots = {name: _root(link.target_part) for name, link in related.items() if name in _PARTS}
        self._styles = Styles(roots.get("styles", etree.Element("none")))
        self._numbering = Numbering(roots.get("numbering"), self._styles)
        self._notes = {name: _notes(roots[name]) for name in ("footnotes", "endnotes") if name in roots}
        self._reader = WordReader()
        self._pages_are_known = part.element.find(f".//{_RENDERED}") is not None
        self._page, self._page_is_fresh = 1, True
        self._items: list[tuple[int, str, str]] = []
        self._pending: list[Reference] = []
        self.builder = PageBuilder("1" if self._pages_are_known else "")

    def read(self, container: etree._Element) -> None:
        self._walk(container)
        self._flush()

    def _walk(self, container: etree._Element) -> None:
        for child in seen(container):
            if child.tag == W + "p":
                self._paragraph(child)
            elif child.tag == W + "tbl":
                self._table(child)
            else:  # content controls, insertions and the like hold blocks of their own
                self._walk(child)

    # Paragraphs

    def _paragraph(self, paragraph: etree._Element) -> None:
        key, style = self._styles.of(paragraph)
        words = self._reader.read(paragraph)
        marker = self._marker(key, style)
        if style.breaks_page:
            self._turn_page(unless_fresh=True)
        for index, text in enumerate(words.text.split(PAGE_BREAK)):
            if index:
                self._turn_page()
            if self._stretch(text, marker, style):
                marker = ""
        self._page_is_fresh = self._page_is_fresh and not words.has_picture
        self._pending += words.notes
        for box in words.boxes:
            self._flush()
            self._walk(box)
        if _ends_section(paragraph):
            self._turn_page()

    def _stretch(self, text: str, marker: str, style: Style) -> bool:
        """What stands between two page breaks, whole on the page where it begins. Whether it is any."""
        before = len(text) - len(text.lstrip(RENDERED_BREAK + " \t\n"))
        for _ in range(text.count(RENDERED_BREAK, 0, before)):
            self._turn_page(unless_fresh=True)
        said = text.replace(RENDERED_BREAK, "").strip()
        if said:
            self._add(said, marker, style)
        for _ in range(text.count(RENDERED_BREAK, before)):
            self._turn_page()
        return bool(said)

    def _add(self, text: str, marker: str, style: Style) -> None:
        self._page_is_fresh = False
        if (style.heading or style.is_title) and len(text) <= _LONGEST_HEADING:
            self._flush()
            self.title = self.title or (one_line(text) if style.is_title else "")
            self.builder.heading(f"{marker} {text}".removeprefix("- "), style.heading or 1)
        elif _is_listed(style):
            self._items.append((style.level or style.depth, marker, text))
        else:
            self._flush()
            self.builder.paragraph(text)

    def _marker(self, key: str, style: Style) -> str:
        if not _is_listed(style):
            return ""
        level = style.level if style.level is not None else self._numbering.level_of(style.list_id, key)
        return self._numbering.marker(style.list_id, level)

    # Pages

    def _flush(self) -> None:
        """Write the list that has ended, and the notes that the blocks before refer to."""
        items, self._items = self._items, []
        self.builder.items(items)
        notes, self._pending = self._pending, []
        for note in notes:
            self.builder.paragraph(f"{note.marker} {self._note(note)}")

    def _note(self, note: Reference) -> str:
        element = self._notes.get(note.kind, {}).pop(note.key, None)
        return "" if element is None else self._text_within(element)

    def _turn_page(self, *, unless_fresh: bool = False) -> None:
        """``unless_fresh``, because Word marks a page that a break of the author's began a second time."""
        if unless_fresh and self._page_is_fresh:
            return
        self._flush()
        self._page += 1
        self._page_is_fresh = True
        self.builder.end_page(str(self._page) if self._pages_are_known else "")

    # Tables

    def _table(self, table: etree._Element) -> None:
        rows = [row for row in _within(table, W + "tr") if not _is_deleted(row)]
        cells = [list(_within(row, W + "tc")) for row in rows]
        self._flush()
        if self._arranges(cells):
            for cell in (cell for row in cells for cell in row):
                self._walk(cell)
            return
        if rows and _leads_with_break(rows[0]):
            self._turn_page(unless_fresh=True)
        headers = _headers(table, rows)
        self.builder.table(
            (self._row(row, cells[index], repeats=index < headers - 1) for index, row in enumerate(rows)),
            header=headers,
        )
        self._page_is_fresh = False
        self._flush()
        for row in rows[1:]:
            if row.find(f".//{_RENDERED}") is not None:
                self._turn_page()

    def _arranges(self, rows: list[list[etree._Element]]) -> bool:
        """Whether the table is a frame or a layout, and not rows of values."""
        cells = [cell for row in rows for cell in row]
        if len(cells) == 1:
            return True
        return any(self._has_heading(cell) or _length(cell) > _LONGEST_CELL for cell in cells)

    def _has_heading(self, cell: etree._Element) -> bool:
        return any(self._styles.of(paragraph)[1].heading for paragraph in cell.iterfind(W + "p"))

    def _row(self, row: etree._Element, cells: list[etree._Element], *, repeats: bool = False) -> list[str]:
        """One string for each column; a cell that spans several stands in the first, or ``repeats``."""
        found = [""] * min(number(value(row.find(W + "trPr"), "gridBefore"), 0), _MOST_COLUMNS)
        for cell in cells:
            properties = cell.find(W + "tcPr")
            merged = None if properties is None else properties.find(W + "vMerge")
            continues = merged is not None and merged.get(W + "val") != "restart"
            text = "" if continues else self._text_within(cell)
            further = min(number(value(properties, "gridSpan"), 1), _MOST_COLUMNS) - 1
            found += [text, *[text if repeats else ""] * further]
        return found

    def _text_within(self, container: etree._Element) -> str:
        """All text of a cell or a note in one string."""
        return " ".join(filter(None, self._texts(container)))

    def _texts(self, container: etree._Element) -> Iterator[str]:
        for child in seen(container):
            if child.tag == W + "p":
                yield from self._texts_of_paragraph(child)
            elif child.tag == W + "tbl":
                rows = [row for row in _within(child, W + "tr") if not _is_deleted(row)]
                inner = (
                    ", ".join(filter(None, self._row(row, list(_within(row, W + "tc"))))) for row in rows
                )
                yield "; ".join(filter(None, inner))
            else:
                yield from self._texts(child)

    def _texts_of_paragraph(self, paragraph: etree._Element) -> Iterator[str]:
        key, style = self._styles.of(paragraph)
        marker = self._marker(key, style)
        words: Words = self._reader.read(paragraph)
        self._pending += words.notes
        text = one_line(words.text.replace(PAGE_BREAK, " ").replace(RENDERED_BREAK, ""))
        yield f"{marker} {text}".strip() if text else ""
        for box in words.boxes:
            yield from self._texts(box)


_PARTS = ("styles", "numbering", "footnotes", "endnotes")


def _root(part: Any) -> etree._Element:
    """The XML of a part, which python-docx has parsed for the kinds that it knows."""
    return part.element if hasattr(part, "element") else archive.parse_xml(part.blob)


def _notes(root: etree._Element) -> dict[str, etree._Element]:
    """Notes by id, without the lines that separate them from the text."""
    return {note.get(W + "id", ""): note for note in root if note.get(W + "type", "normal") == "normal"}


def _is_listed(style: Style) -> bool:
    return style.list_id not in ("", "0")


def _ends_section(paragraph: etree._Element) -> bool:
    section = paragraph.find(f"{W}pPr/{W}sectPr")
    return section is not None and value(section, "type") not in _SAME_PAGE


def _within(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, also within content controls, but not those of nested tables."""
    for child in seen(element):
        if child.tag == tag:
            yield child
        elif child.tag not in _BLOCKS:
            yield from _within(child, tag)


def _is_deleted(row: etree._Element) -> bool:
    return row.find(f"{W}trPr/{W}del") is not None


def _leads_with_break(row: etree._Element) -> bool:
    for element in row.iter(_RENDERED, W + "t"):
        return element.tag == _RENDERED
    return False


def _length(cell: etree._Element) -> int:
    return sum(len(text.text or "") for text in cell.iter(W + "t"))


def _headers(table: etree._Element, rows: list[etree._Element]) -> int:
    """How many rows name the columns: those repeated on each page, else the first unless Word says no."""
    marked = 0
    for row in rows[:_MOST_HEADER_ROWS]:
        if not is_on(row.find(W + "trPr"), "tblHeader"):
            break
        marked += 1
    look = table.find(f"{W}tblPr/{W}tblLook")
    plain = look is not None and look.get(W + "firstRow") == "0"
    return marked or (0 if plain else 1)
