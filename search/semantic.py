"""Questions that ask the same in other words. Off unless ``SEMANTIC_CACHE_THRESHOLD`` is set.

Nearness of meaning is not enough: "how many sacks" is as near to "how many tackles" as any other wording. So
both have to be of the same words, whatever their case, endings and order, but for filling words; names and
numbers have to come in one order, too. What that lets through was measured (``benchmarks.semantic_cache``).
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
from search.words import is_name, stem, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

logger = logging.getLogger(__name__)

#: Questions that are kept to compare with, of one scope.
MOST = 200
#: Words that change nothing. Prepositions, tenses and negations do: "before" is not "after", "is" not "was".
FILLING = frozenset("a an the of please kindly tell me can could you exactly".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Gist:
    """Digests of a question's words, each once, in their order; and of the names and numbers among them."""

    words: tuple[str, ...]
    telling: tuple[str, ...]

    def fits(self, other: Gist) -> bool:
        same = set(self.words) == set(other.words)
        return same and in_order(self.telling, other.words) and in_order(other.telling, self.words)


def in_order(telling: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return tuple(word for word in words if word in telling) == telling


def gist(question: str) -> Gist:
    said = words(question)
    telling = [
        word
        for place, word in enumerate(said)
        if any(letter.isdigit() for letter in word) or is_name(word, first=place == 0)
    ]
    return Gist(digests(word for word in said if word.casefold() not in FILLING), digests(telling))


def digests(said: Iterable[str]) -> tuple[str, ...]:
    """Not the words themselves: a question may quote a document."""
    stems = dict.fromkeys(stem(word) for word in said)
    return tuple(hashlib.blake2s(each.encode(), digest_size=6).hexdigest() for each in stems)


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
    return json.dumps({**asdict(told), "vector": said})


def read(entry: bytes) -> tuple[Vector, Gist]:
    import numpy as np

    told = json.loads(entry)
    vector = np.frombuffer(base64.b64decode(told["vector"]), dtype="<f2").astype(np.float32)
    return vector, Gist(tuple(told["words"]), tuple(told["telling"]))
