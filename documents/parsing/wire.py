"""How a parsed document crosses the border of the jail: JSON, checked on arrival.

Not pickle: a file that took over its parser must not be able to run code in the worker. One line of JSON
for what the file says of itself, one for each attachment, one for each page: read one by one and counted,
so that what unpacks to many objects cannot fill the worker's memory.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

from documents.exceptions import UnreadableDocument
from documents.parsing.types import Attachment, Block, Line, ParsedDocument, ParsedPage

KINDS = ("heading", "paragraph", "list", "table", "code")
#: Bytes of one page; lines and blocks, and attachments, of a whole document.
MAX_PAGE = 16 * 1024 * 1024
MAX_SPANS = 1_500_000
MAX_ATTACHMENTS = 10_000
TOO_MANY = "This file consists of more than a million lines or paragraphs. Split it and upload the parts."
#: Points: further away than any page says that it is, and finite.
_FAR = 1e12

Span = TypeVar("Span", Block, Line)


def dump(document: ParsedDocument) -> bytes:
    """Compact: a page's lines and blocks are one flat list of numbers each."""
    head = [document.title, document.metadata, len(document.attachments)]
    attached = ([a.filename, b64encode(a.content).decode("ascii")] for a in document.attachments)
    if sum(len(page.lines) + len(page.blocks) + 1 for page in document.pages) > MAX_SPANS:
        raise UnreadableDocument(TOO_MANY)
    return b"\n".join([_line_of(head), *map(_line_of, attached), *map(_page_line, document.pages)])


def load(content: bytes) -> ParsedDocument:
    """The document again. Raises ``ValueError`` for anything that ``dump`` would not have written."""
    try:
        head, *lines = content.split(b"\n")
        title, metadata, count = _parsed(head)
        if not 0 <= count <= min(len(lines), MAX_ATTACHMENTS):
            raise ValueError("wrong number of attachments")
        kept = {_text(key): _text(value) for key, value in metadata.items()}
        attachments = tuple(_attachment(line) for line in lines[:count])
        return ParsedDocument(_pages(lines[count:]), _text(title), kept, attachments)
    except (TypeError, AttributeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise ValueError("malformed answer") from error


def _line_of(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _page_line(page: ParsedPage) -> bytes:
    lines = [number for line in page.lines for number in (line.start, line.end, *line.box)]
    blocks = [(KINDS.index(b.kind), b.start, b.end, b.level, b.title, b.header) for b in page.blocks]
    flags = [page.is_picture, page.recognised]
    line = _line_of([page.number, page.text, page.width, page.height, lines, blocks, page.label, *flags])
    if len(line) > MAX_PAGE:
        raise UnreadableDocument(f"Page {page.number} of this file holds more text than any page can.")
    return line


def _parsed(line: bytes) -> Any:
    if len(line) > MAX_PAGE:
        raise ValueError("too long")
    return json.loads(line)


def _attachment(line: bytes) -> Attachment:
    filename, content = json.loads(line)  # as long as it may be: two strings, or refused
    return Attachment(_text(filename), b64decode(content, validate=True))


def _pages(lines: Sequence[bytes]) -> tuple[ParsedPage, ...]:
    pages: list[ParsedPage] = []
    spans = 0
    for line in lines:
        page = _page(_parsed(line))
        spans += len(page.lines) + len(page.blocks) + 1
        if spans > MAX_SPANS or (pages and page.number <= pages[-1].number):
            raise ValueError("too much, or pages out of order")
        pages.append(page)
    return tuple(pages)


def _page(fields: Sequence[Any]) -> ParsedPage:
    number, text, width, height, lines, blocks, label, is_picture, recognised = fields
    text = _text(text)
    return ParsedPage(
        int(number),
        text,
        _in_order(tuple(_block(fields, len(text)) for fields in blocks)),
        None if width is None else _length(width),
        None if height is None else _length(height),
        _in_order(tuple(_line(numbers, len(text)) for numbers in _sixes(lines))),
        _text(label),
        bool(is_picture),
        bool(recognised),
    )


def _sixes(numbers: list[Any]) -> list[list[Any]]:
    return [numbers[start : start + 6] for start in range(0, len(numbers), 6)]


def _line(numbers: Sequence[Any], length: int) -> Line:
    start, end, x0, y0, x1, y1 = numbers
    _check(start, end, length)
    return Line(start, end, (_length(x0), _length(y0), _length(x1), _length(y1)))


def _block(fields: Sequence[Any], length: int) -> Block:
    kind, start, end, level, title, header = fields
    _check(start, end, length)
    return Block(KINDS[kind], start, end, int(level), _text(title), _text(header))  # type: ignore[arg-type]


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    if any(before.end > after.start for before, after in pairwise(spans)):
        raise ValueError("overlapping spans")
    return spans


def _check(start: object, end: object, length: int) -> None:
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise ValueError("offsets outside the page")


def _length(value: Any) -> float:
    """Points; neither NaN nor infinite, which JSON of the database refuses."""
    if not -_FAR < value < _FAR:
        raise ValueError("a place that is nowhere")
    return float(value)


def _text(value: object) -> str:
    if value == "":
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text")
    value.encode("utf-8")  # UnicodeEncodeError, a ValueError, for lone surrogates
    return value
