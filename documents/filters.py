"""Which documents a search is about, as the layers hand it to each other."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DocumentFilters:
    """Any value of each field; empty fields do not narrow. Ids, tags (folded), kinds, parts of titles.

    ``since`` and ``before`` are about the day that the document bears, ``since`` included.
    """

    documents: tuple[UUID, ...] = ()
    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    since: date | None = None
    before: date | None = None

    @property
    def about_documents(self) -> bool:
        """Whether any of these needs the document's row."""
        return any(getattr(self, each.name) for each in fields(DocumentFilters))
