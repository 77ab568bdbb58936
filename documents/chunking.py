"""From a parsed document to passages: the unit that is embedded, found and cited.

A passage is a verbatim stretch of one page. Sentences, table rows and headings are its atoms; they are
packed up to a limit of tokens, never across a heading. Each page is tokenised once, and all counting
is bisection in its offsets.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from documents.packing import (
    CELL_MARKS,
    Atom,
    ChunkOptions,
    Measure,
    Packer,
    Piece,
    Section,
    TokenCounter,
    capped,
    guessed_header,
    strip,
)
from documents.parsing.types import Block, Box, ParsedDocument, ParsedPage
from documents.sentences import sentences

__all__ = ["ChunkOptions", "Passage", "TokenCounter", "chunk"]

HEADING_SEPARATOR = " > "
#: So few tokens between the top of a page and its first heading belong to the page, not to a text.
PAGE_HEADER_TOKENS = 20
_LINES = re.compile(r"[^\n]*\S[^\n]*")
#: The end of a sentence that announces a list, and the beginning of an item.
_LEAD_IN = re.compile(r"(?:[:：]|\b(?:following|as follows)\b[\s.,;—–-]*)[*_]*\Z", re.IGNORECASE)
_ITEM = re.compile(r"(?:[•·▪●○◦‣*+–-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])\s+\S")


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
    document: ParsedDocument,
    tokenizer: TokenCounter,
    *,
    title: str,
    limit: int | None = None,
    options: ChunkOptions | None = None,
) -> list[Passage]:
    """Cut the document into passages, in reading order. Every printed character is in one of them.

    With ``limit``, only until there are more than that many.
    """
    options = options or ChunkOptions()
    headings, leads = _HeadingPath(), _LeadIns()
    context = _Context(title, tokenizer, options)
    passages: list[Passage] = []
    for page in document.pages:
        measure = Measure(page.text, tokenizer, options)
        lines = _Lines(page)
        for piece in _pieces(page, headings, leads, measure):
            passages.append(_passage(len(passages), piece, lines, measure, context))
            if len(passages) - 1 == limit:
                return passages
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
    """Puts title, heading path and what a piece carries before a passage, within a budget of tokens."""

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
        title, used = capped(self._title, self._tokenizer, share)
        kept: list[str] = []
        for heading in reversed(path):
            if heading.casefold() == self._title.casefold():
                continue
            shortened, count = capped(heading, self._tokenizer, self._budget - used)
            if not shortened:
                break
            kept.insert(0, shortened)
            used += count + 1  # the separator
        return "\n".join(filter(None, (title, HEADING_SEPARATOR.join(kept))))


# Sections and atoms


def _pieces(page: ParsedPage, headings: _HeadingPath, leads: _LeadIns, measure: Measure) -> list[Piece]:
    pieces: list[Piece] = []
    for section in _sections(page, headings, measure):
        section.atoms = leads.carried_to(section.atoms, measure)
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
            yield replace(block, start=start)
            position = block.end
    if page.text[position:].strip():
        yield Block("paragraph", position, len(page.text))


def _atoms(text: str, block: Block, index: int, measure: Measure) -> Iterator[Atom]:
    if block.kind == "table":
        yield from _rows(text, block, index, measure)
        return
    if block.kind == "heading":
        spans = [strip(text, block.start, block.end)]
    elif block.kind == "code":
        spans = _line_spans(text, block)
    else:
        spans = _sentence_spans(text, block.start, block.end)
    limit = measure.options.max_tokens
    for start, end in spans:
        if start < end:
            yield from _cut(Atom(start, end, block.kind, 0, index), limit, measure)


def _cut(atom: Atom, limit: int, measure: Measure) -> Iterator[Atom]:
    """The atom with its tokens counted, or parts of it that fit."""
    start, end = atom.start, atom.end
    if measure.fits(start, end, measure.options.max_tokens - limit):
        parts: Iterable[tuple[int, int]] = [(start, end)]
    else:
        parts = measure.split(start, end, limit, cells=atom.kind == "table")
    for start, end in parts:
        yield replace(atom, start=start, end=end, tokens=measure.tokens(start, end))


def _rows(text: str, block: Block, index: int, measure: Measure) -> Iterator[Atom]:
    """A table's rows; each but the header itself carries the header."""
    rows = _line_spans(text, block)
    if not rows:
        return
    limit = measure.options.max_tokens - measure.options.header_tokens
    header, count = _header(text, block, rows, measure)
    for number, (start, end) in enumerate(rows):
        carried = header if number >= count else ""
        parts = list(_cut(Atom(start, end, "table", 0, index, carried), limit, measure))
        yield from parts if len(parts) == 1 else _named_cells(text, parts, block.header, measure)


