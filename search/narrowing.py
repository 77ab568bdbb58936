"""What every door makes of the parameters that narrow a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from documents.uploads import clean_tags
from search.types import Filters

#: Passages of one document before others have their turn, unless something else is asked for.
PER_DOCUMENT = 5


def filters_of(given: Mapping[str, Any], documents: tuple[UUID, ...]) -> Filters:
    """``given`` has lists of texts, and of ``before`` and ``after`` what ``query.period`` says."""
    return Filters(
        collections=tuple(given.get("collection") or ()),
        documents=documents,
        tags=tuple(clean_tags(given.get("tag") or ())),
        kinds=tuple(given.get("type") or ()),
        titles=tuple(given.get("title") or ()),
        since=given["after"][1] if given.get("after") else None,
        before=given["before"][0] if given.get("before") else None,
    )


def passages_of_one(asked: int | None, documents: tuple[UUID, ...]) -> int | None:
    """How many passages of one document, where ``asked`` for so many (0: all) within ``documents``."""
    if asked is not None:
        return asked or None
    return None if len(documents) == 1 else PER_DOCUMENT
