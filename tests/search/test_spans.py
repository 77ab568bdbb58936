"""The exact answer within a sentence, or none."""

from __future__ import annotations

import pytest

from search.generation.spans import answer_span

FOUNDED = "Anders Lindqvist founded the observatory in 1923."
DOME = "The dome turns once in 6 minutes and weighs 41 tonnes."
FERRY = "The ferry covers 14 km in 35 minutes at 13 knots and costs 4.80 €."
OVEN = "Rolls of 80 g stay in the oven, which is 3.2 m wide, for 25 minutes at 230 °C."
OPENED = "The tram network of Velmora opened on 4 May 1904 with eleven carriages."


@pytest.mark.parametrize(
    ("question", "sentence", "exact"),
    [
        ("Who founded the observatory?", FOUNDED, "Anders Lindqvist"),
        ("When was the observatory founded?", FOUNDED, "1923"),
        ("When did the tram network open?", OPENED, "4 May 1904"),
        ("In what year did the tram network open?", OPENED, "1904"),
        ("How many carriages did it have?", OPENED, "eleven"),
        ("Where did the tram network open?", OPENED, "Velmora"),
        ("How many people live in Velmora?", "In 1904 Velmora had 12 trams and 34,500 people.", "34,500"),
        ("How many points did Denver score?", "Denver scored 24 points in 3 games.", "24"),
        ("What percentage of the herons returned?", "Of 214 herons 45 % returned.", "45 %"),
        ("How much did it cost?", "The depot of 1904 has 11 tracks and cost $3.2 million.", "$3.2 million"),
        ("What is the capacity of P-101?", "Pump P-101 has a capacity of 45 m³/h.", "45 m³/h"),
        ("How heavy is the dome?", DOME, "41 tonnes"),
        ("How much does the dome weigh?", DOME, "41 tonnes"),
        ("How long does the dome take to turn?", DOME, "6 minutes"),
        ("How fast is the ferry?", FERRY, "13 knots"),
        ("How far does the ferry go?", FERRY, "14 km"),
        ("How much is the price of the ferry?", FERRY, "4.80 €"),
        ("How hot is the oven?", OVEN, "230 °C"),
        ("How wide is the oven?", OVEN, "3.2 m"),
        ("What is the weight of a roll?", OVEN, "80 g"),
        ("How long does a roll stay in the oven?", OVEN, "25 minutes"),
        ("How old is the bridge?", "The bridge of 240 metres is 90 years old.", "90 years"),
        ("How tall is the tower?", "With its 214 steps the tower has 62 Meter.", "62 Meter"),
        ("Who worked with Anders Lindqvist?", "Anders Lindqvist worked with Mara Holt.", "Mara Holt"),
    ],
)
def test_the_asked_thing_is_marked(question: str, sentence: str, exact: str) -> None:
    span = answer_span(question, sentence)
    assert span
    assert sentence[slice(*span)] == exact


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Why did Anders Lindqvist found the observatory?", FOUNDED),
        ("How did the tram network open?", OPENED),
        ("How many pumps are there?", "The pumps run at night."),
        ("Who is Anders Lindqvist?", "Anders Lindqvist founded the observatory."),
        ("What happened in the year 1923?", "In 1923 nothing happened."),
    ],
)
def test_nothing_is_marked_where_no_thing_is_asked_or_told(question: str, sentence: str) -> None:
    assert answer_span(question, sentence) is None
