"""Learning the fusion's weights: proven on held-out questions, or the default stays."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from documents.models import Collection, Document
from search import fusion, learning, tuning
from search.golden import question_create
from search.models import Tuning
from search.tuning import space_of, tuned
from search.types import Legs
from tests.search.examples import BREAD, HERONS, TRAMS

SPACE = space_of({"weight": 0.5, "shift": 0.3})


def near(best: float) -> Any:
    """Scores that are highest where the weight is ``best``; the shift means nothing."""
    return lambda case, given: 1.0 - abs(given["weight"] - best) + case * 0.01


def test_a_better_weight_is_found_and_the_rest_is_left() -> None:
    best = tuned(range(40), near(0.2), SPACE)
    assert not best.kept
    assert best.parameters == {"weight": 0.2, "shift": 0.3}
    assert best.after - best.before == pytest.approx(0.3, abs=1e-3)
    assert best.gain == (0.3, 0.3)
    assert set(map(str, best.held_out)) == {str(best.parameters)}


def test_parameters_that_depend_on_each_other_are_climbed_in_turns() -> None:
    def ridge(case: int, given: Any) -> float:
        return -abs(given["weight"] - given["shift"]) - abs(given["shift"] - 0.8)

    best = tuned(range(30), ridge, space_of({"weight": 0.3, "shift": 0.3}))
    assert best.after > best.before


def test_the_default_stays_where_nothing_is_better() -> None:
    best = tuned(range(40), near(0.5), SPACE)
    assert (best.kept, best.parameters) == (True, {"weight": 0.5, "shift": 0.3})
    assert "Nothing that was tried" in best.reason


def test_noise_changes_nothing() -> None:
    noise = np.random.default_rng(1).random((40, 2500))

    def chance(case: int, given: Any) -> float:
        return float(noise[case, round(given["weight"] * 100) * 16 + round(given["shift"] * 10)])

    best = tuned(range(40), chance, SPACE)
    assert best.kept
    assert "within chance" in best.reason
    assert best.gain[0] <= 0
    assert best.parameters == {"weight": 0.5, "shift": 0.3}


def test_few_questions_change_nothing() -> None:
    best = tuned(range(tuning.MIN_CASES - 1), near(0.2), SPACE)
    assert best.kept
    assert "too few" in best.reason
    assert tuned([], near(0.2), SPACE).before == 0


def test_the_same_questions_teach_the_same() -> None:
    scores = np.random.default_rng(2).random((60, 16))

    def score(case: int, given: Any) -> float:
        return float(scores[case, round(given["weight"] * 10)]) - given["weight"]

    assert tuned(range(60), score, SPACE) == tuned(range(60), score, SPACE)


def test_no_point_is_scored_twice() -> None:
    asked: list[tuple[int, str]] = []

    def counting(case: int, given: Any) -> float:
        asked.append((case, str(given)))
        return -abs(given["weight"] - 0.1) - abs(given["shift"] - 0.9)

    tuned(range(25), counting, SPACE)
    assert len(asked) == len(set(asked))


def test_shares_are_tried_from_none_to_all_and_larger_values_by_factors() -> None:
    assert space_of({"k": 60.0}) == {"k": (60.0, 15.0, 30.0, 120.0, 240.0)}
    assert space_of({"share": 0.85})["share"] == (0.85, *tuning.SHARES)
    assert space_of({"share": 1.0})["share"][:2] == (1.0, 0.0)


# --- The command ----------------------------------------------------------------------------


def ran(*command: Any) -> str:
    out = io.StringIO()
    call_command("tune", *command, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def asked(collection: Collection, make_document: Callable[..., Document]) -> Collection:
    """Twenty questions after one document of three."""
    for name, text in (("trams", TRAMS), ("bread", BREAD)):
        make_document(collection, text, filename=f"{name}.txt")
    herons = make_document(collection, HERONS, filename="herons.txt")
    for n in range(20):
        question_create(
            collection=collection, question=f"Which birds fish at dusk, {n}?", expected=[(herons, 1)]
        )
    return collection


@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_the_default_is_kept_and_that_is_said(self, asked: Collection) -> None:
        assert "Kept the default. Nothing that was tried is better" in ran(asked.slug)
        kept = Tuning.objects.get()
        assert (kept.parameters, kept.questions) == ({}, 20)
        assert kept.before == kept.after
        assert kept.before["recall@1"] == 1
        assert Tuning.for_search([asked.slug]) is None

    def test_what_is_proven_is_kept_and_replaced_by_the_next(
        self, asked: Collection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Vectors that are turned upside down: the words are to be believed."""
        retrieve = learning.retrieve

        def misled(*given: Any) -> Legs:
            legs = retrieve(*given)
            turned = (replace(each, vector=-(each.vector or 0.0), document=0.0) for each in legs.signals)
            return Legs({}, tuple(turned))

        monkeypatch.setattr(learning, "retrieve", misled)
        trusting = fusion.Weights(keyword=0.0, keyword_standout=0.0, document=0.0)
        monkeypatch.setattr(fusion, "DEFAULT", trusting)
        report = json.loads(ran(asked.slug, "--json"))
        assert not report["objective"]["kept"]
        assert report["objective"]["gain"][0] > 0
        assert report["retrieval"]["before"]["recall@1"] == 0
        assert report["retrieval"]["after"]["recall@1"] > 0.9
        assert Tuning.for_search([asked.slug]) == report["objective"]["parameters"]
        assert re.search(r"keyword +0\.000 → ", ran(asked.slug))
        assert Tuning.objects.count() == 1
        monkeypatch.undo()
        ran(asked.slug)
        assert Tuning.for_search([asked.slug]) is None

    def test_a_folder_brings_other_questions(self, asked: Collection, tmp_path: Path) -> None:
        lines = [{"question": f"Trams, {n}?", "relevant": [{"document": "trams.txt"}]} for n in range(21)]
        lines.append({"question": "Is there a king?", "relevant": []})
        path = tmp_path / "questions.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        ran(asked.slug, "--folder", tmp_path)
        assert Tuning.objects.get().questions == 21
        path.write_text(json.dumps({"question": "Who?", "relevant": [{"document": "nowhere.txt"}]}))
        with pytest.raises(CommandError, match="line 1: the collection has no document named"):
            ran(asked.slug, "--folder", tmp_path)

    def test_without_questions_nothing_is_learned(self, collection: Collection) -> None:
        with pytest.raises(CommandError, match="no question with a document"):
            ran(collection.slug)
        with pytest.raises(CommandError, match="no collection nowhere"):
            ran("nowhere")
        assert not Tuning.objects.exists()
