"""Learning when to answer, from questions with marks; the command, and other questions for an evaluation."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from search import abstention
from search.abstention import Features
from search.calibration import (
    Case,
    TooFewQuestions,
    as_lines,
    best_threshold,
    fitted,
    probability,
    regression,
)
from search.management.commands import calibrate
from search.models import Calibration
from search.scores import refusal_scores, risk_coverage
from tests.search.examples import HERONS, TRAMS

QUESTIONS: list[dict[str, Any]] = [
    {"question": "Who founded the observatory at Lake Ormund?", "relevant": [{"document": "herons.txt"}]},
    {"question": "When did the tram network of Velmora open?", "relevant": [{"document": "trams.txt"}]},
    {"question": "What is the capital of Zorbonia?", "relevant": [], "answerable": False},
]


def cases(able: Sequence[float], unable: Sequence[float]) -> list[Case]:
    """Told apart by nothing but how near the sentence is."""
    made = [(near, True) for near in able] + [(near, False) for near in unable]
    return [Case(Features(near, 0.5, 0.5, 1.0), answerable) for near, answerable in made]


def spread(low: float, high: float, count: int = 40) -> list[float]:
    return list(np.linspace(low, high, count))


#: The default answers all of the first, and the right ones of the second.
BOTH_NEAR = cases(spread(0.85, 1.0), spread(0.55, 0.75))
FAR_APART = cases(spread(0.9, 1.0), spread(0.0, 0.1))


# --- Learning


def test_the_regression_tells_both_kinds_apart() -> None:
    found = fitted(BOTH_NEAR)
    assert found.before["refusal_f1"] == 0
    assert found.after["refusal_f1"] == 1
    assert found.parameters.weights.similarity > 0
    assert found.questions == len(BOTH_NEAR)
    assert 0 < found.parameters.threshold < 1
    told = [
        abstention.logistic(each.features, found.parameters) >= found.parameters.threshold
        for each in BOTH_NEAR
        if each.features
    ]
    assert told == [each.answerable for each in BOTH_NEAR]


def test_both_kinds_weigh_alike_however_many_there_are() -> None:
    """Where nothing tells them apart, the chance is one half and not the share of the larger one."""
    rows, able = np.zeros((100, 1)), np.array([True] * 90 + [False] * 10)
    assert probability(rows, regression(rows, able)) == pytest.approx(0.5, abs=1e-6)


def test_a_feature_that_never_varies_gets_no_weight() -> None:
    rows = np.c_[[0.0, 1.0] * 30, [0.0] * 60]
    found = regression(rows, np.array([False, True] * 30))
    assert found[0] > 1
    assert found[1] == 0


def test_the_threshold_is_the_middle_of_the_best() -> None:
    able = np.array([False, False, True, True])
    assert best_threshold(np.array([0.1, 0.3, 0.7, 0.9]), able) == pytest.approx(0.5, abs=0.011)
    assert best_threshold(np.array([0.6, 0.62, 0.7, 0.9]), able) == pytest.approx(0.66, abs=0.011)


@pytest.mark.parametrize(
    "few", [[], cases(spread(0, 1), [0.1] * 19), cases([0.9] * 19, spread(0, 1)), [Case(None, True)] * 99]
)
def test_too_few_of_either_kind_teach_nothing(few: list[Case]) -> None:
    with pytest.raises(TooFewQuestions, match="At least 20"):
        fitted(few)


def test_questions_for_which_nothing_was_found_are_left_out() -> None:
    nothing = [Case(None, answerable=False)] * 5
    assert fitted([*BOTH_NEAR, *nothing]).parameters == fitted(BOTH_NEAR).parameters
    assert fitted([*BOTH_NEAR, *nothing]).questions == 85


def test_people_are_told_weights_and_scores() -> None:
    lines = as_lines(fitted(BOTH_NEAR))
    assert lines[0].split() == ["questions", "80"]
    assert "refusal_f1          0.000 → 1.000" in lines


# --- Scores


def test_a_refusal_is_right_where_there_is_no_answer() -> None:
    refused, answerable = [True, True, True, False, False], [False, False, True, False, True]
    assert refusal_scores(refused, answerable) == {
        "refusal_precision": 0.6667,
        "refusal_recall": 0.6667,
        "refusal_f1": 0.6667,
    }
    assert refusal_scores([False], [False]) == {
        "refusal_precision": None,
        "refusal_recall": 0.0,
        "refusal_f1": 0.0,
    }
    assert refusal_scores([], [])["refusal_recall"] is None


def test_the_curve_answers_the_most_confident_first() -> None:
    points = risk_coverage([0.2, 0.9, 0.5, 0.7], [False, True, False, True])
    assert points == [(0.25, 0.0), (0.5, 0.0), (0.75, 0.3333), (1.0, 0.5)]
    assert risk_coverage([], []) == []


# --- The commands


def ran(*command: Any) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def with_cases(monkeypatch: pytest.MonkeyPatch, made: list[Case]) -> None:
    monkeypatch.setattr(calibrate, "cases_of", lambda *args: made)


@pytest.mark.django_db
def test_what_was_learned_is_kept_and_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cases(monkeypatch, BOTH_NEAR)
    assert "kept: it decides" in ran("calibrate", tmp_path)
    kept = Calibration.objects.get()
    assert (kept.questions, kept.origin) == (80, tmp_path.name)
    assert (kept.before["refusal_f1"], kept.after["refusal_f1"]) == (0, 1)
    assert abstention.parameters() == fitted(BOTH_NEAR).parameters


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("made", "options", "kept"),
    [
        (BOTH_NEAR, ["--dry-run"], False),
        (FAR_APART, [], False),
        (FAR_APART, ["--force"], True),
        (FAR_APART, ["--force", "--dry-run"], False),
    ],
)
def test_what_is_no_better_is_not_kept_nor_a_dry_run(
    made: list[Case], options: list[str], kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cases(monkeypatch, made)
    assert json.loads(ran("calibrate", tmp_path, "--json", *options))["kept"] is kept
    assert Calibration.objects.exists() is kept
    assert ("no better" in ran("calibrate", tmp_path, "--dry-run")) is (made is FAR_APART)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents, two questions about them, one about neither."""
    corpus = tmp_path / "small" / "corpus"
    corpus.mkdir(parents=True)
    for name, text in (("herons", HERONS), ("trams", TRAMS)):
        (corpus / f"{name}.txt").write_text(text)
    return written(tmp_path / "small" / "questions.jsonl", QUESTIONS).parent


