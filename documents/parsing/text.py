"""Plain text: decoded, cleaned, cut into pages and paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from documents.exceptions import UnreadableDocument
from documents.invisible import visible
from documents.parsing.detection import wide_encoding
from documents.parsing.types import Block, BlockKind, ParsedDocument, ParsedPage, Report, unheard

#: A page longer than this is cut: one screen of the document page should stay readable.
PAGE_CHARACTERS = 10_000
#: More sheets than MANY_SHEETS of fewer characters than SHORT_SHEET on average are no pages: a printer
#: fed forms for tickets or labels there.
MANY_SHEETS, SHORT_SHEET = 1_000, 500
MAX_PAGES = 10_000

#: Controls but tab, newline and form feed; the byte order mark; lone surrogates: Postgres refuses
#: some of them and nobody can read any.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_NEWLINES = re.compile("\r\n?|\x85|\u2028|\u2029")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+•‣▪·–]|\(?[0-9a-zA-Z]{1,3}[.)])[ \t]+\S")

#: Single-byte encodings of Latin scripts, between which only letters with accents can decide.
_LATIN = ["cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257"]
#: Above this share of bytes beyond ASCII, the script is hardly Latin.
_LATIN_SHARE = 0.2
_SAMPLE = 200_000


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a plain text file: form feeds end pages, long pages are cut at blank lines."""
    return ParsedDocument(counted(_pages(read_text(path).rstrip())))


def counted(pages: Iterable[ParsedPage]) -> tuple[ParsedPage, ...]:
    """Refuses a file of more than ``MAX_PAGES`` as soon as it is known to be one."""
    kept = tuple(islice(pages, MAX_PAGES + 1))
    if len(kept) > MAX_PAGES:
        raise UnreadableDocument(f"This file is too long: it has more than {MAX_PAGES:,} pages.")
    return kept


def _pages(text: str) -> Iterator[ParsedPage]:
    number = 0
    for sheet in _sheets(text):
        for start, end in page_spans(sheet):
            number += 1
            page = sheet[start:end].strip("\n")
            yield ParsedPage(number, page, tuple(paragraphs(page)))


def _sheets(text: str) -> list[str]:
    """What stands between form feeds."""
    sheets = text.split("\f")
    if len(sheets) > MANY_SHEETS and len(text) < SHORT_SHEET * len(sheets):
        return ["\n\n".join(filter(str.strip, sheets))]
    return sheets


def read_text(path: str) -> str:
    """The file's text with ``\\n`` as its only line ending and without unusable characters."""
    with open(path, "rb") as file:
        content = file.read()
    return unusable_removed(decode(content))


def unusable_removed(text: str) -> str:
    """The text without control characters, without what hides in it, with ``\\n`` as its only line ending."""
    return visible(_UNWANTED.sub("", _NEWLINES.sub("\n", text)))


def decode(content: bytes) -> str:
    """Decode by byte order mark, else UTF-8, else the most likely legacy encoding. Never fails."""
    encoding = wide_encoding(content[:4096])
    if encoding:
        return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if _is_torn_utf8(content):
        return content.decode("utf-8-sig", "replace")
    return content.decode(_legacy_encoding(content), "replace")


def _is_torn_utf8(content: bytes) -> bool:
    """UTF-8 with a few broken bytes, such as a file cut in the middle of a character."""
    text = content.decode("utf-8", "replace")
    wide = sum(1 for _ in re.finditer(r"[^\x00-\x7f\ufffd]", text))
    return wide > 10 * text.count("\ufffd")


def _legacy_encoding(content: bytes) -> str:
    from charset_normalizer import from_bytes

    high = re.sub(rb"[\x00-\x7f]+", b"", content)
    latin = len(high) < _LATIN_SHARE * len(content)
    if latin and len(high) < 50:
        return "cp1252"  # too few letters for statistics, and by far the most common
    guess = from_bytes(_telling_sample(content), cp_isolation=_LATIN if latin else None).best()
    return guess.encoding if guess else "cp1252"


def _telling_sample(content: bytes) -> bytes:
    """The stretch from the first byte beyond ASCII on: the rest says nothing about the encoding."""
    first = re.search(rb"[\x80-\xff]", content)
    start = max(0, first.start() - 1000) if first else 0
    return content[start : start + _SAMPLE]


def page_spans(text: str) -> Iterator[tuple[int, int]]:
    """Cut a text into stretches of about ``PAGE_CHARACTERS``, best at a blank line."""
    start = 0
    while len(text) - start > PAGE_CHARACTERS * 1.3:
        end = _page_end(text, start)
        yield start, end
        start = end
    yield start, len(text)


def _page_end(text: str, start: int) -> int:
    low, high = start + PAGE_CHARACTERS * 7 // 10, start + PAGE_CHARACTERS * 13 // 10
    for mark in ("\n\n", "\n", ". ", " "):
        at = text.rfind(mark, low, high)
        if at >= 0:
            return at + len(mark)
    return high


def paragraphs(text: str) -> Iterator[Block]:
    """The stretches between blank lines, as paragraphs or lists."""
    start = 0
    for gap in _BLANK_LINES.finditer(text):
        yield from _paragraph(text, start, gap.start())
        start = gap.end()
    yield from _paragraph(text, start, len(text))


def _paragraph(text: str, start: int, end: int) -> Iterator[Block]:
    stripped = text[start:end].strip()
    if not stripped:
        return
    begin = text.index(stripped[0], start)
    kind: BlockKind = "list" if _LIST_ITEM.match(stripped) else "paragraph"
    yield Block(kind, begin, begin + len(stripped))
