"""``python -m benchmarks.replay``: how often a search that was asked before is served from what was kept.

A portal of its own and a trace (``benchmarks.trace``): 20,000 searches, Zipf with exponent 1.0 over 5,000
distinct queries, by three people; one sees one collection, one another, one both. A document is changed every
1,000: its file, its title, or it is deleted. Four clients play the trace over REST in its order, and pause at
each change until the document is ready again. A hit is what the portal calls one: ``cached`` in the body.

Before each change, answers that were served since the last are computed afresh (``benchmarks.fresh``) and
compared: the first ones after it, some at random, and hits that a perfect cache would not have served. Where
nothing has changed since a hit was computed, any difference makes it wrong. Where something changed outside
what the asker sees, it is wrong unless each passage is there and says the same: the order may differ then, as
the index counts words over everybody's documents. Such hits are counted apart (``reordered``). Reranking is
off: it makes a miss dearer, and no more hits. Writes ``benchmarks/results/replay.json``.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks.corpus import DATA, Author
from benchmarks.figures import Figure, measured, write
from benchmarks.fresh import Fresh, Results, beside, comparable, shown
from benchmarks.ingest import say
from benchmarks.portal import Portal, running, wait_for
from benchmarks.spread import spread
from benchmarks.trace import Change, Event, Plan, Search, ideal, queries

SEES = {
    "north": frozenset({"north"}),
    "south": frozenset({"south"}),
    "both": frozenset({"north", "south"}),
}
#: How often each of them asks.
SHARES = {"north": 0.6, "south": 0.3, "both": 0.1}
COLLECTIONS = ("north", "south")
KINDS = ("file", "title", "file", "delete")
CLIENTS = 4
#: Between two changes so many answers are computed afresh: the first ones, others, and at most so many hits
#: that a perfect cache would not have served.
FIRST, OTHERS, SUSPECT = 10, 15, 40
#: The playing ends then, wherever it is; what was played is what is counted.
LIMIT_SECONDS = 270.0
READY_SECONDS = 60.0
PARAMETERS = {"rerank": "off"}


@dataclass(frozen=True, slots=True)
class Played:
    """A search as it was answered. ``results`` only where they are to be compared."""

    cached: bool
    milliseconds: float
    error: str = ""
    results: Results | None = None


@dataclass
class Replay:
    """A portal with its documents, and what was served so far."""

    portal: Portal
    fresh: Fresh
    queries: Sequence[str]
    headers: Mapping[str, dict[str, str]]
    documents: Mapping[str, list[str]]
    database: psycopg.Connection
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    author: Author = field(default_factory=lambda: Author(1))
    played: list[Played] = field(default_factory=list)
    compared: int = 0
    compared_hits: int = 0
    #: By user and query: after how many changes what is kept was computed.
    computed: dict[tuple[str, int], int] = field(default_factory=dict)
    reordered: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    #: Misses, just computed by the portal, that differ: then not the cache, but the search is not repeatable.
    unrepeatable: list[dict[str, Any]] = field(default_factory=list)
    changes: int = 0

    def play(self, events: Sequence[Event], served: Sequence[bool]) -> None:
        """``served``: what a perfect cache would do, by search."""
        deadline = time.monotonic() + LIMIT_SECONDS
        with ExitStack() as stack:
            clients = [
                stack.enter_context(httpx.Client(base_url=self.portal.address, timeout=60))
                for _ in range(CLIENTS)
            ]
            for is_search, group in groupby(events, lambda event: isinstance(event, Search)):
                if time.monotonic() > deadline:
                    return
                if is_search:
                    self.stretch(clients, list(group), served, deadline)
                else:
                    self.change(clients[0], *group)
                    say(f"{len(self.played)} searches, {self.changes} changes")

    # --- Searches

    def stretch(
        self, clients: Sequence[httpx.Client], searches: list[Search], served: Sequence[bool], deadline: float
    ) -> None:
        """The searches between two changes: each client takes the next one."""
        expected = served[len(self.played) : len(self.played) + len(searches)]
        watched = {*range(FIRST), *self.rng.sample(range(len(searches)), min(OTHERS, len(searches)))}
        found: list[Played | None] = [None] * len(searches)
        turns, lock = iter(range(len(searches))), threading.Lock()

        def work(client: httpx.Client) -> None:
            while time.monotonic() < deadline:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                found[turn] = self.ask(client, searches[turn], turn in watched or not expected[turn])

        with ThreadPoolExecutor(len(clients)) as pool:
            list(pool.map(work, clients))
        done = [one for one in found if one is not None]
        self.compare(searches, done, expected, watched)
        self.played += done

    def ask(self, client: httpx.Client, search: Search, keep: bool) -> Played:
        parameters = {"q": self.queries[search.query], **PARAMETERS}
        began = time.perf_counter()
        try:
            answer = client.get("/api/v1/search/", params=parameters, headers=self.headers[search.user])
        except httpx.HTTPError as error:
            return Played(False, 0.0, type(error).__name__)
        taken = (time.perf_counter() - began) * 1000
        if answer.status_code != 200:
            return Played(False, taken, str(answer.status_code))
        body = answer.json()
        return Played(body["cached"], taken, results=comparable(body["results"]) if keep else None)

    def compare(
        self, searches: Sequence[Search], done: Sequence[Played], expected: Sequence[bool], watched: set[int]
    ) -> None:
        for search, one in zip(searches, done, strict=False):
            if not (one.cached or one.error):
                self.computed[search.user, search.query] = self.changes
        suspect = (n for n, one in enumerate(done) if one.cached and not expected[n] and n not in watched)
        for number in [*sorted(watched), *islice(suspect, SUSPECT)]:
            if number < len(done) and done[number].results is not None:
                self.compare_one(searches[number], done[number])

    def compare_one(self, search: Search, one: Played) -> None:
        query = self.queries[search.query]
        now = self.fresh.results(search.user, q=query, **PARAMETERS)
        self.compared += 1
        self.compared_hits += one.cached
        if one.results == now:
            return
        if one.cached and self.is_older(search) and self.still_there(search, one):
            self.reordered += 1
            return
        told = {"user": search.user, "changes": self.changes, "query": query}
        told["differs"] = difference(one.results or [], now)
        (self.wrong if one.cached else self.unrepeatable).append(told)

    def is_older(self, search: Search) -> bool:
        """Whether something has changed, outside of what is searched, since what is kept was computed."""
        return self.computed.get((search.user, search.query), self.changes) < self.changes

    def still_there(self, search: Search, one: Played) -> bool:
        served = one.results or []
        return self.fresh.passages(search.user, served) == shown(served)

    # --- Changes

    def change(self, client: httpx.Client, change: Change) -> None:
        """Something about a document at random, and the wait until that is in the index."""
        having = self.documents[change.collection]
        pk = self.rng.choice(having)
        path, admin = f"/api/v1/documents/{pk}/", self.headers["admin"]
        if change.kind == "file":
            text = self.author.make("txt", 1500).content
            answer = client.put(f"{path}file/", files={"file": (f"{pk}.txt", text)}, headers=admin)
        elif change.kind == "title":
            answer = client.patch(path, json={"title": self.author.title()}, headers=admin)
        else:
            answer = client.delete(path, headers=admin)
            having.remove(pk)
        answer.raise_for_status()
        self.changes += 1
        if pk in having and not wait_for(lambda: self.is_ready(pk), READY_SECONDS):
            raise RuntimeError(f"{pk} was not ready in time")

    def is_ready(self, pk: str) -> bool:
        query = "SELECT status FROM documents_document WHERE id = %s"
        return self.database.execute(query, [pk]).fetchone() == ("ready",)


def difference(served: Results, now: Results) -> str:
    """The first place where they part, and in what."""
    for rank, (was, is_now) in enumerate(zip(served, now, strict=False), 1):
        fields = [name for name in was if was[name] != is_now.get(name)]
        if fields:
            return f"rank {rank}: {', '.join(fields)}"
    return f"{len(served)} results, now {len(now)}"


# --- The command ----------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--searches", type=int, default=20_000)
    parser.add_argument("--distinct", type=int, default=5_000)
    parser.add_argument("--change-every", type=int, default=1_000)
    parser.add_argument("--documents", type=int, default=60, help="in each collection")
    options = parser.parse_args()
    report = measure(options.searches, options.distinct, options.change_every, options.documents)
    figures = list(figures_of(report))
    write("replay", figures, **report)
    for figure in figures:
        print(f"{figure.name}: {figure.value} {figure.unit} {figure.goal}")


def measure(
    searches: int = 20_000, distinct: int = 5_000, change_every: int = 1_000, documents: int = 60
) -> dict[str, Any]:
    plan = Plan(SHARES, COLLECTIONS, KINDS, searches, distinct, change_every)
    events = list(plan.events())
    served = ideal(events, SEES)
    with tempfile.TemporaryDirectory(prefix="portal-replay-") as name, running(Path(name)) as portal:
        say("documents")
        headers = people(portal, Path(name), documents)
        with portal.database() as database, beside(portal) as fresh:
            replay = Replay(portal, fresh, queries(distinct), headers, documents_of(database), database)
            replay.play(events, served)
    return told(replay, served)


def people(portal: Portal, folder: Path, documents: int) -> dict[str, dict[str, str]]:
    """The collections with their documents, the users with what each may see; headers by user."""
    for name, texts in corpora(documents).items():
        (folder / name).mkdir()
        for number, text in enumerate(texts):
            (folder / name / f"{name}-{number}.txt").write_text(text)
        portal.manage("ingest", str(folder / name), "--collection", name, "--wait").check_returncode()
        shutil.rmtree(folder / name)
    made = f"from django.contrib.auth.models import User; [User.objects.create_user(n) for n in {[*SEES]}]"
    portal.manage("shell", "-c", made).check_returncode()
    headers = {user: bearer(portal, user) for user in ("admin", *SEES)}
    for user, seen in SEES.items():
        for slug in seen:
            address = f"{portal.address}/api/v1/collections/{slug}/members/"
            member = {"user": user, "role": "viewer"}
            httpx.post(address, json=member, headers=headers["admin"], timeout=60).raise_for_status()
    return headers


def corpora(documents: int) -> dict[str, list[str]]:
    """Abstracts where they are; else texts that are written here."""
    files = sorted((DATA / "pubmedqa" / "corpus").glob("*.txt"))[: 2 * documents]
    author = Author(2)
    texts = [file.read_text() for file in files] or [
        author.make("txt", 1500).content.decode() for _ in range(2 * documents)
    ]
    return {name: texts[place :: len(COLLECTIONS)] for place, name in enumerate(COLLECTIONS)}


def bearer(portal: Portal, user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {portal.manage('create_token', '--user', user).stdout.strip()}"}


def documents_of(database: psycopg.Connection) -> dict[str, list[str]]:
    query = (
        "SELECT d.id::text FROM documents_document d JOIN documents_collection c ON c.id = d.collection_id "
        "WHERE c.slug = %s ORDER BY d.filename"
    )
    return {slug: [pk for (pk,) in database.execute(query, [slug])] for slug in COLLECTIONS}


# --- Figures --------------------------------------------------------------------------------


def told(replay: Replay, served: Sequence[bool]) -> dict[str, Any]:
    played = replay.played
    answered = [one for one in played if not one.error]
    return {
        "searches": len(played),
        "of": len(served),
        "changes": replay.changes,
        "hits": sum(one.cached for one in played),
        "ideal_hits": sum(served[: len(played)]),
        "hits_before_their_time": sum(
            one.cached and not was for one, was in zip(played, served, strict=False)
        ),
        "errors": sorted(one.error for one in played if one.error),
        "compared": replay.compared,
        "compared_hits": replay.compared_hits,
        "reordered": replay.reordered,
        "wrong": replay.wrong,
        "unrepeatable": replay.unrepeatable,
        "hit_ms": spread([one.milliseconds for one in answered if one.cached]),
        "miss_ms": spread([one.milliseconds for one in answered if not one.cached]),
    }


def figures_of(report: dict[str, Any]) -> Iterator[Figure]:
    hits, best, count = report["hits"], report["ideal_hits"], report["searches"]
    played = f"{count:,} searches, {report['changes']} changes"
    compared = f"{report['compared']} answers computed afresh, {report['compared_hits']} of them hits"
    yield measured(
        "cache hit rate",
        round(100 * hits / count, 2),
        peer=f"a perfect cache: {100 * best / count:.2f} %",
        note=played,
    )
    yield measured("cache hit rate beside the ideal", round(hits / best, 4) if best else None, note=played)
    yield measured("wrong cache hits", len(report["wrong"]), note=compared)
    yield measured("search, hit, p50", report["hit_ms"].get("p50"), unit="ms", note=f"{CLIENTS} clients")
    yield measured("search, miss, p50", report["miss_ms"].get("p50"), unit="ms", note="rerank off")


if __name__ == "__main__":
    main()
