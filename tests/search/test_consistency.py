"""What a sentence says differently from its source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.support.consistency import inconsistent
from search.types import Doubt
from tests.search.examples import a_hit

PUMP = (
    "Pump P-101 has a capacity of 45 m³/h. Its motor draws 11 kW and must not run dry. "
    "Holt serviced it twice."
)
DATES = (
    "Requests are submitted before 31 March. Offices close at 5 pm on Friday. It was signed on 2018-05-02."
)


def doubts(text: str, quoted: str = PUMP, around: str = "") -> list[tuple[str, str]]:
    found = inconsistent(text, quoted, a_hit(around or quoted, title="Handbook"))
    return [(doubt.kind, doubt.text) for doubt in found]


@pytest.mark.parametrize(
    ("text", "quoted", "doubt"),
    [
        ("The capacity is 54 m³/h.", PUMP, ("number", "54")),
        ("It was serviced three times.", PUMP, ("number", "3")),
        ("The capacity is 45 l/h.", PUMP, ("unit", "45 l/h")),
        ("The motor draws 11 W.", PUMP, ("unit", "11 W")),
        ("The pump was serviced by Lindqvist.", PUMP, ("name", "Lindqvist")),
        ("Pump X has a capacity of 45 m³/h at P-X.", PUMP, ("name", "P-X")),
        ("Requests are submitted before 31 April.", DATES, ("name", "April")),
        ("Offices close at 5 pm on Monday.", DATES, ("name", "Monday")),
        ("The motor may run dry.", PUMP, ("negation", "")),
        ("The pump does not have a motor.", "The pump has a motor.", ("negation", "")),
        ("Herons fish at dawn.", "Herons fish at dusk, not at dawn.", ("negation", "")),
        (
            "Requests are submitted after 31 March.",
            "Requests are submitted before 31 March.",
            ("opposite", "after"),
        ),
        ("Revenue fell.", "Revenue rose.", ("opposite", "fell")),
        ("Dogs are forbidden.", "Dogs are allowed.", ("opposite", "forbidden")),
    ],
)
def test_every_kind_of_doubt(text: str, quoted: str, doubt: tuple[str, str]) -> None:
    assert doubts(text, quoted) == [doubt]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("P101 was serviced by Mr Holt two times.", PUMP),
        ("The motor of the pump has a power of 11 kW.", PUMP),
        ("It is forbidden; never run the motor dry.", PUMP.split(". ")[1]),
        ("One of the pumps has a capacity of 45 m³/h.", PUMP),
        ("Requests must be submitted by March 31.", DATES),
        ("It was signed on 2 May 2018.", DATES),
        ("Revenue rose by 12% in FY2018.", "In 2018 revenue increased by 12 percent."),
        ("25 seats are left.", "Twenty-five seats are left."),
        ("It carries 1200 people.", "It carries 1,200 people."),
        ("It is not unheard of that it never rains.", "It rains."),
        ("Costs fell while revenue rose.", "Revenue rose and costs fell."),
    ],
)
def test_other_words_for_the_same_raise_no_doubt(text: str, quoted: str) -> None:
    assert doubts(text, quoted) == []


def test_numbers_and_names_may_stand_elsewhere_in_the_passage_or_its_headings() -> None:
    hit = replace(a_hit("It has a capacity of 45 m³/h.", title="Pump P-101"), heading=("Hall 3",))
    assert inconsistent("Pump P-101 in Hall 3 has a capacity of 45 m³/h.", hit.text, hit) == ()
    wrong = inconsistent("Pump P-102 in Hall 3 has a capacity of 45 m³/h.", hit.text, hit)
    assert wrong == (Doubt("number", "102"), Doubt("name", "P-102"))
