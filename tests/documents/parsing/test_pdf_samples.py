"""Thirty real PDFs of many producers; what each must give was read off its picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from documents.exceptions import UnreadableDocument
from documents.parsing.pdf import parser as pdf
from documents.parsing.types import ParsedDocument

HABIBI = "\u062d\u064e\u0628\u064a\u0628\u064a"
LOREM = "Lorem ipsum dolor sit amet, consetetur"


@dataclass(frozen=True)
class Sample:
    """``phrases`` are in the text in this order; ``pictures`` are the pages that show no text;
    ``headings`` are the first ones, as (level, text)."""

    file: str
    pages: int = 1
    phrases: tuple[str, ...] = ()
    pictures: tuple[int, ...] = ()
    headings: tuple[tuple[int, str], ...] = ()
    title: str = ""
    labels: dict[int, str] = field(default_factory=dict)
    attachments: tuple[tuple[str, int], ...] = ()


SAMPLES = [
    Sample("001-trivial_minimal-document", phrases=(LOREM, "no sea takimata", "amet.")),
    Sample("002-trivial-libre-office-writer_002-trivial-libre-office-writer", phrases=(LOREM, "no sea")),
    Sample(
        "003-pdflatex-image_pdflatex-image",
        phrases=(LOREM, "accusam et justo duo dolores et ea rebum.", "Stet clita"),
        headings=((1, "1 Your Chapter"),),
    ),
    Sample("004-pdflatex-4-pages_pdflatex-4-pages", 4, ("Hello, here is some text", "Huardest gefburn")),
    Sample(
        "006-pdflatex-outline_pdflatex-outline",
        4,
        ("Contents", "Hello, here is some text", "match the language. 5"),
        headings=((2, "Contents"), (1, "1  Foo"), (1, "2  Bar"), (1, "3  Baz"), (1, "4  Foo"), (1, "5  Bar")),
    ),
    Sample(
        "007-imagemagick-images_imagemagick-ASCII85Decode", pictures=(1,), title="imagemagick-ASCII85Decode"
    ),
    Sample(
        "007-imagemagick-images_imagemagick-CCITTFaxDecode", pictures=(1,), title="imagemagick-CCITTFaxDecode"
    ),
    Sample(
        "007-imagemagick-images_imagemagick-images",
        6,
        pictures=(1, 2, 3, 4, 5, 6),
        title="imagemagick-images",
    ),
    Sample("007-imagemagick-images_imagemagick-lzw", pictures=(1,), title="imagemagick-lzw"),
    Sample("008-reportlab-inline-image_inline-image", phrases=("Test",)),
    Sample(
        "009-pdflatex-geotopo_GeoTopo-komprimiert",
        117,
        ("Einführung in die", "Dieses Skript wurde im Wintersemester", "Ein topologischer Raum ist ein Paar"),
        title="Geometrie und Topologie",
        labels={1: "i", 2: "ii", 3: "iii", 4: "1", 6: "3", 117: "114"},
    ),
    Sample("010-pdflatex-forms_pdflatex-forms", phrases=("Name", "Check", "Submit")),
    Sample(
        "011-google-doc-document_google-doc-document",
        phrases=(
            "Beautiful is better than ugly.",
            "Capital  Jakarta  Berlin  Vienna  Paris  Vatican City",
            "1 2021 estimate\n2 2020",
        ),
        headings=((1, "Example document"),),
        title="PDF Example Document",
    ),
    Sample(
        "012-libreoffice-form_libreoffice-form",
        phrases=(
            "First Name  Last Name",
            "Gender:",
            "Nationality:",
            "First Name: Alice",
            "First Name_2: Bob",
        ),
        headings=((1, "Example for a Form"),),
    ),
    Sample(
        "013-reportlab-overlay_reportlab-overlay",
        phrases=("Signed: 12-34-2007T12:34:56\nFingerprint: asdfSa2123\nName: Foo Bar",),
    ),
    Sample(
        "014-outlines_mistitled_outlines_example",  # its outline names no line of the text
        4,
        ("Contents", "Hello, here is some text"),
        headings=((1, "Contents"), (1, "1  Foo"), (1, "2  Bar")),
    ),
    Sample("015-arabic_habibi", phrases=(HABIBI, "habibi"), title="habibi"),
    Sample("015-arabic_habibi-oneline-cmap", phrases=(HABIBI, "habibi"), title="habibi"),
    Sample("015-arabic_habibi-rotated", 4, (HABIBI, "habibi")),
    Sample("016-libre-office-link_libre-office-link", phrases=("This is a link to an awesome blog.",)),
    Sample("018-base64-image_base64image", phrases=("Produced with a Trial Version",)),
    Sample("019-grayscale-image_grayscale-image", pictures=(1,)),
    Sample(
        "020-xmp_output_with_metadata_pymupdf",
        phrases=("Hello, World!",),
        title="Sample PDF with XMP Metadata",
    ),
    Sample(
        "021-pdfa_crazyones-pdfa",
        phrases=("October 14, 1998", "We make tools for these kinds of people.", "are the ones who do."),
        headings=((1, "The Crazy Ones"),),
    ),
    Sample("022-pdfkit_pdfkit", phrases=("Foo: bar", "ABC: DEF"), headings=((1, "Header"),)),
    Sample("023-cmyk-image_cmyk-image", pictures=(1,)),
    Sample(
        "024-annotations_annotated_pdf",
        phrases=("Some text.", "Line 1", "Line 2", "Not highlighted", "Comment: Hello world!"),
        title="Annotated PDF",
    ),
    Sample("025-attachment_with-attachment", phrases=(LOREM,), attachments=(("image.png", 6669),)),
    Sample(
        "026-latex-multicolumn_multicolumn",
        3,
        (
            "Your Name",
            "This is a sample document with two columns",
            "Donec nonummy\npellentesque ante.",
            "augue. Etiam",
        ),
        headings=((1, "Two-Column Document with Lorem Ipsum"), (3, "Your Name"), (2, "Abstract")),
    ),
]


def read(folder: Path, name: str) -> ParsedDocument:
    return pdf.parse(str(folder / "pdf-samples" / f"{name}.pdf"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_what_a_real_file_gives(shared_data: Path, sample: Sample) -> None:
    document = read(shared_data, sample.file)
    text = "\n".join(page.text for page in document.pages)
    assert len(document.pages) == sample.pages
    at = 0
    for phrase in sample.phrases:
        assert phrase in text[at:]
        at = text.index(phrase, at)
    assert tuple(page.number for page in document.pages if page.is_picture) == sample.pictures
    assert document.title == sample.title
    headings = [
        (block.level, page.text[block.start : block.end])
        for page in document.pages
        for block in page.blocks
        if block.kind == "heading"
    ]
    assert tuple(headings[: len(sample.headings)]) == sample.headings
    labels = {page.number: page.label for page in document.pages if page.label}
    assert sample.labels.items() <= labels.items()
    assert bool(labels) == bool(sample.labels)
    assert tuple((a.filename, len(a.content)) for a in document.attachments) == sample.attachments


def test_a_real_file_with_a_password(shared_data: Path) -> None:
    with pytest.raises(UnreadableDocument, match="protected by a password"):
        read(shared_data, "005-libreoffice-writer-password_libreoffice-writer-password")


def test_the_table_knows_all_files(shared_data: Path) -> None:
    found = {path.stem for path in (shared_data / "pdf-samples").glob("*.pdf")}
    protected = {"005-libreoffice-writer-password_libreoffice-writer-password"}
    assert found == {sample.file for sample in SAMPLES} | protected


def test_an_outline_gives_its_levels_to_the_headings_of_a_book(shared_data: Path) -> None:
    document = read(shared_data, "009-pdflatex-geotopo_GeoTopo-komprimiert")
    headings = {
        (page.number, page.text[block.start : block.end]): block.level
        for page in document.pages
        for block in page.blocks
        if block.kind == "heading"
    }
    assert headings[6, "1 Topologische Grundbegriffe"] == 1
    assert headings[6, "1.1 Topologische Räume"] == 2
    assert headings[78, "4.2.1 Flächeninhalt"] == 3
    assert headings[2, "Danksagungen"] > 3
    assert "1.1. TOPOLOGISCHE RÄUME" not in document.pages[6].text


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_rotated_pages_have_their_words_where_they_are_shown(shared_data: Path, page: int) -> None:
    found = read(shared_data, "015-arabic_habibi-rotated").pages[page - 1]
    x0, y0, x1, y1 = found.lines[0].box
    expected = {1: (765, 62, 782, 125), 2: (474, 764, 538, 782), 3: (60, 470, 77, 533), 4: (57, 60, 121, 77)}
    assert (x0, y0, x1, y1) == pytest.approx(expected[page], abs=12)
