"""Popular questions are asked again after a change: once it is quiet, and behind documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from procrastinate.contrib.django.models import ProcrastinateJob

from documents.models import Collection, Document
from documents.services import document_update, membership_remove
from search import caching, pipeline, recent, tasks, warming
from search.generation.fake import FakeGenerator
from search.models import Answer, Conversation
from search.types import Filters, SearchRequest, SearchResult
from tests.search.examples import HERONS

pytestmark = pytest.mark.django_db
QUERY = "breeding pairs of herons"
QUESTION = "Who founded the observatory at Lake Ormund?"


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(caching.redis_if_there, "paused_until", 0.0)
    monkeypatch.setattr(recent, "_paused_until", 0.0)
    recent.redis().delete(recent.KEY)
    yield
    recent.redis().delete(recent.KEY)


@pytest.fixture
def herons(collection: Collection, make_document: Callable[..., Document]) -> Document:
    document = make_document(collection, HERONS, title="Herons")
    Document.objects.on_their_way().update(status="failed", reason="for this test")
    return document


def searched(user: User, query: str = QUERY, **given: Any) -> SearchResult:
    return pipeline.search(request=SearchRequest(query, **given), user=user)


def asked_before(user: User, times: int = 2) -> None:
    """As if somebody had asked this."""
    thread = Conversation.objects.create(owner=user, title=QUESTION)
    for _ in range(times):
        Answer.objects.create(
            conversation=thread,
            asked_by=user,
            question=QUESTION,
            scope={"collections": [], "documents": []},
            state=Answer.State.DONE,
            finished_at="2026-01-01T00:00Z",
        )


# --- What


def test_popular_searches_are_kept_again_after_a_change(herons: Document, alice: User, bob: User) -> None:
    for user in (alice, bob):
        searched(user, limit=5)
    searched(alice, "asked once only")
    document_update(document=herons, tags=["birds"])
    asked = len(recent.entries())
    assert warming.warm() == warming.Warmed(asked=1)
    assert searched(bob, limit=5).cached
    assert not searched(bob, "asked once only").cached
    assert len(recent.entries()) == asked + 2, "a warming does not count as asking"


def test_what_is_kept_is_not_asked_for(herons: Document, alice: User) -> None:
    searched(alice)
    searched(alice)
    assert warming.warm() == warming.Warmed(asked=0)


def test_popularity_is_counted_among_those_who_see_the_same(
    herons: Document, collection: Collection, alice: User, bob: User, charlie: User
) -> None:
    searched(alice)
    searched(bob)
    searched(charlie)
    membership_remove(collection=collection, user=bob)
    document_update(document=herons, tags=["birds"])
    assert warming.warm() == warming.Warmed(asked=0)


def test_who_is_gone_asks_for_nothing(herons: Document, alice: User) -> None:
    searched(alice)
    searched(alice)
    document_update(document=herons, tags=["birds"])
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert warming.warm() == warming.Warmed(asked=0)


def test_narrowed_searches_are_not_warmed(herons: Document, alice: User) -> None:
    for _ in range(2):
        searched(alice, filters=Filters(kinds=("text",)))
        searched(alice, explain=True)
    document_update(document=herons, tags=["birds"])
    assert warming.warm() == warming.Warmed(asked=0)


def test_popular_questions_are_answered_before_they_are_asked(
    herons: Document, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_before(alice, 1)
    asked_before(bob, 1)
    assert warming.warm() == warming.Warmed(asked=1)
    assert Answer.objects.count() == 2, "nobody finds an answer that they did not ask for"
    monkeypatch.setattr(pipeline, "answer_pieces", None)
    *_, outcome = answer_steps(bob)
    assert outcome.text == "Anders Lindqvist founded the observatory in 1923."
    assert outcome.settings["cached"] == "same"


def answer_steps(user: User) -> list[Any]:
    from search import answer_cache

    row = Answer.objects.filter(asked_by=user).latest("created_at").pk
    given: dict[str, Any] = {"history": (), "should_stop": lambda: False}
    return list(answer_cache.steps(row=row, question=QUESTION, user=user, filters=Filters(), **given))


def test_no_language_model_is_asked(herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_before(alice)
    monkeypatch.setattr(pipeline, "get_generator", FakeGenerator)
    assert warming.warm() == warming.Warmed(asked=0)


# --- When


def jobs() -> list[int]:
    waiting = ProcrastinateJob.objects.filter(task_name=tasks.warm.name, status="todo")
    return list(waiting.values_list("priority", flat=True))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(warming.time, "time", lambda: now[0])
    return now


def test_it_waits_until_it_is_quiet_and_comes_once(herons: Document, clock: list[float]) -> None:
    warming.sweep()
    for _ in range(3):
        clock[0] += warming.QUIET_SECONDS - 1
        document_update(document=herons, tags=[str(clock[0])])
        warming.sweep()
    assert jobs() == []
    clock[0] += warming.QUIET_SECONDS
    warming.sweep()
    warming.sweep()
    assert jobs() == [tasks.IDLE]
    warming.warm()
    clock[0] += 10 * warming.QUIET_SECONDS
    before = cache.get(warming.KEY)
    warming.sweep()
    assert cache.get(warming.KEY) == before, "what is warm stays so until the next change"


def test_it_gives_way_to_documents(
    herons: Document, alice: User, clock: list[float], upload: Callable[..., Document], collection: Collection
) -> None:
    searched(alice)
    searched(alice)
    document_update(document=herons, tags=["birds"])
    warming.sweep()
    upload(collection, "One more.")
    assert warming.warm() == warming.Warmed(asked=0, gave_way=True)
    clock[0] += warming.QUIET_SECONDS
    warming.sweep()
    assert jobs() == []
    Document.objects.on_their_way().update(status="failed", reason="for this test")
    warming.sweep()
    assert jobs() == [tasks.IDLE]


def test_it_ends_when_its_time_is_up(herons: Document, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    searched(alice)
    searched(alice)
    document_update(document=herons, tags=["birds"])
    monkeypatch.setattr(warming, "BUDGET_SECONDS", -1.0)
    assert warming.warm() == warming.Warmed(asked=0)


@pytest.mark.parametrize("off", [{"CACHE_WARMING": False}, {"CACHE_TTL_SECONDS": 0}])
def test_it_can_be_switched_off(
    herons: Document, settings: Any, off: dict[str, Any], clock: list[float]
) -> None:
    for name, value in off.items():
        setattr(settings, name, value)
    warming.sweep()
    clock[0] += 2 * warming.QUIET_SECONDS
    warming.sweep()
    assert jobs() == []


def test_the_job_warms(herons: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr(warming, "warm", lambda: called.append(1))
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)
    tasks.warm()
    assert called == [1]
