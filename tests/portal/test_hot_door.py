"""The hot way: what is answered without Django, and that it never answers with a stale byte."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.db.backends.base.base import BaseDatabaseWrapper
from django_redis import get_redis_connection
from prometheus_client import REGISTRY

from documents.models import Collection, Document, Role
from documents.services import (
    collection_create,
    collection_update,
    document_delete,
    document_update,
    membership_remove,
    membership_set,
)
from portal import hot_door, hot_store
from portal.accounts.models import ApiToken
from portal.accounts.services import token_create, token_revoke
from search import api, caching, kept_responses, pipeline, recent
from tests.live import serving
from tests.search.examples import BREAD, HERONS

pytestmark = pytest.mark.django_db(transaction=True)
QUERY = {"q": "breeding pairs of herons"}
MakeDocument = Callable[..., Document]
Ask = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def _redis_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.redis_if_there, "paused_until", 0.0)
    monkeypatch.setattr(recent, "_paused_until", 0.0)


@pytest.fixture
def address() -> Iterator[str]:
    with serving() as found:
        yield found


@pytest.fixture
def herons(collection: Collection, make_document: MakeDocument) -> Document:
    return make_document(collection, HERONS, title="Herons")


@pytest.fixture
def bearer(alice: User) -> dict[str, str]:
    return bearer_of(alice)


def bearer_of(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_create(user=user)[1]}"}


@pytest.fixture
def ask(address: str, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """A search; ``ask.reached`` says how often Django was."""
    with httpx.Client(base_url=address) as client:

        def call(params: Any = QUERY, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.get("/api/v1/search/", params=params, headers={**bearer, **named})

        yield call


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The searches that came to Django."""
    searches: list[str] = []
    search = pipeline.search

    def counted(**given: Any) -> Any:
        searches.append(given["request"].query)
        return search(**given)

    monkeypatch.setattr(api.pipeline, "search", counted)
    return searches


def warm(ask: Ask) -> httpx.Response:
    """What is found, what is found again, and the very bytes of that."""
    ask()
    kept = ask()
    assert kept.json()["cached"]
    assert ask().content == kept.content
    return kept


def titles(response: httpx.Response) -> list[str]:
    return [hit["document"]["title"] for hit in response.json()["results"]]


# --- What is answered -----------------------------------------------------------------------


def test_the_third_time_nobody_searches(herons: Document, ask: Ask, reached: list[str]) -> None:
    first, second, third = ask(), ask(), ask()
    assert reached == [QUERY["q"]] * 2
    assert third.content == second.content
    told = dict(third.headers)
    assert told.pop("date")
    assert told == {name: value for name, value in second.headers.items() if name != "date"}
    assert titles(first) == titles(third) == ["Herons"]


def test_nothing_is_asked_of_the_database(
    herons: Document, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = warm(ask)
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", None)
    assert ask().content == kept.content


def test_who_knows_it_is_told_so(herons: Document, ask: Ask, reached: list[str]) -> None:
    tag = ask().headers["ETag"]
    known = ask(If_None_Match=f'"other", {tag}')
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)
    assert known.headers["Vary"] == (found := ask()).headers["Vary"]
    assert known.headers["Cache-Control"] == found.headers["Cache-Control"] == "private, no-cache"
    assert len(reached) == 2
    assert ask(If_None_Match='W/"other"').status_code == 200


def test_who_sees_the_same_shares_it(
    herons: Document, bob: User, charlie: User, ask: Ask, reached: list[str]
) -> None:
    kept = warm(ask)
    assert ask(**bearer_of(herons.collection.owner)).content == kept.content
    assert ask(**bearer_of(bob)).content == kept.content
    assert len(reached) == 2
    assert titles(ask(**bearer_of(charlie))) == []


def test_it_is_counted_like_everything_else(herons: Document, ask: Ask) -> None:
    warm(ask)
    names = {
        "search_cache_total": {"kind": "responses", "outcome": "hit"},
        "request_latency_seconds_count": {"method": "GET", "endpoint": "api-search"},
        "django_http_responses_total_by_status_total": {"status": "200"},
        "django_http_requests_before_middlewares_total": {},
        "django_http_requests_latency_seconds_by_view_method_count": {"view": "api-search", "method": "GET"},
    }
    before = [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in names.items()]
    ask()
    after = [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in names.items()]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1] * len(names)


