"""Citation numbers: each stands for exactly one quote and never changes once it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.types import Evidence, Quote, Sentence, Source, Sources


class Numbering:
    """Gives out the numbers of one answer, by source or by quote."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = {source.n: source for source in sources}
        self.evidence: dict[int, Evidence] = {}
        self._of_quote: dict[Quote, int] = {}
        self._quoted: set[int] = set()

    def by_source(self) -> Sources:
        """Citation n is source n; which words of it are quoted shows when sentences come."""
        for n, source in self.sources.items():
            self.evidence[n] = Evidence(n, source.hit, 0, len(source.hit.text))
        return Sources(tuple(self.evidence.values()))

    def by_quote(self, quotes: Sequence[Quote]) -> Sources:
        """A number for each quote, behind those that were given out before."""
        for quote in quotes:
            if quote not in self._of_quote and quote.n in self.sources:
                n = max(self.evidence, default=0) + 1
                self._of_quote[quote] = n
                found = Evidence(n, self.sources[quote.n].hit, quote.start, quote.end)
                self.evidence[n] = found.narrowed()
                self._quoted.add(n)
        return Sources(tuple(self.evidence.values()))

    def cite(self, sentence: Sentence) -> Sentence:
        """The sentence with citation numbers in the place of source numbers."""
        numbers = [self._of_quote.get(quote) or self._widened(quote) for quote in sentence.quotes]
        return replace(sentence, citations=tuple(dict.fromkeys(numbers)))

    def _widened(self, quote: Quote) -> int:
        """The source's own number, its quote brought to hold this one too."""
        known = self.evidence[quote.n]
        start, end = quote.start, quote.end
        if quote.n in self._quoted:
            start, end = min(start, known.start), max(end, known.end)
        self._quoted.add(quote.n)
        self.evidence[quote.n] = replace(known, start=start, end=end)
        return quote.n

    def cited_by(self, sentences: Sequence[Sentence]) -> tuple[Evidence, ...]:
        used = {n for sentence in sentences for n in sentence.citations}
        return tuple(self.evidence[n].narrowed() for n in sorted(used))
