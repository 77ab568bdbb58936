"""One answer while it is written: pieces of a generator become numbered, checked sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings
from django.db import connection

from search.generation.base import Generator, rest_of
from search.metrics import Stopwatch, count_tokens
from search.numbering import Numbering
from search.support import check
from search.types import (
    DraftSentence,
    GenerationRequest,
    Outcome,
    Piece,
    Prompted,
    Refusal,
    Selected,
    Sentence,
    Source,
    Sources,
    Step,
    Token,
    Used,
    Waiting,
)


class Sheet:
    """One answer while it is written, and what is kept of how it came about."""

    def __init__(self, sources: list[Source], watch: Stopwatch, should_stop: Callable[[], bool]) -> None:
        self.sources = sources
        self.numbering = Numbering(sources)
        self.watch = watch
        self.should_stop = should_stop
        self.sentences: list[Sentence] = []
        self.settings: dict[str, Any] = {}
        self.receipt: dict[str, Any] = {}
        self.refusal: Refusal | None = None
        self.stopped = False
        self.restarting = False
        #: Sentences without support are left out.
        self.strict = settings.UNSUPPORTED_SENTENCES == "drop"
        self.dropped = 0

    def begin_again(self) -> None:
        """Another generator answers instead; the next sources say so. Numbers stay what they are."""
        self.sentences.clear()
        self.restarting = True

    def refused(self, refusal: Refusal) -> Step:
        """There is no answer, and nothing is asked of a generator."""
        self.refusal = refusal
        return self.announced(Sources(()))

    def written_by(self, generator: Generator, request: GenerationRequest) -> Iterator[Step]:
        if not self.sources or generator.remote:
            yield self.announced(self.numbering.by_source())
        if not self.sources:
            return
        if generator.remote and not connection.in_atomic_block:
            connection.close()  # back to the pool: a model may take a minute
        with closing(generator.generate(request)) as pieces:  # type: ignore[type-var]
            for piece in pieces:
                if self.should_stop():
                    yield from self.stop(piece, pieces)
                    return
                yield from self.steps(piece)

    def stop(self, piece: Piece, pieces: Iterator[Piece]) -> Iterator[Step]:
        """End the generator; what it said stays, the sentence that it was at with it."""
        self.stopped = True
        for last in (piece, *rest_of(pieces)):
            if isinstance(last, DraftSentence | Used):
                yield from self.steps(last)

    def steps(self, piece: Piece) -> Iterator[Step]:
        """What readers are told of a piece; nothing of what is for the receipt alone."""
        match piece:
            case Selected(quotes):
                yield self.announced(self.numbering.by_quote(quotes))
            case DraftSentence():
                checked = check(piece, {source.n: source for source in self.sources})
                yield from self.checked(self.numbering.cite(checked))
            case Token() if not self.strict:
                yield self.said(piece)
            case Waiting():
                yield piece
            case Prompted(messages):
                self.receipt["prompt"] = list(messages)
            case Used():
                self.receipt["tokens"] = asdict(piece)
                count_tokens(piece)

    def checked(self, sentence: Sentence) -> Iterator[Step]:
        """The sentence; a strict sheet has held its words back until now, and drops what nothing carries."""
        if self.strict and not sentence.supported:
            self.dropped += 1
            return
        if self.strict:
            yield self.said(Token(f"{sentence.text} "))
        self.sentences.append(sentence)
        yield sentence

    def said(self, token: Token) -> Token:
        self.watch.timings.setdefault("first_token", self.watch.elapsed())
        return token

    def announced(self, sources: Sources) -> Sources:
        restart, self.restarting = self.restarting, False
        return replace(sources, restart=restart)

    def outcome(self) -> Outcome:
        return Outcome(
            sentences=tuple(self.sentences),
            evidence=self.numbering.cited_by(self.sentences),
            timings={**self.watch.timings, "total": self.watch.elapsed()},
            settings=self.settings,
            receipt=self.receipt,
            refusal=self.refusal,
            stopped=self.stopped,
        )
