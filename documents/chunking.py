"""From a parsed document to passages: the unit that is embedded, found and cited.

A passage is a verbatim stretch of one page. Sentences, table rows and headings are its atoms; they are
packed up to a limit of tokens, never across a heading. Each page is tokenised once, and all counting
is bisection in its offsets.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from documents.packing import Atom, ChunkOptions, Measure, Packer, Piece, Section, TokenCounter, strip
from documents.parsing.types import Block, BlockKind, Box, ParsedDocument, ParsedPage
from documents.sentences import sentences

__all__ = ["ChunkOptions", "Passage", "TokenCounter", "chunk"]

HEADING_SEPARATOR = " > "
#: So few tokens between the top of a page and its first heading belong to the page, not to a text.
PAGE_HEADER_TOKENS = 20
_BY_LINES: tuple[BlockKind, ...] = ("table", "code")
_LINES = re.compile(r"[^\n]*\S[^\n]*")


@dataclass(frozen=True, slots=True)
class Passage:
    """``text`` is ``page.text[start:end]`` of page ``page_start``; ``context`` is what gets embedded
    and indexed; ``boxes`` are (page, x0, y0, x1, y1), one for each line."""

    ordinal: int
    text: str
    page_start: int
    page_end: int
    start: int
    end: int
    heading: tuple[str, ...]
    token_count: int
    boxes: tuple[tuple[int, float, float, float, float], ...]
    context: str
    content_hash: str


def chunk(
    document: ParsedDocument, tokenizer: TokenCounter, *, title: str, options: ChunkOptions | None = None
) -> list[Passage]:
    """Cut the document into passages, in reading order. Every printed character is in one of them."""
    options = options or ChunkOptions()
    headings = _HeadingPath()
    context = _Context(title, tokenizer, options)
    passages: list[Passage] = []
    for page in document.pages:
        measure = Measure(page.text, tokenizer, options)
        lines = _Lines(page)
        for piece in _pieces(page, headings, measure):
            passages.append(_passage(len(passages), piece, lines, measure, context))
    return passages


def _passage(ordinal: int, piece: Piece, page: _Lines, measure: Measure, context: _Context) -> Passage:
    text = measure.text[piece.start : piece.end]
    indexed = context.around(text, piece.path, piece.header)
    return Passage(
        ordinal=ordinal,
        text=text,
        page_start=page.number,
        page_end=page.number,
        start=piece.start,
        end=piece.end,
        heading=piece.path,
        token_count=measure.tokens(piece.start, piece.end),
        boxes=page.boxes(piece.start, piece.end),
        context=indexed,
        content_hash=hashlib.sha256(indexed.encode()).hexdigest(),
    )


class _HeadingPath:
    """The headings that govern the current place, from page to page."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, str]] = []

    def enter(self, level: int, heading: str) -> None:
        while self._stack and self._stack[-1][0] >= level:
            self._stack.pop()
        self._stack.append((level, heading))

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._stack)


class _Lines:
    """Finds the boxes of the lines that a stretch touches."""

    def __init__(self, page: ParsedPage) -> None:
        self.number = page.number
        self._boxes: Sequence[Box] = [line.box for line in page.lines]
        self._starts = [line.start for line in page.lines]
        self._ends = [line.end for line in page.lines]

    def boxes(self, start: int, end: int) -> tuple[tuple[int, float, float, float, float], ...]:
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        return tuple((self.number, *box) for box in self._boxes[first:last])


