"""Containers (office documents, e-books) that mean harm, or came to harm: written by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.documents.hostile_types import Hostile

PASSWD = "file:///etc/passwd"
XML = '<?xml version="1.0" encoding="UTF-8"?>'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
ODF = "urn:oasis:names:tc:opendocument:xmlns"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DECLARATIONS = {
    "billion-laughs": (f'<!DOCTYPE x [<!ENTITY l0 "ha ha ha ">{LAUGHS}]>', "&l9;"),
    "quadratic": (f'<!DOCTYPE x [<!ENTITY q "{"ha " * 20_000}">]>', "&q;" * 20_000),
    "external-entity": (f'<!DOCTYPE x [<!ENTITY e SYSTEM "{PASSWD}">]>', "Words. &e;"),
    "external-subset": (f'<!DOCTYPE x SYSTEM "{PASSWD}">', "Words."),
}


@dataclass(frozen=True)
class Entry:
    """One file in a ZIP, with what its directory says of it, be that true or not."""

    name: str
    content: bytes
    size: int = -1
    packed: bytes | None = None
    flags: int = 0
    external: int = 0


def zipped(entries: Sequence[Entry], *, overlapping: bool = False) -> bytes:
    """A ZIP file; when ``overlapping``, all entries point at the first one's bytes."""
    out, directory = bytearray(), bytearray()
    offset = 0
    for index, entry in enumerate(entries):
        head, tail, packed = _records(entry)
        if not overlapping or index == 0:
            offset = len(out)
            out += b"PK\x03\x04" + head + packed
        directory += b"PK\x01\x02\x14\0" + tail[0] + struct.pack("<I", offset) + tail[1]
    start, count = len(out), min(len(entries), 65_535)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
    if len(entries) > 65_535:
        return bytes(out + directory + _zip64_end(len(entries), len(directory), start) + b"PK\x05\x06" + end)
    return bytes(out + directory + b"PK\x05\x06" + end)


def _records(entry: Entry) -> tuple[bytes, tuple[bytes, bytes], bytes]:
    name = entry.name.encode()
    packed, method = entry.packed, 8
    if packed is None:
        packed, method = (entry.content, 0) if entry.name == "mimetype" else (_deflated(entry.content), 8)
    size = len(entry.content) if entry.size < 0 else entry.size
    common = struct.pack(
        "<HHHHIIIHH", entry.flags, method, 0, 33, zlib.crc32(entry.content), len(packed), size, len(name), 0
    )
    head = b"\x14\0" + common + name
    return head, (b"\x14\0" + common + struct.pack("<HHHI", 0, 0, 0, entry.external), name), packed


