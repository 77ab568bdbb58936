"""Writes the samples that are not plain text from ``sources``, the same bytes each time.

``python -m documents.samples.make``
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_STORED, ZipFile, ZipInfo

SOURCES = Path(__file__).parent / "sources"
FOLDER = Path(__file__).parent / "files"
PAGE_BREAK = "----"
#: Sheets and the files that their rows are from.
FIGURES = {"Water 2024": "water-2024.csv", "Costs 2024": "costs-2024.csv"}
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = "application/vnd.openxmlformats-officedocument"


def make_all(folder: Path) -> None:
    (folder / "operations-handbook.pdf").write_bytes(handbook())
    write_package(folder / "pump-service-contract.docx", word_parts())
    write_package(folder / "water-figures.xlsx", workbook_parts())


def blocks(name: str) -> list[str]:
    """Headings (``# ``, ``## ``), paragraphs, tables (``a | b``)."""
    return [block.strip() for block in (SOURCES / name).read_text().split("\n\n") if block.strip()]


# --- PDF --------------------------------------------------------------------------------------


def handbook() -> bytes:
    pages = [page(number, content) for number, content in enumerate(paged(), 1)]
    kids = " ".join(f"{6 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(font(name) for name in ("Helvetica", "Helvetica-Bold")),
        b"<< /Title (Operations handbook of the Thornmere waterworks) /Author (Helen Marsh) >>",
    ]
    for index, content in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents %d 0 R >>" % (7 + 2 * index)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return assembled(objects)


def paged() -> list[list[str]]:
    pages: list[list[str]] = [[]]
    for block in blocks("operations-handbook.txt"):
        if block == PAGE_BREAK:
            pages.append([])
        else:
            pages[-1].append(block)
    return pages


def font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def page(number: int, content: list[str]) -> bytes:
    lines, top = [], 770
    for block in content:
        marks, _, heading = block.rpartition("# ")
        name, size = ("F2", 14 if marks else 19) if heading != block else ("F1", 11)
        for row in textwrap.wrap(heading, 84 if name == "F1" else 50):
            lines.append(line(name, size, top, row))
            top -= size + 5
        top -= 9
    return "\n".join([*lines, line("F1", 9, 48, f"Thornmere waterworks, page {number}")]).encode("cp1252")


def line(name: str, size: int, top: int, text: str) -> str:
    written = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{name} {size} Tf 1 0 0 1 72 {top} Tm ({written}) Tj ET"


def assembled(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\n" % (len(objects) + 1)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


# --- Word and Excel ---------------------------------------------------------------------------


def write_package(path: Path, parts: dict[str, str]) -> None:
    """Stored, not compressed, and of no date: the same bytes wherever it is made."""
    with ZipFile(path, "w", ZIP_STORED) as package:
        for name, content in parts.items():
            package.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), XML + content)


def content_types(overrides: dict[str, str]) -> str:
    named = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in overrides.items())
    return (
        f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{named}</Types>'
    )


def relations(targets: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


def word_parts() -> dict[str, str]:
    kinds = {name: f"{TYPES}.wordprocessingml.{kind}+xml" for name, kind in WORD_PARTS.items()}
    return {
        "[Content_Types].xml": content_types(kinds),
        "_rels/.rels": relations([("officeDocument", "word/document.xml")]),
        "word/_rels/document.xml.rels": relations([("styles", "styles.xml")]),
        "word/document.xml": word_part("document", f"<w:body>{''.join(word_body())}</w:body>"),
        "word/styles.xml": word_part("styles", "".join(word_styles())),
    }


WORD_PARTS = {"/word/document.xml": "document.main", "/word/styles.xml": "styles"}


def word_part(name: str, content: str) -> str:
    return f'<w:{name} xmlns:w="{WORD}">{content}</w:{name}>'


def word_body() -> Iterator[str]:
    for block in blocks("pump-service-contract.txt"):
        if block.startswith("## "):
            yield paragraph(block[3:], "Heading1")
        elif block.startswith("# "):
            yield paragraph(block[2:], "Title")
        elif " | " in block:
            yield word_table([row.split(" | ") for row in block.splitlines()])
        else:
            yield paragraph(block)


def word_table(rows: list[list[str]]) -> str:
    written = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in written) + "</w:tbl>" + paragraph("")


def paragraph(text: str, style: str = "") -> str:
    chosen = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{chosen}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def word_styles() -> Iterator[str]:
    for style, name, size in (("Title", "Title", 36), ("Heading1", "heading 1", 28)):
        level = '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>' if style == "Heading1" else ""
        look = f'{level}<w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr>'
        yield f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{name}"/>{look}</w:style>'


def workbook_parts() -> dict[str, str]:
    places = [f"worksheets/sheet{n}.xml" for n in range(1, len(FIGURES) + 1)]
    kinds = {"/xl/workbook.xml": f"{TYPES}.spreadsheetml.sheet.main+xml"}
    kinds |= {f"/xl/{place}": f"{TYPES}.spreadsheetml.worksheet+xml" for place in places}
    named = (f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(FIGURES, 1))
    sheets = f"<sheets>{''.join(named)}</sheets>"
    return {
        "[Content_Types].xml": content_types(kinds),
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
        "xl/_rels/workbook.xml.rels": relations([("worksheet", place) for place in places]),
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}">{sheets}</workbook>',
        **{f"xl/{place}": worksheet(file) for place, file in zip(places, FIGURES.values(), strict=True)},
    }


def worksheet(file: str) -> str:
    with (SOURCES / file).open(newline="") as source:
        rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in csv.reader(source))
    return f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'


def cell(value: str) -> str:
    if value.isdecimal():
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


if __name__ == "__main__":
    make_all(FOLDER)
