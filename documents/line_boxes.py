"""Which lines on the picture of a page a stretch of a passage's text stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Box = TypeVar("Box")


def lines_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each line that is not blank."""
    spans, position = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((position, position + len(line)))
        position += len(line) + 1
    return spans


def boxes_between(text: str, boxes: Sequence[Box], start: int, end: int) -> list[Box]:
    """Of a passage's ``boxes``, one for each line, those of the lines that [start, end) of ``text`` touches.

    Where lines and boxes do not pair, all of them.
    """
    spans = lines_of(text)
    if len(spans) != len(boxes):
        return list(boxes)
    pairs = zip(spans, boxes, strict=True)
    return [box for (first, last), box in pairs if first < end and last > start]
