"""Text on pictures of pages, by Tesseract: one page at a time, through pipes, in the jail."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from documents.exceptions import UnreadableDocument
from documents.parsing.confinement import die_with_parent
from documents.parsing.text import paragraphs, unusable_removed
from documents.parsing.types import Box, Line, ParsedPage

#: Pixels per inch of a drawn page: what Tesseract was trained on.
DPI = 300
#: Pixels of a page: A3 at 300 dpi has 17 million.
MAX_PIXELS = 20_000_000
#: A picture of fewer pixels is from a screen, whose letters are too small for Tesseract.
SCREEN_PIXELS = 2_000_000
#: Shades of grey by which ink differs from paper, and the share of a page with as little of it as dust.
INK, BLANK_SHARE = 64, 0.001
#: Words of which Tesseract is less sure, in percent, are marks on the paper.
MIN_CONFIDENCE = 30
_HYPHENATED = re.compile(r"[^\W\d_]{2}[-\u2010\xad]$")
_ITEM = re.compile(r"(?:[-*+•‣▪·–]|\(?[0-9a-zA-Z]{1,3}[.)]) \S")


@dataclass(frozen=True, slots=True)
class Picture:
    """Grey pixels of a page, row by row, and the page's size in points."""

    pixels: bytes
    size: tuple[int, int]
    page: tuple[float, float]

    @property
    def scale(self) -> tuple[float, float]:
        """Points per pixel."""
        return self.page[0] / self.size[0], self.page[1] / self.size[1]

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but paper, in its most common shade: specks and a scanner's noise."""
        from PIL import Image

        shades = Image.frombytes("L", self.size, self.pixels).histogram()
        paper = shades.index(max(shades))
        near = shades[max(paper - INK, 0) : paper + INK + 1]
        return sum(shades) - sum(near) < BLANK_SHARE * sum(shades)


@dataclass(frozen=True, slots=True)
class _Word:
    line: tuple[int, int, int]
    box: Box
    text: str


def available() -> bool:
    """Whether there is a Tesseract that knows any language."""
    return bool(languages())


def languages() -> tuple[str, ...]:
    """The codes of the languages that are installed; none without Tesseract."""
    program = shutil.which("tesseract")
    if not program:
        return ()
    listed = subprocess.run(
        [program, "--list-langs"],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    names = listed.stdout.split("\n")[1:]
    return tuple(name.strip() for name in names if name.strip() not in ("", "osd", "equ"))


def read_page(path: str, kind: str, number: int, languages: str) -> ParsedPage:
    """Draw page ``number`` and read it. Raises ``UnreadableDocument``."""
    picture = _draw_image(path, number) if kind == "image" else _draw_pdf(path, number)
    page = page_of(_recognise(picture, languages), number, picture)
    return page if page.text else replace(page, is_picture=not picture.is_blank)


def _draw_pdf(path: str, number: int) -> Picture:
    import pypdfium2 as pdfium

    try:
        page = pdfium.PdfDocument(path)[number - 1]
        width, height = page.get_size()
        scale = min(DPI / 72, (MAX_PIXELS / max(width * height, 1)) ** 0.5, 20_000 / max(width, height, 1))
        bitmap = page.render(scale=scale, grayscale=True)
    except (pdfium.PdfiumError, IndexError, ValueError) as error:
        raise UnreadableDocument(f"Page {number} of this PDF cannot be drawn.") from error
    rows = memoryview(bitmap.buffer).cast("B")
    used, stride = bitmap.width, bitmap.stride
    pixels = b"".join(rows[at : at + used] for at in range(0, stride * bitmap.height, stride))
    return Picture(pixels, (bitmap.width, bitmap.height), (width, height))


def _draw_image(path: str, number: int) -> Picture:
    from documents.parsing.pictures import image

    with image.frame(path, number) as opened:
        page = image.page_size(opened)
        grey = image.upright(opened, "L", pixels=MAX_PIXELS)
        if grey.width * grey.height < SCREEN_PIXELS:
            grey = grey.resize((2 * grey.width, 2 * grey.height), image.Resampling.BICUBIC)
    return Picture(grey.tobytes(), grey.size, page)


def _recognise(picture: Picture, languages: str) -> str:
    """Tesseract's table of words. It turns pages that lie on their side."""
    width, height = picture.size
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--psm", "1", "--dpi", str(DPI)]
    ended = subprocess.run(
        [*command, "-c", "tessedit_create_tsv=1", "-c", "tessedit_create_txt=0"],
        input=b"P5 %d %d 255\n" % (width, height) + picture.pixels,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
        check=False,
    )
    if ended.returncode:
        raise UnreadableDocument(
            "Text recognition failed.", traceback=f"tesseract ended with {ended.returncode}"
        )
    return ended.stdout.decode("utf-8", "replace")


def page_of(table: str, number: int, picture: Picture) -> ParsedPage:
    """The page that Tesseract's table describes: lines with boxes, paragraphs as blocks."""
    text, lines = _laid_out(list(_words(table, picture)))
    blocks = tuple(paragraphs(text))
    width, height = picture.page
    return ParsedPage(number, text, blocks, width, height, tuple(lines), recognised=bool(text))


def _words(table: str, picture: Picture) -> Iterable[_Word]:
    across, down = picture.scale
    for row in table.split("\n"):
        fields = row.split("\t")
        if len(fields) != 12 or fields[0] != "5" or float(fields[10]) < MIN_CONFIDENCE:
            continue
        text = "".join(unusable_removed(fields[11]).split())
        left, top, width, height = (int(field) for field in fields[6:10])
        box = (left * across, top * down, (left + width) * across, (top + height) * down)
        if text:
            block, paragraph, line = (int(field) for field in fields[2:5])
            yield _Word((block, paragraph, line), box, text)


def _laid_out(words: Sequence[_Word]) -> tuple[str, list[Line]]:
    """The words as text, a line each and an empty line between paragraphs, with the lines' boxes."""
    text, lines = "", list[Line]()
    before: tuple[int, int] | None = None
    for (block, paragraph, _), members in groupby(words, key=lambda word: word.line):
        found = list(members)
        line = " ".join(word.text for word in found)
        if not any(letter.isalnum() for letter in line):
            continue
        if lines:
            joint = _joint(text[lines[-1].start :], line, same=before == (block, paragraph))
            if not joint:  # a word that was cut at the line's end
                text = text[:-1]
                lines[-1] = replace(lines[-1], end=len(text))
            text += joint
        before = (block, paragraph)
        lines.append(Line(len(text), len(text) + len(line), _around([word.box for word in found])))
        text += line
    return text, lines


def _joint(before: str, line: str, *, same: bool) -> str:
    """What goes between two lines of the same paragraph, or of two; Tesseract parts a list's items."""
    if not same:
        return "\n" if _ITEM.match(before) and _ITEM.match(line) else "\n\n"
    return "" if _HYPHENATED.search(before) and line[0].islower() else "\n"


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return tuple(round(value, 2) for value in (min(lefts), min(tops), max(rights), max(bottoms)))  # type: ignore[return-value]
