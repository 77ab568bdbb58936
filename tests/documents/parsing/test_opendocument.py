from __future__ import annotations

import time
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.office.opendocument import parse
from documents.parsing.types import ParsedDocument
from tests.documents.parsing.ooxml_factory import blocks, texts, write_zip
from tests.documents.parsing.test_archive import BILLION

MIMETYPE = b"application/vnd.oasis.opendocument.text"
NAMES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "style": "style",
        "fo": "xsl-fo-compatible",
        "meta": "meta",
    }.items()
)
META = f"""<office:document-meta {NAMES} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>
<dc:title>Pump manual</dc:title><meta:initial-creator>Ada</meta:initial-creator><dc:creator>Bob</dc:creator>
<dc:subject>Pumps</dc:subject><meta:keyword>water</meta:keyword><meta:keyword>steel</meta:keyword>
<meta:creation-date>2024-02-29T10:00:00</meta:creation-date><dc:date>2024-03-01T10:00:00</dc:date>
<dc:language>en-GB</dc:language></office:meta></office:document-meta>"""
LISTS = """
<text:list-style style:name="N">
 <text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>
 <text:list-level-style-number text:level="2" style:num-format="a" style:num-prefix="(" style:num-suffix=")"/>
 <text:list-level-style-number text:level="3" style:num-format="I" text:display-levels="3"/>
</text:list-style>
<text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/></text:list-style>
<text:list-style style:name="S">
 <text:list-level-style-number text:level="1" style:num-format="i" text:start-value="4"/>
</text:list-style>"""
OUTLINE = """<text:outline-style style:name="Outline">
 <text:outline-level-style text:level="1" style:num-format="1"/>
 <text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>
 <text:outline-level-style text:level="3" style:num-format=""/>
</text:outline-style>"""
BREAKS = """
<style:style style:name="Before" style:family="paragraph">
 <style:paragraph-properties fo:break-before="page"/></style:style>
<style:style style:name="Child" style:family="paragraph" style:parent-style-name="Before"/>
<style:style style:name="After" style:family="paragraph">
 <style:paragraph-properties fo:break-after="page"/></style:style>
<style:style style:name="P1" style:family="paragraph" style:master-page-name="Standard"/>
<style:style style:name="P2" style:family="paragraph" style:parent-style-name="Title"/>
<style:style style:name="Title" style:family="paragraph"/>
<style:style style:name="Loop" style:family="paragraph" style:parent-style-name="Loop"/>"""


def odt(folder: Path, body: str, *, automatic: str = "", styles: str = "", meta: str = META) -> Path:
    content = (
        f"<office:document-content {NAMES}><office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    named = (
        f"<office:document-styles {NAMES}><office:styles>{styles}</office:styles></office:document-styles>"
    )
    return write_zip(
        folder / "file.odt",
        {
            "mimetype": MIMETYPE,
            "content.xml": content.encode(),
            "styles.xml": named.encode(),
            "meta.xml": meta.encode(),
        },
    )


def read(folder: Path, body: str, *, automatic: str = "", styles: str = "") -> ParsedDocument:
    return parse(str(odt(folder, body, automatic=automatic, styles=styles)))


def test_headings_paragraphs_and_what_the_file_says_of_itself(tmp_path: Path) -> None:
    parsed = read(
        tmp_path,
        '<text:sequence-decls/><text:h text:outline-level="1">The <text:span>pump</text:span></text:h>'
        "<text:p>Words <text:s text:c='3'/>and<text:tab/>tabs<text:line-break/>and lines.</text:p>"
        "<text:section><text:h text:outline-level='3'>Deep</text:h>"
        "<text:p><text:a>A link</text:a>.</text:p></text:section>",
    )
    assert blocks(parsed) == [
        ("heading", "The pump"),
        ("paragraph", "Words and tabs\nand lines."),
        ("heading", "Deep"),
        ("paragraph", "A link."),
    ]
    assert [block.level for block in parsed.pages[0].blocks] == [1, 0, 3, 0]
    assert parsed.title == "Pump manual"
    assert parsed.metadata == {
        "title": "Pump manual",
        "author": "Ada",
        "subject": "Pumps",
        "keywords": "water, steel",
        "created": "2024-02-29T10:00:00",
        "modified": "2024-03-01T10:00:00",
        "language": "en-GB",
    }


