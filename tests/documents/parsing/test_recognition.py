"""Text recognition: what Tesseract finds becomes a page like any other; without it there is a reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from documents.exceptions import PoisonedFile, UnreadableDocument
from documents.parsing.jail import parse_in_jail, recognise_page_in_jail
from documents.parsing.pictures import ocr, recognition
from documents.parsing.pictures.recognition import chosen, recognise
from documents.parsing.types import ParsedDocument, ParsedPage, unheard

needs_tesseract = pytest.mark.skipif(not shutil.which("tesseract"), reason="Tesseract is not installed")

PARAGRAPHS = (
    ("The pump moves 40 litres of water per minute and was in-", "stalled by the works department in 2019."),
    ("The filter has to be changed every six months.",),
)


def scan(size: tuple[int, int] = (1700, 1100), letter: int = 42) -> Image.Image:
    """A page as a scanner sees it, at 200 dpi."""
    picture = Image.new("L", size, 255)
    font = ImageFont.load_default(letter)
    top = 100
    for paragraph in PARAGRAPHS:
        for line in paragraph:
            ImageDraw.Draw(picture).text((100, top), line, font=font, fill=0)
            top += int(letter * 1.5)
        top += letter * 2
    return picture


def save(folder: Path, picture: Image.Image, name: str = "scan.png", **given: Any) -> str:
    path = str(folder / name)
    picture.save(path, **given)
    return path


@needs_tesseract
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_scan_is_read_whichever_way_it_lies(tmp_path: Path, turn: int) -> None:
    picture = scan((1700, 1700))
    for line in range(6):  # Tesseract wants some text before it says which way is up
        ImageDraw.Draw(picture).text(
            (100, 600 + 70 * line),
            "Many words on many lines, all of them upright.",
            0,
            ImageFont.load_default(42),
        )
    path = save(tmp_path, picture.rotate(turn, expand=True), dpi=(200, 200))
    page = recognise_page_in_jail(path, "image", 1, languages="eng")
    assert (
        "The pump moves 40 litres of water per minute and was installed by the works department" in page.text
    )
    assert (page.recognised, page.is_picture, page.width, page.height) == (True, False, 612, 612)


@needs_tesseract
def test_the_lines_stand_where_they_stand_on_the_page(tmp_path: Path) -> None:
    path = save(tmp_path, scan(), dpi=(200, 200))
    page = recognise_page_in_jail(path, "image", 1, languages="eng")
    words = [page.text[line.start : line.end] for line in page.lines]
    assert words[0] == "The pump moves 40 litres of water per minute and was in"
    assert words[-1] == "The filter has to be changed every six months."
    x0, y0, x1, y1 = page.lines[0].box
    assert (x0, y0) == pytest.approx((36, 38), abs=4)  # 100 pixels at 200 dpi, less the letters' own rise
    assert x1 < 612
    assert 8 < y1 - y0 < 18
    assert [page.text[b.start : b.end].split()[0] for b in page.blocks] == ["The", "The"]


@needs_tesseract
def test_a_page_of_a_scanned_pdf_is_read(tmp_path: Path) -> None:
    path = save(tmp_path, scan(), "scan.pdf", resolution=200)
    page = recognise_page_in_jail(path, "pdf", 1, languages="eng")
    assert "changed every six months" in page.text
    assert (page.width, page.height) == pytest.approx((612, 396))
    with pytest.raises(UnreadableDocument, match="cannot be drawn"):
        recognise_page_in_jail(path, "pdf", 2, languages="eng")


@needs_tesseract
def test_small_letters_of_a_screen_are_read(tmp_path: Path) -> None:
    path = save(tmp_path, scan((620, 400), letter=15))
    assert "The filter has to be changed" in recognise_page_in_jail(path, "image", 1, languages="eng").text


@needs_tesseract
def test_a_picture_without_words_stays_a_picture(tmp_path: Path) -> None:
    path = save(tmp_path, Image.effect_noise((600, 400), 100))
    page = recognise_page_in_jail(path, "image", 1, languages="eng")
    assert (page.text, page.is_picture, page.recognised, page.lines) == ("", True, False, ())


@needs_tesseract
@pytest.mark.parametrize("name", ["back.png", "back.pdf"])
def test_a_blank_page_is_no_picture(tmp_path: Path, name: str) -> None:
    path = save(tmp_path, Image.new("L", (600, 400), 252), name)
    page = recognise_page_in_jail(path, name[-3:].replace("png", "image"), 1, languages="eng")
    assert (page.text, page.is_picture, page.recognised) == ("", False, False)


def test_paper_with_dust_is_blank_and_paper_with_a_drawing_is_not() -> None:
    paper = Image.effect_noise((600, 400), 10)  # grey all over, as a scanner sees it
    dust, drawing = paper.copy(), paper.copy()
    ImageDraw.Draw(dust).rectangle((10, 10, 18, 18), fill=0)
    ImageDraw.Draw(drawing).line((100, 100, 300, 300), fill=0, width=5)
    for picture, blank in ((paper, True), (dust, True), (drawing, False)):
        assert ocr.Picture(picture.tobytes(), picture.size, (144, 96)).is_blank is blank


@needs_tesseract
def test_each_frame_of_a_tiff_is_read(tmp_path: Path) -> None:
    path = save(
        tmp_path, scan(), "scan.tiff", save_all=True, append_images=[Image.new("L", (900, 900), 255), scan()]
    )
    heard: list[tuple[int, int]] = []
    read = recognise(
        path, "image", parse_in_jail(path, "image"), languages="eng+deu", report=lambda *at: heard.append(at)
    )
    assert [page.recognised for page in read.pages] == [True, False, True]
    assert [(page.number, page.is_picture, page.examined) for page in read.pages] == [
        (1, False, True),
        (2, False, True),
        (3, False, True),
    ]
    assert "six months" in read.pages[2].text
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]


PICTURE = ocr.Picture(b"", (1000, 500), (500.0, 250.0))


def table(*words: tuple[int, int, int, int, int, float, str]) -> str:
    """Tesseract's answer for words given as block, paragraph, line, left, top, confidence, text."""
    rows = ["level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"]
    rows.append("1\t1\t0\t0\t0\t0\t0\t0\t1000\t500\t-1\t")
    for block, paragraph, line, left, top, confidence, text in words:
        rows.append(f"5\t1\t{block}\t{paragraph}\t{line}\t1\t{left}\t{top}\t80\t20\t{confidence}\t{text}")
    return "\n".join(rows) + "\n"


