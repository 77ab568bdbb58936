"""Results that are kept: for whom, until when, without a byte of any document, and without Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisGone

from documents import sparing
from documents.integrity.traces import traces_of
from documents.models import Collection, Document, Role
from documents.services import (
    collection_create,
    document_delete,
    document_reindex,
    document_update,
    membership_remove,
    membership_set,
)
from search import caching, pipeline
from search.models import Tuning
from search.types import Filters, SearchRequest, SearchResult
from tests.search.examples import BREAD, HERONS

pytestmark = pytest.mark.django_db
QUERY = "breeding pairs of herons"
MakeDocument = Callable[..., Document]


@pytest.fixture(autouse=True)
def _redis_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.redis_if_there, "paused_until", 0.0)


@pytest.fixture
def herons(collection: Collection, make_document: MakeDocument) -> Document:
    return make_document(collection, HERONS, title="Herons")


def searched(user: User, query: str = QUERY, **given: Any) -> SearchResult:
    return pipeline.search(request=SearchRequest(query, **given), user=user)


def shown(result: SearchResult) -> Any:
    return result.hits, result.suggestion, result.degraded, result.held_back, result.has_words


def titles(result: SearchResult) -> list[str]:
    return [hit.document_title for hit in result.hits]


def counted(kind: str, outcome: str) -> float:
    labels = {"kind": kind, "outcome": outcome}
    return REGISTRY.get_sample_value("search_cache_total", labels) or 0.0


def kept() -> list[str]:
    return [key.decode() for key in sparing.get_redis_connection("default").keys(f"{caching.PREFIX}:*")]


# --- What is kept


def test_what_was_found_is_found_again_without_searching(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits, stores = counted("results", "hit"), counted("results", "store")
    first = searched(alice)
    monkeypatch.setattr(pipeline, "found", None)
    second = searched(alice, f"  {QUERY} ")
    assert (first.cached, second.cached) == (False, True)
    assert shown(second) == shown(first)
    assert second.took_ms < first.took_ms
    assert set(second.timings) == {"hydrate"}
    assert (counted("results", "hit"), counted("results", "store")) == (hits + 1, stores + 1)


def test_a_hit_asks_the_database_twice(herons: Document, alice: User) -> None:
    searched(alice)
    with CaptureQueriesContext(connection) as seen:
        assert searched(alice).cached
    assert len(seen) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"limit": 1},
        {"mode": "keyword"},
        {"rerank": "on"},
        {"per_document": 1},
        {"filters": Filters(collections=("research",))},
        {"filters": Filters(kinds=("pdf",))},
        {"plain": True},
        {"explain": True},
    ],
)
def test_what_is_asked_otherwise_is_not_the_same(herons: Document, alice: User, given: Any) -> None:
    searched(alice)
    assert not searched(alice, **given).cached


def test_explained_and_degraded_results_are_not_kept(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(alice, explain=True)
    monkeypatch.setattr(pipeline.Stages, "degraded", property(lambda stages: ("vector",)))
    assert not searched(alice).cached
    assert not searched(alice).cached
    assert kept() == []


def test_a_suggestion_is_made_anew(herons: Document, alice: User) -> None:
    first, second = searched(alice, "the obsrvatory"), searched(alice, "the obsrvatory")
    assert second.cached
    assert first.suggestion == second.suggestion == "the observatory"


def test_with_no_time_to_live_nothing_is_kept(herons: Document, alice: User, settings: Any) -> None:
    settings.CACHE_TTL_SECONDS = 0
    searched(alice)
    assert not searched(alice).cached
    assert kept() == []


def test_what_is_kept_ends_and_gives_way(herons: Document, alice: User) -> None:
    searched(alice)
    redis = sparing.get_redis_connection("default")
    (key,) = kept()
    assert 0 < redis.ttl(key) <= 24 * 60 * 60
    assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}


def test_what_is_too_large_is_not_kept(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "MAX_BYTES", 10)
    searched(alice)
    assert kept() == []


# --- For whom


def test_who_sees_the_same_shares_and_nobody_else(
    herons: Document, alice: User, bob: User, charlie: User
) -> None:
    searched(alice)
    assert searched(bob).cached
    assert searched(charlie).hits == ()


def test_who_sees_more_does_not_share(
    herons: Document, alice: User, bob: User, make_document: MakeDocument
) -> None:
    hers = collection_create(owner=alice, name="Hers")
    make_document(hers, "Breeding pairs of herons, once more.", title="Secret")
    searched(alice)
    assert "Secret" not in titles(searched(bob))
    assert "Secret" in titles(searched(alice))


def test_a_membership_that_ends_takes_the_results_along(
    herons: Document, collection: Collection, bob: User, alice: User
) -> None:
    searched(bob)
    membership_remove(collection=collection, user=bob)
    assert searched(bob).hits == ()
    membership_set(collection=collection, user=bob, role=Role.VIEWER)
    assert searched(bob).cached


# --- Until when


def renamed(document: Document, collection: Collection) -> None:
    document_update(document=document, tags=["birds"])


def moved(document: Document, collection: Collection) -> None:
    document_update(document=document, collection=collection_create(owner=collection.owner, name="Board"))


def deleted(document: Document, collection: Collection) -> None:
    document_delete(document=document, user=None)


def tuned(document: Document, collection: Collection) -> None:
    Tuning.objects.create(collection=collection, parameters={"document": 0.9}, questions=20)


@pytest.mark.parametrize("change", [renamed, moved, deleted, tuned])
def test_every_change_makes_it_stale(
    herons: Document, collection: Collection, alice: User, bob: User, change: Any
) -> None:
    searched(alice)
    assert (titles(searched(bob)), searched(bob).cached) == (["Herons"], True)
    change(herons, collection)
    after = searched(bob)
    assert not after.cached
    assert titles(after) == (["Herons"] if change in (renamed, tuned) else [])


def test_new_and_newly_read_documents_make_it_stale(
    herons: Document, collection: Collection, alice: User, make_document: MakeDocument
) -> None:
    from documents import indexing

    searched(alice)
    make_document(collection, BREAD, title="Bread")
    assert not searched(alice).cached
    document_reindex(document=herons)
    indexing.index(herons.pk)
    assert not searched(alice).cached


def test_tags_and_titles_that_filter_are_those_of_now(herons: Document, alice: User) -> None:
    filters = Filters(tags=("birds",))
    assert searched(alice, filters=filters).hits == ()
    document_update(document=herons, tags=["birds"])
    assert titles(searched(alice, filters=filters)) == ["Herons"]
    document_update(document=herons, tags=[])
    assert searched(alice, filters=filters).hits == ()


def test_another_release_or_model_has_results_of_its_own(
    herons: Document, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(alice)
    monkeypatch.setattr(caching, "code_digest", lambda: "another")
    assert not searched(alice).cached
    settings.LLM_MODEL = "another"
    assert not searched(alice).cached


def test_what_a_change_overtakes_is_stored_where_nobody_looks(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search reads before the change and stores after it."""
    found = pipeline.found

    def overtaken(*given: Any) -> SearchResult:
        result = found(*given)
        document_update(document=herons, tags=["birds"])
        return result

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "found", overtaken)
        searched(alice)
    assert len(kept()) == 1
    assert not searched(alice).cached


