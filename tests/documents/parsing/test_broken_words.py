from __future__ import annotations

import pytest

from documents.parsing.pdf.broken_words import mend_broken_words
from documents.parsing.pdf.glyphs import Fragment


def mended(text: str, *rest: str) -> str:
    page = [Fragment(line, (0, 0, 1, 1), 10) for line in (text, *rest)]
    mend_broken_words([page])
    return page[0].text


@pytest.mark.parametrize(
    ("text", "word", "result"),
    [
        ("this may af ect us", "affect", "this may affect us"),
        ("no suf icient funds.", "sufficient", "no sufficient funds."),
        ("the liabil ities, of t hese", "liabilities these", "the liabilities, of these"),
        ("a g overnment", "government", "a government"),
        ("Busines s.", "business", "Business."),
        ("an e ffect", "effect", "an effect"),
        ("the fi nancial data", "financial", "the financial data"),
    ],
)
def test_words_that_the_document_writes_whole_elsewhere(text: str, word: str, result: str) -> None:
    assert mended(text, *[f"the {word} of it"] * 5) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("as set forth", "asset the as"),
        ("a broad offer", "abroad a"),
        ("the loss of ice", "office of"),
        ("Regulation S applies", "regulations"),
        ("in come", "income in"),
        ("the Company’s hips", "ships the"),
        ("E. I. Du Pont", "DuPont"),
        ("some  thing", "something"),
        ("an af ect", "nothing known"),
        ("if you", "iffyou if"),
    ],
)
def test_words_that_may_stand_side_by_side_stay_apart(text: str, words: str) -> None:
    assert mended(text, *[f"{words} of it"] * 5) == text
