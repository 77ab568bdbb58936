"""Packing the atoms of a section (sentences, rows, headings) into pieces below a limit of tokens."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
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
#: What stands between two cells of a row: in Markdown and spreadsheets, in the text of a PDF.
CELL_MARKS = ("|", "  ", "\t")


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
    """What is not cut: a sentence, a row, a heading. ``block`` is the index of its block on the page.

    A piece whose first new atom this is carries ``carried`` (a table's header, the lead-in of a list)
    unless its text holds it. ``opens`` marks a lead-in: the next atom is the first item of its list.
    """

    start: int
    end: int
    kind: BlockKind
    tokens: int
    block: int
    carried: str = ""
    opens: bool = False


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
    """A stretch of the page, and what else it needs to be understood: ``header`` is not in its text."""

    start: int
    end: int
    path: tuple[str, ...]
    header: str = ""


class Measure:
    """Counts the tokens of any stretch of one page, which is tokenised once."""

    def __init__(self, text: str, tokenizer: TokenCounter, options: ChunkOptions) -> None:
        self.text = text
        self.options = options
        self.tokenizer = tokenizer
        spans = [span for span in tokenizer.offsets(text) if span[1] > span[0]] if text.strip() else []
        self._starts = [start for start, _ in spans]

    def tokens(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def fits(self, start: int, end: int, reserved: int = 0) -> bool:
        limit = self.options.max_tokens - reserved
        return self.tokens(start, end) <= limit and end - start <= self.options.max_characters

    def split(self, start: int, end: int, limit: int, *, cells: bool = False) -> Iterator[tuple[int, int]]:
        """Cut an over-long stretch every ``limit`` tokens, at a blank where there is one.

        With ``cells`` the stretch is a table's row, and is cut between its cells where that is possible.
        """
        while start < end:
            cut = self._cut(start, end, limit, cells)
            stripped = strip(self.text, start, cut)
            if stripped[0] < stripped[1]:
                yield stripped
            start = cut

    def _cut(self, start: int, end: int, limit: int, cells: bool) -> int:
        last = bisect_left(self._starts, start) + limit
        cut = min(end, self._starts[last] if last < len(self._starts) else end)
        cut = min(cut, start + self.options.max_characters)
        if cut >= end:
            return end
        # A name and a very long cell: the name alone would say nothing.
        first = start + (cut - start) // 4
        between = max(self.text.rfind(mark, first, cut) for mark in CELL_MARKS) if cells else -1
        if between >= 0:
            return between + 1
        blank = max(self.text.rfind(mark, start + (cut - start) // 2, cut) for mark in " \n\t")
        return blank + 1 if blank > start else cut


def capped(text: str, tokenizer: TokenCounter, limit: int) -> tuple[str, int]:
    """The beginning of the text, of at most ``limit`` tokens, and how many they are."""
    spans = tokenizer.offsets(text)
    if limit <= 0:
        return "", 0
    return (text, len(spans)) if len(spans) <= limit else (text[: spans[limit - 1][1]], limit)


def strip(text: str, start: int, end: int) -> tuple[int, int]:
    stretch = text[start:end]
    start += len(stretch) - len(stretch.lstrip())
    return start, max(start, start + len(stretch.strip()))


def guessed_header(rows: Sequence[tuple[int, int]], measure: Measure) -> tuple[str, int]:
    """The rows of a table above its first row of values, cut to their budget, and how many they are."""
    count = _header_rows([measure.text[start:end] for start, end in rows[:_HEADER_ROWS]])
    start, end = rows[0][0], rows[count - 1][1]
    if measure.tokens(start, end) > measure.options.header_tokens:
        start, end = next(iter(measure.split(start, end, measure.options.header_tokens)))
    return measure.text[start:end], count


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
        self.table_tokens: Counter[int] = Counter()
        self.table_ends: dict[int, int] = {}
        for atom in self.atoms:
            if atom.kind == "table":
                self.table_tokens[atom.block] += atom.tokens
                self.table_ends[atom.block] = atom.end

    def pieces(self) -> list[Piece]:
        """Greedy, with a look at the whole: equal parts read better than full ones and a rest."""
        pieces: list[Piece] = []
        first = 0
        while first < len(self.atoms):
            start, header = self._begin(first)
            last = first
            while last + 1 < len(self.atoms) and self._takes(start, last, header):
                last += 1
            pieces.append(Piece(start, self.atoms[last].end, self.path, header))
            first = last + 1
        return self._without_scrap(pieces)

    def _takes(self, start: int, last: int, header: str) -> bool:
        """Whether the piece from ``start`` to atom ``last`` takes the next atom too."""
        atom, following = self.atoms[last], self.atoms[last + 1]
        reserved = self._tokens_of(header)
        if not self.measure.fits(start, following.end, reserved) or self._lacks(following, start, header):
            return False
        if following.kind == "table":
            return self._takes_row(start, atom, following)
        if atom.kind == "heading" or atom.opens:
            return True
        if following.opens and not self.measure.fits(start, self.atoms[last + 2].end, reserved):
            return False  # a lead-in stays with its first item
        return self.measure.tokens(start, atom.end) < self.target

    def _takes_row(self, start: int, atom: Atom, row: Atom) -> bool:
        """A table that fits into a piece of its own is not torn; a long one starts afresh."""
        size = self.measure.tokens(start, atom.end)
        table, limit = self.table_tokens[row.block], self.options.max_tokens
        if table <= limit:
            return row.block == atom.block or size + table <= limit
        if row.block == atom.block:
            return size < self._table_target(start, row)
        return atom.kind == "heading" or size < limit // 4

    def _table_target(self, start: int, row: Atom) -> float:
        """Equal parts of what is left of a table, so that no row is left alone at its end."""
        rest = self.measure.tokens(start, self.table_ends[row.block])
        return rest / -(-rest // (self.options.max_tokens - self.options.header_tokens))

    def _lacks(self, atom: Atom, start: int, header: str) -> bool:
        """Whether a piece from ``start`` that carries ``header`` leaves out what the atom needs."""
        return atom.carried not in (header, "") and atom.carried not in self.text[start : atom.start]

    def _begin(self, first: int) -> tuple[int, str]:
        """Where the piece that holds atom ``first`` as its first new one starts, and what it carries."""
        atom, start = self.atoms[first], self._overlap(first)
        return start, atom.carried if self._lacks(atom, start, "") else ""

    def _overlap(self, first: int) -> int:
        """A short sentence before the first new one is said again, but not before the lead-in of a list."""
        atom, before = self.atoms[first], self.atoms[max(first - 1, 0)]
        prose = before.kind in _PROSE and atom.kind in _PROSE
        if not prose or atom.opens or before.tokens > self.options.overlap_tokens:
            return atom.start
        reserved = self._tokens_of(atom.carried)
        return before.start if self.measure.fits(before.start, atom.end, reserved) else atom.start

    def _tokens_of(self, header: str) -> int:
        return self.options.header_tokens if header else 0

    def _without_scrap(self, pieces: list[Piece]) -> list[Piece]:
        """A last piece that fits into the one before it goes there."""
        if len(pieces) < 2:
            return pieces
        before, last = pieces[-2:]
        held = last.header in (before.header, "") or last.header in self.text[before.start : last.start]
        if not held or not self.measure.fits(before.start, last.end, self._tokens_of(before.header)):
            return pieces
        return [*pieces[:-2], Piece(before.start, last.end, before.path, before.header)]
