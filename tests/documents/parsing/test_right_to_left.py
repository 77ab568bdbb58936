from __future__ import annotations

import pytest

from documents.parsing.pdf.right_to_left import in_reading_order

HELLO = "مرحبا"


@pytest.mark.parametrize(
    ("text", "lefts"),
    [
        (HELLO[::-1], [10, 20, 30, 40, 50]),  # given as the eye sees it from left to right
        (HELLO, [50, 40, 30, 20, 10]),  # already in order
        (HELLO[::-1], [10, 10, 10, 10, 10]),  # one glyph stands for all
    ],
)
def test_letters_are_read_from_right_to_left(text: str, lefts: list[float]) -> None:
    assert in_reading_order(text, lambda index: lefts[index]) == HELLO


def test_a_ligature_within_a_word_is_turned_alone() -> None:
    lefts = [50, 40, 40, 20]  # the second and third letter are one glyph
    assert in_reading_order("سالم", lambda index: lefts[index]) == "سلام"


def test_other_scripts_are_not_even_looked_at() -> None:
    def never(index: int) -> float:
        raise AssertionError

    assert in_reading_order("Hello 2024, ж 中", never) == "Hello 2024, ж 中"


def test_positions_stay_as_they_are() -> None:
    text = f"a {HELLO[::-1]}، b"
    lefts = dict(zip(range(2, 8), [20, 30, 40, 50, 60, 10], strict=True))
    assert in_reading_order(text, lambda index: lefts[index]) == f"a {HELLO}، b"
