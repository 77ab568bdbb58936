"""The seam of the generators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from search.types import GenerationRequest, Piece


class Generator(Protocol):
    """Writes an answer from numbered sources, piece by piece."""

    name: str
    #: Whether it waits on another machine: then nothing may be held while it runs.
    remote: bool

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        """``Selected`` first when the quotes are known beforehand; then tokens, a sentence after its own.

        No sentence at all means: the sources hold no answer. Raises ``GenerationFailed``.
        """
        ...
