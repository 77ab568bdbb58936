"""Text as PDFium finds it on one page: fragments of a line, with their boxes and their type face.

Asking PDFium about every character would cost most of the time, so only the first and the last
character of each word are asked for their boxes, and those of each fragment for their font.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2 as pdfium
from pypdfium2 import raw

from documents.invisible import HIDDEN, visible
from documents.parsing.pdf.right_to_left import in_reading_order
from documents.parsing.types import Box

#: PDFium puts U+FFFE where a hyphen ended a line, and goes on with the next line at once.
_FRAGMENT = re.compile("[^\r\n\ufffe\x02]+")
_WORD = re.compile(r"\S+")
_HAS_DIGIT = re.compile(r"\d")
_BOLD = re.compile(rb"bold|black|heavy|demi|CMBX|CMSSBX|SFBX", re.IGNORECASE)
_ITALIC = re.compile(rb"italic|oblique|CMTI|SFTI", re.IGNORECASE)
_FORCE_BOLD, _ITALIC_FLAG = 1 << 18, 1 << 6

#: A gap wider than this many line heights separates cells of a table, not words of a sentence.
CELL_GAP = 1.0
CELL_SEPARATOR = "  "
#: A gap of so many line heights parts cells where other rows have cells at the same places.
WIDE_BLANK = 0.5
#: A run of at least this many characters is prose; two of them side by side hint at columns.
PROSE_CHARACTERS = 30
#: Blanks of a line stretched to the width of its column are at least this many line heights wide.
STRETCHED = 0.4
#: Signs that stand apart from the number they belong to in financial tables.
_OPENING, _CLOSING = frozenset({"$", "€", "£", "¥", "(", "$(", "US$"}), frozenset({")", "%", ")%", "x"})


def _replacements() -> dict[int, str | None]:
    """Ligatures and presentation forms spelled out; what no reader and no database can use dropped."""
    forms = [*range(0xFB00, 0xFB07), *range(0xFB13, 0xFB18), *range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFF)]
    table: dict[int, str | None] = {code: unicodedata.normalize("NFKC", chr(code)) for code in forms}
    dropped = [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0xFEFF, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)]
    table.update(dict.fromkeys(dropped))
    table.update({0xF0B7: "•", 0xF0A7: "▪", 0x200B: None, 0x2060: None})  # bullets of symbol fonts
    return table


_CLEAN = _replacements()
#: What ends fragments never gets into them.
_UNCLEAN = re.compile(
    "[" + re.escape("".join(chr(c) for c in _CLEAN if chr(c) not in "\r\n\ufffe\x02")) + "]"
)


@dataclass(frozen=True, slots=True)
class Blank:
    """A wide gap: from where to where, and the index of the word behind it."""

    index: int
    left: float
    right: float


@dataclass(slots=True)
class Fragment:
    """A run of words on one line. ``size`` is the height of its letters' em box in points.

    Cells of a table inside it stand ``CELL_SEPARATOR`` apart. ``hyphenated`` marks a line whose last
    word goes on in the next fragment. ``blanks`` are its wide gaps, those between cells among them.
    """

    text: str
    box: Box
    size: float
    bold: bool = False
    italic: bool = False
    hyphenated: bool = False
    blanks: tuple[Blank, ...] = ()

    @property
    def middle(self) -> float:
        return (self.box[1] + self.box[3]) / 2

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def is_vertical(self) -> bool:
        """Whether the text runs up or down the page."""
        return self.height > 3 * self.size and self.height > self.box[2] - self.box[0]


#: Text, first and last character, box.
_Word = tuple[str, int, int, Box]
ToDisplay = Callable[[float, float, float, float], Box]


def page_size(page: pdfium.PdfPage) -> tuple[float, float]:
    """Width and height in points, as the page is shown."""
    width, height = page.get_size()
    return round(width, 2), round(height, 2)


def read_fragments(page: pdfium.PdfPage) -> list[Fragment]:
    """The page's text in PDFium's reading order; what lies outside the page is not shown."""
    textpage = page.get_textpage()
    width, height = page.get_size()
    try:
        reader = _Reader(textpage, display_transform(page))
        return [f for f in reader.fragments() if _is_inside(f.box, width, height)]
    finally:
        textpage.close()


def shows_something(page: pdfium.PdfPage) -> bool:
    """Whether anything is drawn on a page: a picture, lines, letters that stand for no character."""
    return any(_is_drawn(item) for item in page.get_objects(max_depth=3))


def _is_drawn(item: pdfium.PdfObject) -> bool:
    if item.type != raw.FPDF_PAGEOBJ_TEXT:
        return item.type != raw.FPDF_PAGEOBJ_FORM
    left, bottom, right, top = item.get_bounds()
    return bool(right > left and top > bottom)


def _is_inside(box: Box, width: float, height: float) -> bool:
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0


def display_transform(page: pdfium.PdfPage) -> ToDisplay:
    """From PDF space (origin bottom left, unrotated) to the shown page (origin top left)."""
    left, bottom, right, top = page.get_bbox()
    transforms: dict[int, ToDisplay] = {
        0: lambda x0, y0, x1, y1: (x0 - left, top - y1, x1 - left, top - y0),
        90: lambda x0, y0, x1, y1: (y0 - bottom, x0 - left, y1 - bottom, x1 - left),
        180: lambda x0, y0, x1, y1: (right - x1, y0 - bottom, right - x0, y1 - bottom),
        270: lambda x0, y0, x1, y1: (top - y1, right - x1, top - y0, right - x0),
    }
    return transforms[page.get_rotation()]


class _Reader:
    """Holds the buffers that PDFium writes into, so that they are made once a page."""

    def __init__(self, textpage: pdfium.PdfTextPage, to_display: ToDisplay) -> None:
        self.handle = textpage.raw
        self.rect = raw.FS_RECTF()
        self.to_rect = ctypes.byref(self.rect)
        self.text = in_reading_order(_page_text(textpage), self._left_of)
        self.is_clean = not (_UNCLEAN.search(self.text) or HIDDEN.search(self.text))
        self.to_display = to_display
        self.matrix = raw.FS_MATRIX()
        self.font_name = ctypes.create_string_buffer(128)
        self.font_flags = ctypes.c_int()

    def fragments(self) -> Iterator[Fragment]:
        for found in _FRAGMENT.finditer(self.text):
            fragment = None
            for line in _lines_of(self._words(found.start(), found.end())):
                for words in _cells_of_prose(line):
                    fragment = self._fragment(words)
                    yield fragment
            # The caller has taken the fragment already, and looks at it only when the page is done.
            if fragment and self.text[found.end() : found.end() + 1] in ("\ufffe", "\x02"):
                fragment.hyphenated = True

    def _words(self, start: int, end: int) -> list[_Word]:
        words: list[_Word] = []
        for found in _WORD.finditer(self.text, start, end):
            text = found[0] if self.is_clean else visible(found[0].translate(_CLEAN))
            if text:
                first, last = found.start(), found.end() - 1
                words.append((text, first, last, self._word_box(first, last)))
        return words

    def _fragment(self, words: list[_Word]) -> Fragment:
        first, last = words[0][1], words[-1][2]
        bold, italic = self._style(first)
        if bold and last != first:
            bold = self._style(last)[0]
        box = _union([word[3] for word in words])
        height = box[3] - box[1]
        em = self._em(first) or height
        return Fragment(_join(words, height), box, em, bold, italic, blanks=_wide_blanks(words, height))

    def _word_box(self, first: int, last: int) -> Box:
        rect, handle, ask = self.rect, self.handle, raw.FPDFText_GetLooseCharBox
        ask(handle, first, self.to_rect)
        left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
        if last != first:
            ask(handle, last, self.to_rect)
            left, right = min(left, rect.left), max(right, rect.right)
            bottom, top = min(bottom, rect.bottom), max(top, rect.top)
        return self.to_display(left, bottom, right, top)

    def _left_of(self, index: int) -> float:
        raw.FPDFText_GetLooseCharBox(self.handle, index, self.to_rect)
        return float(self.rect.left)

    def _em(self, index: int) -> float:
        """The font size as it appears: many producers set size 1 and scale by the matrix."""
        size: float = raw.FPDFText_GetFontSize(self.handle, index)
        if not raw.FPDFText_GetMatrix(self.handle, index, self.matrix):
            return size
        return size * math.hypot(self.matrix.b, self.matrix.d)

    def _style(self, index: int) -> tuple[bool, bool]:
        name = self.font_name
        length = raw.FPDFText_GetFontInfo(self.handle, index, name, len(name), self.font_flags)
        if not length:
            return False, False
        flags = self.font_flags.value
        bold = bool(_BOLD.search(name.value)) or bool(flags & _FORCE_BOLD)
        return bold, bool(_ITALIC.search(name.value)) or bool(flags & _ITALIC_FLAG)


def _page_text(textpage: pdfium.PdfTextPage) -> str:
    """One Python character for each of PDFium's, so that positions in both agree."""
    count: int = textpage.count_chars()
    text: str = textpage.get_text_range() if count else ""
    if len(text) == count:
        return text
    codes = (raw.FPDFText_GetUnicode(textpage.raw, index) for index in range(count))
    return "".join(chr(code) if 0 < code <= 0x10FFFF else "\x01" for code in codes)


