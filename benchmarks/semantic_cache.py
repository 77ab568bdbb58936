"""``python -m benchmarks.semantic_cache FOLDER…``: from which cosine on may a question get another's answer?

Reads ``questions.jsonl`` of each folder; those of one folder are in one cache, as a search looks through one
corpus. Two kinds of lookups, with and without the guard of ``search.semantic``:

- *wrong*: every question, with all others of its folder in the cache: a hit on one with another answer is
  wrong. And every question with one of its words exchanged for a word of another question ("tackles" for
  "sacks"), with the folder's questions in the cache: any hit is wrong.
- *useful*: rewordings of every fourth question, made by rule as no data holds real ones (``REWORDINGS``),
  with the folder's questions in the cache. A hit on the question itself is useful, one on another is wrong.

Prints Markdown tables, and the lowest threshold at which at most 0.5 % of the lookups of each kind are wrong.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from search.semantic import Gist

ROOT = Path(__file__).resolve().parent.parent
SEED = 5
THRESHOLDS = (0.75, 0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
ALLOWED = 0.005
SHORTEST = 4
BATCH = 256
ASKING = frozenset("who whom whose what which when where why how many much no not never none".split())  # noqa: SIM905
#: Rewordings are made of each so many-th question.
EVERY = 4

Vectors = NDArray[np.float32]
#: Cosines of lookups (rows) with what is in the cache (columns), -1 where the guard refuses.
Table = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Asked:
    """``answer`` tells whether two questions may have one answer; unanswerable ones have none in common."""

    text: str
    answer: str


def lower(text: str) -> str:
    return text.rstrip("?").casefold()


def polite(text: str) -> str:
    return f"Please tell me: {text}"


def telegram(text: str) -> str:
    """Without words that mean nothing by themselves, but for those that ask."""
    from search.words import STOP_WORDS, words

    dropped = STOP_WORDS - ASKING
    return " ".join(word for word in words(text) if word.casefold() not in dropped)


def turned(text: str) -> str:
    """The second half before the first."""
    said = text.rstrip("?").split()
    middle = len(said) // 2
    return " ".join([*said[middle:], *said[:middle]]) + "?"


def otherwise(text: str) -> str:
    """One common word for another that means the same, where there is one."""
    pairs = {
        "how many": "what number of",
        "what is": "what would be",
        "who was": "which person was",
        "when did": "in what year did",
        "where": "in which place",
        "what year": "which year",
        "what": "which",
    }
    folded = text.casefold()
    for before, after in pairs.items():
        if before in folded:
            start = folded.index(before)
            return text[:start] + after + text[start + len(before) :]
    return f"{text.rstrip('?')}, exactly?"


REWORDINGS: dict[str, Callable[[str], str]] = {
    "lower case, no question mark": lower,
    "“Please tell me: …”": polite,
    "stop words dropped": telegram,
    "halves exchanged": turned,
    "a common word for another": otherwise,
}


def main(folders: Sequence[Path]) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    sets = [read(folder) for folder in folders]
    print(f"{sum(map(len, sets))} questions in {len(sets)} folders.\n")
    measured = {guarded: measure(sets, guarded) for guarded in (False, True)}
    for guarded, kinds in measured.items():
        print("With the guard:\n" if guarded else "By cosine alone:\n")
        print(table(kinds))
        print(f"\nLowest threshold with at most {ALLOWED:.1%} wrong hits: {lowest(kinds) or 'none'}\n")


def read(folder: Path) -> list[Asked]:
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines() if line]
    return [
        Asked(
            row["question"],
            json.dumps([row.get("answer"), row["relevant"]]) if row.get("answerable", True) else row["id"],
        )
        for row in rows
    ]


#: Of each kind of lookup and threshold: lookups, hits on the right question, hits on a wrong one.
Counts = dict[str, dict[float, tuple[int, int, int]]]


def measure(sets: Sequence[Sequence[Asked]], guarded: bool) -> Counts:
    counts: Counts = {}
    for asked in sets:
        texts = [each.text for each in asked]
        others = cosines(texts, texts, guarded)
        np.fill_diagonal(others, -1)
        add(counts.setdefault("another question", {}), asked, asked, others)
        # What is asked for has no answer that any other question has.
        changed = [Asked(text, "") for text in exchanged(texts)]
        add(counts.setdefault("one word exchanged", {}), changed, asked, found(changed, texts, guarded))
        for name, reword in REWORDINGS.items():
            reworded = [Asked(reword(each.text), each.answer) for each in asked[::EVERY]]
            add(counts.setdefault(name, {}), reworded, asked, found(reworded, texts, guarded))
    return counts


def found(lookups: Sequence[Asked], texts: Sequence[str], guarded: bool) -> Table:
    return cosines([each.text for each in lookups], texts, guarded)


def add(
    counts: dict[float, tuple[int, int, int]],
    lookups: Sequence[Asked],
    asked: Sequence[Asked],
    nearest: Table,
) -> None:
    best = nearest.argmax(axis=1)
    scores = nearest.max(axis=1)
    for threshold in THRESHOLDS:
        hits = [(row, best[row]) for row in np.where(scores >= threshold)[0]]
        right = sum(lookups[row].answer == asked[column].answer for row, column in hits)
        before = counts.get(threshold, (0, 0, 0))
        counts[threshold] = (before[0] + len(lookups), before[1] + right, before[2] + len(hits) - right)


def cosines(lookups: Sequence[str], kept: Sequence[str], guarded: bool) -> Table:
    from search.semantic import gist

    near: Table = embedded(lookups) @ embedded(kept).T
    if guarded:
        refuse(near, [gist(text) for text in lookups], [gist(text) for text in kept])
    return near


def refuse(near: Table, ours: Sequence[Gist], theirs: Sequence[Gist]) -> None:
    for row, column in zip(*np.where(near >= THRESHOLDS[0]), strict=True):
        if not theirs[column].fits(ours[row]):
            near[row, column] = -1


_vectors: dict[str, Vectors] = {}


def embedded(texts: Sequence[str]) -> Vectors:
    from django.conf import settings

    from documents.embedding.registry import get_embedder

    new = sorted({text for text in texts if text not in _vectors}, key=len)
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        vectors = get_embedder(settings.EMBEDDING_MODEL).embed(batch)
        _vectors.update(zip(batch, vectors, strict=True))
    return np.stack([_vectors[text] for text in texts]).astype("<f2").astype(np.float32)


def exchanged(texts: Sequence[str]) -> list[str]:
    """Each with one content word in the place of another, of no name and no number; by a fixed seed."""
    from search.words import content_words, is_name, words

    def plain(text: str) -> list[str]:
        first = words(text)[0]
        return [
            word
            for word in content_words(text)
            if len(word) >= SHORTEST and not is_name(word, first=word == first) and word.isalpha()
        ]

    chance = random.Random(SEED)
    pool = sorted({word for text in texts for word in plain(text)})
    changed = []
    for text in texts:
        own = plain(text)
        others = [word for word in chance.sample(pool, min(20, len(pool))) if word not in text]
        changed.append(
            text.replace(chance.choice(own), others[0], 1) if own and others else f"{text} {others[0]}"
        )
    return changed


def table(kinds: Counts) -> str:
    head = "| lookups | " + " | ".join(f"{threshold:.2f}" for threshold in THRESHOLDS) + " |"
    rows = [head, "|---" * (len(THRESHOLDS) + 1) + "|"]
    for kind, counts in kinds.items():
        for what, place in (("useful", 1), ("wrong", 2)):
            if what == "useful" and kind not in REWORDINGS:
                continue
            shares = (counts[threshold][place] / counts[threshold][0] for threshold in THRESHOLDS)
            rows.append(f"| {kind}: {what} | " + " | ".join(f"{share:.2%}" for share in shares) + " |")
    return "\n".join(rows)


def lowest(kinds: Counts) -> float | None:
    fit = [
        threshold
        for threshold in THRESHOLDS
        if all(counts[threshold][2] <= ALLOWED * counts[threshold][0] for counts in kinds.values())
    ]
    return min(fit, default=None)


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
