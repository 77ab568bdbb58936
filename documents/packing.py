"""Packing the atoms of a section (sentences, rows, headings) into pieces below a limit of tokens."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from documents.parsing.types import BlockKind

_PROSE: tuple[BlockKind, ...] = ("paragraph", "list")
#: A number that is not a year: the mark of a table's rows below its header.
_VALUE = re.compile(r"(?<![\w.,])(?!(?:19|20)\d\d(?![\d.,]*\d))[$€£(-]*\d[\d.,]*%?(?!\w)")
#: What separates the cells of one row, and the line under the header of a Markdown table.
_CELLS = re.compile(r"\S  \S|\S ?\|")
_RULE = re.compile(r"[\s|:-]+")
_DATE = re.compile(
    r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}\b", re.IGNORECASE
)
_HEADER_ROWS = 3


class TokenCounter(Protocol):
    """The embedding model's tokenizer, as far as it matters here."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The character span of each token, in order, without special tokens and not truncated."""
        ...


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """All in tokens, but ``max_characters``: a tokenizer may count a very long word as one token."""

    max_tokens: int = 200
    overlap_tokens: int = 40
    context_tokens: int = 40
    header_tokens: int = 40
    max_characters: int = 3_000


@dataclass(frozen=True, slots=True)
class Atom:
    """What is not cut: a sentence, a row, a heading. ``table`` is the index of its table in the section."""

    start: int
    end: int
    kind: BlockKind
    tokens: int
    table: int = -1


@dataclass(slots=True)
class Section:
    """The atoms between two headings on one page, the heading itself first."""

    path: tuple[str, ...]
    atoms: list[Atom] = field(default_factory=list)

    @property
    def only_heading(self) -> bool:
        return all(atom.kind == "heading" for atom in self.atoms)


@dataclass(frozen=True, slots=True)
class Piece:
    start: int
    end: int
    path: tuple[str, ...]
    header: str = ""


class Measure:
    """Counts the tokens of any stretch of one page, which is tokenised once."""

    def __init__(self, text: str, tokenizer: TokenCounter, options: ChunkOptions) -> None:
        self.text = text
        self.options = options
        spans = [span for span in tokenizer.offsets(text) if span[1] > span[0]] if text.strip() else []
        self._starts = [start for start, _ in spans]

    def tokens(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def fits(self, start: int, end: int, reserved: int = 0) -> bool:
        limit = self.options.max_tokens - reserved
        return self.tokens(start, end) <= limit and end - start <= self.options.max_characters

    def split(self, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
        """Cut an over-long stretch every ``limit`` tokens, at a blank where there is one."""
        while start < end:
            cut = self._cut(start, end, limit)
            stripped = strip(self.text, start, cut)
            if stripped[0] < stripped[1]:
                yield stripped
            start = cut

    def _cut(self, start: int, end: int, limit: int) -> int:
        last = bisect_left(self._starts, start) + limit
        cut = min(end, self._starts[last] if last < len(self._starts) else end)
        cut = min(cut, start + self.options.max_characters)
        if cut >= end:
            return end
        blank = max(self.text.rfind(mark, start + (cut - start) // 2, cut) for mark in " \n\t")
        return blank + 1 if blank > start else cut


def strip(text: str, start: int, end: int) -> tuple[int, int]:
    stretch = text[start:end]
    start += len(stretch) - len(stretch.lstrip())
    return start, max(start, start + len(stretch.strip()))


def _header_rows(rows: Sequence[str]) -> int:
    """How many rows come before the values: up to the last one in a row that names columns."""
    for index, row in enumerate(rows):
        if _RULE.fullmatch(row):
            return index + 1
        has_cells, had_cells = bool(_CELLS.search(row)), index > 0 and bool(_CELLS.search(rows[index - 1]))
        if _VALUE.search(_DATE.sub("", row)) or (had_cells and not has_cells):
            return max(index, 1)
    # No values in sight, so it is a table of words: its first row names the columns.
    return next((index + 1 for index, row in enumerate(rows) if _CELLS.search(row)), 1)


class Packer:
    """Packs the atoms of one section into pieces of similar size below the limit."""

    def __init__(self, section: Section, measure: Measure) -> None:
        self.text = measure.text
        self.path = section.path
        self.atoms = section.atoms
        self.measure = measure
        self.options = measure.options
        total = sum(atom.tokens for atom in self.atoms)
        count = -(-total // self.options.max_tokens) or 1
        self.target = total / count
        self.table_tokens: dict[int, int] = {}
        for atom in self.atoms:
            self.table_tokens[atom.table] = self.table_tokens.get(atom.table, 0) + atom.tokens

    def pieces(self) -> list[Piece]:
        """Greedy, with a look at the whole: equal parts read better than full ones and a rest."""
        pieces: list[Piece] = []
        first = 0
        while first < len(self.atoms):
            start, header = self._begin(first)
            reserved = self._tokens_of(header)
            last = first
            while last + 1 < len(self.atoms) and self._takes(start, last, reserved):
                last += 1
            pieces.append(Piece(start, self.atoms[last].end, self.path, header))
            first = last + 1
        return self._without_scrap(pieces)

    def _takes(self, start: int, last: int, reserved: int) -> bool:
        """Whether the piece from ``start`` to atom ``last`` takes the next atom too."""
        atom, following = self.atoms[last], self.atoms[last + 1]
        if not self.measure.fits(start, following.end, reserved):
            return False
        if atom.kind == "heading":
            return True
        size = self.measure.tokens(start, atom.end)
        if following.table >= 0 and following.table != atom.table:
            whole = size + self.table_tokens[following.table]
            # A table that would fit into a piece of its own is not torn, a long one starts afresh.
            return whole <= self.options.max_tokens or size < self.options.max_tokens // 4
        return size < self.target

    def _begin(self, first: int) -> tuple[int, str]:
        """Where the piece that holds atom ``first`` as its first new one starts, and its table header."""
        atom = self.atoms[first]
        if first == 0:
            return atom.start, ""
        before = self.atoms[first - 1]
        if atom.table >= 0:
            header = self._header(atom.table) if atom.table == before.table else ""
            return atom.start, header
        overlaps = before.kind in _PROSE and atom.kind in _PROSE
        if (
            overlaps
            and before.tokens <= self.options.overlap_tokens
            and self.measure.fits(before.start, atom.end)
        ):
            return before.start, ""
        return atom.start, ""

    def _header(self, table: int) -> str:
        """The rows of a table above its first row of values, cut to their budget."""
        rows = [atom for atom in self.atoms if atom.table == table]
        lines = [self.text[row.start : row.end] for row in rows[:_HEADER_ROWS]]
        start, end = rows[0].start, rows[_header_rows(lines) - 1].end
        if self.measure.tokens(start, end) > self.options.header_tokens:
            start, end = next(iter(self.measure.split(start, end, self.options.header_tokens)))
        return self.text[start:end]

    def _tokens_of(self, header: str) -> int:
        return self.options.header_tokens if header else 0

    def _without_scrap(self, pieces: list[Piece]) -> list[Piece]:
        """A last piece that fits into the one before it goes there."""
        if len(pieces) < 2:
            return pieces
        before, last = pieces[-2:]
        if not self.measure.fits(before.start, last.end, self._tokens_of(before.header)):
            return pieces
        return [*pieces[:-2], Piece(before.start, last.end, before.path, before.header)]
