"""The text of a page as stretches that belong to one passage each, with what is cited and found in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from documents.models import Chunk

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Text that is the ``found``-th place of what is searched for, or (0) none."""

    text: str
    found: int = 0
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of the passage ``chunk``, if of any. What is cited is one stretch, whatever passages it touches."""

    runs: list[Run]
    chunk: int | None
    cited: bool = False


def stretches(
    text: str, chunks: Sequence[Chunk], cited: Span | None, chunk: int | None, found: Sequence[Span]
) -> list[Stretch]:
    """``chunks`` are those of the page in their order; ``chunk`` is the cited one, where that is known."""
    cited = clipped(cited, len(text))
    return [
        Stretch(list(runs(text, start, end, found)), owner, cited == (start, end))
        for start, end, owner in joined(owned(len(text), chunks, cited, chunk), cited)
    ]


def clipped(span: Span | None, length: int) -> Span | None:
    if span is None:
        return None
    start, end = max(span[0], 0), min(span[1], length)
    return (start, end) if start < end else None


def owned(
    length: int, chunks: Sequence[Chunk], cited: Span | None, chunk: int | None
) -> Iterator[tuple[int, int, int | None]]:
    """Between any two edges, who the text belongs to: the first passage, where two overlap."""
    edges = {0, length, *(cited or ())}
    edges |= {edge for each in chunks for edge in (each.start, each.end) if 0 < edge < length}
    if cited:
        edges = {edge for edge in edges if not cited[0] < edge < cited[1]}
    ordered = sorted(edges)
    for start, end in pairwise(ordered):
        holders = [each.pk for each in chunks if each.start < end and each.end > start]
        is_cited = (start, end) == cited
        yield start, end, chunk if is_cited and chunk in holders else next(iter(holders), None)


def joined(
    pieces: Iterable[tuple[int, int, int | None]], cited: Span | None
) -> Iterator[tuple[int, int, int | None]]:
    """Neighbours of one passage as one, but for what is cited."""
    last: tuple[int, int, int | None] | None = None
    for start, end, owner in pieces:
        if last and last[2] == owner and cited not in ((start, end), last[:2]):
            last = (last[0], end, owner)
            continue
        if last:
            yield last
        last = (start, end, owner)
    if last:
        yield last


def runs(text: str, start: int, end: int, found: Sequence[Span]) -> Iterator[Run]:
    position = start
    for number, (first, last) in enumerate(found, 1):
        if last <= start or first >= end:
            continue
        begin, stop = max(first, start), min(last, end)
        if position < begin:
            yield Run(text[position:begin])
        yield Run(text[begin:stop], found=number, begins=first >= start)
        position = stop
    if position < end:
        yield Run(text[position:end])
