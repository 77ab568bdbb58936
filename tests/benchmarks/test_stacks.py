"""Stacks folded by stage and module; who uses the processor; what that says of the limit."""

from __future__ import annotations

import os

import pytest

from benchmarks import profiles
from benchmarks.portal import Process
from benchmarks.processor import descendants, seconds, shares
from benchmarks.stacks import by_module, by_stage, path_of, read

SAID = """\
<module> (uvicorn/__main__.py:4);run (asyncio/runners.py:190);Runner.run (asyncio/runners.py:118) 4
<module> (uvicorn/__main__.py:4);run (asyncio/runners.py:190);EpollSelector.select (selectors.py:468) 90
Thread.run (threading.py:982);_worker (concurrent/futures/thread.py:81) 70
run (threading.py:9);search (search/pipeline.py:99);all (django/db/query.py:1);wait (psycopg/waiting.py:9) 3
run (threading.py:9);search (search/pipeline.py:99);clean (search/words.py:9);sub (re/__init__.py:185) 2
thread (0x7F);strange (native.c) 1
not a stack
"""


def test_the_innermost_frame_that_is_known_says_what_is_being_done() -> None:
    """Threads that wait for something to do are left out."""
    stacks = list(read(SAID))
    assert by_stage(stacks) == {"server": 40.0, "psycopg": 30.0, "own code": 20.0, "other": 10.0}


def test_a_statement_counts_for_the_module_that_sent_it() -> None:
    assert by_module(list(read(SAID))) == {"other": 50.0, "search/pipeline.py": 30.0, "search/words.py": 20.0}
    assert by_module(list(read(SAID)), most=1) == {"other": 50.0}


@pytest.mark.parametrize(
    ("frame", "path"),
    [
        ("<lambda> (search/api.py:7)", "search/api.py"),
        ("run (/x/.venv/lib/python3.11/site-packages/django/db/models.py:3)", "django/db/models.py"),
        ("dumps (/usr/lib/python3.11/json/__init__.py:231)", "json/__init__.py"),
        ("process 17:manage.py worker", ""),
    ],
)
def test_a_path_begins_with_its_package(frame: str, path: str) -> None:
    assert path_of(frame) == path


def test_a_process_counts_with_all_that_it_started() -> None:
    every = [Process(1, 0, ""), Process(2, 1, ""), Process(3, 2, ""), Process(4, 0, "")]
    assert descendants(every, 1) == [1, 2, 3]
    assert descendants(every, None) == []
    assert seconds(os.getpid()) > 0
    assert seconds(os.getpid()) >= seconds(os.getpid(), waited_for=False) > 0
    assert seconds(2**22 + 1) == 0.0


def test_the_limit_is_the_processor_one_interpreter_or_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles.os, "sched_getaffinity", lambda pid: {0, 1})
    busy = {"web": 1.4, "Postgres": 0.5, "wall": 9.0}
    assert shares(busy) == {"web": 74, "Postgres": 26}
    assert profiles.limit(busy, "web") == "the processor: all 2 cores are busy, web takes 74 %"
    assert profiles.limit({"web": 1.0, "wall": 9.0}, "web").startswith("one interpreter")
    assert profiles.limit({"web": 0.4, "wall": 9.0}, "web").startswith("waiting: 0.4 of 2 cores")
