"""Documents like one document: those with the passages nearest to the middle of its own.

From stored vectors alone, so no model is loaded; in bounded time, and only among what the reader may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction
from django.db.models import Avg
from psycopg.errors import QueryCanceled

from documents import vector_scan
from documents.models import Document, Embedding, EmbeddingSpace
from documents.scope import Scope
from documents.spaces import active_space

if TYPE_CHECKING:
    from documents.querysets import User

MOST = 6
#: Passages of the document that make its middle, and passages of others that are looked at.
SAMPLE = 500
NEAREST = 100
MILLISECONDS = 2000
#: The cosine below which a document is unlike. With the default model 99 % of 1,260 pairs of XQuAD articles,
#: of 36 subjects, lie below, and of pairs of the sample documents, which are about one waterworks, a quarter.
#: A model whose cosines are all high (E5) leaves every document above.
LEAST = 0.35


class TookTooLong(Exception):
    """The nearest documents could not be told in time."""


@dataclass(frozen=True, slots=True)
class Similar:
    """A document and the passage by which it is near."""

    document: Document
    chunk: int


def similar_documents(document: Document, user: User) -> list[Similar]:
    """The nearest first, those that are clearly unlike left out. Raises ``TookTooLong``."""
    space = active_space()
    if space is None:
        return []
    with bounded(MILLISECONDS):
        middle = middle_of(document, space)
        return nearest(document, user, middle, space) if middle is not None else []


def middle_of(document: Document, space: EmbeddingSpace) -> Any:
    """The mean of its passages' vectors; None where it has none."""
    first = Embedding.objects.filter(document=document, space=space).order_by("pk")[:SAMPLE]
    return Embedding.objects.filter(pk__in=first.values("pk")).aggregate(middle=Avg("vector"))["middle"]


def nearest(document: Document, user: User, middle: Any, space: EmbeddingSpace) -> list[Similar]:
    allowed = Embedding.objects.visible_to(user).scope()
    others = Scope(allowed.collections, Document.objects.exclude(pk=document.pk))
    best: dict[Any, int] = {}
    for near in vector_scan.nearest(others, middle, space=space, k=NEAREST):
        if near.score >= LEAST:
            best.setdefault(near.document_id, near.chunk_id)
    chosen = dict(list(best.items())[:MOST])
    rows = Document.objects.visible_to(user).select_related("collection").in_bulk(list(chosen))
    return [Similar(rows[pk], chunk) for pk, chunk in chosen.items() if pk in rows]


@contextmanager
def bounded(milliseconds: int) -> Iterator[None]:
    """So long for each statement within."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{milliseconds}ms"])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
