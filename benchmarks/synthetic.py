"""Passages made up in any number, with neighbours and words as real ones have them. Seeded, pure numpy.

Vectors: fields, topics within them, documents, passages, each a step from the one above, drawn from the
spectrum of real vectors (a few dozen effective dimensions); some passages are nearly copies of others, as
boilerplate is. Words: Zipf over the whole vocabulary mixed with the words of the topic, function words at the
top, codes and years in titles. Real passages come first where there are any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

DIMENSIONS = 384
#: Rows that are made at once; each block has a generator of its own, so any block can be made alone.
BLOCK = 20_000
#: Passages in a document: lognormal, as in a mix of notes and reports (mean about 19).
DOCUMENT_MEDIAN, DOCUMENT_SIGMA, DOCUMENT_MAX = 8, 1.3, 1500
DOCUMENTS_PER_TOPIC = 25
TOPICS_PER_FIELD = 20
#: Lengths of the steps from field to topic to document to passage. With these the nearest neighbour has a
#: median cosine of .78, the tenth .70, the hundredth .60; real passages have .92, .77, .64 (filings) and
#: .79, .46, .33 (abstracts).
TOPIC_STEP, DOCUMENT_STEP, PASSAGE_STEP = 1.2, 0.55, 0.75
COPIED_SHARE, COPY_STEP = 0.1, 0.3
#: Cosine of a question with the passage it was made from, about 0.7.
QUESTION_STEP = 1.0
#: Words in a passage: quantiles 0, 5, 25, 50, 75, 95, 100 of real ones.
LENGTH_QUANTILES = ((0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (8, 30, 75, 107, 133, 157, 170))
TOPIC_WORDS, TOPIC_SHARE = 400, 0.35
FUNCTION_WORDS = (  # noqa: SIM905 - easier to read so
    "the of and to in a is that for on with as by are was be at from or this which it an were have has not "
    "its we their can been more than other all may also these such between one our two will but under if into"
).split()
ONSETS = (*"bcdfghklmnprstvw", "br", "cl", "st", "tr")
SYLLABLES = [onset + vowel for onset in ONSETS for vowel in (*"aeiou", "ai")]


@dataclass(frozen=True)
class Passages:
    """Unit vectors (n, 384), their texts with titles in front, the number of each one's document."""

    vectors: Floats
    texts: Sequence[str]
    documents: Ints

    def __len__(self) -> int:
        return len(self.texts)


