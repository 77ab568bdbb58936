"""The replay's trace, what a perfect cache serves of it, and the percentiles of what was measured."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.fresh import comparable
from benchmarks.spread import percentile, spread
from benchmarks.trace import Change, Plan, Search, ideal, normal, queries, zipf

SEES = {"alice": frozenset({"trams"}), "bob": frozenset({"bread"}), "charlie": frozenset({"trams", "bread"})}
PLAN = Plan({"alice": 0.7, "bob": 0.3}, ("trams", "bread"), ("file", "delete"), 2000, 100, 500)


def test_a_search_is_served_when_the_same_was_asked_over_the_same_unchanged_collections() -> None:
    events = [
        Search("alice", 1),  # asked first
        Search("alice", 1),  # kept
        Search("charlie", 1),  # sees more: another search
        Search("bob", 2),
        Change("trams", "file"),
        Search("alice", 1),  # spoilt
        Search("alice", 1),
        Search("charlie", 1),  # spoilt: one of its two collections changed
        Search("bob", 2),  # sees nothing of the change
        Change("bread", "delete"),
        Search("alice", 1),
        Search("bob", 2),
    ]
    served = [False, True, False, False, False, True, False, True, True, False]
    assert ideal(events, SEES) == served


def test_people_who_see_the_same_share_what_is_kept() -> None:
    assert ideal([Search("alice", 1), Search("bob", 1)], dict.fromkeys(("alice", "bob"), SEES["alice"])) == [
        False,
        True,
    ]


def test_zipf_gives_each_rank_its_share() -> None:
    assert zipf(4, 1.0) == pytest.approx([12 / 25, 6 / 25, 4 / 25, 3 / 25])
    assert zipf(3, 0.0) == pytest.approx([1 / 3] * 3)


def test_a_trace_is_the_same_each_time_and_changes_come_in_turns() -> None:
    events = list(PLAN.events())
    assert events == list(PLAN.events())
    changes = [(place, event.kind) for place, event in enumerate(events) if isinstance(event, Change)]
    assert changes == [(500, "file"), (1001, "delete"), (1502, "file")]
    searches = [event for event in events if isinstance(event, Search)]
    assert len(searches) == 2000
    asked = Counter(search.query for search in searches)
    assert asked[0] / len(searches) == pytest.approx(zipf(100, 1.0)[0], abs=0.03)
    assert sum(search.user == "alice" for search in searches) / 2000 == pytest.approx(0.7, abs=0.05)


def test_queries_are_the_questions_and_then_words_of_the_texts(tmp_path: Path) -> None:
    (tmp_path / "trams" / "corpus").mkdir(parents=True)
    asked = [{"question": "When do trams run?"}, {"question": "when do trams run"}]
    (tmp_path / "trams" / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)))
    text = "Line nine runs from the harbour to the northern hills every ten minutes until midnight"
    (tmp_path / "trams" / "corpus" / "nine.md").write_text(text)
    found = queries(20, data=tmp_path)
    assert len({normal(query) for query in found}) == 20
    assert "When do trams run?" in found
    assert all(query in text for query in found if "?" not in query)
    assert len(queries(20, data=tmp_path / "nothing")) == 20


def test_results_are_compared_without_their_scores() -> None:
    assert comparable([{"chunk": 1, "score": 0.3}]) == comparable([{"chunk": 1, "score": 0.30001}])
    assert comparable([{"chunk": 1, "score": 0.3}]) != comparable([{"chunk": 2, "score": 0.3}])


def test_percentiles_are_values_that_were_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, percent) for percent in (0, 20, 50, 95, 100)] == [1.0, 1.0, 3.0, 5.0, 5.0]
    assert spread(values) == {"count": 5, "p50": 3.0, "p95": 5.0}
    assert spread([]) == {"count": 0}
