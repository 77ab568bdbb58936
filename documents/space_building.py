"""Building a space: every passage gets its vector in it, while another space serves.

What is missing is embedded a batch at a time, each batch stored for good, so a builder may be killed
whenever and the next one goes on. Passages that come, change or go meanwhile are caught by going round
until nothing is missing. The index comes after the vectors: over 23,513 of 384 dimensions 0.1 s and
2.6 s, against 14.7 s for inserting into an index that is there (2 cores).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction

from documents import metrics
from documents.embedding import registry, weights
from documents.embedding.base import ModelCard
from documents.embedding.passages import encode_passages
from documents.exceptions import EmbeddingUnavailable
from documents.models import Chunk, Document, Embedding, EmbeddingSpace
from documents.spaces import (
    SpaceRefused,
    VectorsMissing,
    check_weights,
    has_index,
    held,
    index_create,
    index_name,
    missing_vectors,
    previous_space,
    refuse_dropped,
    space_activate,
    space_create,
    space_of,
)
from documents.storing import embedding_of

#: Passages embedded and stored at a time: what a kill costs.
STEP = 64
#: Passages that are looked through at a time; within these, like lengths are embedded together.
WINDOW = 1024
#: The share of its time that a builder works: it leaves the other half to those who search.
SHARE = 0.5
#: Before another round when documents are just being stored or deleted.
WAIT_SECONDS = 0.2
FOREIGN_KEY_VIOLATION = "23503"


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` passages have their vector; then the phase is ``indexing``."""

    phase: str
    done: int
    total: int


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Built:
    """What a builder did: vectors it made, rounds over all passages, whether it made the index."""

    space: int
    embedded: int
    rounds: int
    indexed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """A space as ``space list`` shows it."""

    id: int
    model: str
    revision: str
    dimensions: int
    state: str
    vectors: int
    missing: int
    indexed: bool
    index_bytes: int
    created_at: datetime
    activated_at: datetime | None


def silent(progress: Progress) -> None:
    """A ``Report`` to nobody."""


# --- Before -----------------------------------------------------------------------------------


def space_prepare(*, model: str, say: Callable[[str], None]) -> EmbeddingSpace:
    """A space for ``model``, once it runs here and makes vectors as long as its files say.

    Raises ``SpaceRefused`` for a length that does not fit, ``EmbeddingUnavailable`` when it cannot run.
    """
    try:
        card = registry.model_card(model)
    except (KeyError, TypeError, ValueError) as error:
        raise SpaceRefused(f"The files of {model} do not say how long its vectors are: {error}") from error
    space_of(card)
    make_runnable(card, say)
    try_out(card)
    return space_create(card=card)


def make_runnable(card: ModelCard, say: Callable[[str], None]) -> None:
    """The file that queries are embedded with. It is made where it is missing, which needs torch."""
    if settings.EMBEDDING_ENGINE == "fake":
        return
    try:
        registry.onnx_file(weights.locate(card.name), card)
    except EmbeddingUnavailable:
        from documents.embedding.prepare import prepare

        prepare(card.name, say=say)


def try_out(card: ModelCard) -> None:
    try:
        (vector,) = registry.get_embedder(card.name).embed(["Does this model do what it says?"])
    except ValueError as error:
        raise SpaceRefused(f"{card.name} could not embed a sentence: {error}") from error
    check_length(card.name, len(vector), card.dimensions)


