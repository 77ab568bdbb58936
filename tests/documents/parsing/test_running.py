from __future__ import annotations

from pathlib import Path

import pytest

from documents.parsing.pdf.glyphs import Fragment
from documents.parsing.pdf.running import without_running_lines
from tests.documents.parsing.pdf_factory import Run, make_pdf_of_runs
from tests.documents.parsing.test_pdf import parsed

HEIGHT = 800.0


def line(text: str, top: float) -> Fragment:
    return Fragment(text, (60, top, 60 + 5 * len(text), top + 12), 11)


def body(page: int, lines: int = 3) -> list[Fragment]:
    return [line(f"Body {page} {'abc'[n]} of words", 200 + 20 * n) for n in range(lines)]


def kept(pages: list[list[Fragment]]) -> list[list[str]]:
    result = without_running_lines(pages, [HEIGHT] * len(pages))
    return [[fragment.text for fragment in page] for page in result]


def texts(page: list[Fragment]) -> list[str]:
    return [fragment.text for fragment in page]


def test_a_header_is_dropped_but_for_the_first_page_that_shows_it() -> None:
    pages = [[line("Annual report", 30), *body(n)] for n in range(6)]
    assert kept(pages) == [texts(pages[0]), *(texts(page[1:]) for page in pages[1:])]


def test_left_and_right_pages_may_have_headers_of_their_own() -> None:
    pages = [[line("The company" if n % 2 else "The chapter", 30), *body(n)] for n in range(10)]
    assert [len(page) for page in kept(pages)] == [4, 4, *[3] * 8]


@pytest.mark.parametrize(
    "pattern", ["{}", "- {} -", "– {} –", "Page {} of 80", "F-{}", "{} / 80", "Seite {}"]
)
def test_numbers_that_count_pages_are_dropped_wherever_the_text_ends(pattern: str) -> None:
    pages = [[*body(n, 1 + n % 3), line(pattern.format(n + 7), 300 + 40 * n)] for n in range(6)]
    assert kept(pages) == [texts(page[:-1]) for page in pages]


def test_roman_numbers_count_pages_too() -> None:
    numerals = ["iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]
    pages = [[*body(n), line(numeral, 770)] for n, numeral in enumerate(numerals)]
    assert kept(pages) == [texts(page[:-1]) for page in pages]


def test_a_header_that_holds_the_page_number_is_dropped_though_its_words_change() -> None:
    pages = [[line(f"{n + 1}  Section {'abcdefgh'[n // 2]}", 30), *body(n)] for n in range(8)]
    assert kept(pages) == [texts(page[1:]) for page in pages]


def test_a_sentence_that_ends_with_the_page_number_stays() -> None:
    pages = [[*body(n), line(f"in the year {'xyzuvw'[n]}", 750), line(str(n + 1), 780)] for n in range(6)]
    pages[4][3] = line("as of December 5", 750)
    assert kept(pages)[4][-1] == "as of December 5"


def test_lines_in_the_middle_of_a_page_stay_however_often_they_come() -> None:
    pages = [
        [*body(n), line("See the notes.", 400), *[line(f"more {n} {k}", 420 + 20 * k) for k in range(4)]]
        for n in range(8)
    ]
    assert kept(pages) == [texts(page) for page in pages]


@pytest.mark.parametrize("head", ["(in millions)", "Year ended December 31,", "Sales  Costs  Profit"])
def test_what_heads_a_table_on_every_page_stays(head: str) -> None:
    pages = [[line(head, 30), *body(n)] for n in range(8)]
    assert kept(pages) == [texts(page) for page in pages]


def test_titles_that_differ_by_their_number_stay() -> None:
    pages = [[line(f"Exhibit 31.{n * n}", 30), *body(n)] for n in range(8)]
    assert kept(pages) == [texts(page) for page in pages]


def test_a_page_never_loses_its_only_text() -> None:
    pages = [[line("Confidential", 30)] for _ in range(6)]
    assert kept(pages) == [["Confidential"]] * 6


def test_short_documents_keep_everything() -> None:
    pages = [[line("Annual report", 30), *body(n), line(str(n + 1), 770)] for n in range(3)]
    assert kept(pages) == [texts(page) for page in pages]


def test_a_sentence_over_two_pages_is_no_longer_torn_by_footers(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five"]
    pages = [
        [
            Run("The Company 2024", 60, 40),
            Run(f"This is page {word}, and it ends here", 60, 300),
            Run(f"{n}", 300, 770),
        ]
        for n, word in enumerate(words, start=1)
    ]
    found = [page.text for page in parsed(tmp_path, make_pdf_of_runs(pages)).pages]
    assert found[1:] == [f"This is page {word}, and it ends here" for word in words[1:]]
    assert found[0] == "The Company 2024\nThis is page one, and it ends here"
