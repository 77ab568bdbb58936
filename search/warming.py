"""Popular questions, asked again after documents changed, while nobody needs the machine for anything else.

A question is popular among those who see the same: it is counted for them alone, asked with the rights of one
of them, and kept where only they find it. No language model is asked.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache as memoised
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from documents.models import Collection, Document
from search import answer_cache, caching, pipeline, recent
from search.models import Answer
from search.results import packed
from search.types import Filters, SearchRequest

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

#: What was seen last, for the sweeps of all workers.
KEY = "warming"
#: Documents have to be as they are for so long: many changes are one warming.
QUIET_SECONDS = 60.0
#: What a warming takes at most; whoever waits for the worker waits for one question.
BUDGET_SECONDS = 60.0
#: Questions of each kind, those asked most; fewer times than this is not popular.
MOST = 50
POPULAR = 2
WEEK = timedelta(days=7)
#: Questions that are looked through to find them.
LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Warmed:
    """How many questions were asked again, and whether those that are left were given up for documents."""

    asked: int
    gave_way: bool = False


# --- When -----------------------------------------------------------------------------------


def sweep() -> None:
    """For the worker (setting ``PERIODIC``): queues a warming once documents changed and it is quiet again.

    Without Redis there is nothing to warm.
    """
    if not (settings.CACHE_WARMING and settings.CACHE_TTL_SECONDS):
        return
    now, seen = corpora(), cache.get(KEY)
    if seen is None or seen["corpora"] != now:
        note(now, warmed=False)
    elif not seen["warmed"] and time.time() - seen["since"] >= QUIET_SECONDS and not documents_wait():
        from search import tasks

        note(now, warmed=False)  # should it give way, the next one comes as long after it
        tasks.enqueue_warming()


def note(now: str, *, warmed: bool) -> None:
    state = {"corpora": now, "since": time.time(), "warmed": warmed}
    cache.set(KEY, state, int(WEEK.total_seconds()))


def corpora() -> str:
    return caching.digest_of(list(Collection.objects.order_by("pk").values_list("pk", "corpus_version")))


def documents_wait() -> bool:
    return bool(Document.objects.on_their_way().exists())


def warm() -> Warmed:
    """Ask what is popular. Gives way to documents, after each question, and ends after a minute."""
    begun, now, asked = time.monotonic(), corpora(), 0
    for ask in (*popular_searches(), *popular_answers()):
        if documents_wait():
            return Warmed(asked, gave_way=True)
        if time.monotonic() - begun > BUDGET_SECONDS:
            break
        asked += ask()
    note(now, warmed=True)
    logger.info("%s popular questions were asked again in %.1f s", asked, time.monotonic() - begun)
    return Warmed(asked)


# --- What -----------------------------------------------------------------------------------

#: Asks one question again; says whether that was needed.
Ask = Callable[[], bool]


def popular_searches() -> Iterator[Ask]:
    """Searches of the last week, counted for each set of collections with their state."""
    counts: Counter[Hashable] = Counter()
    asks: dict[Hashable, Ask] = {}
    entries = [entry for entry in recent.entries() if entry.options is not None]
    people, corpus_of = users(entry.user_id for entry in entries), memoised(corpus_seen)
    for entry in entries:
        user = people.get(entry.user_id)
        if user is None or not (corpus := corpus_of(user, entry.collections)):
            continue
        request = SearchRequest(
            entry.text, filters=Filters(collections=entry.collections), **(entry.options or {})
        )
        counts[corpus, request] += 1
        asks.setdefault((corpus, request), partial(search_again, request, user))
    yield from (asks[each] for each in most(counts))


def popular_answers() -> Iterator[Ask]:
    """Questions of the last week; none where a language model would be asked, which costs money or time."""
    if pipeline.get_generator().remote:
        return
    lately = Answer.objects.filter(created_at__gt=timezone.now() - WEEK, state=Answer.State.DONE)
    asked = lately.order_by().values_list("question", "scope", "asked_by").annotate(times=Count("pk"))
    rows = list(asked.order_by("-times")[:LOOKED_AT])
    counts: Counter[Hashable] = Counter()
    asks: dict[Hashable, Ask] = {}
    people, corpus_of = users(asker for _, _, asker, _ in rows), memoised(corpus_seen)
    for question, scope, asker, times in rows:
        filters = filters_of(scope)
        user = people.get(asker)
        if user is None or not (corpus := corpus_of(user, filters.collections)):
            continue
        counts[corpus, question, filters] += times
        asks.setdefault((corpus, question, filters), partial(answer_cache.prepare, question, user, filters))
    yield from (asks[each] for each in most(counts))


def most(counts: Counter[Hashable]) -> list[Hashable]:
    return [each for each, times in counts.most_common(MOST) if times >= POPULAR]


def users(ids: Iterator[int]) -> Mapping[int, User]:
    active = get_user_model().objects.filter(is_active=True)
    return active.in_bulk(set(ids))


def corpus_seen(user: User, collections: tuple[str, ...]) -> str:
    """What ``user`` sees of ``collections``, as a digest; empty when that is nothing."""
    corpus = caching.corpus_of(user, Filters(collections=collections))
    return caching.digest_of(corpus) if corpus else ""


def filters_of(scope: Mapping[str, Any]) -> Filters:
    documents = tuple(UUID(pk) for pk in scope.get("documents", ()))
    return Filters(documents=documents, collections=tuple(scope.get("collections", ())))


def search_again(request: SearchRequest, user: User) -> bool:
    key = caching.results_key(request, user)
    if key is None or caching.fetch("results", key) is not None:
        return False
    caching.store("results", key, packed(pipeline.found_now(request, user)))
    return True
