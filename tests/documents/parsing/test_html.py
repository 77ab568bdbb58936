from __future__ import annotations

import time
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.markup.html import decode_page, parse
from documents.parsing.types import Block, ParsedDocument


def parsed(folder: Path, source: str | bytes) -> ParsedDocument:
    path = folder / "file.html"
    path.write_bytes(source.encode() if isinstance(source, str) else source)
    return parse(str(path))


def blocks(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(b.kind, page.text[b.start : b.end]) for page in document.pages for b in page.blocks]


def table(document: ParsedDocument) -> tuple[str, str]:
    page, found = next(
        (page, block) for page in document.pages for block in page.blocks if block.kind == "table"
    )
    return found.header, page.text[found.start : found.end]


def test_headings_paragraphs_and_code(tmp_path: Path) -> None:
    document = parsed(
        tmp_path,
        "<h1>Pump <em>P-101</em></h1><p>Some\n <b>bold</b>&nbsp;words,<br>and more.</p>loose<div>words</div>"
        "<h2>Code</h2><pre>if x:\n    y\n</pre><blockquote>said</blockquote>",
    )
    assert blocks(document) == [
        ("heading", "Pump P-101"),
        ("paragraph", "Some bold words,\nand more."),
        ("paragraph", "loose"),
        ("paragraph", "words"),
        ("heading", "Code"),
        ("code", "if x:\n    y"),
        ("paragraph", "said"),
    ]
    found = [block for block in document.pages[0].blocks if block.kind == "heading"]
    assert found == [Block("heading", 0, 10, 1, "Pump P-101"), Block("heading", 54, 58, 2, "Code")]


def test_lists_keep_their_numbers_and_depth(tmp_path: Path) -> None:
    source = (
        "<p>Steps:</p><ol start=3><li>three<ul><li>inner<li><p>last</p></ul><li value=7>seven</ol>"
        "<ol type=a><li>first</ol>"
        "<dl><dt>Flow</dt><dd>l/s</dd><dd>m³/h</dd><dt><p>Head</p></dt><dd><p>m</p></dl>"
    )
    assert blocks(parsed(tmp_path, source)) == [
        ("paragraph", "Steps:"),
        ("list", "3. three\n  - inner\n  - last\n7. seven"),
        ("list", "a. first"),
        ("list", "- Flow: l/s\n  m³/h\n- Head: m"),
    ]


def test_code_and_tables_within_a_list_stay_what_they_are(tmp_path: Path) -> None:
    source = (
        "<ol><li>one<pre>code</pre></li><li>two<table><tr><th>a<th>b<tr><td>1<td>2</table></li><li>three</ol>"
    )
    assert blocks(parsed(tmp_path, source)) == [
        ("list", "1. one"),
        ("code", "code"),
        ("list", "2. two"),
        ("table", "a | b\n1 | 2"),
        ("list", "3. three"),
    ]


@pytest.mark.parametrize(
    ("source", "header", "text"),
    [
        ("<thead><tr><td>a<td>b</thead><tr><td>1<td>2", "a | b", "a | b\n1 | 2"),
        ("<tr><th>a<th>b</tr><tr><td>1<td>2", "a | b", "a | b\n1 | 2"),
        ("<tr><td><b>a</b><td><b>b</b></tr><tr><td>1<td>2", "a | b", "a | b\n1 | 2"),
        ("<tr><th>a<td>1</tr><tr><th>b<td>2", "", "a | 1\nb | 2"),
        ("<tr><td><b>a</b> x<td>b</tr><tr><td>1<td>2", "", "a x | b\n1 | 2"),
        (
            "<thead><tr><th colspan=2>A<th>B</tr><tr><th>x<th>y<th>z</thead><tr><td>1<td>2<td>3",
            "A x | y | B z",
            "A x | y | B z\n1 | 2 | 3",
        ),
        ("<tr><th>a<th>b</tr><tr><td rowspan=2>1<td>2</tr><tr><td>3", "a | b", "a | b\n1 | 2\n | 3"),
        ("<tr><td colspan=9999999>1<td>2</tr><tr><td rowspan=-1>1<td colspan=x>2", "", None),
    ],
)
def test_tables_keep_their_rows_and_header(
    tmp_path: Path, source: str, header: str, text: str | None
) -> None:
    found = table(parsed(tmp_path, f"<table>{source}</table>"))
    assert found[0] == header
    assert text is None or found[1].replace("\n| ", "\n | ") == text


