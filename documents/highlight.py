"""Text cut at marked spans, so that a template can wrap them without building HTML by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, marked or not."""

    text: str
    marked: bool = False


def cut(text: str, spans: Iterable[tuple[int, int]]) -> list[Piece]:
    """``text`` in order, marked where a span [start, end) covers it. Overlapping spans are joined."""
    pieces: list[Piece] = []
    position = 0
    for start, end in joined(spans, len(text)):
        if position < start:
            pieces.append(Piece(text[position:start]))
        pieces.append(Piece(text[start:end], marked=True))
        position = end
    if position < len(text):
        pieces.append(Piece(text[position:]))
    return pieces


def joined(spans: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """Spans within the text, rising and apart."""
    last: tuple[int, int] | None = None
    for start, end in sorted((max(start, 0), min(end, length)) for start, end in spans):
        if end <= start:
            continue
        if last and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last