def _header(text: str, block: Block, rows: Sequence[tuple[int, int]], measure: Measure) -> tuple[str, int]:
    """The header as the parser knows it, else a guess, and how many rows of the block it is."""
    if not block.header:
        return guessed_header(rows, measure)
    first = text[slice(*rows[0])]
    if _same(first, block.header):
        return _capped_row(first, measure), 1
    return _capped_row(block.header.strip(), measure), 0


def _same(row: str, header: str) -> bool:
    return row.split() == header.split()


def _capped_row(row: str, measure: Measure) -> str:
    """What the budget holds of a header row: whole cells, where that is possible."""
    own = Measure(row, measure.tokenizer, measure.options)
    if own.fits(0, len(row), measure.options.max_tokens - measure.options.header_tokens):
        return row
    start, end = next(iter(own.split(0, len(row), measure.options.header_tokens, cells=True)))
    return row[start:end]


def _named_cells(text: str, parts: Sequence[Atom], header: str, measure: Measure) -> Iterator[Atom]:
    """The parts of a row that is longer than a passage: each carries the names of its own columns."""
    names = header.split(CELL_MARKS[0])
    row = text[parts[0].start : parts[-1].end].split(CELL_MARKS[0])
    if not header or len(names) != len(row):
        yield from parts
        return
    label = capped(row[0].strip(" |"), measure.tokenizer, measure.options.header_tokens // 4)[0]
    column = 0
    yield parts[0]
    for before, part in pairwise(parts):
        column += text.count(CELL_MARKS[0], before.start, part.start)
        cells = text.count(CELL_MARKS[0], part.start, part.end) + 1
        own = CELL_MARKS[0].join(names[column : column + cells]).strip()
        yield replace(part, carried=_capped_row(f"{label}: {own}" if label else own, measure))


def _line_spans(text: str, block: Block) -> list[tuple[int, int]]:
    return [strip(text, *found.span()) for found in _LINES.finditer(text, block.start, block.end)]


def _sentence_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [(start + first, start + last) for first, last in sentences(text[start:end])]


class _LeadIns:
    """The sentence that a list belongs to ("The pump needs:"), from page to page."""

    def __init__(self) -> None:
        self._sentence = ""
        self._block = -1

    def carried_to(self, atoms: Sequence[Atom], measure: Measure) -> list[Atom]:
        """The atoms of a section, where those of a list carry its lead-in, which knows that it is one."""
        led: list[Atom] = []
        self._block = -1
        for index, atom in enumerate(atoms):
            following = atoms[index + 1] if index + 1 < len(atoms) else None
            if _leads_in(atom, following, measure.text):
                self._sentence = _capped_lead(atom, measure)
                led.append(replace(atom, opens=following is not None))
            elif self._goes_on(atom, measure.text):
                led += self._items(atom, measure)
            else:
                self._sentence = ""
                led.append(atom)
        return led

    def _goes_on(self, atom: Atom, text: str) -> bool:
        return bool(self._sentence) and (_is_item(atom, text) or atom.block == self._block)

    def _items(self, atom: Atom, measure: Measure) -> Iterator[Atom]:
        self._block = atom.block
        limit = measure.options.max_tokens - measure.options.header_tokens
        return _cut(replace(atom, carried=self._sentence), limit, measure)


def _leads_in(atom: Atom, following: Atom | None, text: str) -> bool:
    """Whether the sentence announces a list: the next atom, or what the next page begins with."""
    if atom.kind not in ("paragraph", "list") or _ITEM.match(text, atom.start, atom.end):
        return False
    tail = text[max(atom.start, atom.end - 40) : atom.end]
    return bool(_LEAD_IN.search(tail)) and (following is None or _is_item(following, text))


def _is_item(atom: Atom, text: str) -> bool:
    if atom.kind == "list":
        return True
    return atom.kind == "paragraph" and bool(_ITEM.match(text, atom.start, atom.end))


def _capped_lead(atom: Atom, measure: Measure) -> str:
    sentence = measure.text[atom.start : atom.end]
    return capped(sentence, measure.tokenizer, measure.options.header_tokens)[0]
