"""Two embedding spaces side by side, before one takes the other's place.

How far they agree on what is nearest, what a query costs in each, and how the golden questions go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from django.db import connection, transaction

from documents.embedding.registry import get_embedder
from documents.models import Chunk, Collection, Embedding, EmbeddingSpace
from documents.spaces import SpaceRefused, check_weights, missing_vectors, searching
from search import golden as golden_questions
from search.evaluation import read_questions
from search.scores import percentile

K = 10
#: Candidates of the graph scan: so many that what parts two spaces is their models, not their graphs.
EF_SEARCH = "200"

#: The golden questions' figures under the space that this context searches, by collection.
Golden = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """A query; ``passage`` is the one whose own text it is, which every space finds first."""

    text: str
    passage: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One space: milliseconds of a query (p50, p95), and its golden questions' figures."""

    space: int
    model: str
    dimensions: int
    missing: int
    embed_p50: float | None
    embed_p95: float | None
    search_p50: float | None
    search_p95: float | None
    golden: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``overlap`` is the mean share of the ten nearest passages that both spaces name."""

    queries: int
    overlap: float | None
    same_first: float | None
    serving: Measured
    other: Measured


@dataclass(frozen=True, slots=True)
class Found:
    """One query in one space: passages, nearest first, and milliseconds."""

    passages: tuple[int, ...]
    embed_ms: float
    search_ms: float


def compare(
    serving: EmbeddingSpace,
    other: EmbeddingSpace,
    samples: Sequence[Sample],
    *,
    golden: Golden,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Comparison:
    """Ask both the same. Raises ``EmbeddingUnavailable``, ``SpaceRefused`` for a space without vectors."""
    for space in (serving, other):
        check_comparable(space)
    pairs = [(found(serving, sample), found(other, sample)) for sample in told(samples, report)]
    return Comparison(
        queries=len(pairs),
        overlap=mean(overlap(first.passages, second.passages) for first, second in pairs),
        same_first=mean(float(first.passages[:1] == second.passages[:1]) for first, second in pairs),
        serving=measured(serving, [first for first, _ in pairs], golden),
        other=measured(other, [second for _, second in pairs], golden),
    )


def check_comparable(space: EmbeddingSpace) -> None:
    if not space.embeddings.exists():
        raise SpaceRefused(f"Space {space.pk} holds no vectors yet: manage.py space build {space.pk}")
    check_weights(space)
    get_embedder(space.model).embed(["A model loads at its first use; that is no part of a query."])


def told(samples: Sequence[Sample], report: Callable[[int, int], None]) -> Iterator[Sample]:
    for done, sample in enumerate(samples, 1):
        yield sample
        report(done, len(samples))


def found(space: EmbeddingSpace, sample: Sample) -> Found:
    """What is nearest, of everybody's passages: the index of the space alone, without access."""
    started = time.perf_counter()
    vector = get_embedder(space.model).embed([sample.text])[0]
    embedded = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('hnsw.ef_search', %s, true)", [EF_SEARCH])
        nearest = Embedding.objects.by_index(vector, space, K + 1).rows()
    ended = time.perf_counter()
    passages = tuple(near.chunk_id for near in nearest if near.chunk_id != sample.passage)[:K]
    return Found(passages, (embedded - started) * 1000, (ended - embedded) * 1000)


def overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """Share of common passages; 1 where there is nothing to find."""
    return len(set(first) & set(second)) / max(len(first), len(second), 1) if first or second else 1.0


def measured(space: EmbeddingSpace, queries: Sequence[Found], golden: Golden) -> Measured:
    embed, search = [query.embed_ms for query in queries], [query.search_ms for query in queries]
    with searching(space):
        figures = golden()
    return Measured(
        space=space.pk,
        model=space.model,
        dimensions=space.dimensions,
        missing=missing_vectors(space),
        embed_p50=percentile(embed, 0.5),
        embed_p95=percentile(embed, 0.95),
        search_p50=percentile(search, 0.5),
        search_p95=percentile(search, 0.95),
        golden=figures,
    )


def mean(values: Iterator[float]) -> float | None:
    listed = list(values)
    return round(fmean(listed), 4) if listed else None


def golden_figures() -> dict[str, Any]:
    """What is kept as golden is asked now, by the whole pipeline. Collections without any are left out."""
    kept = Collection.objects.filter(golden_questions__isnull=False).distinct().order_by("slug")
    figures: dict[str, Any] = {}
    for collection in kept:
        with suppress(golden_questions.NothingToAsk):
            asked = golden_questions.ask(collection)
            figures[collection.slug] = {
                "questions": asked.questions,
                **golden_questions.scores_of(asked.tally),
            }
    return figures


# --- What is asked ----------------------------------------------------------------------------


def sampled_passages(count: int) -> list[Sample]:
    """The own texts of random passages."""
    rows = Chunk.objects.order_by("?").values_list("pk", "text")[:count]
    return [Sample(text, pk) for pk, text in rows]


def questions_of(folder: Path, count: int) -> list[Sample]:
    """The first questions of an evaluation folder. Raises ``BadRequest`` when they cannot be read."""
    return [Sample(question.text) for question in list(read_questions(folder / "questions.jsonl"))[:count]]
