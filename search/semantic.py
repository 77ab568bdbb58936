"""Questions that ask the same in other words. Off unless ``SEMANTIC_CACHE_THRESHOLD`` is set.

Nearness of meaning is not enough: "the capacity of pump P-101" is as near to that of P-103 as any other
wording. So numbers and names of each question have to be among the words of the other, and both ask for the
same kind of thing. What that lets through was measured (``benchmarks.semantic_cache``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from documents.embedding.queries import encode_query
from documents.exceptions import EmbeddingUnavailable
from documents.spaces import active_space
from search import caching
from search.words import STOP_WORDS, is_name, stem, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

logger = logging.getLogger(__name__)

#: Questions that are kept to compare with, of one scope.
MOST = 200
ASKING = frozenset("who whom whose what which when where why how".split())  # noqa: SIM905
NEGATIONS = frozenset("no not never none nor neither without cannot except".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Gist:
    """What two questions must have in common: digests of their words, of names and numbers among them."""

    words: frozenset[str]
    telling: frozenset[str]
    asks: str
    negations: tuple[str, ...]

    def fits(self, other: Gist) -> bool:
        same = (self.asks, self.negations) == (other.asks, other.negations)
        return same and self.telling <= other.words and other.telling <= self.words


def gist(question: str) -> Gist:
    said = words(question)
    folded = [word.casefold() for word in said]
    telling = [
        word
        for place, word in enumerate(said)
        if any(letter.isdigit() for letter in word) or is_name(word, first=place == 0)
    ]
    return Gist(
        words=digests(word for word in said if word.casefold() not in STOP_WORDS),
        telling=digests(telling),
        asks=asks(folded),
        negations=tuple(sorted(word for word in folded if word in NEGATIONS or word.endswith("n't"))),
    )


def asks(folded: list[str]) -> str:
    """The first question word; with the word after it for ``how``: many, long, far."""
    for place, word in enumerate(folded):
        if word in ASKING:
            return " ".join(folded[place : place + 2]) if word == "how" else word
    return ""


def digests(said: Iterable[str]) -> frozenset[str]:
    """Not the words themselves: a question may quote a document."""
    return frozenset(hashlib.blake2s(stem(word).encode(), digest_size=6).hexdigest() for word in said)


def like(likes: str | None, question: str) -> str | None:
    """The key of the answer to the nearest question above the threshold; None when there is none."""
    vector = vector_of(question) if likes else None
    if vector is None:
        return None
    entries = caching.attempt("semantic", lambda redis: redis.hgetall(likes)) or {}
    asked, best, found = gist(question), settings.SEMANTIC_CACHE_THRESHOLD, None
    for key, entry in entries.items():
        other, told = read(entry)
        if told.fits(asked) and (cosine := float(vector @ other)) >= best:
            best, found = cosine, key.decode()
    caching.count("semantic", "hit" if found else "miss")
    return found


def remember(likes: str | None, question: str, key: str) -> None:
    """A question whose answer is kept under ``key``."""
    vector = vector_of(question) if likes else None
    if likes is None or vector is None:
        return
    said = written(vector, gist(question))

    def add(redis: Any) -> Any:
        if redis.hlen(likes) >= MOST:
            return None
        redis.hset(likes, key, said)
        return redis.expire(likes, settings.CACHE_TTL_SECONDS)

    if caching.attempt("semantic", add):
        caching.count("semantic", "store")


def vector_of(question: str) -> Vector | None:
    space = active_space()
    try:
        return encode_query(space.model, question).vector if space else None
    except EmbeddingUnavailable as error:
        logger.warning("no question is compared with others: %s", error)
        return None


def written(vector: Vector, told: Gist) -> str:
    said = base64.b64encode(vector.astype("<f2").tobytes()).decode()
    return json.dumps({**asdict(told), "vector": said}, default=sorted)


def read(entry: bytes) -> tuple[Vector, Gist]:
    import numpy as np

    told = json.loads(entry)
    vector = np.frombuffer(base64.b64decode(told["vector"]), dtype="<f2").astype(np.float32)
    words, telling = frozenset(told["words"]), frozenset(told["telling"])
    return vector, Gist(words, telling, told["asks"], tuple(told["negations"]))
