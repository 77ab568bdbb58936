"""A circuit breaker: a model that fails again and again is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from search.exceptions import CircuitOpen, GenerationFailed, RequestRefused
from search.metrics import llm_circuit

#: So many failures in a row open the circuit.
FAILURES = 3
#: So long nobody asks; then one question tries.
PAUSE_SECONDS = 30.0
CLOSED, HALF_OPEN, OPEN = 0, 1, 2


class Breaker:
    """Closed: everybody asks. Open: nobody does. Half open: one asks, for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def closed(self) -> bool:
        return self._opened_at is None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one request. Raises ``CircuitOpen`` when it is not to be made.

        A request that was refused for what it asked, or given up by its reader, says nothing of the model.
        """
        probing = self._admit()
        try:
            yield
        except GenerationFailed as error:
            if isinstance(error, RequestRefused):
                self._abandon(probing)
            else:
                self._fail()
            raise
        except BaseException:
            self._abandon(probing)
            raise
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._failures, self._opened_at, self._probing = 0, None, False
            llm_circuit.set(CLOSED)

    def _admit(self) -> bool:
        """Whether this is the one that tries for all."""
        with self._lock:
            if self._opened_at is None:
                return False
            if self._probing or time.monotonic() - self._opened_at < PAUSE_SECONDS:
                raise CircuitOpen
            self._probing = True
            llm_circuit.set(HALF_OPEN)
            return True

    def _fail(self) -> None:
        with self._lock:
            self._failures += 1
            self._probing = False
            if self._failures >= FAILURES:
                self._opened_at = time.monotonic()
                llm_circuit.set(OPEN)

    def _abandon(self, probing: bool) -> None:
        """Where this was the one that tried, the next question may."""
        if probing:
            with self._lock:
                self._probing = False
                llm_circuit.set(OPEN)


#: Of this process. There is one model.
breaker = Breaker()
