"""Embedding spaces: one model's vectors, their constraint and their index.

The index is partial (one per space) and on a cast to the space's length, because the column holds
vectors of any length; a CHECK constraint refuses a wrong length before the index would. Exactly one
space serves. Another is built beside it (``space_building``), and one changed row switches; what no longer
serves may be dropped (``space_dropping``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from documents.embedding import weights
from documents.embedding.base import ModelCard
from documents.exceptions import DocumentError, EmbeddingUnavailable
from documents.models import Chunk, Embedding, EmbeddingSpace
from documents.statements import Rows, Statement, of

logger = logging.getLogger(__name__)

State = EmbeddingSpace.State

#: As a row brings them.
SPACE_FIELDS = tuple(field.attname for field in EmbeddingSpace._meta.concrete_fields)

HNSW_M = 16
#: With 64 the graph over clustered vectors found .89 of the nearest ten, with 200 .99.
HNSW_EF_CONSTRUCTION = 200
#: What pgvector indexes at half precision.
MAX_DIMENSIONS = 4000
#: Every search waits behind a change of the table that itself waits: so long, and no longer.
LOCK_TIMEOUT = "3s"
OTHER_WEIGHTS = (
    "The weights of {} were exchanged: they are {:.12}, the stored vectors were made with {:.12}. "
    "Vectors of both cannot be compared. Put the former weights back, or build a space for the new ones: "
    "manage.py space create, build, activate."
)
OTHER_MODEL = (
    "EMBEDDING_MODEL is %s, but the space of %s was chosen or holds the vectors, and goes on serving. Set "
    "EMBEDDING_MODEL to the latter, or change the model: manage.py space create %s, then build and activate."
)

#: The space that this context searches in the place of the one that serves.
_instead: ContextVar[EmbeddingSpace | None] = ContextVar("space_instead", default=None)


class SpaceRefused(DocumentError):
    """That cannot be done with this embedding space."""

    code = "space-refused"
    status = 409


class VectorsMissing(SpaceRefused):
    """Passages have no vector in this space yet."""

    code = "vectors-missing"


# --- Which space serves -----------------------------------------------------------------------


def index_name(space_id: int) -> str:
    return f"embedding_hnsw_space_{space_id}"


def active_space() -> EmbeddingSpace | None:
    """The space to search. A search asks once and keeps to the answer, so that it never mixes two."""
    return _instead.get() or serving_space()


def serving_space() -> EmbeddingSpace | None:
    return EmbeddingSpace.objects.filter(state=State.ACTIVE).first()


@cache
def serving_statement() -> Statement:
    """What ``active_space_in`` reads: for who asks the database for more at the same time."""
    return of(EmbeddingSpace.objects.filter(state=State.ACTIVE).values_list(*SPACE_FIELDS))


def active_space_in(rows: Rows) -> EmbeddingSpace | None:
    serving = EmbeddingSpace.from_db("default", SPACE_FIELDS, rows[0]) if rows else None
    return _instead.get() or serving


@contextmanager
def searching(space: EmbeddingSpace) -> Iterator[None]:
    """Searches of this context use ``space``, whichever serves everybody else: to compare two."""
    token = _instead.set(space)
    try:
        yield
    finally:
        _instead.reset(token)


def is_comparing() -> bool:
    """Whether searches of this context use another space than everybody else's."""
    return _instead.get() is not None


def serving_model() -> str:
    """The model that searches use: the active space's, or the one that will be."""
    active = active_space()
    return active.model if active else canonical_name(settings.EMBEDDING_MODEL)


def ensure_active_space() -> EmbeddingSpace:
    """The space that serves. Made for ``EMBEDDING_MODEL`` when there is none, or an empty other one.

    A space that holds vectors, or that somebody has activated, is never left for another model here:
    that is a decision of its own. Raises ``EmbeddingUnavailable`` when the model is the space's by
    name, but its weights are others.
    """
    from documents.embedding.registry import model_card

    active = serving_space()
    if active and active.model != canonical_name(settings.EMBEDDING_MODEL) and is_settled(active):
        warn_once(settings.EMBEDDING_MODEL, active.model, active.pk)
        return active
    card = model_card(settings.EMBEDDING_MODEL)
    if active and (active.model, active.revision) == (card.name, card.revision):
        return active
    if active and active.embeddings.exists():
        raise EmbeddingUnavailable(OTHER_WEIGHTS.format(card.name, card.revision, active.revision))
    return begin_serving(space_create(card=card), instead_of=active)


def is_settled(space: EmbeddingSpace) -> bool:
    """Somebody's choice, or in use."""
    return space.activated_at is not None or space.embeddings.exists()


