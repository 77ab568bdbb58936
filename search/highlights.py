"""Which parts of a passage to mark: the words of the query, whatever their ending."""

from __future__ import annotations

from search.words import content_words, positions

MAX_HIGHLIGHTS = 100


def highlights(query: str, text: str) -> tuple[tuple[int, int], ...]:
    """Spans ``(start, end)`` of ``text``, in order, not overlapping. Stop words are not marked."""
    found = positions(text, content_words(query))
    return tuple(span for span, _ in zip(found, range(MAX_HIGHLIGHTS), strict=False))
