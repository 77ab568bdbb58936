"""The circuit breaker: opens after failures in a row, tries again after a pause, and knows who tries."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from search.exceptions import CircuitOpen, GenerationFailed, RequestRefused
from search.generation import breaker as circuit
from search.generation.breaker import CLOSED, FAILURES, HALF_OPEN, OPEN, PAUSE_SECONDS, Breaker
from search.metrics import llm_circuit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuit, "time", clock)
    return clock


@pytest.fixture
def breaker(clock: Clock) -> Iterator[Breaker]:
    breaker = Breaker()
    yield breaker
    breaker.reset()


def gauge() -> float:
    return next(iter(llm_circuit.collect())).samples[0].value


def fail(breaker: Breaker, error: type[Exception] = GenerationFailed) -> None:
    with pytest.raises(error), breaker.attempt():
        raise error


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


def open_(breaker: Breaker) -> None:
    for _ in range(FAILURES):
        fail(breaker)


def is_refused(breaker: Breaker) -> bool:
    try:
        succeed(breaker)
    except CircuitOpen:
        return True
    return False


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        fail(breaker)
    succeed(breaker)
    for _ in range(FAILURES - 1):
        fail(breaker)
    assert breaker.closed
    fail(breaker)
    assert is_refused(breaker)
    assert gauge() == OPEN


def test_after_a_pause_one_tries_and_closes_it(breaker: Breaker, clock: Clock) -> None:
    open_(breaker)
    clock.now += PAUSE_SECONDS
    with breaker.attempt():
        assert gauge() == HALF_OPEN
        assert is_refused(breaker)
    assert gauge() == CLOSED
    assert not is_refused(breaker)


def test_a_try_that_fails_opens_it_for_another_pause(breaker: Breaker, clock: Clock) -> None:
    open_(breaker)
    clock.now += PAUSE_SECONDS
    fail(breaker)
    assert is_refused(breaker)
    clock.now += PAUSE_SECONDS
    assert not is_refused(breaker)


def test_a_try_that_its_reader_gives_up_leaves_it_to_the_next(breaker: Breaker, clock: Clock) -> None:
    open_(breaker)
    clock.now += PAUSE_SECONDS
    fail(breaker, GeneratorExit)  # type: ignore[arg-type]
    assert gauge() == OPEN
    assert not is_refused(breaker)


def test_requests_that_are_refused_for_what_they_ask_do_not_count(breaker: Breaker) -> None:
    for _ in range(FAILURES + 1):
        fail(breaker, RequestRefused)
    assert breaker.closed


def test_threads_count_together_and_only_one_tries(breaker: Breaker, clock: Clock) -> None:
    def together(times: int) -> list[bool]:
        refused: list[bool] = []
        gate = threading.Barrier(times)

        def ask() -> None:
            gate.wait()
            try:
                with breaker.attempt():
                    gate.wait(1)
            except CircuitOpen:
                refused.append(True)
                gate.wait(1)
            except threading.BrokenBarrierError:
                pass

        threads = [threading.Thread(target=ask) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return refused

    open_(breaker)
    clock.now += PAUSE_SECONDS
    assert len(together(8)) == 7
