from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail
from documents.parsing.markup.epub import parse
from documents.parsing.types import ParsedDocument

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Pump</dc:title>
<dc:creator>Ann A.</dc:creator><dc:creator>Bob B.</dc:creator><dc:language>en-US</dc:language>
<dc:date>2001-02-03</dc:date><dc:description>&lt;p&gt;Nice &amp;amp; short&lt;/p&gt;</dc:description>
<meta property="dcterms:modified">2020-01-02T03:04:05Z</meta></metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="two" href="text/ch%202.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="../one.xhtml" media-type="application/xhtml+xml"/>
<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/>
<item id="out" href="../../../../etc/passwd" media-type="application/xhtml+xml"/>
<item id="cover" href="cover.svg" media-type="image/svg+xml"/></manifest>
<spine><itemref idref="cover"/><itemref idref="nav"/><itemref idref="one"/><itemref idref="gone"/>
<itemref idref="out"/><itemref idref="nowhere"/><itemref idref="two" linear="no"/><itemref idref="one"/>
</spine></package>"""
NAV = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>
<nav epub:type="toc"><h1>Contents</h1><ol><li><a href="../one.xhtml">One</a></li>
<li><a href="text/ch%202.xhtml#start">The second</a></li></ol></nav></body></html>"""
ONE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x.js"/></head>
<body><h1>One</h1><p>a&nbsp;b &mdash; R&amp;D</p><aside>A note</aside></body></html>"""
TWO = (
    "<html xmlns='http://www.w3.org/1999/xhtml'><head><title/></head><body><p>broken <br> & on<p>more</body>"
)
FILES = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/nav.xhtml": NAV,
    "one.xhtml": ONE,
    "OEBPS/text/ch 2.xhtml": TWO,
    "OEBPS/cover.svg": "<svg><text>cover</text></svg>",
}
ENCRYPTED = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{}"/></EncryptedData>
</encryption>"""


def written(folder: Path, files: Mapping[str, str]) -> str:
    path = folder / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def pages(document: ParsedDocument) -> list[list[tuple[str, str]]]:
    return [[(b.kind, page.text[b.start : b.end]) for b in page.blocks] for page in document.pages]


def test_chapters_follow_the_spine_on_pages_of_their_own(tmp_path: Path) -> None:
    document = parse(written(tmp_path, FILES))
    assert pages(document) == [
        [("heading", "One"), ("paragraph", "a b — R&D"), ("paragraph", "A note")],
        [("heading", "The second"), ("paragraph", "broken\n& on"), ("paragraph", "more")],
    ]
    assert [page.label for page in document.pages] == ["", ""]


def test_metadata(tmp_path: Path) -> None:
    document = parse(written(tmp_path, FILES))
    assert document.title == "The Pump"
    assert document.metadata == {
        "title": "The Pump",
        "author": "Ann A., Bob B.",
        "subject": "Nice & short",
        "language": "en",
        "created": "2001-02-03",
        "modified": "2020-01-02T03:04:05Z",
    }


def test_a_chapter_without_heading_is_called_what_the_older_table_of_contents_calls_it(
    tmp_path: Path,
) -> None:
    ncx = """<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Two</text>
    </navLabel><content src="text/ch%202.xhtml"/></navPoint></navMap></ncx>"""
    package = PACKAGE.replace(
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
    )
    files = FILES | {"OEBPS/book.opf": package, "OEBPS/toc.ncx": ncx}
    assert pages(parse(written(tmp_path, files)))[1][0] == ("heading", "Two")


def test_a_protected_book_is_refused_and_one_with_hidden_fonts_is_read(tmp_path: Path) -> None:
    locked = {"META-INF/encryption.xml": ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc")}
    with pytest.raises(UnreadableDocument, match="DRM"):
        parse(written(tmp_path, FILES | locked))
    fonts = {"META-INF/encryption.xml": ENCRYPTED.format("http://www.idpf.org/2008/embedding")}
    assert parse(written(tmp_path, FILES | fonts)).has_text


@pytest.mark.parametrize(
    "files",
    [
        {"mimetype": "application/epub+zip"},
        FILES | {"META-INF/container.xml": "<container/>"},
        {name: content for name, content in FILES.items() if name != "OEBPS/book.opf"},
        FILES | {"META-INF/container.xml": CONTAINER.replace("OEBPS/book.opf", "../../../etc/passwd")},
    ],
)
def test_a_book_that_does_not_name_its_chapters(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(UnreadableDocument, match="does not say which of its files"):
        parse(written(tmp_path, files))


def test_a_torn_book(tmp_path: Path) -> None:
    path = Path(written(tmp_path, FILES))
    path.write_bytes(path.read_bytes()[:1_500])
    with pytest.raises(UnreadableDocument, match="damaged"):
        parse(str(path))


def test_a_package_that_declares_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE package [<!ENTITY a "aaaa">]>' + PACKAGE
    with pytest.raises(UnreadableDocument, match="declares entities"):
        parse(written(tmp_path, FILES | {"OEBPS/book.opf": bomb}))


def test_a_book_without_chapters_has_no_text(tmp_path: Path) -> None:
    empty = FILES | {"OEBPS/book.opf": PACKAGE.replace("<itemref", "<other")}
    assert not parse(written(tmp_path, empty)).has_text


def test_a_book_is_read_in_the_jail(tmp_path: Path) -> None:
    document = parse_in_jail(written(tmp_path, FILES), "epub")
    assert document.title == "The Pump"
    assert len(document.pages) == 2
