"""Encodings in Redis: the same rows as computed ones, no call of the model, and no need of Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django_redis import get_redis_connection
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisGone

from documents import indexing, services, sparing
from documents.embedding import kept, passages, queries, registry, weights
from documents.embedding.base import Encoding
from documents.models import Collection, Document, Embedding
from tests.people import person

MODEL = weights.PACKAGED_MODEL
TEXTS = ["Herons stand in shallow water.", "The bakery sells rye bread.", "A tram runs to Velmora. " * 20]
Upload = Callable[..., Document]
REVISION = weights.PACKAGED_SHA256


@pytest.fixture(autouse=True)
def _asked_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(kept.redis_if_there, "paused_until", 0.0)


@pytest.fixture
def given(monkeypatch: Any) -> list[str]:
    """What the engine of passages is given from now on."""
    texts: list[str] = []

    class Listening:
        def __init__(self, model: str) -> None:
            self.engine = get(model)

        def encode(self, new: Sequence[str]) -> list[Encoding]:
            texts.extend(new)
            return self.engine.encode(new)

    get = registry.get_passage_embedder
    monkeypatch.setattr(indexing, "get_passage_embedder", Listening)
    return texts


def count(kind: str, outcome: str) -> float:
    labels = {"kind": kind, "outcome": outcome}
    return REGISTRY.get_sample_value("embedding_cache_total", labels) or 0.0


def rows(document: Document) -> list[tuple[list[float], bytes]]:
    stored = Embedding.objects.filter(document=document).order_by("chunk__ordinal")
    return [(list(row.vector), bytes(row.tokens)) for row in stored]


def indexed_again(document: Document) -> list[tuple[list[float], bytes]]:
    """With no passage left, as after a deletion by hand: nothing but Redis knows the vectors."""
    document.chunks.all().delete()
    services.document_reindex(document=document)
    indexing.index(document.pk)
    document.refresh_from_db()
    return rows(document)


def test_indexing_again_costs_no_model_and_gives_the_same_rows(
    collection: Collection, upload: Upload, given: list[str]
) -> None:
    document = upload(collection, "\f".join(TEXTS))
    indexing.index(document.pk)
    before = rows(document)
    assert len(before) == len(given) == 3
    given.clear()
    assert indexed_again(document) == before
    assert given == []


def test_another_document_with_the_same_text_costs_no_model(
    collection: Collection, upload: Upload, given: list[str]
) -> None:
    for name in ("a.txt", "b.txt"):
        indexing.index(upload(collection, TEXTS[0] + "\n" * (name == "b.txt"), filename=name, title="T").pk)
    assert len(given) == 1


def test_kept_is_what_was_computed_byte_for_byte() -> None:
    model = registry.get_passage_embedder(MODEL)
    computed = passages.encode_passages(REVISION, TEXTS, model.encode)
    found = passages.encode_passages(REVISION, TEXTS, lambda new: pytest.fail("encoded again"))
    for one, other in zip(computed, found, strict=True):
        assert one.vector.astype("<f2").tobytes() == other.vector.tobytes()
        assert one.tokens == other.tokens


def test_only_what_is_missing_is_encoded_in_the_order_of_the_texts() -> None:
    model = registry.get_passage_embedder(MODEL)
    passages.encode_passages(REVISION, TEXTS[1:2], model.encode)
    asked: list[str] = []

    def encode(new: Sequence[str]) -> list[Encoding]:
        asked.extend(new)
        return model.encode(new)

    found = passages.encode_passages(REVISION, [*TEXTS, TEXTS[0]], encode)
    assert asked == [TEXTS[0], TEXTS[2]]
    for stored, text in zip(found, [*TEXTS, TEXTS[0]], strict=True):
        assert float(np.float32(stored.vector) @ model.embed([text])[0]) > 0.97


def test_other_weights_and_other_engines_have_encodings_of_their_own(settings: Any) -> None:
    model, counted = registry.get_passage_embedder(MODEL), list[int]()

    def encode(new: Sequence[str]) -> list[Encoding]:
        counted.append(len(new))
        return model.encode(new)

    passages.encode_passages(REVISION, TEXTS, encode)
    passages.encode_passages("0" * 64, TEXTS, encode)
    settings.EMBEDDING_ENGINE = "torch"
    passages.encode_passages(REVISION, TEXTS, encode)
    assert counted == [3, 3, 3]


def test_hits_and_misses_are_counted_by_kind() -> None:
    model = registry.get_passage_embedder(MODEL)
    before = [count(kind, outcome) for kind in ("passage", "query") for outcome in ("hit", "miss")]
    for _ in range(2):
        passages.encode_passages(REVISION, TEXTS, model.encode)
        queries.encode_query(MODEL, "Where do herons stand?")
    after = [count(kind, outcome) for kind in ("passage", "query") for outcome in ("hit", "miss")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 3, 1, 1]


def test_they_hold_no_text_and_end_by_themselves() -> None:
    passages.encode_passages(REVISION, TEXTS[:1], registry.get_passage_embedder(MODEL).encode)
    redis = get_redis_connection()
    (key,) = redis.keys(f"{kept.PREFIX}:*")
    assert b"Heron" not in key + redis.get(key)
    assert 0 < redis.ttl(key) <= kept.TTL_SECONDS
    assert redis.strlen(key) < 1500


@pytest.mark.parametrize("error", [RedisGone("gone"), OSError("gone")])
def test_without_redis_all_is_computed_and_redis_is_left_alone_for_a_while(
    error: Exception, monkeypatch: Any
) -> None:
    asked: list[str] = []

    def gone(name: str) -> Any:
        asked.append(name)
        raise error

    monkeypatch.setattr(sparing, "get_redis_connection", gone)
    model = registry.get_passage_embedder(MODEL)
    for _ in range(3):
        assert len(passages.encode_passages(REVISION, TEXTS, model.encode)) == 3
        assert queries.encode_query(MODEL, "herons").vector.shape == (384,)
    assert len(asked) == 1


def test_a_redis_that_is_half_full_takes_no_more_passages_but_queries() -> None:
    class Full:
        def info(self, section: str) -> dict[str, int]:
            return {"maxmemory": 100, "used_memory": 51}

    class Refusing(Full):
        def pipeline(self, transaction: bool) -> Any:
            pytest.fail("a passage was kept")

    kept.store(Refusing(), "passage", {"key": b"value"})
    with pytest.raises(AttributeError, match="pipeline"):
        kept.store(Full(), "query", {"key": b"value"})
    assert not kept.is_half_full({"maxmemory": 0, "used_memory": 10**12})
    assert not kept.is_half_full({"maxmemory": 100, "used_memory": 50})


@pytest.mark.django_db(transaction=True)
def test_those_of_a_deleted_document_go_with_it(upload: Upload) -> None:
    alice: User = person("alice")
    collection = Collection.objects.create(name="Birds", slug="birds", owner=alice)
    document = upload(collection, TEXTS[0])
    indexing.index(document.pk)
    assert get_redis_connection().keys(f"{kept.PREFIX}:passage:*")
    services.document_delete(document=document, user=alice)
    assert not get_redis_connection().keys(f"{kept.PREFIX}:passage:*")