def _zip64_end(count: int, size: int, start: int) -> bytes:
    record = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
    return b"PK\x06\x06" + record + b"PK\x06\x07" + struct.pack("<IQI", 0, start + size, 1)


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def zeros(size: int) -> bytes:
    """``size`` zero bytes as a raw deflate stream, in no time."""
    block = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (size // len(block) - 1) + packer.flush()


# Small good ones


def docx(
    body: str = "<w:p><w:r><w:t>Readable words.</w:t></w:r></w:p>", before: str = "", rels: str = ""
) -> list[Entry]:
    types = (
        f'{XML}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    return [
        _entry("[Content_Types].xml", types),
        _entry("_rels/.rels", _relationships(f"{OFFICE}/relationships/officeDocument", "word/document.xml")),
        _entry("word/document.xml", f"{XML}{before}<w:document {WORD}><w:body>{body}</w:body></w:document>"),
        *([_entry("word/_rels/document.xml.rels", rels)] if rels else []),
    ]


def xlsx(
    sheet: str = '<row r="1"><c r="A1" t="inlineStr"><is><t>Words</t></is></c></row>', before: str = ""
) -> list[Entry]:
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = (
        f'{XML}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'
    )
    workbook = (
        f'{XML}<workbook {main} xmlns:r="{OFFICE}/relationships"><sheets>'
        '<sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    return [
        _entry("[Content_Types].xml", types),
        _entry("_rels/.rels", _relationships(f"{OFFICE}/relationships/officeDocument", "xl/workbook.xml")),
        _entry("xl/workbook.xml", workbook),
        _entry(
            "xl/_rels/workbook.xml.rels",
            _relationships(f"{OFFICE}/relationships/worksheet", "worksheets/sheet1.xml"),
        ),
        _entry(
            "xl/worksheets/sheet1.xml",
            f"{XML}{before}<worksheet {main}><sheetData>{sheet}</sheetData></worksheet>",
        ),
    ]


def odt(body: str = "<text:p>Readable words.</text:p>", before: str = "") -> list[Entry]:
    content = (
        f'{XML}{before}<office:document-content xmlns:office="{ODF}:office:1.0" xmlns:text="{ODF}:text:1.0" '
        f'xmlns:table="{ODF}:table:1.0"><office:body><office:text>{body}</office:text></office:body>'
        "</office:document-content>"
    )
    return [Entry("mimetype", b"application/vnd.oasis.opendocument.text"), _entry("content.xml", content)]


def epub(body: str = "<p>Readable words.</p>", before: str = "", href: str = "a.xhtml") -> list[Entry]:
    container = (
        f'{XML}<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
        '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book</dc:title></metadata><manifest>'
        f'<item id="a" href="{href}" media-type="application/xhtml+xml"/></manifest><spine>'
        '<itemref idref="a"/><itemref idref="a"/></spine></package>'
    )
    page = f'{XML}{before}<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
    return [
        Entry("mimetype", b"application/epub+zip"),
        _entry("META-INF/container.xml", container),
        _entry("book.opf", book),
        _entry("a.xhtml", page),
    ]


def pptx() -> list[Entry]:
    return [_entry("[Content_Types].xml", XML), _entry("ppt/presentation.xml", XML + "<presentation/>")]


def _entry(name: str, text: str) -> Entry:
    return Entry(name, text.encode())


def _relationships(kind: str, target: str, mode: str = "Internal") -> str:
    return (
        f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{kind}" Target="{target}" TargetMode="{mode}"/></Relationships>'
    )


FAMILIES = {"docx": docx, "xlsx": xlsx, "odt": odt, "epub": epub, "pptx": pptx}
PARAGRAPH = {"docx": "<w:p><w:r><w:t>{}</w:t></w:r></w:p>", "odt": "<text:p>{}</text:p>", "epub": "<p>{}</p>"}
MAKERS = {"docx": docx, "odt": odt, "epub": epub}


def archive_files() -> Iterator[Hostile]:
    yield from _bombs()
    yield from _xml_bombs()
    yield from _odd_archives()
    good = zipped(docx("<w:p><w:r><w:t>Some words of a good file.</w:t></w:r></w:p>" * 40))
    for tenth in range(10):
        cut = max(32, len(good) * tenth // 10)
        yield Hostile(f"docx-cut-at-{tenth}0-percent", "cut.docx", lambda cut=cut: good[:cut])  # type: ignore[misc]


def _bombs() -> Iterator[Hostile]:
    for suffix, make in FAMILIES.items():
        yield Hostile(
            f"{suffix}-of-10-gigabytes",
            f"bomb.{suffix}",
            lambda make=make: zipped([*make(), *_ten_gigabytes()]),  # type: ignore[misc]
        )
    yield Hostile("docx-nested-bomb", "nested.docx", _nested)
    yield Hostile("docx-size-lies", "lies.docx", lambda: zipped([*docx()[:2], _lying("word/document.xml")]))
    yield Hostile("odt-size-lies", "lies.odt", lambda: zipped([odt()[0], _lying("content.xml")]))
    yield Hostile("epub-size-lies", "lies.epub", lambda: zipped([*epub()[:3], _lying("a.xhtml")]))
    yield Hostile("docx-overlapping-entries", "overlap.docx", _overlapping)
    yield Hostile("docx-100000-entries", "many.docx", lambda: zipped([*docx(), *_many(100_000)]))


def _ten_gigabytes() -> list[Entry]:
    packed = zeros(3_500 << 20)
    return [Entry(f"media/{n}.bin", b"", 3_500 << 20, packed) for n in range(3)]


def _lying(name: str) -> Entry:
    return Entry(name, b"", 1_000, zeros(4 << 30))


def _nested() -> bytes:
    """A bomb in a ZIP in a ZIP in a document: harmless to whoever does not open what he finds."""
    inner = zipped([Entry(f"{n}.bin", b"", 3_500 << 20, zeros(3_500 << 20)) for n in range(2)])
    for level in range(3):
        inner = zipped([Entry(f"{level}-{n}.zip", inner) for n in range(2)])
    return zipped([*docx(), Entry("word/embeddings/a.zip", inner)])


def _overlapping() -> bytes:
    kernel = Entry("word/document.xml", b"", 400 << 20, zeros(400 << 20))
    return zipped(
        [kernel, *(Entry(f"word/{n}.xml", b"", 400 << 20, kernel.packed) for n in range(500))],
        overlapping=True,
    )


def _many(count: int) -> Iterator[Entry]:
    return (Entry(f"x{n}", b"") for n in range(count))


def _xml_bombs() -> Iterator[Hostile]:
    for suffix, make in MAKERS.items():
        for name, (declaration, use) in DECLARATIONS.items():
            entries = make(PARAGRAPH[suffix].format(use), declaration)
            yield Hostile(f"{suffix}-{name}", f"{name}.{suffix}", partial(zipped, entries))
    declaration, use = DECLARATIONS["billion-laughs"]
    row = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{use}</t></is></c></row>'
    yield Hostile("xlsx-billion-laughs", "laughs.xlsx", lambda: zipped(xlsx(row, declaration)))


def _odd_archives() -> Iterator[Hostile]:
    yield Hostile("docx-names-that-climb", "climb.docx", lambda: zipped([*docx(), *_climbing()]))
    yield Hostile(
        "docx-protected", "secret.docx", lambda: zipped([Entry(e.name, e.content, flags=1) for e in docx()])
    )
    yield Hostile("docx-remote-template", "template.docx", _remote_template)
    yield Hostile("docx-deep-xml", "deep.docx", lambda: zipped(docx("<w:sdt><w:sdtContent>" * 50_000)))
    yield Hostile("docx-deep-tables", "tables.docx", lambda: zipped(docx(_nested_tables(3_000))))
    yield Hostile(
        "docx-of-noise",
        "noise.docx",
        lambda: zipped([*docx()[:2], Entry("word/document.xml", bytes(range(256)) * 99)]),
    )
    yield Hostile("docx-without-document", "empty.docx", lambda: zipped(docx()[:2]))
    yield Hostile(
        "docx-60000-by-60000-picture",
        "picture.docx",
        lambda: zipped([*docx(), Entry("word/media/a.png", b"\x89PNG")]),
    )
    yield Hostile("xlsx-last-cell-of-all", "last.xlsx", lambda: zipped(xlsx(_far_cells())))
    yield Hostile(
        "xlsx-missing-shared-string",
        "shared.xlsx",
        lambda: zipped(xlsx('<row r="1"><c r="A1" t="s"><v>99</v></c></row>')),
    )
    yield Hostile("xlsx-formula-that-calls", "formula.xlsx", lambda: zipped(xlsx(_formula())))
    yield Hostile("odt-repeats-a-billion-cells", "repeat.odt", lambda: zipped(odt(_repeated_cells())))
    yield Hostile("odt-deep-xml", "deep.odt", lambda: zipped(odt("<text:section>" * 50_000)))
    yield Hostile(
        "odt-many-spaces",
        "spaces.odt",
        lambda: zipped(odt('<text:p>a<text:s text:c="2000000000"/>b</text:p>')),
    )
    yield Hostile("epub-climbs-out", "climb.epub", lambda: zipped(epub(href="../../../../../etc/passwd")))
    yield Hostile("epub-absolute-address", "address.epub", lambda: zipped(epub(href=PASSWD)))
    yield Hostile("epub-deep-markup", "deep.epub", lambda: zipped(epub("<div>" * 50_000 + "Words")))
    yield Hostile("pptx-that-is-none", "none.pptx", lambda: zipped(pptx()))


def _climbing() -> list[Entry]:
    link = 0o120777 << 16  # a symbolic link
    return [
        Entry("../../../../tmp/escaped-from-the-jail", b"escaped"),
        Entry("/tmp/escaped-from-the-jail", b"escaped"),
        Entry("word/link", b"/etc/passwd", external=link),
    ]


def _remote_template() -> bytes:
    remote = _relationships(
        f"{OFFICE}/relationships/attachedTemplate", "http://127.0.0.1:1/evil.dotm", "External"
    )
    return zipped(docx(rels=remote))


def _nested_tables(depth: int) -> str:
    return "<w:tbl><w:tr><w:tc>" * depth + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * depth


def _far_cells() -> str:
    cell = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>Words</t></is></c></row>'
    return cell.format(1, "A") + cell.format(1_048_576, "XFD")


def _formula() -> str:
    return f'<row r="1"><c r="A1" t="str"><f>WEBSERVICE("{PASSWD}")</f><v>Words kept</v></c></row>'


def _repeated_cells() -> str:
    cell = '<table:table-cell table:number-columns-repeated="1000000"><text:p>x</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    return f"<table:table>{row}</table:table>"
