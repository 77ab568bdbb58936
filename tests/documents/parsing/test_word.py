from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.office.word import parse
from documents.parsing.types import ParsedDocument
from tests.documents.parsing.ooxml_factory import blocks, replaced, rezip, texts
from tests.documents.parsing.test_archive import BILLION

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def saved(folder: Path, document: Document) -> Path:
    path = folder / "file.docx"
    document.save(str(path))
    return path


def read(folder: Path, document: Document) -> ParsedDocument:
    return parse(str(saved(folder, document)))


def body_of(*xml: str) -> Document:
    """A document with these elements of WordprocessingML as its body."""
    document = docx.Document()
    for element in xml:
        named = element.replace(">", f" {nsdecls('w', 'm', 'r')}>", 1)
        document.element.body.insert(len(document.element.body) - 1, parse_xml(named))
    return document


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def page_texts(document: ParsedDocument) -> list[str]:
    return [page.text for page in document.pages]


def test_headings_paragraphs_lists_and_tables_in_their_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = "Pump manual"
    document.core_properties.author = "Ada"
    document.core_properties.language = "en"
    document.add_heading("The pump", 0)
    document.add_heading("Setting up", 1)
    document.add_paragraph("You need:")
    document.add_paragraph("a spanner", style="List Bullet")
    document.add_paragraph("of steel", style="List Bullet 2")
    document.add_heading("Order", 2)
    document.add_paragraph("Open the valve.", style="List Number")
    document.add_paragraph("Start it.", style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Part", "Count", "Seal", "2"], strict=True):
        cell.text = text
    document.add_paragraph("The end.")
    parsed = read(tmp_path, document)
    assert blocks(parsed) == [
        ("heading", "The pump"),
        ("heading", "Setting up"),
        ("paragraph", "You need:"),
        ("list", "- a spanner\n  - of steel"),
        ("heading", "Order"),
        ("list", "1. Open the valve.\n2. Start it."),
        ("table", "Part | Count\nSeal | 2"),
        ("paragraph", "The end."),
    ]
    page = parsed.pages[0]
    assert [block.level for block in page.blocks if block.kind == "heading"] == [1, 1, 2]
    assert [block.header for block in page.blocks if block.kind == "table"] == ["Part | Count"]
    assert parsed.title == "Pump manual"
    assert parsed.metadata["author"] == "Ada"
    assert parsed.metadata["language"] == "en"
    assert parsed.metadata["created"].startswith("2013-12-23T")


def test_without_properties_the_title_is_that_on_the_page(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Chapter", 1)
    document.add_paragraph("The real title", style="Title")
    path = rezip(saved(tmp_path, document), {"docProps/core.xml": None})
    parsed = parse(str(path))
    assert (parsed.title, parsed.metadata) == ("The real title", {})


def test_headings_in_styles_with_other_names(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Kapitel", style="Heading 1")
    document.add_paragraph("Eigenes", style="Quote")
    path = rezip(
        saved(tmp_path, document),
        {
            "word/styles.xml": lambda xml: xml.replace(b'"Heading1"', b'"berschrift1"').replace(
                b'<w:name w:val="Quote"/>',
                b'<w:name w:val="Frage"/><w:basedOn w:val="berschrift1"/>'
                b'<w:pPr><w:outlineLvl w:val="3"/></w:pPr>',
            ),
            "word/document.xml": replaced('"Heading1"', '"berschrift1"'),
        },
    )
    found = parse(str(path)).pages[0].blocks
    assert [(block.title, block.level) for block in found] == [("Kapitel", 1), ("Eigenes", 4)]


def test_an_outline_level_of_the_paragraph_itself_makes_a_heading(tmp_path: Path) -> None:
    document = body_of(
        paragraph("Deep", '<w:outlineLvl w:val="2"/>'),
        paragraph("Text", '<w:pStyle w:val="Heading1"/><w:outlineLvl w:val="9"/>'),
        paragraph("Unknown", '<w:pStyle w:val="Heading4"/>'),
        paragraph("word " * 100, '<w:pStyle w:val="Heading1"/>'),
    )
    found = read(tmp_path, document).pages[0].blocks
    assert [(block.kind, block.level) for block in found] == [
        ("heading", 3),
        ("paragraph", 0),
        ("heading", 4),
        ("paragraph", 0),
    ]


def test_what_is_deleted_or_hidden_is_left_out_and_what_is_inserted_kept(tmp_path: Path) -> None:
    document = body_of(
        "<w:p><w:r><w:t>The fee is </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>20</w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> euros</w:t></w:r></w:p>',
        "<w:moveFrom><w:p><w:r><w:t>moved away</w:t></w:r></w:p></w:moveFrom>",
        "<w:p><w:moveFrom><w:r><w:t>here before</w:t></w:r></w:moveFrom></w:p>",
        "<w:p><w:moveTo><w:r><w:t>here now</w:t></w:r></w:moveTo></w:p>",
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>A</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>B</w:t></w:r></w:p>"
        "</w:tc></w:tr><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc></w:tr>"
        "</w:tbl>",
    )
    assert texts(read(tmp_path, document)) == ["The fee is 20 euros", "here now", "A | B"]


def test_controls_links_fields_and_signs_are_read(tmp_path: Path) -> None:
    document = body_of(
        "<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>In a control.</w:t></w:r></w:p>"
        "</w:sdtContent></w:sdt>",
        "<w:p><w:r><w:t>See </w:t></w:r><w:hyperlink><w:r><w:t>the site</w:t></w:r></w:hyperlink>"
        "<w:r><w:t xml:space='preserve'> of </w:t></w:r>"
        "<w:sdt><w:sdtContent><w:r><w:t>2024</w:t></w:r></w:sdtContent></w:sdt></w:p>",
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>7</w:t></w:r></w:p>',
        "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t>"
        "<w:softHyphen/><w:t>e</w:t></w:r></w:p>",
        "<w:p><w:ruby><w:rt><w:r><w:t>kana</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>kanji</w:t></w:r></w:rubyBase>"
        "</w:ruby><m:oMath><m:r><m:t>=x</m:t></m:r></m:oMath></w:p>",
    )
    assert texts(read(tmp_path, document)) == [
        "In a control.",
        "See the site of 2024",
        "7",
        "a b\nc-de",
        "kanji=x",
    ]


def test_text_boxes_are_read_once_after_their_paragraph(tmp_path: Path) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p></w:txbxContent>"
    document = docx.Document()
    document.element.body.insert(
        0,
        parse_xml(
            f"<w:p {nsdecls('w')} xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006'>"
            f"<w:r><w:t>Anchor</w:t></w:r><w:r>"
            f"<mc:AlternateContent><mc:Choice Requires='wps'>{box}</mc:Choice>"
            f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        ),
    )
    assert texts(read(tmp_path, document)) == ["Anchor", "In the box"]


NUMBERING = f"""<w:numbering xmlns:w="{WORD}">
<w:abstractNum w:abstractNumId="1">
 <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
 <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%2)"/></w:lvl>
 <w:lvl w:ilvl="2"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1.%2.%3"/></w:lvl>
 <w:lvl w:ilvl="3"><w:isLgl/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2.%4"/></w:lvl>
 <w:lvl w:ilvl="99"><w:numFmt w:val="decimal"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="2">
 <w:lvl w:ilvl="0"><w:pStyle w:val="Heading1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1"/></w:lvl>
 <w:lvl w:ilvl="1"><w:pStyle w:val="Heading2"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="3">
 <w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl>
 <w:lvl w:ilvl="1"><w:numFmt w:val="none"/><w:lvlText w:val=""/></w:lvl>
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="3"/></w:num>
<w:num w:numId="4"><w:abstractNumId w:val="1"/>
 <w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>
</w:numbering>"""


def item(text: str, list_id: int, level: int | str = 0) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


def numbered(folder: Path, *xml: str) -> list[str]:
    path = saved(folder, body_of(*xml))
    rezip(path, {"word/numbering.xml": lambda _: NUMBERING.encode()})
    return "\n".join(texts(parse(str(path)))).split("\n")


def test_lists_are_numbered_as_word_does(tmp_path: Path) -> None:
    assert numbered(
        tmp_path,
        item("a", 1),
        item("b", 1, 1),
        item("c", 1, 1),
        item("d", 1, 2),
        item("e", 1, 3),
        item("f", 1),
        item("g", 1, 1),
        paragraph("Between."),
        item("h", 1),
        item("i", 4),
        item("j", 4),
        item("k", 3),
        item("l", 3, 1),
        item("m", 77),
        item("n", 1, 99),
        item("o", 0),
    ) == [
        "1. a",
        "  (a) b",
        "  (b) c",
        "    1.b.III d",
        "      1.2.1 e",
        "2. f",
        "  (a) g",
        "Between.",
        "3. h",
        "5. i",
        "6. j",
        "- k",
        "  l",
        "- m",
        "                - n",
        "o",
    ]


def test_numbered_headings_carry_their_numbers(tmp_path: Path) -> None:
    def heading(text: str, level: int) -> str:
        listed = '<w:numPr><w:numId w:val="2"/></w:numPr>'
        return paragraph(text, f'<w:pStyle w:val="Heading{level}"/>{listed}')

    found = numbered(
        tmp_path, heading("A", 1), heading("B", 2), heading("C", 2), heading("D", 1), heading("E", 2)
    )
    assert found == ["1 A", "1.1 B", "1.2 C", "2 D", "2.1 E"]


def table_xml(*rows: str, look: str = "") -> str:
    return f"<w:tbl><w:tblPr>{look}</w:tblPr>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell_xml(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


def test_merged_cells_are_not_repeated(tmp_path: Path) -> None:
    document = body_of(
        table_xml(
            cell_xml("Region", '<w:vMerge w:val="restart"/>') + cell_xml("Sales", '<w:gridSpan w:val="2"/>'),
            cell_xml("Region", "<w:vMerge/>") + cell_xml("2023") + cell_xml("2024"),
            cell_xml("North") + cell_xml("1") + cell_xml("2"),
            '<w:trPr><w:gridBefore w:val="1"/></w:trPr>' + cell_xml("3") + cell_xml("4"),
        )
    )
    assert texts(read(tmp_path, document)) == ["Region | Sales\n | 2023 | 2024\nNorth | 1 | 2\n | 3 | 4"]


def test_rows_marked_as_header_are_the_header(tmp_path: Path) -> None:
    header = "<w:trPr><w:tblHeader/></w:trPr>"
    document = body_of(
        table_xml(
            header + cell_xml("A") + cell_xml("B"),
            header + cell_xml("a") + cell_xml("b"),
            cell_xml("1") + cell_xml("2"),
        ),
        table_xml(
            cell_xml("k") + cell_xml("v"), cell_xml("l") + cell_xml("w"), look='<w:tblLook w:firstRow="0"/>'
        ),
    )
    assert [block.header for block in read(tmp_path, document).pages[0].blocks] == ["A a | B b", ""]


def test_cells_above_several_columns_name_each_of_them(tmp_path: Path) -> None:
    header = "<w:trPr><w:tblHeader/></w:trPr>"
    document = body_of(
        table_xml(
            header + cell_xml("Region") + cell_xml("Sales", '<w:gridSpan w:val="2"/>'),
            header + cell_xml("", "<w:vMerge/>") + cell_xml("2023") + cell_xml("2024"),
            cell_xml("North") + cell_xml("1") + cell_xml("2"),
        )
    )
    assert texts(read(tmp_path, document)) == ["Region | Sales 2023 | Sales 2024\nNorth | 1 | 2"]


def test_tables_in_cells_stay_in_their_row(tmp_path: Path) -> None:
    inner = table_xml(cell_xml("x") + cell_xml("y"), cell_xml("1") + cell_xml("2"))
    outer = table_xml(
        cell_xml("Name") + cell_xml("Detail"),
        cell_xml("Pump") + f"<w:tc><w:p><w:r><w:t>see</w:t></w:r></w:p>{inner}<w:p/></w:tc>",
    )
    assert texts(read(tmp_path, body_of(outer))) == ["Name | Detail\nPump | see x, y; 1, 2"]


def test_a_table_that_frames_text_is_no_table(tmp_path: Path) -> None:
    framed = table_xml(f"<w:tc>{paragraph('Note')}{paragraph('Careful.')}</w:tc>")
    left = paragraph("Left", '<w:pStyle w:val="Heading1"/>')
    layout = table_xml(f"<w:tc>{left}{paragraph('one')}</w:tc>" + cell_xml("right"))
    assert blocks(read(tmp_path, body_of(framed, layout))) == [
        ("paragraph", "Note"),
        ("paragraph", "Careful."),
        ("heading", "Left"),
        ("paragraph", "one"),
        ("paragraph", "right"),
    ]


def test_notes_follow_the_paragraph_that_refers_to_them(tmp_path: Path) -> None:
    run = '<w:r><w:{1}Reference w:id="{2}"/></w:r>'
    note = f"<w:p><w:r><w:t>First{{0}}</w:t></w:r>{run}<w:r><w:t>.</w:t></w:r></w:p>"
    path = saved(
        tmp_path,
        body_of(note.format("", "footnote", 2), note.format(" end", "endnote", 1), paragraph("After.")),
    )

    def notes(kind: str, key: int, text: str) -> bytes:
        return (
            f'<w:{kind}s xmlns:w="{WORD}">'
            f'<w:{kind} w:type="separator" w:id="0">{paragraph("line")}</w:{kind}>'
            f'<w:{kind} w:id="{key}">{paragraph(text)}{paragraph("more")}</w:{kind}></w:{kind}s>'
        ).encode()

    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = "".join(
        f'<Relationship Id="n{k}" Type="{kinds}/{k}s" Target="{k}s.xml"/>' for k in ("footnote", "endnote")
    )
    rezip(
        path,
        {"word/_rels/document.xml.rels": replaced("</Relationships>", links + "</Relationships>")},
        {
            "word/footnotes.xml": notes("footnote", 2, "A foot note"),
            "word/endnotes.xml": notes("endnote", 1, "An end note"),
        },
    )
    assert texts(parse(str(path))) == [
        "First[1].",
        "[1] A foot note more",
        "First end[e1].",
        "[e1] An end note more",
        "After.",
    ]


def test_headers_and_footers_of_pages_are_not_text(tmp_path: Path) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "CONFIDENTIAL"
    document.add_paragraph("Body")
    assert texts(read(tmp_path, document)) == ["Body"]


def test_page_breaks_of_the_author_end_pages(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("one")
    document.add_page_break()
    document.add_paragraph("two")
    document.add_paragraph("three").paragraph_format.page_break_before = True
    document.add_section()
    document.add_paragraph("four")
    parsed = read(tmp_path, document)
    assert page_texts(parsed) == ["one", "two", "three", "four"]
    assert {page.label for page in parsed.pages} == {""}


def test_pages_are_those_that_word_laid_out(tmp_path: Path) -> None:
    rendered = "<w:lastRenderedPageBreak/>"
    document = body_of(
        paragraph("one"),
        f"<w:p><w:r><w:t>starts on one </w:t>{rendered}<w:t>and ends on two</w:t></w:r></w:p>",
        paragraph("two"),
        '<w:p><w:r><w:br w:type="page"/></w:r></w:p>',
        f"<w:p><w:r>{rendered}<w:t>three</w:t></w:r></w:p>",
        '<w:p><w:r><w:br w:type="page"/></w:r><w:r><w:br w:type="page"/></w:r></w:p>',
        f"<w:p><w:r>{rendered}<w:t>five</w:t></w:r></w:p>",
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>A</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr><w:tr><w:tc><w:p><w:r>"
        f"{rendered}<w:t>B</w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
        paragraph("six"),
    )
    parsed = read(tmp_path, document)
    assert [(page.label or str(page.number), page.text) for page in parsed.pages] == [
        ("1", "one\n\nstarts on one and ends on two"),
        ("2", "two"),
        ("3", "three"),
        ("5", "five\n\nA\nB"),
        ("6", "six"),
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.ms-word.document.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
        "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    ],
)
def test_templates_and_files_with_macros_are_read(tmp_path: Path, content_type: str) -> None:
    path = saved(tmp_path, body_of(paragraph("Text")))
    rezip(path, {"[Content_Types].xml": replaced(CONTENT_TYPE, content_type)})
    assert texts(parse(str(path))) == ["Text"]


def test_the_strict_dialect_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, body_of(paragraph("Text", '<w:pStyle w:val="Heading1"/>')))

    def strict(xml: bytes) -> bytes:
        for family in (b"officeDocument", b"wordprocessingml", b"drawingml"):
            old = b"http://schemas.openxmlformats.org/" + family + b"/2006/"
            xml = xml.replace(old, b"http://purl.oclc.org/ooxml/" + family + b"/")
        return xml

    changed = ("word/document.xml", "word/styles.xml", "_rels/.rels", "word/_rels/document.xml.rels")
    rezip(path, dict.fromkeys(changed, strict))
    assert blocks(parse(str(path))) == [("heading", "Text")]


def test_dead_links_and_pictures_do_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path, body_of(paragraph("Text")))
    links = (
        '<Relationship Id="a" Type="http://x/image" Target="NULL"/>'
        '<Relationship Id="b" Type="http://x/image" Target="media/gone.png"/>'
        '<Relationship Id="c" Type="http://x/template" Target="file:///etc/hostname" TargetMode="External"/>'
        '<Relationship Id="d" Type="http://x/image" Target="http://192.0.2.1/x.png" TargetMode="External"/>'
    )
    rezip(path, {"word/_rels/document.xml.rels": replaced("</Relationships>", links + "</Relationships>")})
    assert texts(parse(str(path))) == ["Text"]


Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lambda path: rezip(path, {"word/document.xml": None}),
        lambda path: rezip(path, {"[Content_Types].xml": None}),
        lambda path: rezip(path, {"_rels/.rels": None}),
        lambda path: rezip(path, {"word/document.xml": lambda xml: xml[:-50]}),
        lambda path: rezip(path, {"word/document.xml": lambda xml: b"<a/>"}),
        lambda path: rezip(path, {"word/styles.xml": lambda xml: b"no xml"}),
        lambda path: rezip(path, {"word/document.xml": lambda xml: b""}),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, damage: Damage) -> None:
    path = saved(tmp_path, body_of(paragraph("Text")))
    damage(path)
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))


def test_an_xml_bomb_is_refused_at_once(tmp_path: Path) -> None:
    path = rezip(saved(tmp_path, docx.Document()), {"word/document.xml": lambda _: BILLION})
    started = time.monotonic()
    with pytest.raises(UnreadableDocument, match="declares entities"):
        parse(str(path))
    assert time.monotonic() - started < 2


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    nested = b"<w:sdt><w:sdtContent>" * 1_000 + b"</w:sdtContent></w:sdt>" * 1_000
    body = b'<w:document xmlns:w="%s"><w:body>%s</w:body></w:document>' % (WORD.encode(), nested)
    path = rezip(saved(tmp_path, docx.Document()), {"word/document.xml": lambda _: body})
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))


def test_it_works_in_the_jail(tmp_path: Path) -> None:
    document = docx.Document()
    for number in range(100):
        document.add_paragraph(f"Paragraph {number} says a few words.")
    path = saved(tmp_path, document)
    assert parse_in_jail(str(path), "docx") == parse(str(path))
