"""Whether a sentence stands on its sources: finds the span that carries it, or leaves it uncited.

Citations are never forced: a sentence that no named source carries stays without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from documents.sentences import sentences
from search.types import DraftSentence, Quote, Sentence, Source
from search.words import content_words, numbers, stem, stems

#: The share of a sentence's content words that its sources have to hold.
ENOUGH = 0.5


def check(draft: DraftSentence, sources: Mapping[int, Source]) -> Sentence:
    """The sentence with the quotes that carry it. Quotes given by the generator are checked verbatim."""
    if draft.quotes:
        quotes = tuple(quote for quote in draft.quotes if is_verbatim(draft.text, quote, sources))
    else:
        quotes = tuple(filter(None, (locate(draft.text, sources[n]) for n in draft.cited if n in sources)))
    cited = tuple(dict.fromkeys(quote.n for quote in quotes))
    return Sentence(draft.text, cited, supported=bool(quotes), quotes=quotes, span=draft.span)


def is_verbatim(text: str, quote: Quote, sources: Mapping[int, Source]) -> bool:
    source = sources.get(quote.n)
    return source is not None and text.split() == source.hit.text[quote.start : quote.end].split()


def locate(text: str, source: Source) -> Quote | None:
    """The sentence of the source, or two in a row, that says the most of ``text``; None when too little.

    A number in ``text`` that the passage does not hold refutes it.
    """
    wanted = {stem(word) for word in content_words(text)}
    if not wanted or numbers(text) - numbers(source.hit.text):
        return None
    spans = sentences(source.hit.text)
    pairs = [(first[0], second[1]) for first, second in pairwise(spans)]
    best = max((*spans, *pairs), key=lambda span: worth(wanted, source, span), default=None)
    if best is None or overlap(wanted, source, best) < ENOUGH:
        return None
    return Quote(source.n, *best)


def worth(wanted: set[str], source: Source, span: tuple[int, int]) -> tuple[float, int]:
    """More of the words first; of equal spans the shorter one."""
    return overlap(wanted, source, span), span[0] - span[1]


def overlap(wanted: set[str], source: Source, span: tuple[int, int]) -> float:
    found = stems(f"{source.hit.document_title} {source.hit.text[span[0] : span[1]]}")
    return len(wanted & found) / len(wanted)
