"""Words, stems and highlights."""

from __future__ import annotations

import pytest

from search.highlights import highlights
from search.words import clean, content_words, is_name, numbers, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [("plague", "plagues"), ("elected", "elections"), ("bake", "baking"), ("Lindqvist's", "lindqvist")],
)
def test_endings_do_not_matter(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_clean_gives_text_that_every_engine_takes() -> None:
    assert clean("a\x00b \ud800 c") == "a b c"
    assert len(clean("word " * 5000).split()) == 1000


def test_content_words_leave_stop_words_out_and_keep_order() -> None:
    assert content_words("What is the name of the Velmora tram, the tram?") == ["Velmora", "tram"]


def test_numbers_are_read_without_separators() -> None:
    assert numbers("In 1987, 1,234.5 of 2,000.") == {"1987", "1234.5", "2000"}


def test_names_are_capitalised_within_the_sentence() -> None:
    assert is_name("Velmora", first=False)
    assert not is_name("Trams", first=True)
    assert is_name("McKay", first=True)


def test_highlights_mark_other_forms_and_no_stop_words() -> None:
    text = "The trams of Velmora: a tram."
    assert [text[a:b] for a, b in highlights("the tram of Velmora", text)] == ["trams", "Velmora", "tram"]


@pytest.mark.parametrize("query", ["", "the of", "😀 !!", "\x00"])
def test_nothing_to_mark(query: str) -> None:
    assert highlights(query, "The trams of Velmora.") == ()
