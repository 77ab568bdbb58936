"""Finding words in one document, and the stretches of a page's text."""

from __future__ import annotations

from typing import cast

import pytest

from documents.finding import MOST_SHOWN, Finding, find
from documents.line_boxes import boxes_between
from documents.models import Chunk
from documents.reading import blocks
from documents.stretches import Run, Stretch, stretches


def chunk(pk: int, start: int, end: int) -> Chunk:
    return Chunk(pk=pk, start=start, end=end)


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("boiler", "The Boiler and the BOILERS", ["Boiler", "BOILER"]),
        ("cafe", "Das Café, le cafe\u0301", ["Café", "cafe\u0301"]),
        ("strasse", "Die Straße", ["Straße"]),
        ("two  words", "two\nwords, two words", ["two\nwords", "two words"]),
        ("a.c", "abc a.c", ["a.c"]),
        ("naive", "na\u00adï\u00adve", ["na\u00adï\u00adve"]),
        ("東京", "東京都の", ["東京"]),
        ("ﬁre", "ﬁre fire", ["ﬁre", "fire"]),
    ],
)
def test_words_are_found_whatever_their_case_and_accents(words: str, text: str, found: list[str]) -> None:
    finding = find(words, [(1, text)])
    assert [text[start:end] for start, end in finding.spans(text)] == found
    assert finding.counts == {1: len(found)}


@pytest.mark.parametrize("words", ["", "  ", "\u0301", "\u200b\u00ad"])
def test_nothing_is_looked_for_by_nothing(words: str) -> None:
    assert find(words, [(1, "Text.")]).counts == {}


def test_words_that_stand_nowhere_together_are_found_apart() -> None:
    pages = [(1, "The red boat"), (2, "a blue boat"), (3, "nothing")]
    assert find("blue boat", pages).counts == {2: 1}
    finding = find("boat red", pages)
    assert (finding.apart, finding.counts) == (True, {1: 2, 2: 1})
    assert find("boat green", [(3, "nothing")]).apart is False


def test_places_follow_each_other_round_the_document() -> None:
    finding = Finding("x", {2: 2, 5: 1})
    assert [finding.after(*each) for each in ((1, None), (2, 1), (2, 2), (3, None), (5, 1))] == [
        (2, 1),
        (2, 2),
        (5, 1),
        (5, 1),
        (2, 1),
    ]
    assert [finding.before(*each) for each in ((1, None), (2, 1), (2, 2), (5, 1))] == [
        (5, 1),
        (5, 1),
        (2, 1),
        (2, 2),
    ]
    assert (finding.total, finding.first_page, finding.position(5, 1)) == (3, 2, 3)
    assert (Finding("x").after(1, None), Finding("x").before(1, 1)) == (None, None)


def test_a_place_is_shown_with_what_stands_around_it() -> None:
    text = "word " * 40 + "needle" + " word" * 40
    (place,) = find("needle", [(7, text)]).places
    shown = "".join(piece.text for piece in place.pieces)
    assert (shown[:2], shown[-1], place.page, place.number) == ("… ", "…", 7, 1)
    assert [piece.text for piece in place.pieces if piece.marked] == ["needle"]
    assert len(shown) < 140


def test_only_so_many_places_are_listed_but_all_are_counted() -> None:
    finding = find("a", [(number, "a " * 60) for number in range(1, 9)])
    assert (len(finding.places), finding.total) == (MOST_SHOWN, 480)
    assert [(page.number, page.count, len(page.places)) for page in finding.pages()][:3] == [
        (1, 60, 60),
        (2, 60, 40),
        (3, 60, 0),
    ]


# --- Stretches ----------------------------------------------------------------------------------


def test_text_belongs_to_its_passages_and_the_first_of_two() -> None:
    found = stretches("abcdefgh", [chunk(1, 1, 4), chunk(2, 3, 6)], None, None, [])
    assert found == [
        Stretch([Run("a")], None),
        Stretch([Run("bcd")], 1),
        Stretch([Run("ef")], 2),
        Stretch([Run("gh")], None),
    ]


def test_what_is_cited_is_one_stretch_whatever_it_touches() -> None:
    found = stretches("abcdefgh", [chunk(1, 0, 4), chunk(2, 4, 8)], (2, 6), 2, [(1, 3), (5, 6)])
    assert found == [
        Stretch([Run("a"), Run("b", found=1, begins=True)], 1),
        Stretch([Run("c", found=1), Run("de"), Run("f", found=2, begins=True)], 2, cited=True),
        Stretch([Run("gh")], 2),
    ]
    assert stretches("ab", [], (5, 9), None, []) == [Stretch([Run("ab")], None)]
    assert stretches("", [], (0, 9), None, []) == []


def test_lines_below_each_other_are_a_block_and_another_column_is_another() -> None:
    lines = [(10, 10, 50, 20), (10, 20, 55, 30), (60, 10, 90, 20), (60, 21, 95, 30)]
    assert list(blocks(lines)) == [(10, 10, 55, 30), (60, 10, 95, 30)]
    assert list(blocks([])) == []


def test_boxes_are_those_of_the_lines_touched() -> None:
    text, boxes = "one\n\ntwo\nthree", ["1", "2", "3"]
    assert boxes_between(text, boxes, 5, 7) == ["2"]
    assert boxes_between(text, boxes, 0, 10) == ["1", "2", "3"]
    assert boxes_between(text, boxes[:2], 5, 7) == ["1", "2"]
    assert cast(list[str], boxes_between(text, [], 0, 3)) == []
