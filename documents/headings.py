"""The outline of a document, from the heading paths of its passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import F, Q, Window
from django.db.models.functions import Lag

from documents.models import Chunk, Document

MOST = 400
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Heading:
    """``depth`` from 1; ``chunk`` is the first passage below it."""

    text: str
    depth: int
    page: int
    chunk: int


def outline_of(document: Document) -> list[Heading]:
    before = Window(Lag("heading"), order_by=F("ordinal").asc())
    passages = Chunk.objects.filter(document=document).annotate(before=before)
    changes = passages.filter(~Q(heading=[]), Q(before=None) | ~Q(before=F("heading")))
    rows = changes.order_by("ordinal").values_list("heading", "page_start", "pk")[:MOST]
    return list(headings(rows))[:MOST]


def headings(rows: Iterable[tuple[Sequence[str], int, int]]) -> Iterator[Heading]:
    """Of each path what is new in it, next to the path before."""
    last: Sequence[str] = ()
    for path, page, chunk in rows:
        shared = 0
        while shared < min(len(path), len(last)) and path[shared] == last[shared]:
            shared += 1
        for depth, text in enumerate(path[shared:], shared + 1):
            yield Heading(text, min(depth, DEEPEST), page, chunk)
        last = path
