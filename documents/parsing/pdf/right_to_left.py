"""Letters of right-to-left scripts put in the order in which they are read.

PDFium turns lines of such scripts around. That is wrong for letters that the file already gives in
reading order (those of an ``ActualText``, those of one glyph that stands for several letters), which
producers of Arabic text write all the time: where the letters stand on the page tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise

#: Letters and marks of Hebrew, Arabic and their neighbours, with their presentation forms; signs and
#: digits are none.
_RUN = re.compile(
    "[\u0591-\u05bd\u05bf-\u05c2\u05c4-\u05f4\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u08ff"
    "\ufb1d-\ufd3d\ufd50-\ufdfb\ufe70-\ufefc]{2,}"
)

#: Where a letter stands: its distance from the left of the page, in points.
LeftOf = Callable[[int], float]


def in_reading_order(text: str, left_of: LeftOf) -> str:
    """The text of a page, as long as before, with the runs mended whose letters run the wrong way."""
    parts: list[str] = []
    end = 0
    for run in _RUN.finditer(text):
        parts += (text[end : run.start()], "".join(_mended(run, left_of)))
        end = run.end()
    return "".join((*parts, text[end:])) if parts else text


def _mended(run: re.Match[str], left_of: LeftOf) -> Iterator[str]:
    lefts = [left_of(index) for index in range(run.start(), run.end())]
    rising = sum(after > before for before, after in pairwise(lefts))
    if rising > sum(after < before for before, after in pairwise(lefts)):
        yield run[0][::-1]
        return
    for _, letters in groupby(zip(lefts, run[0], strict=True), key=lambda pair: pair[0]):
        yield "".join(letter for _, letter in letters)[::-1]  # one glyph's letters, turned around
