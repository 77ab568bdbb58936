"""Files made for a benchmark: real words in every format, no two files and no two passages alike."""

from __future__ import annotations

import csv
import io
import random
import re
import shutil
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from documents.parsing.registry import PARSERS
from tests.documents.parsing.pdf_factory import make_pdf

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LINE, LINES_OF_A_PAGE = 88, 44
PARAGRAPH = 600
#: Where there is no text to take sentences from.
WORDS = [
    *("water", "pump", "valve", "pressure", "filter", "engine", "report", "garden", "river", "market"),
    *("price", "season", "storm", "harbour", "letter", "captain", "museum", "painting", "window", "bridge"),
    *("station", "village", "council", "teacher", "student", "question", "answer", "number", "record"),
    *("measure", "weight", "distance", "summer", "winter", "morning", "evening", "opens", "closes", "moves"),
    *("holds", "keeps", "finds", "shows", "turns", "brings", "old", "new", "large", "small", "quiet", "late"),
]


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload; ``kind`` is that of the registry."""

    kind: str
    name: str
    content: bytes


class Author:
    """Writes sentences in an order that never comes again, and files of them."""

    def __init__(self, seed: int, data: Path = DATA) -> None:
        self.random = random.Random(seed)
        self.sentences = sentences(data / "xquad-en" / "corpus")
        self.written = 0

    def sentence(self) -> str:
        if self.sentences:
            return self.random.choice(self.sentences)
        return " ".join(self.random.choices(WORDS, k=self.random.randint(8, 18))).capitalize() + "."

    def paragraphs(self, characters: int) -> list[str]:
        return [self.paragraph(min(PARAGRAPH, characters - at)) for at in range(0, characters, PARAGRAPH)]

    def paragraph(self, characters: int) -> str:
        text = self.sentence()
        while len(text) < characters:
            text = f"{text} {self.sentence()}"
        return text

    def title(self) -> str:
        """A few words, and a number that no other title has."""
        return f"{' '.join(self.sentence().rstrip('.').split()[:5])}, no. {self.random.randint(1, 10**9)}"

    def rows(self, count: int) -> list[list[str]]:
        """A header and ``count`` rows."""
        header = ["Number", "Date", "Amount", "Remark"]
        return [header, *(self.row(number) for number in range(1, count + 1))]

    def row(self, number: int) -> list[str]:
        day = f"2024-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}"
        return [str(number), day, f"{self.random.uniform(1, 9999):.2f}", self.sentence()[:80]]

    def make(self, form: str, characters: int) -> File:
        """A file in one of ``FORMS`` with about so many characters of text."""
        self.written += 1
        kind, write = FORMS[form]
        suffix = form.partition(" ")[0]
        return File(kind, f"{suffix}-{self.written:04}.{suffix}", write(self, characters))


def sentences(folder: Path) -> list[str]:
    """The sentences of the Markdown files in ``folder``; none when it is not there."""
    texts = [path.read_text(errors="replace") for path in sorted(folder.glob("*.md"))]
    found = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text))
    return [part for part in found if 40 < len(part) < 400 and not part.startswith("#")]


# --- Text -----------------------------------------------------------------------------------


def plain(author: Author, characters: int) -> bytes:
    return "\n\n".join([author.title(), *author.paragraphs(characters)]).encode()


def markdown(author: Author, characters: int) -> bytes:
    parts = [f"# {author.title()}"]
    for number, paragraph in enumerate(author.paragraphs(characters)):
        parts += [f"## {author.title()}"] * (number % 4 == 0) + [paragraph]
    return "\n\n".join(parts).encode()


def restructured(author: Author, characters: int) -> bytes:
    title = author.title()
    parts = [f"{title}\n{'=' * len(title)}"]
    for number, paragraph in enumerate(author.paragraphs(characters)):
        heading = author.title()
        parts += [f"{heading}\n{'-' * len(heading)}"] * (number % 4 == 0)
        parts.append(re.sub(r"([*`|_\\])", r"\\\1", paragraph))
    return "\n\n".join(parts).encode()


def html(author: Author, characters: int) -> bytes:
    body = "".join(f"<p>{escape(paragraph)}</p>\n" for paragraph in author.paragraphs(characters))
    title = escape(author.title())
    return f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1>{body}".encode()


def table(author: Author, characters: int) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(author.rows(max(1, characters // 100)))
    return out.getvalue().encode()


def mail(author: Author, characters: int, attached: bytes = b"") -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "alice@example.org", "bob@example.org"
    message["Subject"], message["Date"] = author.title(), "Thu, 29 Feb 2024 12:00:00 +0000"
    message["Message-ID"] = f"<{author.random.randint(1, 10**12)}@example.org>"
    message.set_content("\n\n".join(author.paragraphs(characters)))
    if attached:
        message.add_attachment(attached, maintype="text", subtype="plain", filename="attached.txt")
    return message.as_bytes()


def mail_with_attachment(author: Author, characters: int) -> bytes:
    return mail(author, characters // 2, plain(author, characters // 2))


# --- PDF and pictures -----------------------------------------------------------------------


def pdf(author: Author, characters: int) -> bytes:
    return make_pdf(pages(author, characters), title=plain_letters(author.title()))


def pages(author: Author, characters: int) -> list[list[str]]:
    """Lines that fit a page, page by page."""
    lines = textwrap.wrap(plain_letters(" ".join(author.paragraphs(characters))), LINE)
    return [lines[at : at + LINES_OF_A_PAGE] for at in range(0, len(lines), LINES_OF_A_PAGE)]


def plain_letters(text: str) -> str:
    """Without what a PDF's own fonts cannot show."""
    return text.encode("cp1252", "ignore").decode("cp1252")