@lru_cache(maxsize=16)
def warn_once(wanted: str, serving: str, pk: int) -> None:
    """Not for every document; ``pk`` tells spaces of one name apart."""
    logger.warning(OTHER_MODEL, wanted, serving, wanted)


def canonical_name(model: str) -> str:
    """As ``ModelCard.name`` has it, without looking for the model's files."""
    return weights.PACKAGED_MODEL if model in weights.PACKAGED_ALIASES else model


def check_weights(space: EmbeddingSpace) -> None:
    """Raises ``EmbeddingUnavailable`` when the model's files are not those of the stored vectors."""
    from documents.embedding.registry import model_card

    card = model_card(space.model)
    if card.revision != space.revision:
        raise EmbeddingUnavailable(OTHER_WEIGHTS.format(space.model, card.revision, space.revision))


def find_space(named: str) -> EmbeddingSpace:
    """By its number, or by its model where that has one space only. Raises ``SpaceRefused``."""
    by = {"pk": int(named)} if named.isdecimal() else {"model": canonical_name(named)}
    found = list(EmbeddingSpace.objects.filter(**by).order_by("pk"))
    if not found:
        raise SpaceRefused(f"There is no space {named}. manage.py space list names them.")
    if len(found) > 1:
        numbers = ", ".join(str(space.pk) for space in found)
        raise SpaceRefused(f"{named} has several spaces: {numbers}. Name one by its number.")
    return found[0]


def building_space() -> EmbeddingSpace | None:
    """The newest that has never served."""
    return EmbeddingSpace.objects.filter(state=State.BUILDING).order_by("-pk").first()


def previous_space() -> EmbeddingSpace | None:
    """The one that served before the present one."""
    served = EmbeddingSpace.objects.filter(state=State.RETIRED, activated_at__isnull=False)
    return served.order_by("-activated_at", "-pk").first()


def missing_vectors(space: EmbeddingSpace) -> int:
    """Passages without a vector in ``space``: each has one at most, and none stands without a passage."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM {Chunk._meta.db_table}) - "
            f"(SELECT count(*) FROM {Embedding._meta.db_table} WHERE space_id = %s)",
            [space.pk],
        )
        return int(cursor.fetchone()[0])


# --- Making one -------------------------------------------------------------------------------


@transaction.atomic
def space_create(*, card: ModelCard) -> EmbeddingSpace:
    """A space for ``card``, with the constraint that belongs to it. Idempotent.

    Where nothing is stored yet the index is made as well; else after the vectors (``space_building``).
    Raises ``SpaceRefused`` as ``space_of`` does.
    """
    lock_spaces()
    return space_of(card) or insert_space(card)


def space_of(card: ModelCard) -> EmbeddingSpace | None:
    """The space that ``card`` has. Raises ``SpaceRefused`` for a length that no index takes, or not its."""
    if not 1 <= card.dimensions <= MAX_DIMENSIONS:
        raise SpaceRefused(
            f"{card.name} makes vectors of {card.dimensions:,} dimensions; an index takes 1 to "
            f"{MAX_DIMENSIONS:,} (pgvector, half precision)."
        )
    space = EmbeddingSpace.objects.filter(model=card.name, revision=card.revision).first()
    if space and space.dimensions != card.dimensions:
        raise SpaceRefused(
            f"The same weights of {card.name} have a space of {space.dimensions} dimensions, and the model "
            f"now says {card.dimensions}. Put its configuration back, or drop space {space.pk} first."
        )
    return space


def insert_space(card: ModelCard) -> EmbeddingSpace:
    space = EmbeddingSpace(model=card.name, revision=card.revision, dimensions=card.dimensions)
    try:
        space.full_clean()
    except ValidationError as error:
        raise SpaceRefused(f"{card.name} cannot have a space: {' '.join(error.messages)}") from error
    space.save(force_insert=True)
    # No row is of this space yet, so none has to be looked at: a scan would lock the table for long.
    change_table(
        f"ADD CONSTRAINT {constraint_name(space)} CHECK "
        f"(space_id <> {int(space.pk)} OR vector_dims(vector) = {int(space.dimensions)}) NOT VALID"
    )
    if not Chunk.objects.exists():
        index_create(space=space)
    return space


def constraint_name(space: EmbeddingSpace) -> str:
    return f"embedding_length_space_{int(space.pk)}"


def change_table(change: str) -> None:
    """Alter the table of vectors, or give up soon. Raises ``SpaceRefused`` when it is in long use."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            cursor.execute(f"ALTER TABLE {Embedding._meta.db_table} {change}")
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != "55P03":
                raise
            raise SpaceRefused("The vectors are in use by a long query. Try again in a moment.") from error
        cursor.execute("SET LOCAL lock_timeout = DEFAULT")


