from __future__ import annotations

import time
from pathlib import Path

import pptx
import pytest
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.presentation import Presentation
from pptx.util import Inches

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.office.slides import parse
from documents.parsing.types import ParsedDocument
from tests.documents.parsing.ooxml_factory import blocks, replaced, rezip, texts
from tests.documents.parsing.test_archive import BILLION

TITLE_AND_CONTENT, TITLE_ONLY, BLANK = 1, 5, 6
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def saved(folder: Path, deck: Presentation) -> Path:
    path = folder / "file.pptx"
    deck.save(str(path))
    return path


def read(folder: Path, deck: Presentation) -> ParsedDocument:
    return parse(str(saved(folder, deck)))


def add_box(slide: pptx.slide.Slide, text: str, left: float, top: float) -> None:
    slide.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = text


def bullets(deck: Presentation, title: str, *items: tuple[int, str]) -> pptx.slide.Slide:
    slide = deck.slides.add_slide(deck.slide_layouts[TITLE_AND_CONTENT])
    slide.shapes.title.text = title
    frame = slide.placeholders[1].text_frame
    frame.text = items[0][1]
    for level, text in items[1:]:
        added = frame.add_paragraph()
        added.text, added.level = text, level
    return slide


def test_each_slide_is_a_page_with_title_bullets_and_notes(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    deck.core_properties.title = "Plan"
    deck.core_properties.author = "Ada"
    slide = bullets(deck, "Goals\vfor 2025", (0, "Grow"), (1, "in the north"), (0, "Save"))
    slide.notes_slide.notes_text_frame.text = "Speak slowly.\nSmile."
    bullets(deck, "Only one", (0, "A sentence of its own."))
    parsed = read(tmp_path, deck)
    assert [page.text for page in parsed.pages] == [
        "Goals for 2025\n\n- Grow\n  - in the north\n- Save\n\nNotes\n\nSpeak slowly.\nSmile.",
        "Only one\n\nA sentence of its own.",
    ]
    assert [(block.kind, block.level) for block in parsed.pages[0].blocks] == [
        ("heading", 1),
        ("list", 0),
        ("heading", 3),
        ("paragraph", 0),
    ]
    assert [page.label for page in parsed.pages] == ["", ""]
    assert (parsed.title, parsed.metadata["author"]) == ("Plan", "Ada")
    assert len(blocks(parsed)) == 6


def test_boxes_are_read_from_top_to_bottom_and_left_to_right(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    add_box(slide, "last", 1, 5)
    add_box(slide, "second", 5, 1)
    add_box(slide, "first", 1, 1.1)
    group = slide.shapes.add_group_shape()
    add_box(group, "in group, right", 4, 3)
    add_box(group, "in group, left", 1, 3)
    assert texts(read(tmp_path, deck)) == [
        "Slide 1",
        "first",
        "second",
        "in group, left",
        "in group, right",
        "last",
    ]


def test_slides_without_text_keep_their_number(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[BLANK])
    bullets(deck, "Hidden", (0, "but read"))._element.set("show", "0")
    assert [(page.number, page.text.split("\n")[0]) for page in read(tmp_path, deck).pages] == [
        (1, "Slide 1"),
        (2, "Hidden"),
    ]


def test_a_slide_longer_than_a_page_keeps_the_numbers_of_those_behind(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = bullets(deck, "Long", (0, "item"))
    slide.notes_slide.notes_text_frame.text = "Many words in one note. " * 800
    bullets(deck, "Next", (0, "item"))
    pages = read(tmp_path, deck).pages
    assert len(pages) > 2
    assert (pages[1].label, pages[-1].label) == ("1", "2")
    assert pages[-1].text.startswith("Next")


def test_tables_have_a_header_and_merged_cells_once(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = "Stock"
    table = slide.shapes.add_table(3, 2, 0, Inches(2), Inches(5), Inches(2)).table
    for (row, column), text in {(0, 0): "Part", (0, 1): "Count", (1, 0): "Seal", (1, 1): "2"}.items():
        table.cell(row, column).text = text
    table.cell(2, 0).merge(table.cell(2, 1))
    table.cell(2, 0).text = "none\nleft"
    page = read(tmp_path, deck).pages[0]
    assert page.text == "Stock\n\nPart | Count\nSeal | 2\nnone left"
    assert page.blocks[1].header == "Part | Count"


def test_charts_are_tables_of_their_numbers(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("North", (1.5, None))
    data.add_series("South", (0.1 + 0.2, 4))
    place = (0, 0, Inches(4), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Sales"
    points = XyChartData()
    series = points.add_series("Curve")
    series.add_data_point(1, 10)
    series.add_data_point(2, 20)
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, Inches(4), Inches(4), Inches(3), points)
    assert texts(read(tmp_path, deck)) == [
        "Slide 1",
        "Sales",
        "Category | North | South\nQ1 | 1.5 | 0.3\nQ2 |  | 4",
        "Category | Curve\n1 | 10\n2 | 20",
    ]


def test_a_chart_that_claims_billions_of_points_is_read_at_once(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    data = CategoryChartData()
    data.categories = ["Q1"]
    data.add_series("North", (1,))
    slide.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(4), Inches(3), data)
    path = saved(tmp_path, deck)
    name = slide.shapes[0].chart.part.partname.lstrip("/")
    rezip(path, {name: replaced('<c:ptCount val="1"/>', '<c:ptCount val="4000000000"/>')})
    started = time.monotonic()
    assert texts(parse(str(path)))[1] == "Category | North\nQ1 | 1"
    assert time.monotonic() - started < 5


def test_numbered_paragraphs_are_counted(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK])
    add_box(slide, "one\ntwo\ndeeper\nthree\nplain\nbullet", 1, 1)
    kinds = [
        '<a:pPr {}><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr>',
        '<a:pPr {}><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr>',
        '<a:pPr {} lvl="1"><a:buAutoNum type="alphaUcParenBoth"/></a:pPr>',
        '<a:pPr {}><a:buAutoNum type="arabicPeriod"/></a:pPr>',
        "<a:pPr {}><a:buNone/></a:pPr>",
        '<a:pPr {}><a:buChar char="x"/></a:pPr>',
    ]
    for paragraph, kind in zip(slide.shapes[0].text_frame.paragraphs, kinds, strict=True):
        paragraph._p.insert(0, parse_xml(kind.format(f'xmlns:a="{DRAWING}"')))
    assert texts(read(tmp_path, deck))[1:] == ["3. one\n4. two\n  (A) deeper\n5. three", "plain", "- bullet"]


def test_dates_footers_and_slide_numbers_are_left_out(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = bullets(deck, "Title", (0, "text"))
    for kind in ("dt", "ftr", "sldNum"):
        add_box(slide, kind, 1, 6)
        properties = slide.shapes[-1]._element.find(".//{*}nvPr")
        properties.append(
            parse_xml(
                f'<p:ph xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" type="{kind}"/>'
            )
        )
    assert texts(read(tmp_path, deck)) == ["Title", "text"]


def test_the_words_of_smart_art_are_read(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[BLANK])
    path = saved(tmp_path, deck)
    diagram = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    frame = (
        f'<p:graphicFrame xmlns:a="{DRAWING}"><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/>'
        "<p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>"
        '<p:xfrm><a:off x="0" y="0"/><a:ext cx="1" cy="1"/></p:xfrm><a:graphic>'
        f'<a:graphicData uri="{diagram}"><dgm:relIds xmlns:dgm="{diagram}" r:dm="rId77" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"/>'
        "</a:graphicData></a:graphic></p:graphicFrame></p:spTree>"
    )
    link = f'<Relationship Id="rId77" Type="{diagram}" Target="../diagrams/data1.xml"/></Relationships>'
    model = (
        f'<dgm:dataModel xmlns:dgm="{diagram}" xmlns:a="{DRAWING}">'
        "<dgm:t><a:p><a:r><a:t>Pl</a:t></a:r><a:r><a:t>an</a:t></a:r></a:p></dgm:t>"
        "<dgm:t><a:p/></dgm:t><dgm:t><a:p><a:r><a:t>Build</a:t></a:r></a:p></dgm:t></dgm:dataModel>"
    )
    rezip(
        path,
        {
            "ppt/slides/slide1.xml": replaced("</p:spTree>", frame),
            "ppt/slides/_rels/slide1.xml.rels": replaced("</Relationships>", link),
        },
        {"ppt/diagrams/data1.xml": model.encode()},
    )
    assert texts(parse(str(path))) == ["Slide 1", "- Plan\n- Build"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
        "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
        "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
    ],
)
def test_shows_templates_and_files_with_macros_are_read(tmp_path: Path, content_type: str) -> None:
    deck = pptx.Presentation()
    bullets(deck, "Title", (0, "text"))
    path = rezip(saved(tmp_path, deck), {"[Content_Types].xml": replaced(CONTENT_TYPE, content_type)})
    assert texts(parse(str(path))) == ["Title", "text"]


def test_a_deck_without_slides_has_no_text(tmp_path: Path) -> None:
    assert not read(tmp_path, pptx.Presentation()).has_text


@pytest.mark.parametrize("name", ["ppt/presentation.xml", "ppt/slides/slide1.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"", b"<a/>", b"<broken", BILLION])
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    deck = pptx.Presentation()
    bullets(deck, "Title", (0, "text"))
    path = rezip(saved(tmp_path, deck), {name: lambda _: content})
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))


def test_a_deck_that_lacks_a_slide_is_refused(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    bullets(deck, "Title", (0, "text"))
    path = rezip(saved(tmp_path, deck), {"ppt/slides/slide1.xml": None})
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))


def test_it_works_in_the_jail(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    bullets(deck, "Title", (0, "one"), (1, "two"))
    path = saved(tmp_path, deck)
    assert parse_in_jail(str(path), "pptx") == parse(str(path))
