"""What a question names, and whether a text mentions it."""

from __future__ import annotations

import pytest

from search.mentions import demands, missing

PUMPS = "Pump P-101 stands in Hall 3. India and the United States signed in 2018; Anders Lindqvist was there."


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is the capacity of pump P-103?", ["P-103"]),
        ("What was 3M's revenue in FY2018?", ["3M's", "2018"]),
        ("What was the revenue in FY 2018?", ["2018"]),
        ("Who signed for India in 2018, and who in 2018?", ["India", "2018"]),
        ("What's Velmora's capital?", ["Velmora"]),
        ("What stands in Hall 4?", ["Hall", "4"]),
        ("When in January or on Monday did Which of them sign?", []),
        ("Compute it with 365 days, rounded to two decimal places.", []),
        ("What was the 3rd of the 20-year bonds?", []),
        ("How many of the 214 pairs left in the 19th century?", []),
    ],
)
def test_what_has_to_be_mentioned(question: str, named: list[str]) -> None:
    assert [demand.text for demand in demands(question)] == named


@pytest.mark.parametrize(
    ("question", "lacking"),
    [
        ("What is the capacity of P-101?", ()),
        ("What is the capacity of P101?", ()),
        ("What is the capacity of P-103?", ("P-103",)),
        ("What is the capacity of P-1011?", ("P-1011",)),
        ("What was signed in FY2018?", ()),
        ("What was signed in FY2017?", ("2017",)),
        ("What did the Indian side sign?", ()),
        ("What did Indonesia sign?", ("Indonesia",)),
        ("What did Lindquist sign?", ()),
        ("What did the U.S. sign?", ()),
        ("What did the US sign?", ()),
        ("What did the U.N. sign?", ("U.N.",)),
        ("What stands in Hall 3?", ()),
        ("What stands in Hall 4?", ("4",)),
    ],
)
def test_what_a_text_lacks(question: str, lacking: tuple[str, ...]) -> None:
    assert missing(demands(question), PUMPS) == lacking


def test_names_are_looked_for_in_the_forms_that_texts_use() -> None:
    assert missing(demands("What is the AAA?"), "The American Automobile Association repairs cars.") == ()
    assert missing(demands("What of Californian wine?"), "Wine from California is dry.") == ()
    assert missing(demands("What of the U.S.?"), "The US signed.") == ()
    assert missing(demands("Did the United States and Mara Holt sign?"), "The U.S. signed.") == (
        "Mara",
        "Holt",
    )
    assert missing(demands("Did the United States sign?"), "They let us sign.") == ("United", "States")
    assert missing(demands("Who counted the 1200 pairs, and how many kW were used?"), "1,200 pairs.") == ()
