"""What kind of thing a question asks for, and the things of a kind in a text."""

from __future__ import annotations

import pytest

from search.answer_kind import AnswerKind, kind_of, things


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Why did the depot burn down in 1904?", "text"),
        ("How did the depot burn down?", "text"),
        ("Describe the pump.", "text"),
        ("Explain how many pumps there are.", "text"),
        ("What does the sign mean?", "text"),
        ("How many carriages were there?", "number"),
        ("How much did it cost?", "number"),
        ("What is the capacity of pump P-103?", "number"),
        ("What was the total revenue of 3M in FY2018?", "number"),
        ("What percentage of the herons returned?", "number"),
        ("When was pump P-101 installed?", "date"),
        ("It closed, but when did it open?", "date"),
        ("In what year did the trams open?", "date"),
        ("Who founded the observatory?", "person"),
        ("Which president opened it?", "person"),
        ("Where is the colony?", "place"),
        ("On which island do they breed?", "place"),
        ("What is the name of the depot?", "name"),
        ("Who runs it when the pump stops?", "person"),
    ],
)
def test_the_kind_that_a_question_asks_for(question: str, kind: AnswerKind) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("number", "It pumps 45 m³/h at 6.5 bar and 1,200 rpm.", ["45 m³/h", "6.5 bar", "1,200 rpm"]),
        ("number", "Costs rose 12.5 % to $3.2 billion.", ["12.5 %", "$3.2 billion"]),
        ("number", "It has eleven carriages and twenty-five seats.", ["eleven", "twenty-five"]),
        ("number", "Between 10 and 20 of them left.", ["10 and 20"]),
        ("number", "It fell to -5 °C.", ["-5 °C"]),
        ("number", "P-101 has 3 valves.", ["3"]),
        ("date", "On 4 May 1904, and in March 1905.", ["4 May 1904", "March 1905"]),
        ("date", "From 2004-05-06 on, as in FY2018.", ["2004-05-06", "FY2018"]),
        ("date", "In the 19th century, not in 44 BC.", ["the 19th century", "44 BC"]),
        ("date", "It closes in May.", ["May"]),
        ("date", "It may march on, they say.", []),
        ("person", "The observatory of Anders Lindqvist stands.", ["Anders Lindqvist"]),
        ("place", "In Velmora the trams run to Lake Ormund.", ["Velmora", "Lake Ormund"]),
        ("name", "The University of Velmora opened.", ["University of Velmora"]),
        ("name", "They sang “the last heron” twice.", ["last heron"]),
        ("place", "They sang “the last heron” twice.", []),
        ("text", "Anders Lindqvist counted 214 in 1987.", []),
    ],
)
def test_the_things_that_a_text_holds(kind: AnswerKind, text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in things(text, kind)] == found
