"""One page of a document as it is read: its text, its passages, and what is marked on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from documents.highlight import Piece, cut
from documents.models import Chunk, Document, Page

if TYPE_CHECKING:
    from django.http import QueryDict

#: Kinds whose pages can be drawn.
PICTURED_KINDS = frozenset({"pdf", "image"})
MAX_BOXES = 40
LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the page, in points, origin top left."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where to open a document: a page, a span of its text, a passage, rectangles. All optional."""

    page: int | None = None
    start: int | None = None
    end: int | None = None
    chunk: int | None = None
    boxes: tuple[Box, ...] = ()
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page template shows. ``moved``: the cited passage is no longer where it was."""

    page: Page | None
    number: int
    last: int
    pieces: list[Piece]
    chunks: list[Chunk]
    boxes: tuple[Box, ...]
    marked_chunk: int | None
    moved: bool


def place_from_query(query: QueryDict) -> Place:
    """Reads ``page``, ``start``, ``end``, ``chunk`` and ``box=x0,y0,x1,y1``; skips what is no number."""
    boxes = (box_from_text(text) for text in query.getlist("box")[:MAX_BOXES])
    return Place(
        page=natural(query.get("page")),
        start=natural(query.get("start")),
        end=natural(query.get("end")),
        chunk=natural(query.get("chunk"), largest=2**63 - 1),
        boxes=tuple(box for box in boxes if box),
        moved="moved" in query,
    )


def natural(text: str | None, largest: int = LARGEST) -> int | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return min(int(text), largest)


def box_from_text(text: str) -> Box | None:
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return corners(x0, y0, x1, y1) if all(abs(edge) < 1e5 for edge in (x0, y0, x1, y1)) else None


def corners(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box(x=min(x0, x1), y=min(y0, y1), width=abs(x1 - x0), height=abs(y1 - y0))


def open_place(document: Document, place: Place) -> Reading:
    """The page that ``place`` names, with its span, passage and rectangles marked."""
    cited = (
        Chunk.objects.filter(document=document, pk=place.chunk).first() if place.chunk is not None else None
    )
    last = max(document.page_count, 1)
    number = min(max(place.page or (cited.page_start if cited else 1), 1), last)
    page = Page.objects.filter(document=document, number=number).first()
    if page:
        page.document = document
    moved = place.moved or (place.chunk is not None and cited is None)
    span = None if moved else marked_span(place, cited, number)
    return Reading(
        page=page,
        number=number,
        last=last,
        pieces=cut(page.text, [span] if span else []) if page else [],
        chunks=list(Chunk.objects.filter(document=document, page_start__lte=number, page_end__gte=number)),
        boxes=() if moved else place.boxes or chunk_boxes(cited, number),
        marked_chunk=cited.pk if cited else None,
        moved=moved,
    )


def marked_span(place: Place, cited: Chunk | None, number: int) -> tuple[int, int] | None:
    if place.start is not None and place.end is not None:
        return place.start, place.end
    if cited and cited.page_start == number:
        return cited.start, cited.end
    return None


def chunk_boxes(chunk: Chunk | None, number: int) -> tuple[Box, ...]:
    rows: list[Any] = chunk.boxes if chunk else []
    return tuple(corners(*row[1:]) for row in rows if row[0] == number)[:MAX_BOXES]
