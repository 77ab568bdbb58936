"""The recall audit: what the vector index serves against the exact scan, on what people asked lately."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from documents.embedding.queries import encode_query
from documents.exceptions import EmbeddingUnavailable
from documents.models import Collection, Embedding, EmbeddingSpace
from documents.querysets import EmbeddingQuerySet
from documents.recall import recall_at_10, stored_vectors
from documents.spaces import active_space
from search.recent import RecentQuery, recent

logger = logging.getLogger(__name__)

SAMPLES = 50
#: Of the audit that the worker does by itself.
DAILY_SAMPLES = 20
#: A tenth of the time is its own: an exact scan reads every vector, on every core, while people search.
REST = 9.0
#: Below it an audit warns.
GOAL = 0.95
#: The last audit, for the metrics of every process.
KEY = "recall-audit"
KEPT_SECONDS = 3 * 24 * 60 * 60

#: As ``recall_at_10``.
Recall = Callable[[EmbeddingQuerySet, Any, EmbeddingSpace], float | None]


@dataclass(frozen=True, slots=True)
class CollectionRecall:
    """Mean recall@10 of searches narrowed to one collection.

    ``asked`` of the queries are people's own, run with their rights; the others are ``stored`` passages'.
    """

    collection: str
    passages: int
    queries: int
    asked: int
    stored: int
    recall: float

    @property
    def is_poor(self) -> bool:
        return self.recall < GOAL


@dataclass(frozen=True, slots=True)
class Audit:
    """``as_asked``: recall@10 of the recent queries in the scope they were asked in; None without any."""

    space: str
    at: str
    as_asked: float | None
    asked: int
    collections: tuple[CollectionRecall, ...]

    @property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.at)

    @property
    def recall(self) -> float | None:
        """The mean over collections."""
        return round(fmean(row.recall for row in self.collections), 4) if self.collections else None

    @property
    def poor(self) -> list[str]:
        """Whatever is below the goal."""
        found = [row.collection for row in self.collections if row.is_poor]
        return [*found, "as asked"] if self.as_asked is not None and self.as_asked < GOAL else found


@dataclass(frozen=True, slots=True)
class AskableQuery:
    """A recent query that can be asked again: by a user who still is, as a vector."""

    user: Any
    collections: tuple[str, ...]
    vector: Any

    def scope(self) -> EmbeddingQuerySet:
        found: EmbeddingQuerySet = Embedding.objects.visible_to(self.user, collections=self.collections)
        return found


def audit(space: EmbeddingSpace, samples: int, rest: float = 0.0) -> Audit:
    """Every collection that holds vectors, with ``samples`` queries each; the result is kept for metrics.

    After each query it rests ``rest`` times as long as that took.
    """
    recall = resting(recall_at_10, rest)
    queries = list(askable(recent()[: samples * 4], space))
    collections = Collection.objects.but_bins().order_by("slug")
    rows = (of_collection(each, space, queries, samples, recall) for each in collections)
    as_asked = mean(recall(query.scope(), query.vector, space) for query in queries[:samples])
    found = Audit(
        space=str(space),
        at=timezone.now().isoformat(timespec="seconds"),
        as_asked=as_asked,
        asked=min(len(queries), samples),
        collections=tuple(row for row in rows if row.queries),
    )
    cache.set(KEY, asdict(found), KEPT_SECONDS)
    if found.poor:
        logger.warning("recall@10 of the vector index is below %s in: %s", GOAL, ", ".join(found.poor))
    return found


def last_audit() -> Audit | None:
    """What the last audit found, by whatever process; None when that is too long ago."""
    kept = cache.get(KEY)
    if kept is None:
        return None
    rows = tuple(CollectionRecall(**row) for row in kept["collections"])
    return Audit(**{**kept, "collections": rows})


def askable(queries: Sequence[RecentQuery], space: EmbeddingSpace) -> Iterator[AskableQuery]:
    active = get_user_model().objects.filter(is_active=True)
    users: Mapping[int, Any] = active.in_bulk({query.user_id for query in queries})
    for query in queries:
        if query.user_id not in users:
            continue
        try:
            vector = encode_query(space.model, query.text).vector
        except EmbeddingUnavailable as error:
            logger.warning("the audit asks stored passages only: %s", error)
            return
        yield AskableQuery(users[query.user_id], query.collections, vector)


def of_collection(
    collection: Collection,
    space: EmbeddingSpace,
    queries: Sequence[AskableQuery],
    samples: int,
    recall: Recall,
) -> CollectionRecall:
    """Each query is narrowed to the collection, which is where an index that filters late loses rows."""
    asked = [
        recall(Embedding.objects.visible_to(query.user, collections=[collection.slug]), query.vector, space)
        for query in queries[:samples]
        if not query.collections or collection.slug in query.collections
    ]
    own = Embedding.objects.visible_to(collection.owner, collections=[collection.slug])
    missing = samples - len(measurable(asked))
    stored = [recall(own, vector, space) for vector in stored_vectors(collection, space, missing)]
    return CollectionRecall(
        collection=collection.slug,
        passages=Embedding.objects.filter(collection=collection, space=space).count(),
        queries=len(measurable([*asked, *stored])),
        asked=len(measurable(asked)),
        stored=len(measurable(stored)),
        recall=mean([*asked, *stored]) or 0.0,
    )


def measurable(recalls: Iterable[float | None]) -> list[float]:
    return [recall for recall in recalls if recall is not None]


def mean(recalls: Iterable[float | None]) -> float | None:
    known = measurable(recalls)
    return round(fmean(known), 4) if known else None


def daily() -> None:
    """For the worker (setting ``PERIODIC``)."""
    if space := active_space():
        audit(space, DAILY_SAMPLES, REST)


def resting(recall: Recall, rest: float) -> Recall:
    def recalled(*asked: Any) -> float | None:
        begun = time.monotonic()
        found = recall(*asked)
        time.sleep(rest * (time.monotonic() - begun))
        return found

    return recalled


class LastAudit(Collector):
    """The last audit as metrics, read when they are scraped: it was made by another process."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Asked when it is registered: at the start nothing may be read yet."""
        return [recall_gauge()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = recall_gauge()
        if kept := last_audit():
            for row in kept.collections:
                family.add_metric([row.collection], row.recall)
            if kept.as_asked is not None:
                family.add_metric([""], kept.as_asked)
        yield family


def recall_gauge() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "search_recall_at_10",
        "Vector index against exact scan, by the last audit; the empty collection is queries as asked.",
        labels=["collection"],
    )