def written(path: Path, questions: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(question) for question in questions))
    return path


@pytest.mark.django_db(transaction=True)
def test_a_folder_teaches_with_twins_that_lack_their_documents(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = written(tmp_path / "near.jsonl", [{"question": "Who founded Brackwell?", "answerable": False}])
    seen: list[Case] = []
    monkeypatch.setattr(calibrate, "fitted", lambda made: (seen.extend(made), fitted(FAR_APART))[1])
    ran("calibrate", folder, "--questions", further, "--json", "--dry-run")
    assert [each.answerable for each in seen] == [True, False, True, False, False, False]
    for whole, twin in (seen[:2], seen[2:4]):
        assert whole.features
        assert twin.features is None  # what it names is in no other document
    evaluated = json.loads(ran("evaluate", folder, "--json", "--questions", further))
    assert (evaluated["questions"], evaluated["answers"]["abstained"]) == (1, 1)
    assert evaluated["answers"]["refusal_recall"] == 1
    assert evaluated["answers"]["risk_coverage"] == [[1.0, 1.0]]


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_learned_from_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="At least 20 questions with an answer and 20 without"):
        ran("calibrate", folder)
    for command in ("calibrate", "evaluate"):
        with pytest.raises(CommandError, match=r"There is no .*none\.jsonl"):
            ran(command, folder, "--questions", tmp_path / "none.jsonl")
    assert not Calibration.objects.exists()