@pytest.mark.parametrize(
    "source",
    [
        "<table><tr><td>one<td><table><tr><td>two<td>three<tr><td>four<td>five</table></table>",
        "<table><tr><td>one<tr><td>two<tr><td>three four five</table>",
        "<table role=presentation><tr><td>one<td>two<tr><td>three<td>four five</table>",
        "<table><tr><td>one<td>two<td>three four five</table>",
        f"<table><tr><td>one<td>two three<tr><td>four<td>five{' word' * 500}</table>",
    ],
)
def test_tables_that_only_place_things_are_text(tmp_path: Path, source: str) -> None:
    document = parsed(tmp_path, source)
    assert blocks(document)[0] == ("paragraph", "one")
    assert document.pages[0].text.replace(" |", "").split()[:5] == ["one", "two", "three", "four", "five"]


def test_what_nobody_sees_is_dropped(tmp_path: Path) -> None:
    source = (
        "<style>no</style><script>no</script><template>no</template><noscript>no</noscript><!-- no -->"
        "<div hidden>no</div><p style='color: red; DISPLAY :none'>no</p><i aria-hidden=true>no</i>"
        "<svg><text>no</text></svg><select><option>no</select><button>no</button><iframe>no</iframe>"
        "<div hidden=until-found>folded</div><main aria-hidden=true>below a dialog</main>"
        "<h2>Title<a class=headerlink href='#title'>¶</a></h2>so\xadft"
    )
    assert [text for _, text in blocks(parsed(tmp_path, source))] == [
        "folded",
        "below a dialog",
        "Title",
        "soft",
    ]


def test_menus_and_margins_go_only_where_there_is_something_else_to_read(tmp_path: Path) -> None:
    frame = "<header><h1>Name</h1><nav>menu</nav></header>{}<aside>beside</aside><footer>below</footer>"
    inside = "<header>by Ann</header><p>words</p><footer>sources</footer>"
    read = [text for _, text in blocks(parsed(tmp_path, frame.format(f"<main>{inside}</main>")))]
    assert read == ["Name", "by Ann", "words", "sources"]
    read = [text for _, text in blocks(parsed(tmp_path, frame.format("<main></main><p>words</p>")))]
    assert read == ["Name", "menu", "words", "beside", "below"]


def test_pictures_are_read_by_their_alternative_text_and_powers_keep_their_height(tmp_path: Path) -> None:
    source = "<p>10<sup>-6</sup> m<sup>2</sup> <img src=http://x.org/a.png alt='A\nvalve'></p><img src=b.png>"
    assert blocks(parsed(tmp_path, source)) == [("paragraph", "10⁻⁶ m² A valve")]


def test_metadata(tmp_path: Path) -> None:
    document = parsed(
        tmp_path,
        '<html lang="en-GB"><head><title> The\n title </title><meta name="Author" content="Ann">'
        '<meta name=description content="About"><meta name=keywords content="a, b">'
        '<meta property="article:published_time" content="2024-05-06T07:08:09Z and so on">'
        "<meta name=date content=yesterday></head><body><h1>Heading</h1>",
    )
    assert document.title == "The title"
    assert document.metadata == {
        "title": "The title",
        "author": "Ann",
        "subject": "About",
        "keywords": "a, b",
        "language": "en",
    }
    assert parsed(tmp_path, "<h1>Heading</h1>").title == "Heading"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>Grüße</p>".encode("utf-16"), "Grüße"),
        ("<meta charset=windows-1251><p>Насос</p>".encode("cp1251"), "Насос"),
        ('<meta content="text/html; charset=Shift_JIS"><p>日本語</p>'.encode("shift_jis"), "日本語"),
        ("<meta charset=iso-2022-jp><p>日本語</p>".encode("iso-2022-jp"), "日本語"),
        ('<?xml version="1.0" encoding="koi8-r"?><html><p>Насос</p></html>'.encode("koi8-r"), "Насос"),
        ("<meta charset=latin-1><p>Grüße</p>".encode(), "Grüße"),
        ("<meta charset=iso-8859-1><p>“a”</p>".encode("cp1252"), "“a”"),
        ("<meta charset=punycode><p>Grüße</p>".encode(), "Grüße"),
        ("<meta charset=zlib><p>Grüße</p>".encode(), "Grüße"),
        ("<meta charset=utf-8><p>Grüße</p>".encode("latin-1"), "Grüße"),
        (b"<meta charset=utf-8><p>\xff torn \xc3</p>", "torn"),
    ],
)
def test_encodings(content: bytes, text: str) -> None:
    assert text in decode_page(content)


