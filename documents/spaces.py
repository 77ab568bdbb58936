"""Embedding spaces: one model's vectors, their constraint and their index.

The index is partial (one per space) and on a cast to the space's length, because the column holds
vectors of any length; a CHECK constraint refuses a wrong length before the index would.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import connection, transaction

from documents.embedding import weights
from documents.embedding.base import ModelCard
from documents.exceptions import EmbeddingUnavailable
from documents.models import Embedding, EmbeddingSpace

logger = logging.getLogger(__name__)

HNSW_M = 16
HNSW_EF_CONSTRUCTION = 64
OTHER_WEIGHTS = (
    "The weights of {} were exchanged: they are {:.12}, the stored vectors were made with {:.12}. "
    "Vectors of both cannot be compared. Put the former weights back."
)


def index_name(space_id: int) -> str:
    return f"embedding_hnsw_space_{space_id}"


def active_space() -> EmbeddingSpace | None:
    return EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.ACTIVE).first()


def ensure_active_space() -> EmbeddingSpace:
    """The space that serves. Made for ``EMBEDDING_MODEL`` when there is none, or an empty other one.

    A space that holds vectors is never left for another model here: that is a decision of its own.
    Raises ``EmbeddingUnavailable`` when the model is the space's by name, but its weights are others.
    """
    from documents.embedding.registry import model_card

    active = active_space()
    if active and active.model != canonical_name(settings.EMBEDDING_MODEL) and active.embeddings.exists():
        logger.warning(
            "EMBEDDING_MODEL is %s, but the stored vectors are of %s, which goes on serving.",
            settings.EMBEDDING_MODEL,
            active.model,
        )
        return active
    card = model_card(settings.EMBEDDING_MODEL)
    if active and (active.model, active.revision) == (card.name, card.revision):
        return active
    if active and active.embeddings.exists():
        raise EmbeddingUnavailable(OTHER_WEIGHTS.format(card.name, card.revision, active.revision))
    return space_activate(space=space_create(card=card))


def canonical_name(model: str) -> str:
    """As ``ModelCard.name`` has it, without looking for the model's files."""
    return weights.PACKAGED_MODEL if model in weights.PACKAGED_ALIASES else model


@transaction.atomic
def space_create(*, card: ModelCard) -> EmbeddingSpace:
    """A space for ``card``, with the constraint and the index that belong to it. Idempotent."""
    lock_spaces()
    space, created = EmbeddingSpace.objects.get_or_create(
        model=card.name, revision=card.revision, defaults={"dimensions": card.dimensions}
    )
    if created:
        create_constraint_and_index(space)
    return space


def create_constraint_and_index(space: EmbeddingSpace) -> None:
    table, name = Embedding._meta.db_table, index_name(space.pk)
    pk, dimensions = int(space.pk), int(space.dimensions)
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT embedding_length_space_{pk} "
            f"CHECK (space_id <> {pk} OR vector_dims(vector) = {dimensions})"
        )
        cursor.execute(
            f"CREATE INDEX {name} ON {table} "
            f"USING hnsw ((vector::halfvec({dimensions})) halfvec_cosine_ops) "
            f"WITH (m = {HNSW_M}, ef_construction = {HNSW_EF_CONSTRUCTION}) WHERE space_id = {pk}"
        )


@transaction.atomic
def space_activate(*, space: EmbeddingSpace) -> EmbeddingSpace:
    """Make ``space`` the one that serves; the one that served before is kept, retired."""
    lock_spaces()
    active, retired = EmbeddingSpace.State.ACTIVE, EmbeddingSpace.State.RETIRED
    EmbeddingSpace.objects.filter(state=active).exclude(pk=space.pk).update(state=retired)
    EmbeddingSpace.objects.filter(pk=space.pk).update(state=active)
    space.state = active
    return space


def lock_spaces() -> None:
    """One process at a time changes spaces; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('documents.spaces'))")
