"""One page of a document as it is read: its text, its passages, and what is marked on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from documents.finding import LONGEST, Finding, find
from documents.line_boxes import boxes_between
from documents.models import Chunk, Document, Page
from documents.stretches import Span, Stretch, stretches

if TYPE_CHECKING:
    from django.http import QueryDict

#: Kinds whose pages can be drawn.
PICTURED_KINDS = frozenset({"pdf", "image"})
MAX_BOXES = 40
#: Lines with found words that are shown on one picture.
MAX_FOUND = 400
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
    """Where to open a document: a page, a span of its text, a passage, rectangles. All optional.

    ``find`` are words to be marked, ``match`` the place of theirs on the page that is meant.
    """

    page: int | None = None
    start: int | None = None
    end: int | None = None
    chunk: int | None = None
    boxes: tuple[Box, ...] = ()
    moved: bool = False
    find: str = ""
    match: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """A passage of the page: its number there, and the blocks that it fills on the picture."""

    chunk: Chunk
    number: int
    blocks: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page template shows. ``moved``: the cited passage is no longer where it was."""

    page: Page | None
    number: int
    last: int
    stretches: list[Stretch]
    outlines: list[Outline]
    boxes: tuple[Box, ...]
    marked_chunk: int | None
    moved: bool
    finding: Finding
    found_boxes: tuple[Box, ...] = ()
    match: int | None = None

    @property
    def kept(self) -> str:
        """What every address of another page of this document goes on with."""
        return f"&{urlencode({'find': self.finding.words})}" if self.finding.words else ""

    @property
    def match_position(self) -> int:
        return self.finding.position(self.number, self.match) if self.match else 0

    @property
    def next_match(self) -> Span | None:
        return self.finding.after(self.number, self.match)

    @property
    def previous_match(self) -> Span | None:
        return self.finding.before(self.number, self.match)


def place_from_query(query: QueryDict) -> Place:
    """Reads ``page``, ``start``, ``end``, ``chunk``, ``box=x0,y0,x1,y1``, ``find`` and ``match``.

    Skips what is no number.
    """
    boxes = (box_from_text(text) for text in query.getlist("box")[:MAX_BOXES])
    return Place(
        page=natural(query.get("page")),
        start=natural(query.get("start")),
        end=natural(query.get("end")),
        chunk=natural(query.get("chunk"), largest=2**63 - 1),
        boxes=tuple(box for box in boxes if box),
        moved="moved" in query,
        find=" ".join(query.get("find", "").split())[:LONGEST],
        match=natural(query.get("match")),
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
    """The page that ``place`` names, with its span, passage, rectangles and found words marked."""
    cited = (
        Chunk.objects.filter(document=document, pk=place.chunk).first() if place.chunk is not None else None
    )
    finding = find(place.find, pages_of(document)) if place.find else Finding("")
    elsewhere = (cited.page_start if cited else None) or finding.first_page
    last = max(document.page_count, 1)
    number = min(max(place.page or elsewhere or 1, 1), last)
    page = Page.objects.filter(document=document, number=number).first()
    if page:
        page.document = document
    moved = place.moved or (place.chunk is not None and cited is None)
    span = None if moved else marked_span(place, cited, number)
    chunks = passages_on(document, number)
    found = finding.spans(page.text) if page and finding.counts else []
    own = [chunk for chunk in chunks if chunk.page_start == number]
    return Reading(
        page=page,
        number=number,
        last=last,
        stretches=stretches(page.text, own, span, cited.pk if cited else None, found) if page else [],
        outlines=[Outline(chunk, n, blocks_of(chunk, number)) for n, chunk in enumerate(chunks, 1)],
        boxes=() if moved else place.boxes or chunk_boxes(cited, number),
        marked_chunk=cited.pk if cited else None,
        moved=moved,
        finding=finding,
        found_boxes=found_boxes(own, found),
        match=match_of(place, found),
    )


def pages_of(document: Document) -> Iterable[tuple[int, str]]:
    pages = Page.objects.filter(document=document).order_by("number")
    return pages.values_list("number", "text").iterator(chunk_size=500)


def passages_on(document: Document, number: int) -> list[Chunk]:
    found = Chunk.objects.filter(document=document, page_start__lte=number, page_end__gte=number)
    return list(found.defer("context", "terms"))


def match_of(place: Place, found: Sequence[Span]) -> int | None:
    """The place that is meant; the first one, where words are looked for and no page is named."""
    if place.match is None:
        return 1 if found and place.page is None and place.chunk is None else None
    return place.match if 1 <= place.match <= len(found) else None


def marked_span(place: Place, cited: Chunk | None, number: int) -> Span | None:
    if place.start is not None and place.end is not None:
        return place.start, place.end
    if cited and cited.page_start == number:
        return cited.start, cited.end
    return None


def boxes_on(chunk: Chunk, number: int) -> list[Any]:
    rows: list[Any] = chunk.boxes
    return [row for row in rows if row[0] == number]


def chunk_boxes(chunk: Chunk | None, number: int) -> tuple[Box, ...]:
    return tuple(corners(*row[1:]) for row in boxes_on(chunk, number))[:MAX_BOXES] if chunk else ()


def found_boxes(chunks: Iterable[Chunk], found: Sequence[Span]) -> tuple[Box, ...]:
    """The lines that hold what was found, each once."""
    lines: dict[tuple[float, ...], None] = {}
    for chunk in chunks:
        for start, end in found:
            if start < chunk.end and end > chunk.start:
                rows = boxes_between(chunk.text, chunk.boxes, start - chunk.start, end - chunk.start)
                lines |= dict.fromkeys(tuple(row[1:]) for row in rows)
    return tuple(corners(*line) for line in lines)[:MAX_FOUND]


def blocks_of(chunk: Chunk, number: int) -> tuple[Box, ...]:
    """What a passage fills on the picture: its lines, those below each other as one block."""
    return tuple(corners(*edges) for edges in blocks(row[1:] for row in boxes_on(chunk, number)))


def blocks(lines: Iterable[Sequence[float]]) -> Iterator[tuple[float, float, float, float]]:
    """A line that begins further up, or beside, is in another column: a block of its own."""
    block: tuple[float, float, float, float] | None = None
    for x0, y0, x1, y1 in lines:
        if block and y0 >= block[1] - 1 and x0 < block[2] and x1 > block[0]:
            block = (min(block[0], x0), min(block[1], y0), max(block[2], x1), max(block[3], y1))
            continue
        if block:
            yield block
        block = (x0, y0, x1, y1)
    if block:
        yield block