def check_length(model: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise SpaceRefused(f"{model} makes vectors of {found} dimensions, and its space has {wanted}.")


# --- Building ---------------------------------------------------------------------------------


def space_build(
    *, space: EmbeddingSpace, share: float = SHARE, report: Report = silent, activate: bool = False
) -> Built:
    """Embed every passage that has no vector in ``space``, and index it; ``activate`` it then.

    Works for ``share`` of the time (more than 0, at most 1) and sleeps for the rest. Raises
    ``SpaceRefused`` when another process builds or drops it, ``EmbeddingUnavailable``.
    """
    started = time.perf_counter()
    check_weights(space)
    with held(space), ending_with_its_client():
        refuse_dropped(space)
        builder = Builder(space, share, report)
        builder.fill()
        if lacks_index := not has_index(space):
            builder.tell("indexing")
            index_create(space=space)
            builder.fill()
        while activate and not is_switched(space):
            builder.fill()
    seconds = round(time.perf_counter() - started, 2)
    return Built(space.pk, builder.embedded, builder.rounds, lacks_index, seconds)


def space_rollback(*, share: float = SHARE, report: Report = silent) -> Built:
    """Back to the space that served before, once it has what came since. Raises as ``space_build``."""
    space = previous_space()
    if space is None:
        raise SpaceRefused("No other space has served before.")
    return space_build(space=space, share=share, report=report, activate=True)


def is_switched(space: EmbeddingSpace) -> bool:
    """Whether it serves now; not yet, where passages came since it was filled."""
    try:
        space_activate(space=space)
    except VectorsMissing:
        return False
    return True


@contextmanager
def ending_with_its_client() -> Iterator[None]:
    """An index is made in one statement: it ends soon after its client was killed, and frees the lock."""
    set_if_known("SET client_connection_check_interval = '2s'")
    try:
        yield
    finally:
        set_if_known("RESET client_connection_check_interval")


def set_if_known(statement: str) -> None:
    """Not every operating system lets a server look after its clients."""
    with suppress(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


class Builder:
    """Goes round until nothing is missing."""

    def __init__(self, space: EmbeddingSpace, share: float, report: Report) -> None:
        self.space, self.share, self.report = space, share, report
        self.embedded = self.rounds = 0
        self.done = self.total = 0

    def fill(self) -> None:
        while missing := missing_vectors(self.space):
            self.total = Chunk.objects.count()
            self.done, before = max(self.total - missing, 0), self.embedded
            self.tell("embedding")
            self.go_round()
            if self.embedded == before:
                time.sleep(WAIT_SECONDS)
        self.total = self.done = Chunk.objects.count()
        self.tell("embedding")

    def go_round(self) -> None:
        self.rounds += 1
        for first, last in windows():
            passages = missing_between(self.space, first, last)
            size = registry.passages_at_once(STEP)
            for start in range(0, len(passages), size):
                self.step(passages[start : start + size])

    def step(self, passages: Sequence[Chunk]) -> None:
        started = time.perf_counter()
        stored = store(rows_of(passages, self.space))
        self.embedded += stored
        self.done = min(self.done + stored, self.total)
        self.tell("embedding")
        time.sleep((time.perf_counter() - started) * (1 - self.share) / self.share)

    def tell(self, phase: str) -> None:
        built = self.done / self.total if self.total else 1.0
        metrics.embedding_space_built_ratio.labels(str(self.space.pk)).set(built)
        self.report(Progress(phase, self.done, self.total))


def windows() -> Iterator[tuple[int, int]]:
    """First and last key of so many passages at a time, in the order of keys."""
    keys = Chunk.objects.order_by("pk").values_list("pk", flat=True)
    last = 0
    while window := list(keys.filter(pk__gt=last)[:WINDOW]):
        last = window[-1]
        yield window[0], last


def missing_between(space: EmbeddingSpace, first: int, last: int) -> list[Chunk]:
    """Passages without a vector, of a range of keys; shortest first, so that batches waste little."""
    held = Embedding.objects.filter(space=space, chunk_id__gte=first, chunk_id__lte=last).values("chunk_id")
    missing = Chunk.objects.filter(pk__range=(first, last)).exclude(pk__in=held)
    return list(missing.only("context", "document_id", "collection_id").order_by("token_count"))


def rows_of(passages: Sequence[Chunk], space: EmbeddingSpace) -> list[Embedding]:
    """The only place where a builder makes rows: as ``storing`` makes those of new documents."""
    texts = [passage.context for passage in passages]
    encoded = encode_passages(
        space.revision, texts, lambda new: registry.get_passage_embedder(space.model).encode(new)
    )
    rows = []
    for passage, stored in zip(passages, encoded, strict=True):
        check_length(space.model, len(stored.vector), space.dimensions)
        rows.append(embedding_of(passage, space, stored))
    return rows


def store(rows: Sequence[Embedding]) -> int:
    """Commit those that still have their passage; how many. The others are of the next round."""
    try:
        with transaction.atomic():
            return len(Embedding.objects.bulk_create(still_there(rows), ignore_conflicts=True))
    except IntegrityError as error:
        if getattr(error.__cause__, "sqlstate", "") != FOREIGN_KEY_VIOLATION:
            raise
        return 0


def still_there(rows: Sequence[Embedding]) -> list[Embedding]:
    """Of documents that nobody is changing, in the collection where they are now, held until the commit.

    Nothing is waited for: a document that is being deleted or stored holds locks in an order of its own.
    """
    documents = Document.objects.filter(pk__in={row.document_id for row in rows}).order_by("pk")
    free = list(documents.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))
    chunks = Chunk.objects.filter(pk__in=[row.chunk_id for row in rows], document__in=free)
    places = dict(chunks.values_list("pk", "collection_id"))
    kept = [row for row in rows if row.chunk_id in places]
    for row in kept:
        row.collection_id = places[row.chunk_id]
    return kept


# --- After ------------------------------------------------------------------------------------


def overview() -> list[SpaceFacts]:
    """Every space, oldest first."""
    return [facts_of(space) for space in EmbeddingSpace.objects.order_by("pk")]


def facts_of(space: EmbeddingSpace) -> SpaceFacts:
    missing = missing_vectors(space)
    return SpaceFacts(
        id=space.pk,
        model=space.model,
        revision=space.revision,
        dimensions=space.dimensions,
        state=space.state,
        vectors=Chunk.objects.count() - missing,
        missing=missing,
        indexed=has_index(space),
        index_bytes=index_bytes(space),
        created_at=space.created_at,
        activated_at=space.activated_at,
    )


def index_bytes(space: EmbeddingSpace) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(pg_relation_size(to_regclass(%s)), 0)", [index_name(space.pk)])
        return int(cursor.fetchone()[0])
