"""A trace of searches as people make them, changes among them, and what a perfect cache would have kept.

Which query is asked follows Zipf's law: the one of rank r with a weight of r ** -exponent. All is seeded.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from benchmarks.corpus import DATA, WORDS

SUFFIXES = {".md", ".txt"}
#: Words of a query that is made of a text's own.
SHORTEST, LONGEST = 3, 6


@dataclass(frozen=True, slots=True)
class Search:
    """``user`` asks the query of this number."""

    user: str
    query: int


@dataclass(frozen=True, slots=True)
class Change:
    """A document of ``collection`` is changed; ``kind`` says how."""

    collection: str
    kind: str


Event = Search | Change


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trace is made of. ``users``: how often each asks, beside the others; ``kinds`` come in turns."""

    users: Mapping[str, float]
    collections: Sequence[str]
    kinds: Sequence[str]
    searches: int = 20_000
    distinct: int = 5_000
    change_every: int = 1_000
    exponent: float = 1.0
    seed: int = 1

    def events(self) -> Iterator[Event]:
        rng = random.Random(self.seed)
        weights = list(accumulate(zipf(self.distinct, self.exponent)))
        people = list(accumulate(self.users.values()))
        for number in range(self.searches):
            if number and number % self.change_every == 0:
                turn = number // self.change_every - 1
                yield Change(rng.choice(self.collections), self.kinds[turn % len(self.kinds)])
            user = rng.choices(list(self.users), cum_weights=people)[0]
            yield Search(user, rng.choices(range(self.distinct), cum_weights=weights)[0])


def zipf(count: int, exponent: float) -> list[float]:
    """The probabilities of ``count`` ranks, the first first."""
    weights = [rank**-exponent for rank in range(1, count + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def ideal(events: Sequence[Event], sees: Mapping[str, frozenset[str]]) -> list[bool]:
    """For each search, whether a perfect cache serves it.

    It does when the same was asked before over the same collections (``sees``, by user), and none of them has
    changed since: a search of several collections is spoilt by a change in any.
    """
    versions: dict[str, int] = {}
    kept: set[tuple[object, ...]] = set()
    served = []
    for event in events:
        if isinstance(event, Change):
            versions[event.collection] = versions.get(event.collection, 0) + 1
            continue
        scope = tuple((name, versions.get(name, 0)) for name in sorted(sees[event.user]))
        served.append((scope, event.query) in kept)
        kept.add((scope, event.query))
    return served


# --- Queries --------------------------------------------------------------------------------


def queries(count: int, seed: int = 1, data: Path = DATA) -> list[str]:
    """``count`` distinct ones in a random order: the data sets' questions, then words of their texts.

    The latter are a few words that stand together somewhere; without the data sets, of a list of words.
    """
    rng = random.Random(seed)
    found: dict[str, str] = {}
    for question in questions(data):
        found.setdefault(normal(question), question)
    texts = [words for words in (text.split() for text in texts_of(data)) if len(words) > LONGEST]
    while len(found) < count:
        query = span(rng, rng.choice(texts)) if texts else " ".join(rng.choices(WORDS, k=LONGEST))
        found.setdefault(normal(query), query)
    chosen = list(found.values())
    rng.shuffle(chosen)
    return chosen[:count]


def questions(data: Path) -> Iterator[str]:
    for file in sorted(data.glob("*/questions.jsonl")):
        for line in file.read_text().splitlines():
            yield str(json.loads(line)["question"])


def texts_of(data: Path) -> Iterator[str]:
    for file in sorted(data.glob("*/corpus/*")):
        if file.suffix in SUFFIXES:
            yield file.read_text(errors="replace")


def span(rng: random.Random, words: Sequence[str]) -> str:
    length = rng.randint(SHORTEST, LONGEST)
    start = rng.randrange(len(words) - length)
    return " ".join(words[start : start + length])


def normal(query: str) -> str:
    """Queries that differ only in case, spaces and signs are one: so the portal may see them."""
    return " ".join(re.findall(r"\w+", query.lower()))