def test_a_query_passes_through_django_now_and_then(
    herons: Document, alice: User, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is remembered as recent, and its token as used."""
    monkeypatch.setattr("portal.hot_store.RESPONSE_SECONDS", 1)
    warm(ask)
    get_redis_connection("default").delete(recent.KEY)
    time.sleep(1.1)
    ask()
    assert recent.recent_of(alice) == [QUERY["q"]]
    assert ApiToken.objects.get().last_used_at is not None


def test_many_who_ask_at_once_are_one(
    herons: Document, bearer: dict[str, str], address: str, reached: list[str]
) -> None:
    def get(_: int) -> bytes:
        return httpx.get(f"{address}/api/v1/search/", params=QUERY, headers=bearer).content

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(get, range(48)))
    assert len(reached) <= 4
    assert len(found) <= 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "language=de"},
        {"X-Page-Language": "de"},
        {"Accept": "text/html"},
        {"Host": "elsewhere.example"},
        {"X-Requested-With": "XMLHttpRequest"},
    ],
)
def test_what_may_be_answered_otherwise_goes_on_to_django(
    herons: Document, ask: Ask, reached: list[str], headers: dict[str, str]
) -> None:
    warm(ask)
    assert get_redis_connection("default").keys(f"{kept_responses.PREFIX}:{'[0-9a-f]' * 32}:*")
    other = ask(**headers)
    assert other.status_code != 200 or len(reached) == 3
    assert "ETag" not in other.headers


@pytest.mark.parametrize("params", [{**QUERY, "explain": "true"}, {**QUERY, "limit": "0"}, {"q": "x" * 2001}])
def test_what_is_not_kept(herons: Document, ask: Ask, params: Any) -> None:
    for _ in range(3):
        ask(params)
    # What lies there of a token is its view; responses lie under views, which are 32 digits.
    assert not get_redis_connection("default").keys(f"{kept_responses.PREFIX}:{'[0-9a-f]' * 32}:*")


def test_facets_are_kept_with_the_names_of_collections(
    herons: Document, collection: Collection, ask: Ask
) -> None:
    faceted = {**QUERY, "facets": "true"}
    for _ in range(3):
        assert "Research" in ask(faceted).text
    collection_update(collection=collection, name="Birds")
    assert "Birds" in ask(faceted).text


# --- Never a stale byte ---------------------------------------------------------------------


def test_a_revoked_token(herons: Document, ask: Ask) -> None:
    warm(ask)
    token_revoke(token=ApiToken.objects.get())
    assert ask().status_code == 401


def test_a_user_who_may_not_sign_in_any_more(herons: Document, alice: User, ask: Ask) -> None:
    warm(ask)
    alice.is_active = False
    alice.save()
    assert ask().status_code == 401


def test_a_collection_that_was_left_and_entered_again(
    herons: Document, collection: Collection, bob: User, ask: Ask
) -> None:
    his = bearer_of(bob)
    for _ in range(3):
        assert titles(ask(**his)) == ["Herons"]
    membership_remove(collection=collection, user=bob)
    for _ in range(3):
        assert titles(ask(**his)) == []
    membership_set(collection=collection, user=bob, role=Role.VIEWER)
    assert titles(ask(**his)) == ["Herons"]


def test_a_deleted_document(herons: Document, alice: User, ask: Ask) -> None:
    kept = warm(ask)
    document_delete(document=herons, user=alice)
    gone = ask(If_None_Match=kept.headers["ETag"])
    assert (gone.status_code, titles(gone)) == (200, [])


def test_a_new_and_a_renamed_document(
    herons: Document, collection: Collection, make_document: MakeDocument, ask: Ask
) -> None:
    warm(ask)
    document_update(document=herons, title="Grey herons")
    assert titles(ask()) == ["Grey herons"]
    make_document(collection, f"{HERONS} Again.", title="More herons")
    assert sorted(titles(ask())) == ["Grey herons", "More herons"]


def test_a_change_elsewhere_costs_no_search(
    herons: Document, charlie: User, make_document: MakeDocument, ask: Ask, reached: list[str]
) -> None:
    kept = warm(ask)
    make_document(collection_create(owner=charlie, name="Kitchen"), BREAD, title="Bread")
    assert ask().content == kept.content
    assert len(reached) == 2


def test_a_change_during_the_search(
    herons: Document, collection: Collection, bob: User, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob is let in after the view was looked up, and has to leave: what he saw is nobody's else."""
    charlies = bearer_of(User.objects.get(username="charlie"))
    membership_remove(collection=collection, user=bob)
    his = bearer_of(bob)
    search = pipeline.search

    def let_in(**given: Any) -> Any:
        membership_set(collection=collection, user=bob, role=Role.VIEWER)
        return search(**given)

    monkeypatch.setattr(api.pipeline, "search", let_in)
    for _ in range(2):
        assert titles(ask(**his)) == ["Herons"]
        membership_remove(collection=collection, user=bob)
    monkeypatch.setattr(api.pipeline, "search", search)
    for _ in range(3):
        assert titles(ask(**his)) == []
        assert titles(ask(**charlies)) == []


# --- Redis away -----------------------------------------------------------------------------


@contextmanager
def frozen_redis() -> Iterator[None]:
    """Redis holds still with all that it was told, as a machine that swaps or a network that is cut."""
    pid = int(get_redis_connection("default").info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_token_that_is_revoked_while_redis_holds_still(herons: Document, ask: Ask) -> None:
    warm(ask)
    with frozen_redis():
        token_revoke(token=ApiToken.objects.get())
    assert ask().status_code == 401


def test_without_redis_django_answers(
    herons: Document, ask: Ask, reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(ask)
    with frozen_redis():
        assert titles(ask()) == ["Herons"]
        assert titles(ask()) == ["Herons"]
    assert len(reached) == 4


def test_a_note_that_arrives_late_lapses_on_time(herons: Document, alice: User, ask: Ask) -> None:
    """As of a process that was held up between reading the database and telling Redis."""
    warm(ask)
    token = ApiToken.objects.get()
    read_at = kept_responses.clock()
    view = kept_responses.view_of(alice)
    time.sleep(kept_responses.VIEW_SECONDS)
    kept_responses.note_view(token.digest, view, read_at)
    assert get_redis_connection("default").get(kept_responses.view_key(token.digest)) is None


def test_a_redis_that_forgot_everything(herons: Document, ask: Ask) -> None:
    warm(ask)
    get_redis_connection("default").flushdb()
    assert titles(ask()) == ["Herons"]


async def test_a_store_whose_redis_is_gone_finds_nothing(settings: Any, tmp_path: Path) -> None:
    settings.REDIS_LOCATION = f"unix://{tmp_path}/nobody"
    store = hot_door.HotStore()
    wanted = hot_door.Wanted("token", "query")
    assert await asyncio.gather(*(store.find(wanted) for _ in range(3))) == [None] * 3
    assert store.is_paused


async def test_where_many_ask_a_read_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_store, "COMPANY_SECONDS", 0.2)
    store, reads = hot_store.HotStore(), []

    async def read_for(waiting: dict[hot_store.Wanted, asyncio.Future[None]]) -> None:
        reads.append({wanted.query for wanted in waiting})
        for future in waiting.values():
            future.set_result(None)

    monkeypatch.setattr(store, "_read_for", read_for)

    async def find(query: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await store.find(hot_store.Wanted("token", query))

    begun = time.monotonic()
    await asyncio.gather(find("alone", 0))
    assert time.monotonic() - begun < 0.2, "who asks alone waits for nobody"
    await asyncio.gather(find("together", 0), find("together", 0))
    await asyncio.gather(find("first", 0), find("a little later", 10))
    assert reads == [{"alone"}, {"together"}, {"first", "a little later"}]
