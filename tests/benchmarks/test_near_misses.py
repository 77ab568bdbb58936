"""Near-misses: one name or number exchanged for what the documents do not tell of."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from benchmarks import near_misses
from benchmarks.near_misses import (
    MADE_UP,
    Swap,
    name_swapped,
    names_in,
    number_swapped,
    others,
    text_of,
    written,
)
from search.questions import Question, parsed
from search.words import stems
from tests.search.examples import HERONS, TRAMS

FOUNDED = Question("Who founded the observatory at Lake Ormund?", (("herons.txt", 1),))
PAIRS = Question("How many pairs did Lindqvist count in 1987?", (("herons.txt", 1),))
OPENED = Question("When did the trams of Velmora open?", (("trams.txt", None),))
LINE = Question("Where does Line 7 run?", (("trams.txt", None),))
NONE = Question("What is the capital of Zorbonia?", (), answerable=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "small" / "corpus"
    corpus.mkdir(parents=True)
    (corpus / "herons.txt").write_text(HERONS)
    (corpus / "trams.txt").write_text(TRAMS)
    lines = [
        json.dumps(
            {
                "question": each.text,
                "relevant": [{"document": name} for name in each.documents],
                "answerable": each.answerable,
            }
        )
        for each in (FOUNDED, PAIRS, OPENED, LINE, NONE)
    ]
    (tmp_path / "small" / "questions.jsonl").write_text("\n".join(lines))
    return tmp_path / "small"


def numbers() -> random.Random:
    return random.Random(1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (FOUNDED.text, ["Lake Ormund"]),
        ("Velmora opened what in 1904?", []),
        ("What did the Grey Heron Observatory Society found?", []),
        ("Which did Anders Lindqvist and Mara Holt count?", ["Anders Lindqvist", "Mara Holt"]),
    ],
)
def test_names_stand_behind_the_first_word_and_are_short(text: str, names: list[str]) -> None:
    assert names_in(text) == names


def test_a_name_gives_way_to_one_of_other_documents(folder: Path) -> None:
    known = [("Velmora", OPENED), ("Lindqvist", PAIRS), ("Lake Ormund", FOUNDED)]
    assert others(FOUNDED, known) == ["Velmora"]
    swap = name_swapped(FOUNDED, ["Velmora"], text_of(folder, FOUNDED), numbers(), "name")
    assert swap == Swap("Who founded the observatory at Velmora?", "Lake Ormund", "Velmora", "name")


def test_what_the_own_documents_mention_is_never_put_in(folder: Path) -> None:
    held = text_of(folder, FOUNDED)
    assert "Lindqvist" in held
    assert name_swapped(FOUNDED, ["Lindqvist", "Anders Holt"], held, numbers(), "name") is None
    assert name_swapped(Question("who is it?", ()), MADE_UP, held, numbers(), "made-up") is None


@pytest.mark.parametrize(
    ("text", "old", "least", "most"),
    [
        ("How many left in 1987?", "1987", 1972, 2002),
        ("How many left in FY2018?", "2018", 2003, 2033),
        ("Did 214 pairs breed?", "214", 107, 321),
        ("Did 12 pairs of 2012 breed?", "12", 10, 21),
    ],
)
def test_a_number_gives_way_to_one_that_is_near(text: str, old: str, least: int, most: int) -> None:
    swap = number_swapped(Question(text, ()), text, numbers())
    assert swap
    assert (swap.old, len(swap.new)) == (old, len(old))
    assert least <= int(swap.new) <= most
    assert swap.new != old
    assert swap.question == text.replace(f"{old} ", f"{swap.new} ", 1).replace(f"{old}?", f"{swap.new}?", 1)


@pytest.mark.parametrize("text", ["Where does Line 7 run?", "Is it 3.14 or 1,200?", "Who?"])
def test_digits_alone_and_parts_of_numbers_are_left(text: str) -> None:
    assert number_swapped(Question(text, ()), text, numbers()) is None


def test_a_number_that_the_documents_hold_is_not_put_in() -> None:
    held = " ".join(map(str, range(1000, 2100)))
    assert number_swapped(PAIRS, held, numbers()) is None


def test_none_of_the_questions_has_an_answer_and_none_comes_twice(folder: Path) -> None:
    swaps = near_misses.near_misses(folder, 10, seed=3)
    assert 3 <= len(swaps) <= 4
    assert len({swap.question for swap in swaps}) == len(swaps)
    own = {each.text: text_of(folder, each) for each in (FOUNDED, PAIRS, OPENED, LINE)}
    for swap in swaps:
        (held,) = (text for asked, text in own.items() if swap.question.replace(swap.new, swap.old) == asked)
        assert not stems(swap.new) & stems(held)
        assert swap.kind in {"name", "made-up", "number"}
    assert near_misses.near_misses(folder, 10, seed=3) == swaps
    assert len(near_misses.near_misses(folder, 2, seed=3)) == 2


def test_the_file_is_one_that_evaluate_reads(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["near_misses", str(folder), "--out", str(tmp_path / "out"), "--count", "2"]
    monkeypatch.setattr(sys, "argv", given)
    near_misses.main()
    assert capsys.readouterr().out == "small: 2 near-misses\n"
    read = parsed((tmp_path / "out" / "small" / "near-misses.jsonl").read_bytes())
    assert [each.id for each in read] == ["near-1", "near-2"]
    assert not any(each.answerable or each.relevant for each in read)


def test_what_was_exchanged_is_kept_with_the_question(tmp_path: Path) -> None:
    written([Swap("Wer gründete Pelmatec?", "Ormund", "Pelmatec", "made-up")], tmp_path / "a" / "b.jsonl")
    line = json.loads((tmp_path / "a" / "b.jsonl").read_text())
    assert (line["old"], line["new"], line["kind"]) == ("Ormund", "Pelmatec", "made-up")
    assert line["question"] == "Wer gründete Pelmatec?"