def has_index(space: EmbeddingSpace) -> bool:
    """A whole one: a build that was cut off leaves one that no query uses."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index_name(space.pk)]
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def index_create(*, space: EmbeddingSpace) -> None:
    """The space's HNSW index. Outside a transaction it is made beside all reading and writing."""
    index_drop(space=space)
    dimensions = int(space.dimensions)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX {concurrently()} {index_name(space.pk)} ON {Embedding._meta.db_table} "
            f"USING hnsw ((vector::halfvec({dimensions})) halfvec_cosine_ops) "
            f"WITH (m = {HNSW_M}, ef_construction = {HNSW_EF_CONSTRUCTION}) WHERE space_id = {int(space.pk)}"
        )


def index_drop(*, space: EmbeddingSpace) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {concurrently()} IF EXISTS {index_name(space.pk)}")


def concurrently() -> str:
    return "" if connection.in_atomic_block else "CONCURRENTLY"


# --- Switching --------------------------------------------------------------------------------


@transaction.atomic
def begin_serving(space: EmbeddingSpace, *, instead_of: EmbeddingSpace | None) -> EmbeddingSpace:
    """By the portal itself, at its start; whatever somebody has activated meanwhile stands."""
    lock_spaces()
    serving = serving_space()
    if serving is not None and serving != instead_of:
        return serving
    if not has_index(space):
        index_create(space=space)
    EmbeddingSpace.objects.filter(state=State.ACTIVE).update(state=State.RETIRED)
    EmbeddingSpace.objects.filter(pk=space.pk).update(state=State.ACTIVE)
    space.state = State.ACTIVE
    return space


@transaction.atomic
def space_activate(*, space: EmbeddingSpace) -> EmbeddingSpace:
    """Every search from now on uses ``space``; the one that served before is kept, retired.

    Documents that are being stored are waited for, and those that come next wait for this: no passage
    slips through between counting and switching (``is_serving``). Raises ``VectorsMissing`` while a
    passage has no vector in it, ``SpaceRefused`` without an index, ``EmbeddingUnavailable`` when no
    engine here could embed a query for it.
    """
    from documents.embedding.registry import get_embedder

    check_weights(space)
    get_embedder(space.model)
    lock_spaces()
    refuse_dropped(space)
    rows = EmbeddingSpace.objects.select_for_update(no_key=True).order_by("pk").in_bulk()
    if missing := missing_vectors(space):
        raise VectorsMissing(
            f"{missing:,} passages have no vector in space {space.pk} yet: manage.py space build {space.pk}"
        )
    if not has_index(space):
        if Chunk.objects.exists():
            raise SpaceRefused(f"Space {space.pk} has no index yet: manage.py space build {space.pk}")
        index_create(space=space)
    if rows[space.pk].state != State.ACTIVE:
        switch(space)
    space.refresh_from_db()
    return space


def refuse_dropped(space: EmbeddingSpace) -> None:
    if not EmbeddingSpace.objects.filter(pk=space.pk).exists():
        raise SpaceRefused(f"Space {space.pk} was dropped.")


def switch(space: EmbeddingSpace) -> None:
    """The former one's time is noted where the portal itself had chosen it: a rollback goes by these."""
    served = Coalesce(F("activated_at"), F("created_at"))
    EmbeddingSpace.objects.filter(state=State.ACTIVE).update(state=State.RETIRED, activated_at=served)
    EmbeddingSpace.objects.filter(pk=space.pk).update(state=State.ACTIVE, activated_at=Now())


def is_serving(space: EmbeddingSpace) -> bool:
    """Whether ``space`` serves, and goes on doing so until the transaction ends.

    Who stores a document's vectors asks this first: after a switch they would be of the wrong space.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {EmbeddingSpace._meta.db_table} WHERE id = %s AND state = %s FOR SHARE",
            [space.pk, State.ACTIVE],
        )
        return cursor.fetchone() is not None


def lock_spaces() -> None:
    """One process at a time changes spaces; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('documents.spaces'))")


@contextmanager
def held(space: EmbeddingSpace) -> Iterator[None]:
    """One process at a time builds or drops a space. Freed when its connection ends, however that ends.

    Raises ``SpaceRefused`` when another one is at it.
    """
    key = "hashtext('documents.space'), %s"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({key})", [space.pk])
        if not cursor.fetchone()[0]:
            raise SpaceRefused(f"Another process is building or dropping space {space.pk}.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({key})", [space.pk])