def test_words_become_lines_and_paragraphs_with_boxes_in_points() -> None:
    page = ocr.page_of(
        table(
            (1, 1, 1, 100, 50, 96.5, "Two"),
            (1, 1, 1, 200, 52, 91, "words"),
            (1, 1, 2, 100, 80, 90, "below"),
            (2, 1, 1, 100, 200, 90, "Apart"),
        ),
        7,
        PICTURE,
    )
    assert (page.number, page.text) == (7, "Two words\nbelow\n\nApart")
    assert page.lines[0].box == (50, 25, 140, 36)
    assert [page.text[line.start : line.end] for line in page.lines] == ["Two words", "below", "Apart"]
    assert [(b.kind, page.text[b.start : b.end]) for b in page.blocks] == [
        ("paragraph", "Two words\nbelow"),
        ("paragraph", "Apart"),
    ]


def test_what_is_hardly_a_word_is_dropped() -> None:
    page = ocr.page_of(
        table(
            (1, 1, 1, 0, 0, 29.9, "smudge"),
            (1, 1, 2, 0, 0, 90, "---"),
            (1, 1, 3, 0, 0, 90, " "),
            (1, 1, 4, 0, 0, 90, "a\u0007b"),
        ),
        1,
        PICTURE,
    )
    assert page.text == "ab"


