"""Dropping a space that does not serve: its index, vectors, constraint and row."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Max, Min

from documents.models import Embedding, EmbeddingSpace
from documents.spaces import SpaceRefused, change_table, constraint_name, held, index_drop, lock_spaces

#: Keys that one statement looks through.
DROP_STEP = 10_000


def space_drop(*, space: EmbeddingSpace) -> int:
    """Index, vectors, constraint and row of a space that does not serve; how many vectors went.

    In steps, each of its own: nothing is locked for long, and cut off in the middle it is done by the
    next call. Raises ``SpaceRefused``.
    """
    with held(space):
        refuse_serving(space)
        index_drop(space=space)
        dropped = sum(vectors_delete(space))
        with transaction.atomic():
            change_table(f"DROP CONSTRAINT IF EXISTS {constraint_name(space)}")
        # Apart: to see that no vector refers to the row, the database reads the table that was just locked.
        with transaction.atomic():
            lock_spaces()
            refuse_serving(space)
            EmbeddingSpace.objects.filter(pk=space.pk).delete()
    return dropped


def refuse_serving(space: EmbeddingSpace) -> None:
    if EmbeddingSpace.objects.filter(pk=space.pk, state=EmbeddingSpace.State.ACTIVE).exists():
        raise SpaceRefused(f"Space {space.pk} serves. Activate another one, then drop it.")


def vectors_delete(space: EmbeddingSpace) -> Iterator[int]:
    """By ranges of the primary key: the space has no index to look its rows up by."""
    ends = space.embeddings.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for start in range(ends["first"], ends["last"] + 1, DROP_STEP):
        rows = Embedding.objects.filter(space=space, pk__range=(start, start + DROP_STEP - 1))
        yield rows.delete()[0]
