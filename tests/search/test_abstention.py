"""Whether to answer at all, what is said instead, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.exceptions import EmbeddingUnavailable
from documents.models import Collection, Document
from documents.services import document_delete, membership_remove
from search import abstention, answers, pipeline
from search.abstention import DEFAULT, Features, Parameters, confidence, logistic, refusal, said, unanswered
from search.generation import assessing
from search.generation.fake import FakeGenerator
from search.generation.scoring import assess
from search.models import Calibration
from search.types import Assessment, GenerationRequest, Outcome, Piece, Source
from tests.search.examples import TRAMS, a_source

FIRST = (
    "Pump P-101 feeds the boiler in hall 3. The capacity of pump P-101 is 45 cubic metres per hour. "
    "It was installed in 2004 by Holt."
)
SECOND = (
    "Pump P-102 feeds the cooling tower. The capacity of pump P-102 is 60 cubic metres per hour. "
    "It was installed in 2011 by Mara Lindqvist."
)
NEAR_MISS = "What is the capacity of pump P-103?"


class CountsItsCalls(FakeGenerator):
    """As remote as a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[GenerationRequest] = []

    def generate(self, request: GenerationRequest) -> Iterator[Piece]:
        self.asked.append(request)
        return super().generate(request)


@pytest.fixture
def pumps(collection: Collection, make_document: Callable[..., Document]) -> list[Document]:
    texts = (("Pump one", FIRST), ("Pump two", SECOND), ("Trams", TRAMS))
    return [make_document(collection, text, title=title) for title, text in texts]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> CountsItsCalls:
    generator = CountsItsCalls()
    monkeypatch.setattr(pipeline, "get_generator", lambda: generator)
    return generator


def answer(question: str, user: User) -> Outcome:
    return pipeline.answer(question=question, user=user)


# --- The decision, on real vectors


@pytest.mark.django_db
def test_a_near_miss_is_refused_and_says_what_is_missing(pumps: list[Document], alice: User) -> None:
    outcome = answer(NEAR_MISS, alice)
    assert outcome.abstained
    assert outcome.refusal
    assert (outcome.refusal.code, outcome.refusal.missing, outcome.refusal.apart) == (
        "missing",
        ("P-103",),
        (),
    )
    assert {hit.document_title for hit in outcome.refusal.closest[:2]} == {"Pump one", "Pump two"}
    assert len(outcome.refusal.closest) <= abstention.CLOSEST
    assert 0 <= outcome.settings["confidence"] < DEFAULT.threshold


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("question", "title", "exact"),
    [
        ("What is the capacity of pump P-101?", "Pump one", "45"),
        ("What is the capacity of pump P-102?", "Pump two", "60"),
        ("When was pump P-102 installed?", "Pump two", "2011"),
    ],
)
def test_each_pump_is_told_from_its_own_passage(
    pumps: list[Document], alice: User, question: str, title: str, exact: str
) -> None:
    outcome = answer(question, alice)
    assert outcome.refusal is None
    assert {evidence.hit.document_title for evidence in outcome.evidence} == {title}
    (sentence,) = outcome.sentences
    assert sentence.span
    assert exact in sentence.text[slice(*sentence.span)]
    assert outcome.settings["confidence"] >= DEFAULT.threshold


@pytest.mark.django_db
def test_a_name_that_only_others_mention_is_told(pumps: list[Document], alice: User) -> None:
    outcome = answer("When did Holt open the tram network?", alice)
    assert outcome.refusal
    assert (outcome.refusal.code, outcome.refusal.missing) == ("missing", ())
    assert outcome.refusal.apart == ("Holt",)


@pytest.mark.django_db
def test_nothing_found_is_told(pumps: list[Document], charlie: User) -> None:
    outcome = answer(NEAR_MISS, charlie)
    assert outcome.refusal
    assert (outcome.refusal.code, outcome.refusal.missing) == ("nothing", ("P-103",))
    assert outcome.refusal.closest == ()
    assert outcome.settings["confidence"] == 0