class _Context:
    """Puts title, heading path and a table's header before a passage, within a budget of tokens."""

    def __init__(self, title: str, tokenizer: TokenCounter, options: ChunkOptions) -> None:
        self._tokenizer = tokenizer
        self._budget = options.context_tokens
        self._title = " ".join(title.split())
        self._cache: dict[tuple[str, ...], str] = {}

    def around(self, text: str, path: tuple[str, ...], header: str) -> str:
        if path not in self._cache:
            self._cache[path] = self._prefix(path)
        return "\n".join(filter(None, (self._cache[path], header, text)))

    def _prefix(self, path: tuple[str, ...]) -> str:
        """The title gets at least 60 % of the budget if it needs it; the nearest headings the rest."""
        share = self._budget * 6 // 10 if path else self._budget
        title, used = self._capped(self._title, share)
        kept: list[str] = []
        for heading in reversed(path):
            if heading.casefold() == self._title.casefold():
                continue
            capped, count = self._capped(heading, self._budget - used)
            if not capped:
                break
            kept.insert(0, capped)
            used += count + 1  # the separator
        return "\n".join(filter(None, (title, HEADING_SEPARATOR.join(kept))))

    def _capped(self, text: str, limit: int) -> tuple[str, int]:
        spans = self._tokenizer.offsets(text)
        if limit <= 0:
            return "", 0
        return (text, len(spans)) if len(spans) <= limit else (text[: spans[limit - 1][1]], limit)


# Sections and atoms


def _pieces(page: ParsedPage, headings: _HeadingPath, measure: Measure) -> list[Piece]:
    pieces: list[Piece] = []
    for section in _sections(page, headings, measure):
        if section.only_heading and pieces:
            pieces += _trailing_heading(pieces, section, measure)
        else:
            pieces += Packer(section, measure).pieces()
    return pieces


def _trailing_heading(pieces: list[Piece], section: Section, measure: Measure) -> Iterator[Piece]:
    """A heading at the foot of a page goes with the end of what stands before it."""
    last, end = pieces[-1], section.atoms[-1].end
    if measure.fits(last.start, end, reserved=measure.options.header_tokens if last.header else 0):
        pieces[-1] = Piece(last.start, end, last.path, last.header)
        return
    for start, _ in reversed(_sentence_spans(measure.text, last.start, last.end)):
        if measure.fits(start, end):
            yield Piece(start, end, section.path)
            return
    yield from Packer(section, measure).pieces()


def _sections(page: ParsedPage, headings: _HeadingPath, measure: Measure) -> list[Section]:
    sections = [Section(headings.path)]
    for index, block in enumerate(_all_blocks(page)):
        if block.kind == "heading":
            headings.enter(block.level, block.title or " ".join(page.text[block.start : block.end].split()))
            if not sections[-1].only_heading:
                sections.append(Section(()))
            sections[-1].path = headings.path
        sections[-1].atoms += _atoms(page.text, block, index, measure)
    return _without_page_header([section for section in sections if section.atoms])


def _without_page_header(sections: list[Section]) -> list[Section]:
    """A few words above the first heading (a running header) are no passage of their own."""
    if len(sections) > 1 and sum(atom.tokens for atom in sections[0].atoms) <= PAGE_HEADER_TOKENS:
        header = sections.pop(0)
        sections[0].atoms[:0] = header.atoms
    return sections


def _all_blocks(page: ParsedPage) -> Iterator[Block]:
    """The page's blocks in order, and what the parser left between them as paragraphs."""
    position = 0
    for block in sorted(page.blocks, key=lambda block: block.start):
        if page.text[position : block.start].strip():
            yield Block("paragraph", position, block.start)
        start = max(block.start, position)
        if start < block.end:
            yield Block(block.kind, start, block.end, block.level, block.title)
            position = block.end
    if page.text[position:].strip():
        yield Block("paragraph", position, len(page.text))


def _atoms(text: str, block: Block, index: int, measure: Measure) -> Iterator[Atom]:
    if block.kind == "heading":
        spans = [strip(text, block.start, block.end)]
    elif block.kind in _BY_LINES:
        spans = [strip(text, *found.span()) for found in _LINES.finditer(text, block.start, block.end)]
    else:
        spans = _sentence_spans(text, block.start, block.end)
    table = index if block.kind == "table" else -1
    for start, end in spans:
        if start >= end:
            continue
        limit = measure.options.max_tokens - (measure.options.header_tokens if table >= 0 else 0)
        parts = [(start, end)] if measure.fits(start, end, measure.options.max_tokens - limit) else None
        for first, last in parts or measure.split(start, end, limit):
            yield Atom(first, last, block.kind, measure.tokens(first, last), table)


def _sentence_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [(start + first, start + last) for first, last in sentences(text[start:end])]
