"""PDF: text with boxes by PDFium; pypdf where PDFium cannot open the file."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import NoReturn

import pypdfium2 as pdfium
from pypdfium2 import raw

from documents.exceptions import UnreadableDocument
from documents.parsing.pdf.broken_words import mend_broken_words
from documents.parsing.pdf.columns import Columns, in_reading_order
from documents.parsing.pdf.glyphs import Fragment, page_size, read_fragments, shows_something
from documents.parsing.pdf.layout import join_hyphenated, merge_rows
from documents.parsing.pdf.notes import read_notes
from documents.parsing.pdf.outline import Outline, read_labels, read_outline
from documents.parsing.pdf.rows import part_cells
from documents.parsing.pdf.running import without_running_lines
from documents.parsing.pdf.structure import document_style, lay_out
from documents.parsing.types import Attachment, ParsedDocument, ParsedPage, Report, unheard

MAX_PAGES = 10_000
#: Progress is told so often, in pages.
REPORT_EVERY = 10
#: A picture of a page has at most this many pixels.
MAX_PIXELS = 4_000_000

ENCRYPTED = "This PDF is protected by a password. Remove the protection and upload it again."
DAMAGED = (
    "This PDF is damaged and cannot be read. Open it in a PDF viewer or in the program that made it, save it "
    "again, and upload that."
)
EMPTY = "This PDF has no pages."
TOO_LONG = f"This PDF has more than {MAX_PAGES:,} pages. Split it and upload the parts."
UNKNOWN_PROTECTION = (
    "This PDF is protected in a way that cannot be read. Remove the protection and upload it again."
)

_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?([Z+-])?(\d\d)?'?(\d\d)?")
#: Titles that programs put there: file names, accession numbers, placeholders.
_NO_TITLE = re.compile(
    r"untitled.*|unspecified|title|document\d*|[\d\W_]+|\S+\.(?:docx?|xlsx?|pptx?|pdf|tex|dvi|indd|qxd|html?|ps)",
    re.IGNORECASE,
)
_PROGRAM_PREFIX = re.compile(
    r"(?:Microsoft Word|Microsoft PowerPoint|PowerPoint Presentation) - ", re.IGNORECASE
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What was read from one page: its size in points (None: it could not be loaded), its text as it
    stands in the file, and what readers added to it."""

    size: tuple[float, float] | None
    fragments: list[Fragment] = field(default_factory=list)
    notes: list[Fragment] = field(default_factory=list)
    is_picture: bool = False


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a PDF. Raises ``UnreadableDocument`` with the reason as a sentence."""
    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        return _without_pdfium(path, error, report)
    try:
        _check_length(len(pdf))
        return _read(pdf, path, report)
    finally:
        pdf.close()


def render(path: str, number: int, scale: float) -> bytes:
    """A PNG of one page (1 = first); ``scale`` is in pixels per point, lowered for huge pages."""
    from documents.parsing.pdf.png import encode

    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        _raise_for(error)
    if not 1 <= number <= len(pdf):
        raise UnreadableDocument(f"This document has no page {number}.")
    pdf.init_forms()
    try:
        page = pdf[number - 1]
    except pdfium.PdfiumError as error:
        raise UnreadableDocument(f"Page {number} of this PDF is damaged.") from error
    width, height = page.get_size()
    scale = min(scale, (MAX_PIXELS / max(width * height, 1)) ** 0.5 * 0.999)
    if max(width, height) * scale > 20_000 or min(width, height) * scale < 1:
        raise UnreadableDocument(f"Page {number} has a size that cannot be drawn.")
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    return encode(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels)


def _raise_for(error: pdfium.PdfiumError) -> NoReturn:
    if error.err_code == raw.FPDF_ERR_PASSWORD:
        raise UnreadableDocument(ENCRYPTED) from error
    if error.err_code == raw.FPDF_ERR_SECURITY:
        raise UnreadableDocument(UNKNOWN_PROTECTION) from error
    if error.err_code == raw.FPDF_ERR_SUCCESS:
        raise UnreadableDocument(EMPTY) from error  # pypdfium2 refuses a file without pages
    raise UnreadableDocument(DAMAGED) from error


def _without_pdfium(path: str, error: pdfium.PdfiumError, report: Report) -> ParsedDocument:
    if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY, raw.FPDF_ERR_SUCCESS):
        _raise_for(error)
    from documents.parsing.pdf import fallback as pdf_fallback

    document = pdf_fallback.parse(path, report)
    _check_length(len(document.pages))
    return document


def _check_length(count: int) -> None:
    if count == 0:
        raise UnreadableDocument(EMPTY)
    if count > MAX_PAGES:
        raise UnreadableDocument(TOO_LONG)


def _read(pdf: pdfium.PdfDocument, path: str, report: Report) -> ParsedDocument:
    sheets = _read_sheets(pdf, report)
    if not any(sheet.size for sheet in sheets):
        raise UnreadableDocument(DAMAGED)
    lines = _lines(sheets)
    outline = Outline(read_outline(pdf), lines)
    style = document_style(lines, outline.depth)
    pages: list[ParsedPage] = []
    for index, (sheet, label) in enumerate(zip(sheets, read_labels(pdf), strict=True)):
        if sheet.size:
            page = lay_out(index + 1, lines[index], style, sheet.size, outline.levels(index), sheet.notes)
        else:
            page = _rescued(path, index + 1)
        pages.append(replace(page, label=label, is_picture=sheet.is_picture))
    metadata = _metadata(pdf, path)
    return ParsedDocument(tuple(pages), own_title(metadata), metadata, _attachments(pdf, path))


def _read_sheets(pdf: pdfium.PdfDocument, report: Report) -> list[_Sheet]:
    if pdf.get_formtype() != raw.FORMTYPE_NONE:
        pdf.init_forms()
    sheets: list[_Sheet] = []
    for index in range(len(pdf)):
        sheets.append(_read_sheet(pdf, index))
        if index % REPORT_EVERY == REPORT_EVERY - 1:
            report(index + 1, len(pdf))
    return sheets


def _read_sheet(pdf: pdfium.PdfDocument, index: int) -> _Sheet:
    """Without a size if PDFium could not load the page."""
    try:
        page = pdf[index]
    except pdfium.PdfiumError:
        return _Sheet(None)
    try:
        fragments = read_fragments(page)
        notes = read_notes(page, fragments)
        return _Sheet(
            page_size(page), fragments, notes, not fragments and not notes and shows_something(page)
        )
    except pdfium.PdfiumError:
        return _Sheet(None)
    finally:
        page.close()


def _lines(sheets: Sequence[_Sheet]) -> list[list[Fragment]]:
    """The lines of each page in reading order, mended, without running headers and footers."""
    pages = [sheet.fragments for sheet in sheets]
    mend_broken_words(pages)
    join_hyphenated(pages)
    columns = [Columns(page) for page in pages]
    rows = [merge_rows(page, found) for page, found in zip(pages, columns, strict=True)]
    rows = without_running_lines(rows, [sheet.size[1] if sheet.size else 0.0 for sheet in sheets])
    lines = [in_reading_order(page, found) for page, found in zip(rows, columns, strict=True)]
    for page in lines:
        part_cells(page)
    return lines


def _rescued(path: str, number: int) -> ParsedPage:
    from documents.parsing.pdf import fallback as pdf_fallback

    return pdf_fallback.read_page(path, number)


def _attachments(pdf: pdfium.PdfDocument, path: str) -> tuple[Attachment, ...]:
    if pdf.count_attachments() <= 0:
        return ()
    from documents.parsing.pdf import catalog as pdf_catalog

    return pdf_catalog.attachments(path)


def _metadata(pdf: pdfium.PdfDocument, path: str) -> dict[str, str]:
    """From the file's information dictionary; what is missing there, from its XMP."""
    found = pdf.get_metadata_dict(skip_empty=True)
    if not found.get("Title") and _has_xmp(path):
        from documents.parsing.pdf import catalog as pdf_catalog

        found = pdf_catalog.xmp_metadata(path) | found
    return tidy_metadata(found)