def test_without_properties_the_title_is_that_on_the_page(tmp_path: Path) -> None:
    body = '<text:h text:outline-level="1">One</text:h><text:p text:style-name="P2">The title</text:p>'
    path = odt(tmp_path, body, automatic=BREAKS, meta=f"<office:document-meta {NAMES}/>")
    parsed = parse(str(path))
    assert (parsed.title, parsed.metadata) == ("The title", {})
    assert [block.kind for block in parsed.pages[0].blocks] == ["heading", "heading"]


def test_deletions_comments_and_pronunciation_are_left_out(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:p>Kept<office:annotation><text:p>a remark</text:p></office:annotation> and"
        "<text:ruby><text:ruby-base> base</text:ruby-base><text:ruby-text>sound</text:ruby-text></text:ruby>"
        "<text:change-start/><!-- comment --> more.</text:p>"
    )
    assert texts(read(tmp_path, body)) == ["Kept and base more."]


def entry(text: str, inner: str = "", start: str = "") -> str:
    return f"<text:list-item{start}><text:p>{text}</text:p>{inner}</text:list-item>"


def test_lists_are_numbered_as_in_the_office(tmp_path: Path) -> None:
    third = f"<text:list>{entry('d')}</text:list>"
    second = f"<text:list>{entry('b')}{entry('c', third)}</text:list>"
    started = entry("h", start=' text:start-value="7"')
    body = (
        f'<text:list text:style-name="N">{entry("a", second)}{entry("e")}</text:list>'
        f"<text:p>Between.</text:p>"
        f'<text:list text:style-name="N" text:continue-numbering="true">{entry("f")}</text:list>'
        f'<text:p>Again.</text:p><text:list text:style-name="N">{entry("g")}'
        f"{started}</text:list>"
        f'<text:list text:style-name="B">{entry("i")}</text:list>'
        f'<text:list text:style-name="S">{entry("j")}</text:list><text:list>{entry("k")}</text:list>'
    )
    assert texts(read(tmp_path, body, automatic=LISTS)) == [
        "1. a\n  (a) b\n  (b) c\n    1.b.I d\n2. e",
        "Between.",
        "3. f",
        "Again.",
        "1. g\n7. h",
        "- i",
        "iv j",
        "- k",
    ]


def test_headings_are_numbered_also_those_in_lists(tmp_path: Path) -> None:
    def heading(text: str, level: int) -> str:
        return f'<text:h text:outline-level="{level}">{text}</text:h>'

    body = heading("A", 1) + heading("B", 2) + heading("C", 2) + heading("D", 3) + heading("E", 1)
    body += '<text:h text:outline-level="1" text:is-list-header="true">F</text:h>'
    assert texts(read(tmp_path, body, styles=OUTLINE)) == ["1 A", "1.1 B", "1.2 C", "D", "2 E", "F"]
    listed = (
        f'<text:list text:style-name="N"><text:list-item>{heading("Scope", 1)}</text:list-item></text:list>'
    )
    assert blocks(read(tmp_path, listed, automatic=LISTS)) == [("heading", "1. Scope")]


def test_tables_keep_their_header_and_merged_cells_once(tmp_path: Path) -> None:
    def cell(text: str, more: str = "") -> str:
        return f"<table:table-cell{more}><text:p>{text}</text:p></table:table-cell>"

    def row(*cells: str) -> str:
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    spanned, twice = ' table:number-columns-spanned="2"', ' table:number-columns-repeated="2"'
    filler = ' table:number-columns-repeated="16000"'
    covered = "<table:covered-table-cell/>"
    inner = f"<table:table>{row(cell('x'), cell('y'))}{row(cell('1'), cell('2'))}</table:table>"
    nested = f"<table:table-cell>{inner}</table:table-cell>"
    body = (
        "<table:table><table:table-column/><table:table-header-rows>"
        f"{row(cell('Region'), cell('Sales', spanned), covered)}"
        f"{row(covered, cell('2023'), cell('2024'))}</table:table-header-rows>"
        f"{row(cell('North'), cell('5', twice))}"
        f"{row(cell('South'), nested)}"
        f"{row(cell('', filler))}</table:table>"
    )
    parsed = read(tmp_path, body)
    assert texts(parsed) == ["Region | Sales 2023 | Sales 2024\nNorth | 5 | 5\nSouth | x, y; 1, 2"]
    assert parsed.pages[0].blocks[0].header == "Region | Sales 2023 | Sales 2024"


