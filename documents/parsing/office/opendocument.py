"""OpenDocument texts (.odt): what LibreOffice writes, read from its XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zipfile import ZipFile

from lxml import etree

from documents.exceptions import UnreadableDocument
from documents.parsing import archive
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.office.odf_styles import OFFICE, TEXT, ListStyle, Styles, small
from documents.parsing.types import ParsedDocument, Report, unheard

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
_ENCRYPTED_ENTRY = re.compile(rb"<(?:\w+:)?encryption-data[\s>/]")

#: A page break within a paragraph's text; XML cannot hold this character.
_BREAK = "\f"
#: What is not read: tracked deletions, comments, pronunciation above words, declarations.
_DROPPED = frozenset(
    (
        TEXT + "tracked-changes",
        TEXT + "ruby-text",
        TEXT + "sequence-decls",
        TEXT + "variable-decls",
        TEXT + "user-field-decls",
        OFFICE + "annotation",
        OFFICE + "forms",
    )
)
_PARAGRAPHS = (TEXT + "p", TEXT + "h")
_BOX = _DRAW + "text-box"
#: Cells and rows that are repeated more often are empty ones that fill the page.
_MOST_REPEATS = 100
_LONGEST_HEADING = 300
_MOST_HEADER_ROWS = 3
_NAMES = {
    _DC + "title": "title",
    _META + "initial-creator": "author",
    _DC + "subject": "subject",
    _META + "creation-date": "created",
    _DC + "date": "modified",
    _DC + "language": "language",
}


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read an OpenDocument text as a reader sees it. Raises ``UnreadableDocument``."""
    with archive.opened(path) as source:
        _refuse_encrypted(source)
        content = archive.parse_xml(archive.read(source, "content.xml"))
        styles = _optional(source, "styles.xml")
        metadata = _metadata(_optional(source, "meta.xml"))
    with archive.damage_named():
        body = content.find(f"{OFFICE}body/{OFFICE}text")
        if body is None:
            raise UnreadableDocument(archive.DAMAGED)
        reader = _Body(Styles(content, styles), pages_are_known=_holds(body, TEXT + "soft-page-break"))
        reader.read(body)
        return reader.builder.build(title=metadata.get("title") or reader.title, metadata=metadata)


def _refuse_encrypted(source: ZipFile) -> None:
    """Protected files keep their entries readable as ZIP, and encrypted within."""
    name = "META-INF/manifest.xml"
    if name in source.namelist() and _ENCRYPTED_ENTRY.search(archive.read(source, name)):
        raise UnreadableDocument(archive.ENCRYPTED)


def _optional(source: ZipFile, name: str) -> etree._Element | None:
    return archive.parse_xml(archive.read(source, name)) if name in source.namelist() else None


def _metadata(root: etree._Element | None) -> dict[str, str]:
    if root is None:
        return {}
    found = {name: text for tag, name in _NAMES.items() if (text := _first(root, tag))}
    found.setdefault("author", _first(root, _DC + "creator"))
    found["keywords"] = ", ".join(one_line(word.text or "") for word in root.iter(_META + "keyword"))
    return {name: text for name, text in found.items() if text}


def _first(root: etree._Element, tag: str) -> str:
    return next((one_line(element.text or "") for element in root.iter(tag)), "")


