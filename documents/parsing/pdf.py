"""PDF: text with boxes by PDFium; pypdf where PDFium cannot open the file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NoReturn

import pypdfium2 as pdfium
from pypdfium2 import raw

from documents.exceptions import UnreadableDocument
from documents.parsing.glyphs import Fragment, page_size, read_fragments
from documents.parsing.layout import join_hyphenated, merge_rows
from documents.parsing.structure import document_style, lay_out
from documents.parsing.types import ParsedDocument, ParsedPage

MAX_PAGES = 10_000
#: A picture of a page has at most this many pixels.
MAX_PIXELS = 4_000_000

ENCRYPTED = "This PDF is protected by a password. Remove the protection and upload it again."
DAMAGED = "This PDF is damaged and cannot be read."
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


def parse(path: str) -> ParsedDocument:
    """Read a PDF. Raises ``UnreadableDocument`` with the reason as a sentence."""
    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        return _without_pdfium(path, error)
    try:
        _check_length(len(pdf))
        return _read(pdf, path)
    finally:
        pdf.close()


def render(path: str, number: int, scale: float) -> bytes:
    """A PNG of one page (1 = first); ``scale`` is in pixels per point, lowered for huge pages."""
    from documents.parsing.png import encode

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


def _without_pdfium(path: str, error: pdfium.PdfiumError) -> ParsedDocument:
    if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY, raw.FPDF_ERR_SUCCESS):
        _raise_for(error)
    from documents.parsing import pdf_fallback

    document = pdf_fallback.parse(path)
    _check_length(len(document.pages))
    return document


def _check_length(count: int) -> None:
    if count == 0:
        raise UnreadableDocument(EMPTY)
    if count > MAX_PAGES:
        raise UnreadableDocument(TOO_LONG)


def _read(pdf: pdfium.PdfDocument, path: str) -> ParsedDocument:
    fragments: list[list[Fragment]] = []
    sizes: list[tuple[float, float] | None] = []
    for index in range(len(pdf)):
        size, found = _read_page(pdf, index)
        sizes.append(size)
        fragments.append(found)
    if not any(sizes):
        raise UnreadableDocument(DAMAGED)
    join_hyphenated(fragments)
    lines = [merge_rows(page) for page in fragments]
    style = document_style(lines)
    pages = tuple(
        lay_out(number, page, style, size) if size else _rescued(path, number)
        for number, (page, size) in enumerate(zip(lines, sizes, strict=True), start=1)
    )
    metadata = tidy_metadata(pdf.get_metadata_dict(skip_empty=True))
    return ParsedDocument(pages, own_title(metadata), metadata)


def _read_page(pdf: pdfium.PdfDocument, index: int) -> tuple[tuple[float, float] | None, list[Fragment]]:
    """No size means that PDFium could not load the page."""
    try:
        page = pdf[index]
    except pdfium.PdfiumError:
        return None, []
    try:
        return page_size(page), read_fragments(page)
    except pdfium.PdfiumError:
        return None, []
    finally:
        page.close()


def _rescued(path: str, number: int) -> ParsedPage:
    from documents.parsing import pdf_fallback

    return pdf_fallback.read_page(path, number)


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
