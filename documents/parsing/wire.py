"""How a parsed document crosses the border of the jail: JSON, checked on arrival.

Not pickle: a file that took over its parser must not be able to run code in the worker.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

from documents.parsing.types import Block, Line, ParsedDocument, ParsedPage

KINDS = ("heading", "paragraph", "list", "table", "code")
Span = TypeVar("Span", Block, Line)


def dump(document: ParsedDocument) -> bytes:
    """Compact: a page's lines and blocks are one flat list of numbers each."""
    pages = [_page_fields(page) for page in document.pages]
    return json.dumps([document.title, document.metadata, pages], separators=(",", ":")).encode("ascii")


def load(content: bytes) -> ParsedDocument:
    """The document again. Raises ``ValueError`` for anything that ``dump`` would not have written."""
    try:
        title, metadata, pages = json.loads(content)
        kept = {_text(key): _text(value) for key, value in metadata.items()}
        return ParsedDocument(tuple(_page(fields) for fields in pages), _text(title), kept)
    except (TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
        raise ValueError("malformed answer") from error


def _page_fields(page: ParsedPage) -> list[object]:
    lines = [number for line in page.lines for number in (line.start, line.end, *line.box)]
    blocks = [(KINDS.index(b.kind), b.start, b.end, b.level, b.title) for b in page.blocks]
    return [page.number, page.text, page.width, page.height, lines, blocks]


def _page(fields: Sequence[Any]) -> ParsedPage:
    number, text, width, height, lines, blocks = fields
    text = _text(text)
    return ParsedPage(
        int(number),
        text,
        _in_order(tuple(_block(fields, len(text)) for fields in blocks)),
        None if width is None else float(width),
        None if height is None else float(height),
        _in_order(tuple(_line(numbers, len(text)) for numbers in _sixes(lines))),
    )


def _sixes(numbers: list[Any]) -> list[list[Any]]:
    return [numbers[start : start + 6] for start in range(0, len(numbers), 6)]


def _line(numbers: Sequence[Any], length: int) -> Line:
    start, end, x0, y0, x1, y1 = numbers
    _check(start, end, length)
    return Line(start, end, (float(x0), float(y0), float(x1), float(y1)))


def _block(fields: Sequence[Any], length: int) -> Block:
    kind, start, end, level, title = fields
    _check(start, end, length)
    return Block(KINDS[kind], start, end, int(level), _text(title))  # type: ignore[arg-type]


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    if any(before.end > after.start for before, after in pairwise(spans)):
        raise ValueError("overlapping spans")
    return spans


def _check(start: object, end: object, length: int) -> None:
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise ValueError("offsets outside the page")


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text")
    value.encode("utf-8")  # UnicodeEncodeError, a ValueError, for lone surrogates
    return value
