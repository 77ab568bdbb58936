"""The embedded default: answers with sentences of the sources, verbatim."""

from __future__ import annotations

from collections.abc import Iterator

from search.generation.selecting import chosen
from search.generation.spans import answer_span
from search.types import DraftSentence, GenerationRequest, Piece, Selected, Token

WORDS_PER_TOKEN = 3


class ExtractiveGenerator:
    """Quotes the sentences that answer, each with its source. Whether any does was decided before."""

    name = "extractive"
    remote = False

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        found = chosen(request.question, request.assessment, request.sources)
        yield Selected(tuple(sentence.quote for sentence in found))
        for sentence in found:
            text = " ".join(sentence.text.split())
            yield from tokens(text)
            span = answer_span(request.question, text)
            yield DraftSentence(text, quotes=(sentence.quote,), cited=(sentence.quote.n,), span=span)


def tokens(text: str) -> Iterator[Token]:
    """The sentence a few words at a time, with the blank that follows each."""
    said = text.split(" ")
    for start in range(0, len(said), WORDS_PER_TOKEN):
        yield Token(" ".join(said[start : start + WORDS_PER_TOKEN]) + " ")
