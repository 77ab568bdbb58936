"""Near-miss questions: real ones about a name, number or date that the documents do not tell of.

``python -m benchmarks.near_misses FOLDER…`` writes ``near-misses.jsonl`` for each evaluation folder below
``--out``: answerable questions with one name or number exchanged, so that none of them has an answer. A name
gives way to one that stands in questions about other documents (the portal finds passages about both), or to
a made-up one; a number or year to another one. What is put in stands nowhere in the documents that answer
the question it was put into. ``manage.py evaluate FOLDER --questions FILE`` asks them.

Few may have an answer by accident: a name from elsewhere can fit. They were looked at by sample only.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.answer_kind import names
from search.questions import Question, parsed
from search.words import STOP_WORDS, stems

PER_FOLDER = 100
#: Names that no document holds: made up, of several forms.
MADE_UP = (
    *(
        "Velmora",
        "Zorbonia",
        "Kestrin",
        "Talvering",
        "Ormundsen",
        "Brackwell",
        "Quorra Industries",
        "Pelmatec",
    ),
    *("Harnoss Group", "Vantrell", "Olvaskar", "Drenholm", "Mirrowby", "Castavelle", "Junipar", "Sorrelwick"),
)
#: Longer runs of capitals are headings more often than names.
LONGEST_NAME = 3
NUMBER = re.compile(r"(?<![\w.,])(?:FY)?(\d{2,4})(?![\w.,]?\d)")
READABLE = {".md", ".txt", ".html", ".csv"}


@dataclass(frozen=True, slots=True)
class Swap:
    """``question`` after ``old`` gave way to ``new``; ``kind`` is name, made-up or number."""

    question: str
    old: str
    new: str
    kind: str


def near_misses(folder: Path, count: int, seed: int) -> list[Swap]:
    """At most ``count`` questions, the kinds in turns."""
    numbers = random.Random(seed)
    questions = [each for each in parsed((folder / "questions.jsonl").read_bytes()) if each.answerable]
    numbers.shuffle(questions)
    known = [(name, question) for question in questions for name in names_in(question.text)]
    found: dict[str, Swap] = {}
    for turn, question in enumerate(questions):
        if len(found) == count:
            break
        held = text_of(folder, question)
        tries = [
            name_swapped(question, others(question, known), held, numbers, "name"),
            name_swapped(question, MADE_UP, held, numbers, "made-up"),
            number_swapped(question, held, numbers),
        ]
        ordered = [*tries[turn % 3 :], *tries[: turn % 3]]
        if swap := next((each for each in ordered if each), None):
            found.setdefault(swap.question, swap)
    return list(found.values())


def names_in(text: str) -> list[str]:
    """Names that a question holds behind its first word."""
    behind = text.find(" ") + 1
    spans = [span for span in names(text) if span[0] >= behind]
    found = [text[start:end] for start, end in spans if end - start > 2]
    return [name for name in found if name.casefold() not in STOP_WORDS and len(name.split()) <= LONGEST_NAME]


def others(question: Question, known: Sequence[tuple[str, Question]]) -> list[str]:
    """Names that questions about other documents hold."""
    return [name for name, asked in known if not asked.documents & question.documents]


def text_of(folder: Path, question: Question) -> str:
    """What the documents that answer ``question`` say, with the question; PDFs only by their names."""
    paths = [folder / "corpus" / name for name in question.documents]
    texts = [path.read_text(errors="ignore") for path in paths if path.suffix in READABLE]
    return " ".join([question.text, *question.documents, *texts])


def name_swapped(
    question: Question, pool: Sequence[str], held: str, numbers: random.Random, kind: str
) -> Swap | None:
    """The longest name of the question, exchanged: a short one is often not what it is about."""
    own = sorted(names_in(question.text), key=len, reverse=True)
    said = stems(held)
    fitting = [name for name in pool if not stems(name) & said]
    if not own or not fitting:
        return None
    like = [name for name in fitting if len(name.split()) == len(own[0].split())]
    new = numbers.choice(like or fitting)
    return Swap(question.text.replace(own[0], new), own[0], new, kind)


def number_swapped(question: Question, held: str, numbers: random.Random) -> Swap | None:
    """A year gives way to one 3 to 15 years earlier or later, any other number to one of as many digits."""
    found = NUMBER.search(question.text)
    if not found:
        return None
    old = found.group(1)
    tries = [
        str(new)
        for new in candidates(int(old), numbers)
        if str(new) not in held and len(str(new)) == len(old)
    ]
    if not tries:
        return None
    swapped = re.sub(rf"(?<!\d){old}(?!\d)", tries[0], question.text)
    return Swap(swapped, old, tries[0], "number")


def candidates(old: int, numbers: random.Random) -> Iterator[int]:
    year = 1000 <= old <= 2100
    for _ in range(50):
        away = numbers.choice((-1, 1)) * numbers.randint(3, 15 if year else max(old // 2, 9))
        yield old + away


def written(swaps: Sequence[Swap], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"id": f"near-{n}", "question": swap.question, "relevant": [], "answerable": False}
        | {"old": swap.old, "new": swap.new, "kind": swap.kind}
        for n, swap in enumerate(swaps, 1)
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=PER_FOLDER, help="of each folder, at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for folder in given.folders:
        swaps = near_misses(folder.resolve(), given.count, given.seed)
        written(swaps, given.out / folder.resolve().name / "near-misses.jsonl")
        print(f"{folder.name}: {len(swaps)} near-misses")


if __name__ == "__main__":
    main()