def test_a_table_that_frames_text_is_no_table(tmp_path: Path) -> None:
    body = (
        "<table:table><table:table-row><table:table-cell><text:h>Note</text:h><text:p>Careful.</text:p>"
        "</table:table-cell></table:table-row></table:table>"
    )
    assert blocks(read(tmp_path, body)) == [("heading", "Note"), ("paragraph", "Careful.")]


def test_notes_and_boxes_follow_their_paragraph(tmp_path: Path) -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A note</text:p>"
        "<text:p>in two.</text:p></text:note-body></text:note>"
    )
    box = "<draw:frame><draw:text-box><text:p>In the box</text:p></draw:text-box></draw:frame>"
    body = f"<text:p>Words{note}{box}.</text:p>{box}<text:p>After.</text:p>"
    assert texts(read(tmp_path, body)) == [
        "Words[1].",
        "[1] A note in two.",
        "In the box",
        "In the box",
        "After.",
    ]


def test_styles_end_pages(tmp_path: Path) -> None:
    named = ("P1", "Before", "Child", "After", "Loop", "Missing")
    body = "".join(f'<text:p text:style-name="{name}">{name}</text:p>' for name in named)
    parsed = read(tmp_path, body, automatic=BREAKS)
    assert [page.text for page in parsed.pages] == ["P1", "Before", "Child\n\nAfter", "Loop\n\nMissing"]
    assert {page.label for page in parsed.pages} == {""}


def test_pages_are_those_that_were_laid_out(tmp_path: Path) -> None:
    soft = "<text:soft-page-break/>"
    body = (
        '<text:p text:style-name="P1">one</text:p>'
        f"<text:p>starts on one {soft}and ends on two</text:p><text:p>two</text:p>"
        f"<text:p>{soft}three</text:p>{soft}<text:p>four</text:p>"
        "<table:table><table:table-row><table:table-cell><text:p>A</text:p></table:table-cell>"
        f"<table:table-cell/></table:table-row>{soft}<table:table-row><table:table-cell><text:p>B</text:p>"
        "</table:table-cell></table:table-row></table:table>"
        '<text:p text:style-name="Before"/><text:p>five</text:p><text:p text:style-name="Before"/>'
        '<text:p text:style-name="Before">seven</text:p>'
    )
    parsed = read(tmp_path, body, automatic=BREAKS)
    assert [(page.label or str(page.number), page.text) for page in parsed.pages] == [
        ("1", "one\n\nstarts on one and ends on two"),
        ("2", "two"),
        ("3", "three"),
        ("4", "four\n\nA\nB"),
        ("5", "five"),
        ("7", "seven"),
    ]


def test_a_protected_file_is_named(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "file.odt",
        {
            "mimetype": MIMETYPE,
            "content.xml": b"\x8f\x01garbage",
            "META-INF/manifest.xml": b"<manifest:file-entry><manifest:encryption-data manifest:checksum=''/>",
        },
    )
    with pytest.raises(UnreadableDocument, match="protected by a password"):
        parse(str(path))


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"content.xml": b""},
        {"content.xml": b"<a/>"},
        {"content.xml": b"<a><b></a>"},
        {"content.xml": BILLION},
        {"content.xml": f"<office:document-content {NAMES}/>".encode()},
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = write_zip(tmp_path / "file.odt", {"mimetype": MIMETYPE, **entries})
    started = time.monotonic()
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))
    assert time.monotonic() - started < 2


def test_it_works_in_the_jail(tmp_path: Path) -> None:
    path = odt(tmp_path, f"<text:p>Words</text:p><text:list>{entry('item')}</text:list>")
    assert parse_in_jail(str(path), "odt") == parse(str(path))