@pytest.mark.django_db
def test_without_an_engine_words_decide(
    pumps: list[Document], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: Any) -> None:
        raise EmbeddingUnavailable

    monkeypatch.setattr(assessing, "embed", unavailable)
    assert "45" in answer("What is the capacity of pump P-101?", alice).text
    for question in (NEAR_MISS, "Who won the chess olympiad?"):
        assert answer(question, alice).abstained


# --- Language models


@pytest.mark.django_db
def test_a_model_is_not_asked_about_what_no_source_mentions(
    pumps: list[Document], alice: User, model: CountsItsCalls
) -> None:
    outcome = answer(NEAR_MISS, alice)
    assert outcome.refusal
    assert outcome.refusal.missing == ("P-103",)
    assert model.asked == []


@pytest.mark.django_db
def test_a_model_is_asked_where_sentences_are_only_unsure(
    pumps: list[Document], alice: User, model: CountsItsCalls
) -> None:
    unsure = "Is it wise to keep old machinery going for another decade?"
    assert answer(unsure, alice).refusal is None
    assert len(model.asked) == 1
    assert model.asked[0].assessment.sentences
    assert refusal(assessing.assessed(unsure, model.asked[0].sources), model.asked[0].sources, DEFAULT)


# --- The rule


def assessment_of(question: str, *texts: str) -> tuple[Assessment, list[Source]]:
    sources = [a_source(n, text, chunk_id=n) for n, text in enumerate(texts, 1)]
    return assess(question, sources, None), sources


def test_each_of_the_features_pulls_its_way() -> None:
    by = Parameters(Features(similarity=1, coverage=1, passage=1, kind=1), -1.5, 0.5)
    assessment, _ = assessment_of("What is the capacity of pump P-101?", FIRST)
    near = replace(assessment, similarity=0.9)
    worse = (
        replace(near, similarity=0.4),
        replace(near, sentences=(replace(near.sentences[0], passage_coverage=0.0),)),
        replace(near, holds_kind=False),
    )
    assert all(confidence(each, by) < confidence(near, by) for each in worse)
    assert confidence(replace(near, missing=("P-103",)), by) == 0
    assert confidence(replace(near, apart=("Holt",)), by) == 0
    assert confidence(Assessment(()), by) == 0


TOWER = "Dr. Amelia Thornbury opened the observatory on 14 May 1987. It was a windy day."


@pytest.mark.parametrize(
    ("question", "text", "untold"),
    [
        ("How tall is Dr. Amelia Thornbury?", TOWER, True),
        (
            "What is the salary of the shift leader?",
            "Each shift has a shift leader and one technician.",
            True,
        ),
        ("How tall is Dr. Amelia Thornbury?", f"{TOWER} The mirror has 2.35 metres.", False),
        ("What is the salary of the shift leader?", "A shift leader is paid by the hour.", False),
        ("How tall is the tower?", "Der Turm hat eine Höhe von 62 Metern.", False),
        ("How long did the work take?", "The work went on until the spring.", False),
        ("How many steps has the tower?", "Dr. Thornbury opened the tower.", False),
        ("Why is the tower so tall?", "Dr. Thornbury opened the tower.", False),
    ],
)
def test_a_quantity_of_which_the_passage_says_nothing_is_refused(
    question: str, text: str, untold: bool
) -> None:
    """A height without a length, a salary without money; only where nothing else could tell it."""
    assessment, sources = assessment_of(question, text)
    assert assessment.untold == untold
    found = refusal(replace(assessment, similarity=1.0), sources, DEFAULT)
    assert (found.code if found else None) == ("unsure" if untold else None)


def test_the_closest_passages_are_those_of_the_best_sentences() -> None:
    assessment, sources = assessment_of(NEAR_MISS, TRAMS, SECOND, FIRST, TRAMS)
    found = refusal(assessment, sources, DEFAULT)
    assert found
    assert {hit.chunk_id for hit in found.closest[:2]} == {2, 3}
    assert len({hit.chunk_id for hit in found.closest}) == len(found.closest) == abstention.CLOSEST