def test_a_passage_that_is_gone_all_the_same_is_not_shown(herons: Document, alice: User) -> None:
    """As if somebody had forgotten to count a change."""
    searched(alice)
    herons.chunks.all().delete()
    after = searched(alice)
    assert not after.cached
    assert "Herons" not in titles(after)


# --- Without a byte of text


def test_nothing_of_a_document_lies_in_redis(herons: Document, alice: User) -> None:
    searched(alice)
    searched(alice, "the obsrvatory")
    redis = sparing.get_redis_connection("default")
    values = b" ".join(redis.get(key) for key in kept()).decode()
    assert len(kept()) == 2
    for word in ("heron", "pairs", "observatory", "Lindqvist", "Lake"):
        assert word.casefold() not in values.casefold()
    document_delete(document=herons, user=None)
    assert [place for place in traces_of("Lindqvist") if place.startswith("cached")] == []


# --- One at a time


def test_others_wait_for_the_one_that_computes(
    herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "portal:kept:results:test"
    seen: list[Any] = []

    def second() -> None:
        with caching.looked_up("results", key, 5.0) as value:
            seen.append(value)

    with caching.looked_up("results", key, 5.0) as value:
        assert value is None
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        assert seen == []
        caching.store("results", key, {"hits": []})
    waiting.join(5)
    assert seen == [{"hits": []}]
    assert kept() == [key]


def test_who_waits_gives_up(herons: Document, alice: User) -> None:
    key = caching.results_key(SearchRequest(QUERY), alice)
    assert key
    with caching.looked_up("results", key, 0.1) as first:
        begun = time.monotonic()
        with caching.looked_up("results", key, 0.1) as second:
            assert first is None
            assert second is None
        assert 0.1 <= time.monotonic() - begun < 1.0
        # Somebody else's lease is not given up by the one who waited for it.
        assert sparing.get_redis_connection("default").get(f"{key}:lease")
    assert kept() == []


def test_who_computes_and_fails_lets_the_next_one_compute(db: Any) -> None:
    key = "portal:kept:results:test"
    with pytest.raises(RuntimeError), caching.looked_up("results", key, 5.0):
        raise RuntimeError
    begun = time.monotonic()
    with caching.looked_up("results", key, 5.0) as value:
        assert value is None
    assert time.monotonic() - begun < 1.0


# --- Without Redis


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []

    def connection(alias: str) -> Any:
        asked.append(1)
        raise RedisGone("gone")

    monkeypatch.setattr(sparing, "get_redis_connection", connection)
    return asked


def test_without_redis_everything_is_computed(herons: Document, alice: User, gone: list[int]) -> None:
    errors = counted("results", "error")
    for _ in range(3):
        result = searched(alice)
        assert (result.cached, titles(result)[0]) == (False, "Herons")
    assert len(gone) == 2, "for the results and for the query's encoding; neither is waited for again"
    assert counted("results", "error") == errors + 1


def test_the_api_says_what_was_kept(herons: Document, alice: User, api: Callable[..., Any]) -> None:
    client = api(alice)
    bodies = [client.get("/api/v1/search/", {"q": QUERY}).json() for _ in range(2)]
    assert [body["cached"] for body in bodies] == [False, True]
    assert bodies[0]["results"] == bodies[1]["results"]
    assert bodies[1]["took_ms"] < bodies[0]["took_ms"]
