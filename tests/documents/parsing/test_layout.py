from __future__ import annotations

import pytest

from documents.parsing.pdf.glyphs import Fragment
from documents.parsing.pdf.layout import join_hyphenated


def joined(lines: list[str]) -> list[str]:
    """Lines that end with ``~`` are those where PDFium saw a hyphen."""
    page = [Fragment(line.rstrip("~"), (0, 0, 1, 1), 10, hyphenated=line.endswith("~")) for line in lines]
    pages = [page]
    join_hyphenated(pages)
    return [fragment.text for fragment in pages[0]]


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (["a good exam~", "ple of it", "another example"], ["a good example", "of it", "another example"]),
        (["all non~", "GAAP figures", "the non-GAAP rest"], ["all non-GAAP", "figures", "the non-GAAP rest"]),
        (["pages 15~", "31 only"], ["pages 15-31", "only"]),
        (["held-for~", "sale"], ["held-for-sale"]),
        (["two~", "fold~", "ness"], ["twofoldness"]),
        (["ends here~"], ["ends here"]),
    ],
)
def test_words_torn_at_a_hyphen(lines: list[str], result: list[str]) -> None:
    assert joined(lines) == result
