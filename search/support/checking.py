"""Whether a sentence stands on its sources: finds the span that carries it, or leaves it uncited.

Citations are never forced: a sentence that no named source carries stays without one. A quote that the
generator gives has to stand in its source word for word. For a sentence in the generator's own words a span
is looked for in the sources that it names: near in words and in meaning, and with the same numbers, units,
names, and the same yes or no.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from documents.sentences import sentences
from search.support.consistency import inconsistent
from search.support.entailment import Entailment, get_entailment
from search.types import Doubt, DraftSentence, Quote, Sentence, Source
from search.words import content_words, stem, stems

#: The share of a sentence's content words that its span has to hold to be looked at in meaning,
LEAST = 0.3
#: and from which on it carries the sentence, unless the meaning speaks against it.
ENOUGH = 0.5
#: Spans of one source that are compared in meaning.
TRIED = 3

NOTHING = Doubt("nothing")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span of a source, and how much of the sentence's words it holds."""

    source: Source
    start: int
    end: int
    overlap: float

    @property
    def text(self) -> str:
        return self.source.hit.text[self.start : self.end]

    def holds(self, part: Candidate) -> bool:
        """What speaks against a part of it speaks against all of it."""
        return self.start <= part.start and part.end <= self.end

    @property
    def quote(self) -> Quote:
        return Quote(self.source.n, self.start, self.end)


def check(draft: DraftSentence, sources: Mapping[int, Source]) -> Sentence:
    """The sentence with the quotes that carry it, or with the doubts about it."""
    if draft.quotes:
        quotes = tuple(quote for quote in draft.quotes if is_verbatim(draft.text, quote, sources))
        doubts: tuple[Doubt, ...] = () if quotes else (NOTHING,)
    else:
        quotes, doubts = located(draft, sources, get_entailment())
    cited = tuple(dict.fromkeys(quote.n for quote in quotes))
    return Sentence(draft.text, cited, bool(quotes), quotes, doubts, draft.span)


def is_verbatim(text: str, quote: Quote, sources: Mapping[int, Source]) -> bool:
    source = sources.get(quote.n)
    return source is not None and text.split() == source.hit.text[quote.start : quote.end].split()


def located(
    draft: DraftSentence, sources: Mapping[int, Source], entailment: Entailment
) -> tuple[tuple[Quote, ...], tuple[Doubt, ...]]:
    """A quote of each named source that carries the sentence; the doubts where none does."""
    found = [carrying(draft.text, sources[n], entailment) for n in draft.cited if n in sources]
    if quotes := tuple(quote for quote, _ in found if quote):
        return quotes, ()
    doubts = dict.fromkeys(doubt for _, each in found for doubt in each)
    return (), tuple(doubts) or (NOTHING,)


def carrying(text: str, source: Source, entailment: Entailment) -> tuple[Quote | None, tuple[Doubt, ...]]:
    """The span of ``source`` that carries ``text``, or what speaks against it."""
    tried = candidates(text, source)[:TRIED]
    if not tried:
        return None, (NOTHING,)
    verdicts = entailment.judge(text, [each.text for each in tried])
    doubts: tuple[Doubt, ...] = ()
    refuted: list[Candidate] = []
    for each, verdict in zip(tried, verdicts, strict=True):
        against = inconsistent(text, each.text, source.hit)
        if verdict.contradicts:
            against = (*against, Doubt("meaning"))
        if against:
            refuted.append(each)
        if any(each.holds(part) for part in refuted):
            doubts = doubts or against
        elif verdict.entails or (each.overlap >= ENOUGH and not verdict.unlike):
            return each.quote, ()
    return None, doubts or (NOTHING,)


def candidates(text: str, source: Source) -> list[Candidate]:
    """Sentences of the source, and two in a row, that say enough of ``text``: the most, then the shortest."""
    wanted = {stem(word) for word in content_words(text)}
    spans = sentences(source.hit.text)
    pairs = [(first[0], second[1]) for first, second in pairwise(spans)]
    found = [Candidate(source, *span, overlap(wanted, source, span)) for span in (*spans, *pairs)]
    enough = [each for each in found if each.overlap >= LEAST]
    return sorted(enough, key=lambda each: (-each.overlap, each.end - each.start))


def overlap(wanted: set[str], source: Source, span: tuple[int, int]) -> float:
    """The share of ``wanted`` that the span holds, or the title."""
    held = stems(f"{source.hit.document_title} {source.hit.text[slice(*span)]}")
    return len(wanted & held) / len(wanted) if wanted else 0.0