def test_an_xml_page_is_read_as_xml_and_a_broken_one_as_html(tmp_path: Path) -> None:
    head = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><head><title/></head>'
    )
    document = parsed(
        tmp_path, head + "<body><div/><script/><p>R&amp;D&nbsp;&copy; &unknown;</p></body></html>"
    )
    assert blocks(document) == [("paragraph", "R&D © &unknown;")]
    assert document.metadata == {"language": "de"}
    assert blocks(parsed(tmp_path, head + "<body><p>a <br> & b")) == [("paragraph", "a\n& b")]


def test_entities_that_a_page_declares_are_never_expanded(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">'
    bomb += '<!ENTITY c SYSTEM "file:///etc/passwd">]><html><p title="&b;">&b; &c;</p></html>'
    assert "aaaaaaaaaa" not in parsed(tmp_path, bomb).pages[0].text
    assert "root:" not in parsed(tmp_path, bomb).pages[0].text


def test_tags_that_nobody_closed(tmp_path: Path) -> None:
    source = "<h1><div>" + "words of a paragraph " * 30 + "<ul><li>a<li>b<table><tr><td>1"
    assert [kind for kind, _ in blocks(parsed(tmp_path, source))] == ["paragraph", "list"]
    assert blocks(parsed(tmp_path, "<li>a<dd>b</ul></dl></div>c"))[0][1].startswith("- a")


@pytest.mark.parametrize("source", ["", " \n", "<html></html>", "<!-- only -->", "<p></p><table></table>"])
def test_a_page_without_words(tmp_path: Path, source: str) -> None:
    document = parsed(tmp_path, source)
    assert not document.has_text
    assert len(document.pages) == 1


def test_nesting_is_read_up_to_what_no_page_needs(tmp_path: Path) -> None:
    assert blocks(parsed(tmp_path, "<div>" * 1_500 + "deep")) == [("paragraph", "deep")]
    assert blocks(parsed(tmp_path, "<ul><li>" * 500 + "deep"))[0][1].endswith("- deep")
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        parsed(tmp_path, "<div>" * 100_000 + "deep")
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        parsed(tmp_path, '<?xml version="1.0"?><html>' + "<div>" * 100_000 + "deep")


def test_many_nested_tables_and_lists_take_little_time_in_the_jail(tmp_path: Path) -> None:
    path = tmp_path / "file.html"
    path.write_text("<h1>Top</h1>" + ("<table><tr><td>x<td>" * 300 + "deep" + "</table>" * 300) * 20)
    document = parse_in_jail(str(path), "html")
    assert document.title == "Top"
    assert sum(page.text.count("deep") for page in document.pages) == 20


def test_empty_articles_within_each_other_take_little_time(tmp_path: Path) -> None:
    start = time.perf_counter()
    assert not parsed(tmp_path, "<article>" * 1_900 + "<p>" * 20_000).has_text
    assert time.perf_counter() - start < 5


NAV, FOOTER = "<nav><a>Home</a> <a>Shop</a></nav>", "<footer>Cookies · Imprint</footer>"
WORDS = "<p>The museum shows four hundred lanterns from ships and from lighthouses.</p>"


@pytest.mark.parametrize(
    "source",
    [
        f"{NAV}{WORDS}{FOOTER}",
        f"<div><header>{NAV}</header>{WORDS}</div>{FOOTER}",
        f"<div role=navigation>Home</div>{WORDS}<div role=contentinfo>Imprint{FOOTER}</div>",
    ],
)
def test_menus_and_footers_of_a_page_are_left_out(tmp_path: Path, source: str) -> None:
    assert blocks(parsed(tmp_path, f"<body>{source}</body>")) == [
        ("paragraph", "The museum shows four hundred lanterns from ships and from lighthouses.")
    ]


@pytest.mark.parametrize(
    "source",
    [
        f"<section>{WORDS}{FOOTER}</section>",
        f"<blockquote>{WORDS}{FOOTER}</blockquote>",
        f"<p>Words.</p>{FOOTER}",
    ],
    ids=["of a section", "of a quotation", "most of the page"],
)
def test_footers_that_are_a_part_of_the_text_stay(tmp_path: Path, source: str) -> None:
    assert blocks(parsed(tmp_path, f"<body>{source}</body>"))[-1] == ("paragraph", "Cookies · Imprint")
