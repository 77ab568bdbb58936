"""Texts that several threads want encoded at once go to the model together.

Who finds the model idle goes at once, alone. Who comes while it works waits, and all of these go in the next
call, so nobody waits for company. A text that several want is encoded once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from documents.embedding.base import Encoding
from documents.exceptions import EmbeddingUnavailable

Encode = Callable[[Sequence[str]], list[Encoding]]


@dataclass(slots=True)
class Wanted:
    """A text on its way; then its encoding, or why there is none."""

    encoding: Encoding | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.encoding is not None or self.error is not None


class Gathering:
    """One for all threads that share a model. ``most`` texts go in one call."""

    def __init__(self, encode: Encode, most: int) -> None:
        self._encode, self._most = encode, most
        self._turn = threading.Condition()
        self._wanted: dict[str, Wanted] = {}
        self._is_busy = False

    def encode(self, text: str) -> Encoding:
        """Raises what the model raises for this text."""
        with self._turn:
            own = self._wanted.setdefault(text, Wanted())
            while self._is_busy and not own.is_done:
                self._turn.wait()
            batch = {} if own.is_done else self._taken(text)
        if batch:
            self._answer(batch)
        if own.error is not None:
            raise own.error
        assert own.encoding is not None
        return own.encoding

    def _taken(self, text: str) -> dict[str, Wanted]:
        """``text`` and those that wait, first come first; the model is this thread's now."""
        self._is_busy = True
        others = [each for each in self._wanted if each != text]
        return {each: self._wanted[each] for each in [text, *others[: self._most - 1]]}

    def _answer(self, batch: dict[str, Wanted]) -> None:
        try:
            self._fill(batch)
        finally:
            with self._turn:
                for text, wanted in batch.items():
                    if wanted.is_done:
                        del self._wanted[text]
                self._is_busy = False
                self._turn.notify_all()

    def _fill(self, batch: dict[str, Wanted]) -> None:
        """A text that the model cannot take fails alone; the others are tried without it."""
        try:
            for wanted, encoding in zip(batch.values(), self._encode(list(batch)), strict=True):
                wanted.encoding = encoding
        except Exception as error:
            if len(batch) == 1 or isinstance(error, EmbeddingUnavailable):
                for wanted in batch.values():
                    wanted.error = error
            else:
                for text, wanted in batch.items():
                    self._fill({text: wanted})
