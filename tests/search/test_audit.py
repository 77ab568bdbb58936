"""The recall audit and the check of BM25, on what people asked lately."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as RedisGone

from documents import lexical, lexical_check
from documents.models import Chunk, Collection, Document, EmbeddingSpace
from documents.spaces import active_space
from search import audit, recent
from search.types import Filters, SearchRequest
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db
MakeDocument = Callable[..., Document]


@pytest.fixture(autouse=True)
def _nothing_asked() -> Iterator[None]:
    recent.redis().delete(recent.KEY)
    yield
    recent.redis().delete(recent.KEY)


@pytest.fixture
def space(collection: Collection, make_document: MakeDocument) -> EmbeddingSpace:
    for title, text in (("Herons", HERONS), ("Trams", TRAMS), ("Bread", BREAD)):
        make_document(collection, text, title=title)
    found = active_space()
    assert found
    return found


def ran(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


# --- Recent queries


def test_recent_queries_come_newest_first_and_each_once(alice: User, bob: User) -> None:
    for text in ("herons", "trams", "herons"):
        recent.remember(SearchRequest(text, filters=Filters(collections=("research",))), alice)
    recent.remember(SearchRequest("trams"), bob)
    found = {(each.user_id, each.text, each.collections) for each in recent.recent()}
    assert found == {
        (alice.pk, "herons", ("research",)),
        (alice.pk, "trams", ("research",)),
        (bob.pk, "trams", ()),
    }


@pytest.mark.parametrize("text", ["", "  ", "x" * (recent.MAX_CHARACTERS + 1)])
def test_queries_of_no_use_are_not_kept(alice: User, text: str) -> None:
    recent.remember(SearchRequest(text), alice)
    recent.remember(SearchRequest("herons"), AnonymousUser())
    assert recent.recent() == []


def test_odd_characters_break_nothing(alice: User) -> None:
    recent.remember(SearchRequest("a\x00b \ud800 é"), alice)
    assert [each.user_id for each in recent.recent()] == [alice.pk]


def test_the_list_is_capped_and_expires(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "KEPT", 3)
    for number in range(5):
        recent.remember(SearchRequest(f"query {number}"), alice)
    assert {each.text for each in recent.recent()} == {"query 2", "query 3", "query 4"}
    assert 0 < recent.redis().ttl(recent.KEY) <= recent.WEEK_SECONDS
    now = time.time()
    monkeypatch.setattr(recent.time, "time", lambda: now + recent.WEEK_SECONDS + 10)
    assert recent.recent() == []


def test_without_redis_nothing_is_kept_and_nothing_raised(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def gone() -> Any:
        asked.append(1)
        raise RedisGone

    monkeypatch.setattr(recent, "_paused_until", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(recent, "redis", gone)
        for _ in range(3):
            recent.remember(SearchRequest("herons"), alice)
        assert len(asked) == 1, "a Redis that is gone is not waited for by every search"
        assert recent.recent() == []


# --- The audit


def test_recent_queries_are_asked_as_their_users(space: EmbeddingSpace, alice: User, charlie: User) -> None:
    recent.remember(SearchRequest("breeding pairs of herons"), alice)
    recent.remember(SearchRequest("the tram network"), charlie)
    report = json.loads(ran("audit_recall", "--json", "--samples", "2"))
    (row,) = report["collections"]
    # Charlie sees nothing of it, so only Alice's query counts; the others are stored passages.
    assert (row["collection"], row["asked"], row["stored"]) == ("research", 1, 1)
    assert row["queries"] == 2
    assert row["recall"] == report["recall@10"] == report["as_asked"] == 1
    assert report["below"] == []


def test_without_recent_queries_stored_passages_are_asked(space: EmbeddingSpace) -> None:
    report = json.loads(ran("audit_recall", "--json", "--samples", "3"))
    assert [(row["asked"], row["stored"]) for row in report["collections"]] == [(0, 3)]
    assert report["as_asked"] is None
    assert "0 queries that were asked, 3 of stored passages" in ran("audit_recall", "--samples", "3")


def test_users_who_are_gone_are_passed_over(space: EmbeddingSpace, bob: User) -> None:
    recent.remember(SearchRequest("herons"), bob)
    bob.is_active = False
    bob.save()
    assert audit.audit(space, 3).asked == 0


def test_no_user_is_read_but_those_who_asked(space: EmbeddingSpace, alice: User, bob: User) -> None:
    recent.remember(SearchRequest("herons"), bob)
    with CaptureQueriesContext(connection) as statements:
        assert [query.user for query in audit.askable(recent.recent(), space)] == [bob]
    (users,) = [each["sql"] for each in statements if 'FROM "auth_user"' in each["sql"]]
    assert f'"auth_user"."id" IN ({bob.pk})' in users


def test_a_poor_recall_is_warned_of(
    space: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "recall_at_10", lambda allowed, vector, space: 0.5)
    with caplog.at_level(logging.WARNING, logger="search.audit"):
        shown = ran("audit_recall", "--samples", "2")
    assert "Below 0.95: research" in shown
    assert "below 0.95 in: research" in caplog.text


def test_the_last_audit_is_among_the_metrics(space: EmbeddingSpace, alice: User) -> None:
    assert [family.samples for family in audit.LastAudit().collect()] == [[]]
    recent.remember(SearchRequest("breeding pairs of herons"), alice)
    audit.daily()
    (family,) = audit.LastAudit().collect()
    found = {sample.labels["collection"]: sample.value for sample in family.samples}
    assert (family.name, found) == ("search_recall_at_10", {"research": 1.0, "": 1.0})


def test_the_daily_audit_leaves_the_machine_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(audit, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=rests.append))
    assert audit.resting(lambda *asked: 0.5, audit.REST)() == 0.5
    assert rests == [18.0]


def test_without_a_space_the_command_says_so(db: None) -> None:
    EmbeddingSpace.objects.all().delete()
    with pytest.raises(CommandError, match="no active embedding space"):
        ran("audit_recall")
    audit.daily()


# --- BM25


def test_a_sound_index_agrees_with_the_computation(space: EmbeddingSpace, alice: User) -> None:
    recent.remember(SearchRequest("How many breeding pairs of herons?"), alice)
    report = json.loads(ran("check_bm25", "--json"))
    by_index = {row["index"]: row for row in report["indexes"]}
    assert set(by_index) == {lexical.PASSAGES.bm25, lexical.IDENTITIES.bm25}
    passages = by_index[lexical.PASSAGES.bm25]
    assert passages["rows"] == Chunk.objects.count()
    assert passages["queries"] > 1
    assert by_index[lexical.IDENTITIES.bm25]["queries"] > 0
    assert passages["overlap"] >= 0.95
    assert not any(row["parted"] for row in report["indexes"])


def test_an_index_that_brings_too_little_is_told_and_rebuilt(
    space: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = lexical_check.by_index
    rebuilt: list[str] = []

    def torn(index: lexical.LexicalIndex, terms: Any) -> list[Any]:
        return brought(index, terms) if index.bm25 in rebuilt else []

    monkeypatch.setattr(lexical_check, "by_index", torn)
    monkeypatch.setattr(lexical, "rebuild", lambda index: rebuilt.append(index.bm25))
    with pytest.raises(CommandError, match="without --no-repair"):
        ran("check_bm25", "--no-repair")
    assert rebuilt == []
    report = json.loads(ran("check_bm25", "--json"))
    assert {row["index"] for row in report["indexes"] if row["rebuilt"]} == set(rebuilt)
    assert lexical.PASSAGES.bm25 in rebuilt
    rebuilt.clear()
    monkeypatch.setattr(lexical, "rebuild", lambda index: None)
    with pytest.raises(CommandError, match="although it was rebuilt"):
        ran("check_bm25")


def test_without_the_extension_there_is_nothing_to_check(
    space: EmbeddingSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {lexical.IDENTITIES.bm25}")
    with pytest.raises(CommandError, match="text search serves"):
        ran("check_bm25")
