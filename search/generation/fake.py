"""A deterministic generator for tests and for trying the page without any model."""

from __future__ import annotations

import time
from collections.abc import Iterator

from search.exceptions import GenerationFailed
from search.types import DraftSentence, GenerationRequest, Piece, Token


class FakeGenerator:
    """Says one sentence about each source; can be slow, and can fail after some sentences."""

    name = "fake"
    remote = True

    def __init__(self, *, pause: float = 0.0, fail_after: int | None = None) -> None:
        self.pause = pause
        self.fail_after = fail_after

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        for said, source in enumerate(request.sources):
            if self.fail_after == said:
                raise GenerationFailed("The fake model was told to fail.")
            text = " ".join(source.hit.text.split()[:12])
            for word in text.split():
                time.sleep(self.pause)
                yield Token(word + " ")
            yield DraftSentence(text, cited=(source.n,))
        if self.fail_after is not None and self.fail_after >= len(request.sources):
            raise GenerationFailed("The fake model was told to fail.")