class _Body:
    """Walks the text and hands its blocks to the builder."""

    def __init__(self, styles: Styles, *, pages_are_known: bool) -> None:
        self.title = ""
        self.builder = PageBuilder("1" if pages_are_known else "")
        self._styles = styles
        self._pages_are_known = pages_are_known
        self._page, self._page_is_fresh = 1, True
        self._items: list[tuple[int, str, str]] = []
        #: Notes and text boxes met in a paragraph, to be written after it.
        self._notes: list[str] = []
        self._boxes: list[etree._Element] = []

    def read(self, container: etree._Element) -> None:
        self._walk(container)
        self._flush()

    def _walk(self, container: etree._Element) -> None:
        for child in _seen(container):
            if child.tag in _PARAGRAPHS:
                self._flush()
                self._paragraph(child)
            elif child.tag == TEXT + "list":
                self._flush()
                self._list(child, self._styles.list_of(child), 0)
            elif child.tag == _TABLE + "table":
                self._table(child)
            elif child.tag == TEXT + "soft-page-break":
                self._turn_page()
            elif child.tag == _DRAW + "frame":
                self._read_boxes(child)
            else:  # sections, indexes
                self._walk(child)

    # Paragraphs

    def _paragraph(self, paragraph: etree._Element, marker: str = "") -> None:
        style = self._styles.of(paragraph)
        if style.breaks_before:
            self._turn_page()
        text = "".join(self._texts(paragraph))
        before = len(text) - len(text.lstrip(_BREAK + " \t\n"))
        for _ in range(text.count(_BREAK, 0, before)):
            self._turn_page()
        self._page_is_fresh = False
        self._add(paragraph, f"{marker} {text.replace(_BREAK, '')}".strip(), is_title=style.is_title)
        for _ in range(text.count(_BREAK, before) + style.breaks_after):
            self._turn_page()
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self._flush()
            self._walk(box)

    def _add(self, paragraph: etree._Element, text: str, *, is_title: bool) -> None:
        is_heading = paragraph.tag == TEXT + "h" or is_title
        if is_heading and len(text) <= _LONGEST_HEADING:
            is_counted = not is_title and paragraph.get(TEXT + "is-list-header") != "true"
            number = self._styles.outline.next_marker(_level(paragraph) - 1) if is_counted else ""
            self.title = self.title or (one_line(text) if is_title else "")
            self.builder.heading(f"{number} {text}" if text else "", _level(paragraph))
        else:
            self.builder.paragraph(text)

    def _texts(self, element: etree._Element) -> Iterator[str]:
        """The words of a paragraph. Its notes and boxes are put by for later."""
        yield element.text or ""
        for child in element:
            tag = child.tag
            if tag == TEXT + "s":
                yield " " * min(small(child.get(TEXT + "c"), 1), _MOST_REPEATS)
            elif tag == TEXT + "tab":
                yield "\t"
            elif tag == TEXT + "line-break":
                yield "\n"
            elif tag == TEXT + "soft-page-break":
                yield _BREAK
            elif tag == TEXT + "note":
                yield self._refer(child)
            elif tag == _BOX:
                self._boxes.append(child)
            elif isinstance(tag, str) and tag not in _DROPPED:
                yield from self._texts(child)
            yield child.tail or ""

    def _refer(self, note: etree._Element) -> str:
        marker = f"[{one_line(note.findtext(TEXT + 'note-citation') or '*')}]"
        body = note.find(TEXT + "note-body")
        if body is not None:
            self._notes.append(f"{marker} {self._text_within(body)}")
        return marker

    def _read_boxes(self, frame: etree._Element) -> None:
        for box in frame.iter(_BOX):
            self._flush()
            self._walk(box)
            break

    # Lists

    def _list(self, element: etree._Element, style: ListStyle, depth: int) -> None:
        goes_on = element.get(TEXT + "continue-numbering") == "true" or element.get(TEXT + "continue-list")
        style.begin(depth, goes_on=bool(goes_on))
        for item in _seen(element):
            if item.tag in (TEXT + "list-item", TEXT + "list-header"):
                start = item.get(TEXT + "start-value")
                self._item(item, style, depth, small(start, 1) if start else None)

    def _item(self, item: etree._Element, style: ListStyle, depth: int, start: int | None) -> None:
        marker = style.next_marker(depth, start) if _has_own_text(item) else ""
        for child in _seen(item):
            if child.tag == TEXT + "list":
                self._list(child, self._styles.list_of(child, style), depth + 1)
            elif child.tag == TEXT + "h":
                self._flush()
                self._paragraph(child, marker)
            elif child.tag == TEXT + "p":
                self._page_is_fresh = False
                self._items.append((depth, marker, "".join(self._texts(child)).replace(_BREAK, "")))
            else:
                self._flush()
                self._walk(item)
                return
            marker = ""

    def _flush(self) -> None:
        """Write the list that has ended, and the notes of the blocks before."""
        items, self._items = self._items, []
        self.builder.items(items)
        notes, self._notes = self._notes, []
        for note in notes:
            self.builder.paragraph(note)

    def _turn_page(self) -> None:
        if self._page_is_fresh:
            return
        self._flush()
        self._page += 1
        self._page_is_fresh = True
        self.builder.end_page(str(self._page) if self._pages_are_known else "")

    # Tables

    def _table(self, table: etree._Element) -> None:
        self._flush()
        rows = list(_within(table, _TABLE + "table-row"))
        cells = [cell for row in rows for cell in _within(row, _TABLE + "table-cell")]
        if len(cells) == 1 or any(_holds(cell, TEXT + "h") for cell in cells):
            for cell in cells:  # a frame or a layout
                self._walk(cell)
            return
        self._page_is_fresh = False
        marked = sum(
            len(list(_within(header, _TABLE + "table-row"))) for header in _within(table, _HEADER_ROWS)
        )
        headers = min(marked, _MOST_HEADER_ROWS) or 1
        self.builder.table(
            (self._row(row, repeats=index < headers - 1) for index, row in enumerate(rows)), header=headers
        )
        self._flush()
        for _ in _within(table, TEXT + "soft-page-break"):
            self._turn_page()

    def _row(self, row: etree._Element, *, repeats: bool = False) -> list[str]:
        """One string for each column; a cell that spans several stands in the first, or ``repeats``."""
        cells: list[str] = []
        text, spanned = "", 0
        for cell in _seen(row):
            if cell.tag == _TABLE + "table-cell":
                text = self._text_within(cell)
                spanned = small(cell.get(_TABLE + "number-columns-spanned"), 1) - 1
                times = small(cell.get(_TABLE + "number-columns-repeated"), 1)
                cells += [text] * min(times, _MOST_REPEATS)
            elif cell.tag == _TABLE + "covered-table-cell":
                cells.append(text if repeats and spanned > 0 else "")
                spanned -= 1
        return cells

    def _text_within(self, container: etree._Element) -> str:
        return " ".join(filter(None, self._paragraphs_within(container)))

    def _paragraphs_within(self, container: etree._Element) -> Iterator[str]:
        for child in _seen(container):
            if child.tag in _PARAGRAPHS:
                yield one_line("".join(self._texts(child)).replace(_BREAK, ""))
            elif child.tag == _TABLE + "table":
                rows = _within(child, _TABLE + "table-row")
                yield "; ".join(", ".join(filter(None, self._row(row))) for row in rows)
            else:
                yield from self._paragraphs_within(child)


_HEADER_ROWS = _TABLE + "table-header-rows"


def _seen(element: etree._Element) -> Iterator[etree._Element]:
    return (child for child in element if isinstance(child.tag, str) and child.tag not in _DROPPED)


def _within(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, not those of tables within."""
    for child in _seen(element):
        if child.tag == tag:
            yield child
        elif child.tag not in (_TABLE + "table", _TABLE + "table-cell", *_PARAGRAPHS):
            yield from _within(child, tag)


def _has_own_text(item: etree._Element) -> bool:
    """An item that holds only a deeper list shows no marker."""
    return item.tag == TEXT + "list-item" and any(child.tag in _PARAGRAPHS for child in item)


def _holds(element: etree._Element, tag: str) -> bool:
    return next(element.iter(tag), None) is not None


def _level(paragraph: etree._Element) -> int:
    return small(paragraph.get(TEXT + "outline-level"), 1)