def test_a_word_cut_at_the_end_of_a_line_is_whole_again() -> None:
    page = ocr.page_of(
        table((1, 1, 1, 0, 0, 90, "instal-"), (1, 1, 2, 0, 30, 90, "lation"), (1, 1, 3, 0, 60, 90, "A-1")),
        1,
        PICTURE,
    )
    assert page.text == "installation\nA-1"
    assert [page.text[line.start : line.end] for line in page.lines] == ["instal", "lation", "A-1"]


def test_the_items_of_a_list_stay_together() -> None:
    words = [(1, "Steps:"), (2, "1."), (2, "Close"), (3, "2."), (3, "Open"), (4, "Then"), (4, "wait")]
    page = ocr.page_of(
        table(*((1, number, 1, 0, 30 * number, 90, text) for number, text in words)),
        1,
        PICTURE,
    )
    assert page.text == "Steps:\n\n1. Close\n2. Open\n\nThen wait"
    assert [block.kind for block in page.blocks] == ["paragraph", "list", "paragraph"]


@pytest.mark.parametrize(
    ("wanted", "installed", "used"),
    [
        ("eng+deu", ("deu", "eng", "fra"), "eng+deu"),
        ("eng+deu", ("eng",), "eng"),
        ("jpn", ("deu", "eng"), "deu+eng"),
        ("", ("eng",), "eng"),
        ("eng", (), ""),
    ],
)
def test_languages_that_are_not_installed_are_left_out(
    wanted: str, installed: tuple[str, ...], used: str
) -> None:
    assert chosen(wanted, installed) == used


@needs_tesseract
def test_the_installed_languages_are_those_that_read_text() -> None:
    assert ocr.available()
    assert "osd" not in ocr.languages()


def pages(*texts: str) -> ParsedDocument:
    return ParsedDocument(
        tuple(
            ParsedPage(n, text, (), 10, 20, label=f"p{n}", is_picture=not text)
            for n, text in enumerate(texts, 1)
        )
    )


@pytest.mark.parametrize(
    ("kind", "what"), [("image", "This file is a picture"), ("pdf", "This file is a scan")]
)
def test_without_tesseract_a_scan_fails_with_what_to_do(monkeypatch: Any, kind: str, what: str) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not ocr.available()
    with pytest.raises(UnreadableDocument, match=rf"{what}.*Tesseract\) is not installed"):
        recognise("unread", kind, pages("", ""), languages="eng", report=unheard)


def test_without_tesseract_what_has_text_stays_as_it_is(monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    document = pages("Words.", "")
    assert recognise("unread", "pdf", document, languages="eng", report=unheard) is document


def test_a_document_without_pictures_asks_for_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr(ocr, "languages", lambda: pytest.fail("asked"))
    document = pages("Words.")
    assert recognise("unread", "pdf", document, languages="eng", report=unheard) is document


def test_a_page_that_cannot_be_read_costs_that_page_alone(monkeypatch: Any) -> None:
    def read(path: str, kind: str, number: int, *, languages: str) -> ParsedPage:
        if number == 1:
            raise PoisonedFile("Too much.")
        return ParsedPage(
            1, "Found." if number == 3 else "", (), 11, 21, is_picture=number == 4, recognised=number == 3
        )

    monkeypatch.setattr(ocr, "languages", lambda: ("eng",))
    monkeypatch.setattr(recognition, "recognise_page_in_jail", read)
    before = pages("", "Words.", "", "", "")
    found = recognise("path", "pdf", before, languages="eng", report=unheard).pages
    assert found[1] == before.pages[1]
    assert found[2] == ParsedPage(3, "Found.", (), 10, 20, label="p3", recognised=True, examined=True)
    assert [(page.is_picture, page.examined) for page in (found[0], *found[3:])] == [
        (True, True),
        (True, True),
        (False, True),
    ]


def test_a_report_that_raises_stops_it(monkeypatch: Any) -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        raise Cancelled

    monkeypatch.setattr(ocr, "languages", lambda: ("eng",))
    with pytest.raises(Cancelled):
        recognise("path", "pdf", pages(""), languages="eng", report=cancel)
