"""Texts and small objects that the tests of the read way share."""

from __future__ import annotations

from uuid import uuid4

from search.types import Hit, Source

HERONS = (
    "Grey herons fish at dusk. The colony at Lake Ormund counted 214 breeding pairs in 1987. "
    "Anders Lindqvist founded the observatory in 1923."
)
TRAMS = (
    "The tram network of Velmora opened in 1904 with eleven carriages. "
    "Its depot burned down twice. Line 7 still runs to the harbour."
)
BREAD = (
    "Rye bread rises slowly. A sourdough starter needs flour, water and five days of patience. "
    "Bakers score the crust before baking."
)


def a_hit(text: str = HERONS, *, title: str = "Herons", chunk_id: int = 1, boxes: tuple = ()) -> Hit:
    return Hit(
        rank=1,
        score=1.0,
        chunk_id=chunk_id,
        document_id=uuid4(),
        document_title=title,
        page=1,
        page_end=1,
        heading=(),
        text=text,
        start=0,
        end=len(text),
        content_hash="0" * 64,
        boxes=boxes,
    )


def a_source(n: int = 1, text: str = HERONS, **given: object) -> Source:
    return Source(n, a_hit(text, **given))  # type: ignore[arg-type]
