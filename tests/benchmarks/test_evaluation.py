"""The evaluation table: stages compared question by question, told in Markdown; known-item questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User

from benchmarks import evaluation, proxy
from benchmarks.bare import BareText
from benchmarks.evaluation import (
    JudgedQuestion,
    between_marks,
    changed,
    compared,
    ranked_at,
    rankings_by_level,
)
from benchmarks.proxy import Passage, known_items
from benchmarks.stages import Place, Stage, places_of, stages
from documents.models import Collection, Document
from search.questions import Question
from tests.search.examples import BREAD, HERONS, TRAMS

HERE, THERE, AWAY = Place("a.pdf", 1, 11), Place("a.pdf", 2, 12), Place("b.pdf", 1, 13)


def a_stage(name: str, *places: Place, builds_on: str = "", leg: bool = False) -> Stage:
    return Stage(name, lambda question: list(places), builds_on, leg)


# --- Comparing


def test_each_level_counts_a_place_once() -> None:
    places = [THERE, HERE, Place("a.pdf", 2, 14), AWAY]
    assert ranked_at("document", places) == ["a.pdf", "b.pdf"]
    assert ranked_at("page", places) == [("a.pdf", 2), ("a.pdf", 1), ("b.pdf", 1)]
    assert ranked_at("passage", places) == [12, 11, 14, 13]


def test_a_question_is_asked_at_the_levels_that_it_names() -> None:
    asked = evaluation.judged(Question("Where?", (("a.pdf", 2), ("b.pdf", None))))
    assert asked is not None
    assert asked.relevant == {"document": {"a.pdf", "b.pdf"}, "page": {("a.pdf", 2)}}
    assert evaluation.judged(Question("Nowhere?", (), answerable=False)) is None


def test_stages_are_held_against_the_best_leg_and_what_they_build_on() -> None:
    legs = [a_stage("vector", AWAY, THERE, leg=True), a_stage("BM25", HERE, leg=True)]
    reranked = a_stage("reranked", AWAY, HERE, THERE, builds_on="fused")
    every = [*legs, a_stage("fused", THERE, AWAY), reranked]
    questions = [JudgedQuestion("Where?", {"page": frozenset({("a.pdf", 2)})})] * 40
    found = compared(rankings_by_level(every, questions)["page"], every)
    assert [stage["measures"]["mrr@10"]["mean"] for stage in found.values()] == [0.5, 0, 1, 0.3333]
    assert found["vector"]["measures"]["mrr@10"]["to_best_leg"] is None
    assert found["BM25"]["measures"]["mrr@10"]["to_best_leg"]["mean"] == -0.5
    fused, again = (found[name]["measures"]["mrr@10"] for name in ("fused", "reranked"))
    assert (fused["to_best_leg"]["leg"], fused["to_best_leg"]["mean"], fused["to_before"]) == (
        "vector",
        0.5,
        None,
    )
    assert again["to_before"]["stage"] == "fused"
    assert again["to_before"]["interval"] == pytest.approx((-0.6667, -0.6667), abs=1e-4)
    assert found["reranked"]["ranks"] == [3] * 40
    assert found["BM25"]["ranks"] == [0] * 40


def test_differences_are_paired() -> None:
    """Both differ much from question to question and little from each other: only pairs can show it."""
    other = [0.0, 0.9] * 100
    told = evaluation.difference([value + 0.1 for value in other], other)
    assert told["interval"] == pytest.approx((0.1, 0.1))


# --- Telling


def test_a_difference_is_marked_where_its_interval_leaves_zero_out() -> None:
    assert changed(None) == ""
    assert changed({"mean": 0.04, "interval": (0.01, 0.07)}) == "+.040 (+.010 … +.070) ▲"
    assert changed({"mean": -0.04, "interval": (-0.07, -0.01)}) == "−.040 (−.070 … −.010) ▼"
    assert changed({"mean": 0.01, "interval": (-0.02, 0.04)}) == "+.010 (−.020 … +.040)"


def test_the_table_has_a_line_for_each_stage() -> None:
    every = [a_stage("vector", HERE, leg=True), a_stage("fused", HERE)]
    questions = [JudgedQuestion("Where?", {"document": frozenset({"a.pdf"})})] * 3
    levels = {"document": compared(rankings_by_level(every, questions)["document"], every)}
    lines = evaluation.section({"name": "trams", "passages": 9, "levels": levels})
    assert lines[1] == "**trams**, by document: 3 questions, 9 passages"
    assert lines[3].startswith("| stage | recall@1 | recall@10 | MRR@10 |")
    assert lines[-1].startswith("| fused | 1.000 (1.000–1.000) |")
    assert len({line.count("|") for line in lines[3:]}) == 1


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"# Title\n{evaluation.BEGIN}\nold\n{evaluation.END}\nmore\n"
    assert between_marks(page, "new") == f"# Title\n{evaluation.BEGIN}\nnew\n{evaluation.END}\nmore\n"
    with pytest.raises(ValueError, match="figures: begin"):
        between_marks("# Title\n", "new")
    with pytest.raises(ValueError, match="one after the other"):
        between_marks(f"{evaluation.END}\n{evaluation.BEGIN}\n", "new")


# --- Known-item questions


def some_passages() -> list[Passage]:
    """Forty sections of two passages, each with a sentence of its own, and a line that all of them share."""
    shared = "This notice is printed below each of the sections of this manual."
    text = "Pump number {n} was moved to hall {n} because its former bearing ran hot in summer. " + shared
    return [
        Passage(n, ("manual.txt", f"Section {n // 2}"), text.format(n=("one", "two")[n % 2] * (n // 2 + 1)))
        for n in range(80)
    ]


def test_known_items_are_the_same_for_the_same_seed() -> None:
    passages = some_passages()
    first, again, other = (known_items(passages, 30, {}, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 30
    assert {item.kind for item in first} == set(proxy.KINDS)


def test_a_known_item_says_less_than_the_sentence_that_it_is_made_of() -> None:
    passages = {passage.pk: passage.text for passage in some_passages()}
    for item in known_items(some_passages(), 30, {}):
        words, sentence = item.text.split(), passages[item.passage].partition(".")[0].split()
        assert proxy.LEAST_LEFT <= len(words) < len(sentence)
        assert set(words) <= set(sentence)


def test_other_words_stand_for_those_of_the_passage() -> None:
    items = known_items(some_passages(), 60, {"pump": "compressor"})
    assert {item.kind for item in items if "compressor" in item.text} == {"other words"}
    assert not any("Pump" in item.text for item in items if item.kind == "other words")


def test_what_stands_everywhere_is_not_asked_for() -> None:
    assert not any("notice" in item.text for item in known_items(some_passages(), 80, {}))
    assert known_items([Passage(1, ("note.txt",), "Too short.")], 5, {}) == []
    assert known_items([Passage(1, ("t.txt",), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15")], 5, {}) == []
    assert known_items([], 5, {}) == []


def test_a_sentence_that_two_passages_hold_names_neither() -> None:
    sentence = "The heron colony at the northern lake counted many breeding pairs that year."
    both = [Passage(1, ("a",), sentence), Passage(2, ("a",), sentence)]
    assert known_items(both, 1, {}) == []
    assert [item.passage for item in known_items(both[:1], 1, {})] == [1]


def test_neighbours_are_near_in_meaning_and_other_words() -> None:
    vectors = np.array([[1, 0], [0.99, 0.1], [0.9, 0.4], [0, 1]], dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = proxy.neighbours(["drug", "drugs", "medicine", "harbour"], vectors)
    assert found == {"drug": "medicine", "drugs": "medicine", "medicine": "drugs"}


def test_the_vocabulary_is_of_words_by_how_many_passages_hold_them() -> None:
    passages = [Passage(1, (), "Herons fish, herons rest in 1987."), Passage(2, (), "herons e-mail")]
    assert proxy.vocabulary(passages) == ["herons", "fish", "rest"]


def test_descriptions_of_packages_are_a_corpus(tmp_path: Path) -> None:
    texts = dict(proxy.package_texts())
    assert any(name.startswith(("django", "Django")) for name in texts)
    assert all(len(text) >= proxy.LEAST_TEXT for text in texts.values())


# --- On documents that were indexed for real


@pytest.mark.django_db
def test_every_stage_finds_what_is_asked_for(
    collection: Collection, alice: User, make_document: Callable[..., Document]
) -> None:
    for title, text in {"Herons": HERONS, "Trams": TRAMS, "Bread": BREAD}.items():
        make_document(collection, text, title=title, filename=f"{title}.txt")
    every = stages(collection)
    assert [stage.name for stage in every if stage.leg] == ["vector + context", "BM25 + context"]
    assert {stage.builds_on for stage in every} <= {"", *(stage.name for stage in every)}
    for stage in every:
        assert stage.search("When did the tram network open?")[0].document == "Trams.txt", stage.name
    passages = evaluation.passages_of(collection)
    items = known_items(passages, 3, evaluation.meanings(passages))
    assert {item.passage for item in items} <= set(places_of(collection))
    found = rankings_by_level(every, [evaluation.known_item(item) for item in items])
    told = compared(found["passage"], every)
    assert all(stage["measures"]["recall@10"]["mean"] == 1 for stage in told.values())


@pytest.mark.django_db
def test_bare_legs_know_nothing_of_the_title(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    make_document(collection, HERONS, title="Zephyr", filename="herons.txt")
    make_document(collection, TRAMS, title="Trams", filename="trams.txt")
    bare = BareText(collection)
    assert bare.by_words("zephyr") == []
    (tram, *_) = bare.by_words("tram network")
    assert Place("trams.txt", 1, tram) == places_of(collection)[tram]
    assert bare.by_vector("When did the tram network open?")[0] == tram
    assert np.array_equal(BareText(collection)._vectors, bare._vectors), "they are kept"