def pdf_of_pages(author: Author, count: int) -> bytes:
    """A PDF of exactly so many full pages."""
    enough = 2 * LINE * LINES_OF_A_PAGE * count
    return make_pdf(pages(author, enough)[:count], title=plain_letters(author.title()))


def ten_pages(author: Author, characters: int) -> bytes:
    return pdf_of_pages(author, 10)


def heavy_pdf(author: Author, size: int) -> bytes:
    """A page of text, and a stream that nobody reads: large to receive and to store, quick to index."""
    light = pdf(author, 2000)
    # Behind the table of objects, which does not name it.
    at = light.rindex(b"startxref")
    head = b"99 0 obj\n<< /Length %d >>\nstream\n" % size
    return light[:at] + head + author.random.randbytes(size) + b"\nendstream\nendobj\n" + light[at:]


def picture(author: Author, characters: int) -> bytes:
    out = io.BytesIO()
    drawn(pages(author, characters)[0]).save(out, "PNG")
    return out.getvalue()


def scan(author: Author, characters: int) -> bytes:
    """A PDF of pictures, as a scanner makes it."""
    first, *rest = [drawn(lines) for lines in pages(author, characters)]
    out = io.BytesIO()
    first.save(out, "PDF", resolution=150, save_all=True, append_images=rest)
    return out.getvalue()


def drawn(lines: Sequence[str]) -> Any:
    """A4 at 150 dots per inch, in the font that Pillow brings."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (1240, 1754), 255)
    font = ImageFont.load_default(size=22)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((100, 120 + 34 * number), line, fill=0, font=font)
    return image


# --- Office ---------------------------------------------------------------------------------


def word(author: Author, characters: int) -> bytes:
    from docx import Document

    document = Document()
    document.add_heading(author.title(), 1)
    for paragraph in author.paragraphs(characters):
        document.add_paragraph(paragraph)
    rows = author.rows(5)
    grid = document.add_table(len(rows), len(rows[0]))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            grid.cell(row, column).text = cell
    return saved(document.save)


def slides(author: Author, characters: int) -> bytes:
    from pptx import Presentation

    deck = Presentation()
    for paragraph in author.paragraphs(characters):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = author.title()
        slide.placeholders[1].text = paragraph
    return saved(deck.save)


def workbook(author: Author, characters: int) -> bytes:
    import xlsxwriter

    def write(out: io.BytesIO) -> None:
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet("Records")
            for number, cells in enumerate(author.rows(max(1, characters // 100))):
                sheet.write_row(number, 0, cells)

    return saved(write)


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def open_document(author: Author, characters: int) -> bytes:
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text")
    )
    body = "".join(f"<text:p>{escape(paragraph)}</text:p>" for paragraph in author.paragraphs(characters))
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2">'
        f'<office:body><office:text><text:h text:outline-level="1">{escape(author.title())}</text:h>{body}'
        "</office:text></office:body></office:document-content>"
    )
    return container("application/vnd.oasis.opendocument.text", {"content.xml": content})


def book(author: Author, characters: int) -> bytes:
    chapters = {f"chapter{number}.xhtml": chapter(author, characters // 5) for number in range(1, 6)}
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:title>{escape(author.title())}</dc:title><dc:identifier id="id">made</dc:identifier>'
        f"<dc:language>en</dc:language></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    where = (
        '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'version="1.0"><rootfiles><rootfile full-path="book.opf" '
        'media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    files = {"META-INF/container.xml": where, "book.opf": package, **chapters}
    return container("application/epub+zip", files)


def chapter(author: Author, characters: int) -> str:
    title = escape(author.title())
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in author.paragraphs(characters))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"
    )


def container(media_type: str, files: dict[str, str]) -> bytes:
    """A ZIP file that says first, uncompressed, what it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", media_type, zipfile.ZIP_STORED)
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


#: What a file is called, after its suffix -> the registry's kind, and who writes it.
FORMS: dict[str, tuple[str, Callable[[Author, int], bytes]]] = {
    "txt": ("text", plain),
    "md": ("markdown", markdown),
    "pdf": ("pdf", pdf),
    "pdf of 10 pages": ("pdf", ten_pages),
    "docx": ("docx", word),
    "pptx": ("pptx", slides),
    "xlsx": ("xlsx", workbook),
    "csv": ("csv", table),
    "html": ("html", html),
    "eml": ("email", mail),
    "eml with attachment": ("email", mail_with_attachment),
    "epub": ("epub", book),
    "odt": ("odt", open_document),
    "rst": ("rst", restructured),
    "png": ("image", picture),
    "pdf scan": ("pdf", scan),
}
#: Those whose text has to be recognised.
PICTURES = {"png", "pdf scan"}


def readable_forms() -> list[str]:
    """The forms whose parser is there, and Tesseract too where text has to be recognised."""
    forms = [form for form, (kind, _) in FORMS.items() if parser_exists(kind)]
    can_recognise = shutil.which("tesseract") is not None and parser_exists("image")
    return [form for form in forms if can_recognise or form not in PICTURES]


def parser_exists(kind: str) -> bool:
    return find_spec(PARSERS[kind].rpartition(".")[0]) is not None
