"""Known-item questions: made of stored passages, so that any collection can be measured without judgements.

Each is a sentence that one passage alone holds, with half of its words taken away, and that passage is looked
for. As they quote, they favour the lexical leg; in those of the kind "other words" every word that has a
neighbour in meaning gives way to it, which takes most of that advantage away. Together they tell whether a
change carries over to texts that nothing was tuned on. They do not tell how good answers are.

``python -m benchmarks.proxy FOLDER`` fills ``FOLDER/corpus`` with another kind of text, technical
documentation: that of the Python packages which are installed here.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from documents.sentences import sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: "opening": the first sentence of a section.
KINDS = ("thinned", "opening", "other words")

#: Words that a sentence must have to be asked for, and that must be left of it.
LEAST_WORDS = 8
LEAST_LEFT = 4
#: Of its words so many stay.
KEPT = 0.5
#: So many sentences are looked at for one question.
POOL = 4
#: Words that are considered as others' neighbours, and the least cosine of such.
VOCABULARY = 5000
NEAR = 0.5
#: Words that begin with the same so many letters count as the same word.
SAME_STEM = 4
#: Characters of a text that is worth being in a corpus.
LEAST_TEXT = 1500
SUFFIXES = {"text/markdown": ".md", "text/x-rst": ".rst"}
_WORD = re.compile(r"\w[\w'’.,-]*\w|\w")
_LICENCE = re.compile(
    r"licen[cs]e|copying|notice|authors|record|requires|entry_points|top_level", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored passage; ``section`` is its document and heading path."""

    pk: int
    section: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A question, how it was made, and the passage that it was made of."""

    text: str
    kind: str
    passage: int


@dataclass(frozen=True, slots=True)
class Sentence:
    words: tuple[str, ...]
    passage: int
    opens_section: bool


def known_items(
    passages: Sequence[Passage], count: int, meant: Mapping[str, str], seed: int = 0
) -> list[KnownItem]:
    """Up to ``count`` questions of every kind in turn; the same for the same passages and seed.

    ``meant``: for a word, in lower case, another one that is near in meaning.
    """
    numbers, pool = random.Random(seed), candidates(passages)
    numbers.shuffle(pool)
    made: list[KnownItem] = []
    kinds = cycle(KINDS)
    kind = next(kinds)
    for sentence in pool[: count * POOL]:
        if kind == "opening" and not sentence.opens_section:
            kind = next(kinds)
        words = thinned(sentence.words, numbers)
        if len(words) >= LEAST_LEFT and len(made) < count:
            text = " ".join(reworded(words, meant) if kind == "other words" else words)
            made.append(KnownItem(text, kind, sentence.passage))
            kind = next(kinds)
    return made


def candidates(passages: Sequence[Passage]) -> list[Sentence]:
    """One sentence of each passage that has any which no other has, in the passages' order."""
    split = [[" ".join(each.text[a:b].split()) for a, b in sentences(each.text)] for each in passages]
    held = Counter(text for found in split for text in set(found))
    sections: set[tuple[str, ...]] = set()
    chosen: list[Sentence] = []
    for number, (passage, found) in enumerate(zip(passages, split, strict=True)):
        opening = passage.section not in sections
        sections.add(passage.section)
        if usable := [text for text in found if held[text] == 1 and is_usable(text)]:
            text = usable[0] if opening else usable[number % len(usable)]
            words = tuple(_WORD.findall(text))
            chosen.append(Sentence(words, passage.pk, opening and text == found[0]))
    return chosen


def is_usable(sentence: str) -> bool:
    """Prose: long enough, mostly of letters."""
    letters = sum(character.isalpha() for character in sentence)
    return len(_WORD.findall(sentence)) >= LEAST_WORDS and letters >= 0.6 * len(sentence)


def thinned(words: Sequence[str], numbers: random.Random) -> list[str]:
    """Half of the words, any of them, in their order."""
    kept = set(numbers.sample(range(len(words)), round(KEPT * len(words))))
    return [word for index, word in enumerate(words) if index in kept]


def reworded(words: Sequence[str], meant: Mapping[str, str]) -> list[str]:
    return [meant.get(word.casefold(), word) for word in words]


def vocabulary(passages: Sequence[Passage]) -> list[str]:
    """The most frequent words that mean something, in lower case; the most frequent first."""
    spread = Counter(
        word
        for passage in passages
        for word in set(map(str.casefold, _WORD.findall(passage.text)))
        if len(word) >= SAME_STEM and word.isalpha()
    )
    return sorted(spread, key=lambda word: (-spread[word], word))[:VOCABULARY]


def neighbours(words: Sequence[str], vectors: NDArray[np.float32]) -> dict[str, str]:
    """For each word the nearest other one, where one is near that does not begin alike.

    ``vectors``: the words' unit vectors, of shape (words, dimensions).
    """
    found: dict[str, str] = {}
    for word, near in zip(words, vectors @ vectors.T, strict=True):
        for index in near.argsort()[::-1][:10]:
            if near[index] >= NEAR and words[index][:SAME_STEM] != word[:SAME_STEM]:
                found[word] = words[index]
                break
    return found


# --- A corpus of another kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    corpus = parser.parse_args().folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    written = [write(corpus / name, text) for name, text in sorted(dict(package_texts()).items())]
    print(f"{len(written)} texts in {corpus}")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def package_texts() -> Iterator[tuple[str, str]]:
    """File name and text of every description and document of the installed packages, licences left out."""
    for package in distributions():
        name = re.sub(r"[^\w-]", "_", package.metadata["Name"] or "unknown")
        kind = (package.metadata["Description-Content-Type"] or "").partition(";")[0].strip()
        yield from worth(f"{name}{SUFFIXES.get(kind, '.txt')}", description(package))
        for file in package.files or ():
            if file.suffix in (".md", ".rst") and not _LICENCE.search(str(file)):
                path = Path(str(file.locate()))
                text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
                yield from worth(f"{name}-{'-'.join(file.parts[-2:])}", text)


def description(package: Distribution) -> str:
    """The package's own long description, which is its README as a rule."""
    metadata = package.read_text("METADATA") or ""
    return metadata.partition("\n\n")[2]


def worth(name: str, text: str) -> Iterator[tuple[str, str]]:
    if len(text) >= LEAST_TEXT:
        yield name, text


if __name__ == "__main__":
    main()