def test_what_a_generator_could_not_say_is_refused_too() -> None:
    assessment, sources = assessment_of(NEAR_MISS, FIRST)
    assert unanswered(assessment, sources).code == "unsure"
    dropped = unanswered(assessment, sources, dropped=True)
    assert (dropped.code, [hit.chunk_id for hit in dropped.closest]) == ("unsupported", [1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("nothing",), "No passage was found that could answer it."),
        (("nothing", ("P-103",)), "No passage was found that could answer it."),
        (("missing", ("P-103",)), "No passage that was found mentions “P-103”."),
        (("missing", ("A1", "B2"), ("C",)), "No passage that was found mentions any of “A1”, “B2”."),
        (("missing", (), ("Velmora",)), "No passage that was found tells this of “Velmora”."),
        (("unsupported",), "What the language model wrote is not backed by any passage."),
        (("unsure",), "The passages that were found do not answer it."),
    ],
)
def test_every_refusal_in_words(given: tuple[Any, ...], sentence: str) -> None:
    assert said(*given) == sentence


# --- What was learned decides


@pytest.mark.django_db
def test_the_latest_calibration_decides(pumps: list[Document], alice: User) -> None:
    assert abstention.parameters() == DEFAULT
    strict = Parameters(DEFAULT.weights, -50.0, 0.5)
    Calibration.objects.create(parameters=DEFAULT.as_json(), questions=1)
    latest = Calibration.objects.create(parameters=strict.as_json(), questions=1)
    assert abstention.parameters() == strict
    assert answer("What is the capacity of pump P-101?", alice).refusal
    latest.delete()
    assert answer("What is the capacity of pump P-101?", alice).refusal is None


@pytest.mark.parametrize("given", [{}, {"weights": {}, "intercept": 0, "threshold": 0}, {"weights": 3}])
def test_what_are_no_parameters_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Parameters.from_json(given)
    assert Parameters.from_json(DEFAULT.as_json()) == DEFAULT


def test_confidence_stays_a_probability_whatever_the_weights() -> None:
    assert logistic(DEFAULT.weights, Parameters(DEFAULT.weights, 1e6, 0.5)) == pytest.approx(1)
    assert logistic(DEFAULT.weights, Parameters(DEFAULT.weights, -1e6, 0.5)) == pytest.approx(0)


# --- What the API shows


@pytest.fixture
def refused(pumps: list[Document], bob: User) -> str:
    """The address of an answer that bob was refused."""
    return f"/api/v1/answers/{answers.wait(answers.ask(user=bob, question=NEAR_MISS)).pk}/"


@pytest.mark.django_db(transaction=True)
def test_the_api_shows_why_and_what_came_nearest(
    refused: str, pumps: list[Document], bob: User, api: Callable[[User], APIClient]
) -> None:
    shown = api(bob).get(refused).json()
    assert (shown["abstained"], shown["answer"], shown["citations"]) == (True, "", [])
    told = shown["refusal"]
    assert told["code"] == "missing"
    assert told["sentence"] == "No passage that was found mentions “P-103”."
    assert told["missing"] == ["P-103"]
    nearest = told["closest"][0]
    assert nearest["document"]["title"] in {"Pump one", "Pump two"}
    page = Document.objects.get(pk=nearest["document"]["id"]).pages.get(number=nearest["page"]).text
    assert page[nearest["start"] : nearest["end"]] == nearest["text"]


@pytest.mark.django_db(transaction=True)
def test_closest_passages_that_are_gone_are_not_shown(
    refused: str, pumps: list[Document], bob: User, api: Callable[[User], APIClient]
) -> None:
    def titles() -> set[str]:
        told = api(bob).get(refused).json()["refusal"]
        return {each["document"]["title"] for each in told["closest"]}

    assert {"Pump one", "Pump two"} <= titles()
    document_delete(document=pumps[0], user=None)
    assert "Pump one" not in titles()
    assert "Pump two" in titles()
    membership_remove(collection=pumps[1].collection, user=bob)
    shown = api(bob).get(refused)
    assert SECOND[:20] not in shown.content.decode()
    assert not (shown.json().get("refusal") or {}).get("closest")
