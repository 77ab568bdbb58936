"""The seam of the generators."""

from __future__ import annotations

from collections.abc import Generator as Pieces
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from search.types import GenerationRequest, Piece


class Stopped(Exception):
    """Thrown into a generator whose reader wants no more of it."""


class Generator(Protocol):
    """Writes an answer from numbered sources, piece by piece."""

    name: str
    #: Whether it waits on another machine: then nothing may be held while it runs.
    remote: bool

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        """``Selected`` first when the quotes are known beforehand; then tokens, a sentence after its own.

        No sentence at all means: the sources hold no answer. Raises ``GenerationFailed``. One that may be
        silent for long yields ``Waiting`` meanwhile, or it cannot be stopped. It may catch ``Stopped`` to
        hand over the sentence that it was at.
        """
        ...


def rest_of(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """End a generator, with what it hands over when it is stopped."""
    if isinstance(pieces, Pieces):
        with suppress(Stopped, StopIteration):
            yield pieces.throw(Stopped())
            yield from pieces