def _union(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _lines_of(words: list[_Word]) -> Iterator[list[_Word]]:
    """PDFium now and then runs on where the text starts again further down."""
    start = 0
    for index in range(1, len(words)):
        if _is_elsewhere(words[index - 1][3], words[index][3]):
            yield words[start:index]
            start = index
    if words:
        yield words[start:]


def _is_elsewhere(before: Box, box: Box) -> bool:
    """Whether a word stands further down on the left, or on the right in a line of its own."""
    height = box[3] - box[1]
    if box[0] < before[2] - 2 * height:
        lower = (box[1] + box[3] - before[1] - before[3]) / height if height else 0.0
        return lower > 1 or (lower > 0.5 and box[2] < before[0] - 10 * height)
    return box[1] > before[3] + 0.5 * height and box[0] > before[2]


def _cells_of_prose(words: list[_Word]) -> Iterator[list[_Word]]:
    """Long texts far apart on one line may be lines of two columns; rows of a table are joined again."""
    height = words[0][3][3] - words[0][3][1]
    gaps = [i for i in range(1, len(words)) if words[i][3][0] - words[i - 1][3][2] > CELL_GAP * height]
    if not gaps:
        yield words
        return
    cells = [words[start:end] for start, end in pairwise([0, *gaps, len(words)])]
    yield from cells if min(map(_length, cells)) >= PROSE_CHARACTERS else [words]


def _length(words: list[_Word]) -> int:
    return sum(len(word[0]) + 1 for word in words)


def _join(words: list[_Word], height: float) -> str:
    gaps = [right[3][0] - left[3][2] for left, right in pairwise(words)]
    widest = CELL_GAP * height
    if not gaps or max(gaps) <= widest:
        return " ".join([word[0] for word in words])
    stretched = 0.0 if any(_HAS_DIGIT.search(word[0]) for word in words) else _widest_blank(gaps, height)
    parts = [words[0][0]]
    for (before, *_), (word, *_), gap in zip(words, words[1:], gaps, strict=False):
        apart = gap > max(widest, stretched) and not sticks(before, word)
        parts.append(CELL_SEPARATOR if apart else " ")
        parts.append(word)
    return "".join(parts)


def _wide_blanks(words: list[_Word], height: float) -> tuple[Blank, ...]:
    return tuple(
        Blank(index, left[3][2], right[3][0])
        for index, (left, right) in enumerate(pairwise(words), start=1)
        if right[3][0] - left[3][2] > WIDE_BLANK * height and not sticks(left[0], right[0])
    )


def _widest_blank(gaps: list[float], height: float) -> float:
    """Lines set to the width of a narrow column have wide blanks, wider ones between sentences."""
    usual = sorted(gaps)[len(gaps) // 2]
    stretched = len(gaps) > 2 and STRETCHED * height < usual < CELL_GAP * height
    return 2.2 * usual if stretched else 0.0


def sticks(before: str, word: str) -> bool:
    """Whether a gap between the two says nothing: a currency sign and its number, a number and its %."""
    return before in _OPENING or word in _CLOSING
