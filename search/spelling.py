"""Did you mean: words that nothing holds which its reader may see, and the words near to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import log
from typing import TYPE_CHECKING

from documents.vocabulary import LONGEST, Neighbour, Unknown, unknown
from search.query import WORD, reworded
from search.types import Query

if TYPE_CHECKING:
    from documents.querysets import User

#: Of a longer query: whoever writes so much is not helped by a suggestion.
MAX_WORDS = 16
#: A shorter word is within a letter of too many others: "fast" is no slip for "last".
SHORTEST = 5
#: From so many letters on two may be wrong.
LONG = 8
#: What a letter counts against documents: one more wrong is worth twenty times as many documents.
LETTER = 3.0


def suggestion(query: Query, user: User, *, raw: str) -> str | None:
    """``raw``, of which ``query`` was understood, with its unknown words put right: operators stay.

    None when every word is known, or nothing is near to those that are not. Two statements of a few
    milliseconds: to be asked when little was found.
    """
    words = list(dict.fromkeys(correctable(query.text)))[:MAX_WORDS]
    found = dict(unknown(words, user=user, collections=query.filters.collections))
    if words and words[-1] in found and is_begun(found[words[-1]]):
        del found[words[-1]]
    better = {written: likeliest(each) for written, each in found.items()}
    corrections = {written: cased(written, right) for written, right in better.items() if right}
    return reworded(raw, corrections) if corrections else None


def correctable(text: str) -> Iterator[str]:
    """The words that may be wrong: long enough, and no part of a code or number."""
    for written in WORD.findall(text):
        if not re.search(r"\d", written):
            parts = re.findall(r"[^\W_]+", written)
            yield from (part for part in parts if SHORTEST <= len(part) <= LONGEST)


def is_begun(asked: Unknown) -> bool:
    """Whether it may be a word that is still being written: "sourd"."""
    return any(each.word.startswith(asked.word) for each in asked.neighbours)


def likeliest(asked: Unknown) -> str | None:
    """The nearest that most documents hold."""
    near = [each for each in asked.neighbours if is_near(asked.word, each.word)]
    scored = [(fitness(asked.word, each), each.word) for each in near]
    return max(scored)[1] if scored else None


def is_near(word: str, other: str) -> bool:
    """People seldom get the first letter wrong."""
    return word[0] == other[0] and distance(word, other) <= (1 if len(word) < LONG else 2)


def fitness(word: str, neighbour: Neighbour) -> float:
    return log(1 + neighbour.documents) - LETTER * distance(word, neighbour.word)


def distance(a: str, b: str) -> int:
    """Letters to change, add, leave out or swap with the next to get from one word to the other."""
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        earlier, before, row = before, row, [i] * (len(b) + 1)
        for j, other in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]


def cased(word: str, right: str) -> str:
    if word.isupper():
        return right.upper()
    return right.capitalize() if word[0].isupper() else right