def _has_xmp(path: str) -> bool:
    """Whether the file holds a packet of XMP that anyone may read: a search for its first bytes."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"<x:xmpmeta") >= 0
    except (OSError, ValueError):
        return False


def tidy_metadata(found: dict[str, str]) -> dict[str, str]:
    """The document's own title, author, subject, keywords and dates, under lower-case names."""
    names = {"Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords"}
    kept = {
        name: " ".join(_CONTROLS.sub(" ", found.get(key) or "").split())[:500] for key, name in names.items()
    }
    kept["created"] = _iso_date(found.get("CreationDate") or "")
    kept["modified"] = _iso_date(found.get("ModDate") or "")
    return {name: value for name, value in kept.items() if value}


def own_title(metadata: dict[str, str]) -> str:
    """The title, unless a program made it up."""
    title = _PROGRAM_PREFIX.sub("", metadata.get("title", ""))
    return "" if _NO_TITLE.fullmatch(title) else title


def _iso_date(value: str) -> str:
    """``D:20180207161720-05'00'`` as ``2018-02-07T16:17:20-05:00``; nonsense as nothing."""
    match = _DATE.match(value)
    if not match:
        return ""
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    sign = -1 if match[7] == "-" else 1
    offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    try:
        zone = timezone(sign * offset) if match[7] else None
        return datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=zone).isoformat()
    except ValueError:
        return ""