NOTHING_REAL = Passages(np.zeros((0, DIMENSIONS), np.float32), (), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Corpus:
    """``size`` passages: ``real`` ones first, then made up ones. The same arguments give the same corpus."""

    size: int
    real: Passages = NOTHING_REAL
    seed: int = 1
    topics: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", max(self.document_count // DOCUMENTS_PER_TOPIC, 4))

    @property
    def real_size(self) -> int:
        return min(len(self.real), self.size)

    @cached_property
    def documents(self) -> Ints:
        """The number of each passage's document, ascending."""
        real = np.unique(self.real.documents[: self.real_size], return_inverse=True)[1]
        missing = self.size - self.real_size
        sizes = self.rng("documents").lognormal(np.log(DOCUMENT_MEDIAN), DOCUMENT_SIGMA, missing + 1)
        sizes = np.clip(sizes.astype(np.int64), 1, DOCUMENT_MAX)
        made = np.repeat(np.arange(len(sizes)), sizes)[:missing]
        return np.concatenate([real, made + (real.max() + 1 if len(real) else 0)]).astype(np.int64)

    @cached_property
    def document_count(self) -> int:
        return int(self.documents[-1]) + 1

    @cached_property
    def topic_of_document(self) -> Ints:
        """Large topics and small ones. What a real document is about is its own, so its topic is anything."""
        weights = 1.0 / np.arange(1, self.topics + 1) ** 0.5
        return self.rng("topics").choice(self.topics, self.document_count, p=weights / weights.sum())

    def rng(self, *purpose: str | int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *(b for part in purpose for b in str(part).encode())])

    # --- Vectors

    @cached_property
    def spectrum(self) -> Floats:
        """Rows span the directions that vectors vary in: a normal sample times it has length 1 on average."""
        if len(self.real) > DIMENSIONS:
            variances, columns = np.linalg.eigh(np.cov(self.real.vectors, rowvar=False))
            rows, scales = columns.T, np.sqrt(np.maximum(variances, 0))
        else:
            rows = np.linalg.qr(self.rng("directions").normal(size=(DIMENSIONS, DIMENSIONS)))[0]
            scales = (np.arange(DIMENSIONS) + 8.0) ** -0.75
        return (rows * (scales / np.linalg.norm(scales))[:, None]).astype(np.float32)

    def steps(self, rng: np.random.Generator, count: int) -> Floats:
        return rng.standard_normal((count, DIMENSIONS), dtype=np.float32) @ self.spectrum

    @cached_property
    def centres(self) -> Floats:
        """Of the documents."""
        rng = self.rng("centres")
        fields = self.steps(rng, self.topics // TOPICS_PER_FIELD + 1)
        if len(self.real):
            fields += self.real.vectors[rng.integers(0, len(self.real), len(fields))]
        topics = unit(fields)[rng.integers(0, len(fields), self.topics)]
        topics = unit(topics + TOPIC_STEP * self.steps(rng, self.topics))
        return unit(topics[self.topic_of_document] + DOCUMENT_STEP * self.steps(rng, self.document_count))

    def vectors(self, block: range) -> Floats:
        """Unit vectors of the passages in ``block``."""
        rng = self.rng("vectors", block.start)
        found = self.centres[self.documents[block.start : block.stop]]
        found = unit(found + PASSAGE_STEP * self.steps(rng, len(block)))
        copies = np.flatnonzero(rng.random(len(block)) < COPIED_SHARE)
        originals = np.maximum(copies - rng.integers(1, 200, len(copies)), 0)
        found[copies] = unit(found[originals] + COPY_STEP * self.steps(rng, len(copies)))
        real = max(min(self.real_size, block.stop) - block.start, 0)
        found[:real] = self.real.vectors[block.start : block.start + real]
        return found

    def questions(self, vectors: Floats, *purpose: str | int) -> Floats:
        """Vectors of questions that ``vectors`` answer."""
        return unit(vectors + QUESTION_STEP * self.steps(self.rng("questions", *purpose), len(vectors)))

    # --- Words

    @cached_property
    def vocabulary(self) -> list[str]:
        """Most frequent first; it grows with the corpus as Heaps' law says."""
        count = min(int(40 * (self.size * 100) ** 0.5) + 1000, 400_000)
        made = made_up_words(self.rng("words"), count)
        known = list(dict.fromkeys([*FUNCTION_WORDS, *real_words(self.real.texts)]))[: count // 2]
        return list(dict.fromkeys([*known, *made]))[:count]

    @cached_property
    def word_shares(self) -> NDArray[np.float64]:
        """Cumulative Zipf–Mandelbrot."""
        shares = 1.0 / (np.arange(len(self.vocabulary)) + 2.7)
        return np.cumsum(shares / shares.sum())

    @cached_property
    def topic_word_shares(self) -> NDArray[np.float64]:
        shares = 1.0 / (np.arange(TOPIC_WORDS) + 2.7)
        return np.cumsum(shares / shares.sum())

    def topic_words(self, topics: Ints, uniform: NDArray[np.float64]) -> Ints:
        """One word of each of ``topics``; a word may belong to several."""
        rank = np.searchsorted(self.topic_word_shares, uniform).clip(max=TOPIC_WORDS - 1)
        first = len(FUNCTION_WORDS) * 2
        spread = (topics * 7919 + rank * 104_729) % (len(self.vocabulary) - first)
        return np.asarray(first + spread)

    def texts(self, block: range) -> list[str]:
        """Title and text of the passages in ``block``, parted by a newline."""
        real = [self.real.texts[n] for n in block if n < self.real_size]
        rng = self.rng("texts", block.start)
        documents = self.documents[block.start : block.stop]
        lengths = np.interp(rng.random(len(block)), *LENGTH_QUANTILES).astype(np.int64)
        topics = np.repeat(self.topic_of_document[documents], lengths)
        everywhere = np.searchsorted(self.word_shares, rng.random(len(topics))).clip(
            max=len(self.vocabulary) - 1
        )
        ids = np.where(
            rng.random(len(topics)) < TOPIC_SHARE,
            self.topic_words(topics, rng.random(len(topics))),
            everywhere,
        )
        words = [self.vocabulary[n] for n in ids]
        bounds = pairwise(np.concatenate([[0], np.cumsum(lengths)]).tolist())
        bodies = [" ".join(words[start:end]) for start, end in bounds]
        titled = zip(documents.tolist(), bodies, strict=True)
        return real + [f"{self.title(d)}\n{body}" for d, body in list(titled)[len(real) :]]

    def title(self, document: int) -> str:
        rng = self.rng("title", document)
        topic = np.full(3, self.topic_of_document[document])
        words = [self.vocabulary[n] for n in self.topic_words(topic, rng.random(3))]
        return f"{' '.join(words)} {2000 + document % 25} K-{10_000 + document}"

    def blocks(self) -> Iterator[range]:
        for start in range(0, self.size, BLOCK):
            yield range(start, min(start + BLOCK, self.size))


def question_text(rng: np.random.Generator, text: str) -> str:
    """What somebody asks who remembers a few words of ``text``: some of its words, some of everybody's."""
    words = text.rpartition("\n")[2].split()
    own = [words[n] for n in rng.integers(0, len(words), int(rng.integers(3, 9)))]
    asked = [FUNCTION_WORDS[n] for n in rng.integers(0, len(FUNCTION_WORDS), 3)]
    return " ".join(["what", *asked, *own])


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def real_words(texts: Sequence[str]) -> list[str]:
    """Words of letters, most frequent first."""
    counted = Counter(word for text in texts for word in text.lower().split() if word.isalpha())
    return [word for word, _ in counted.most_common()]


def made_up_words(rng: np.random.Generator, count: int) -> list[str]:
    """Pronounceable, each once, longer towards the rare end."""
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = 2 + int(len(found) > count // 10) + int(rng.random() < 0.3)
        found["".join(SYLLABLES[n] for n in rng.integers(0, len(SYLLABLES), syllables))] = None
    return list(found)
