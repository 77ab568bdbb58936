"""Which sentences make an extractive answer, and what can be quoted at all."""

from __future__ import annotations

from typing import Any

import pytest

from search.generation.scoring import assess, spans
from search.generation.selecting import chosen
from search.types import Assessment, Quote, ScoredSentence, Source
from tests.search.examples import HERONS, TRAMS, a_source

PUMP = "Pump P-101 feeds the boiler in hall 3. It was installed in 2004. Its motor draws 11 kW."


def scored(source: Source, text: str, score: float) -> ScoredSentence:
    start = source.hit.text.index(text)
    return ScoredSentence(Quote(source.n, start, start + len(text)), text, score, score, 0.5, 0.5)


def read(question: str, sources: list[Source], *judged: tuple[int, str, float]) -> list[str]:
    sentences = [scored(sources[n - 1], text, score) for n, text, score in judged]
    return [each.text for each in chosen(question, Assessment(tuple(sentences)), sources)]


def by_words(question: str, *texts: str) -> list[str]:
    """The answer where no engine runs."""
    sources = [a_source(n, text, chunk_id=n) for n, text in enumerate(texts, 1)]
    return [each.text for each in chosen(question, assess(question, sources, None), sources)]


# --- Choosing

FIRST, SECOND = "Grey herons fish at dusk.", "Anders Lindqvist founded the observatory in 1923."


def test_no_sentence_no_answer() -> None:
    assert chosen("Who?", Assessment(()), []) == []


def test_one_sentence_that_says_it_is_enough() -> None:
    sources = [a_source(1)]
    assert read("Who founded the observatory?", sources, (1, SECOND, 0.8), (1, FIRST, 0.79)) == [SECOND]


def test_another_one_comes_along_that_says_more_of_what_was_asked() -> None:
    sources = [a_source(1)]
    asked = "When do herons fish, and who founded the observatory?"
    assert read(asked, sources, (1, SECOND, 0.8), (1, FIRST, 0.75)) == [FIRST, SECOND]
    assert read(asked, sources, (1, SECOND, 0.8), (1, FIRST, 0.5)) == [SECOND]


ISLANDS = (
    *("Herons bred on Arran.", "A storm reached Skye late.", "Mull lost its only tree."),
    *("Terns nest beside Iona’s abbey.", "Nobody counted birds at Jura."),
)


def test_who_asks_for_several_gets_several_and_at_most_four() -> None:
    judged = [(1, each, 0.8) for each in ISLANDS]
    sources = [a_source(1, " ".join(ISLANDS))]
    assert read("Where did herons breed?", sources, *judged) == [ISLANDS[0]]
    assert read("Which islands had herons?", sources, *judged) == list(ISLANDS[:4])


def test_what_is_said_already_is_not_said_again() -> None:
    again = "In 1923 Anders Lindqvist founded the observatory at Lake Ormund."
    sources = [a_source(1), a_source(2, again)]
    asked = "Which people founded the observatory at Lake Ormund?"
    assert read(asked, sources, (1, SECOND, 0.8), (2, again, 0.8)) == [SECOND]


def test_the_document_of_the_best_comes_first_and_each_in_its_own_order() -> None:
    sources = [a_source(1), a_source(2, TRAMS)]
    depot, line = "Its depot burned down twice.", "Line 7 still runs to the harbour."
    asked = "Describe the trams."
    judged = [(2, line, 0.8), (1, FIRST, 0.79), (2, depot, 0.78)]
    assert read(asked, sources, *judged) == [depot, line, FIRST]


# --- What can be quoted


@pytest.mark.parametrize(
    ("text", "quotable"),
    [
        ("No, never. That one is long enough.", ["That one is long enough."]),
        (
            "• The first item of it.\n• The second item of it.",
            ["The first item of it.", "The second item of it."],
        ),
        ("1. The pump is started.", ["The pump is started."]),
        (
            "Pump | Flow | Head\nP-101 | 45 m³/h | 30 m\nP-102 | 60 m³/h | 25 m",
            ["Pump | Flow | Head", "P-101 | 45 m³/h | 30 m", "P-102 | 60 m³/h | 25 m"],
        ),
        ("One sentence that goes\nover two lines.", ["One sentence that goes\nover two lines."]),
        (
            "Pump P-101 feeds a boiler. It was installed in 2004.",
            [
                "Pump P-101 feeds a boiler.",
                "It was installed in 2004.",
                "Pump P-101 feeds a boiler. It was installed in 2004.",
            ],
        ),
    ],
)
def test_what_can_be_quoted(text: str, quotable: list[str]) -> None:
    assert [text[start:end] for start, end in spans(text)] == quotable


def test_a_row_of_a_table_is_quoted_alone() -> None:
    table = "Pump | Flow | Head\nP-101 | 45 m³/h | 30 m\nP-102 | 60 m³/h | 25 m"
    assert by_words("What is the flow of pump P-102?", table) == ["P-102 | 60 m³/h | 25 m"]


def test_a_sentence_that_points_back_brings_the_one_it_points_to() -> None:
    (answer,) = by_words("When was pump P-101 installed?", PUMP)
    assert answer == "Pump P-101 feeds the boiler in hall 3. It was installed in 2004."


def test_the_passage_that_mentions_the_name_wins_over_its_twin() -> None:
    twins = [PUMP, PUMP.replace("P-101", "P-102").replace("2004", "2011")]
    for number, year in (("P-101", "2004"), ("P-102", "2011")):
        (answer,) = by_words(f"When was pump {number} installed?", *twins)
        assert number in answer
        assert year in answer


def test_what_nobody_mentions_and_what_only_others_mention_is_told() -> None:
    sources = [a_source(1, PUMP), a_source(2, HERONS)]

    def told(question: str) -> Any:
        found = assess(question, sources, None)
        return found.missing, found.apart

    assert told("What does the motor of P-103 draw?") == (("P-103",), ())
    assert told("When did Lindqvist install the motor of the boiler pump?") == ((), ("Lindqvist",))
    assert told("When was pump P-101 installed?") == ((), ())
    assert assess("What of P-103?", [], None).missing == ("P-103",)
