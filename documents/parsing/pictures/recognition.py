"""Text recognition over a parsed document, page by page: each page that is a picture gets a jail of its own.

A page that takes too much costs that page alone, and the document can be cancelled between any two.
"""

from __future__ import annotations

from dataclasses import replace

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import recognise_page_in_jail
from documents.parsing.pictures import ocr
from documents.parsing.types import ParsedDocument, ParsedPage, Report

_REMEDY = (
    "and text recognition (Tesseract) is not installed on this portal. Have it installed, or upload a "
    "version whose text can be selected."
)
IMAGE_WITHOUT_RECOGNITION = f"This file is a picture, {_REMEDY}"
SCAN_WITHOUT_RECOGNITION = f"This file is a scan: its pages are pictures without text, {_REMEDY}"


def recognise(
    path: str, kind: str, parsed: ParsedDocument, *, languages: str, report: Report
) -> ParsedDocument:
    """The document with the text of its pictured pages, where any can be read.

    ``languages`` are Tesseract's codes ("eng+deu"). ``report`` hears of each page and may raise to stop.
    Raises ``UnreadableDocument`` when no page has text and there is no Tesseract.
    """
    pictures = [page for page in parsed.pages if page.is_picture]
    if not pictures:
        return parsed
    usable = chosen(languages, ocr.languages())
    if not usable:
        if parsed.has_text:
            return parsed
        raise UnreadableDocument(IMAGE_WITHOUT_RECOGNITION if kind == "image" else SCAN_WITHOUT_RECOGNITION)
    read: dict[int, ParsedPage] = {}
    for done, page in enumerate(pictures):
        report(done, len(pictures))
        read[page.number] = _read(path, kind, page, usable)
    report(len(pictures), len(pictures))
    return replace(parsed, pages=tuple(read.get(page.number, page) for page in parsed.pages))


def chosen(wanted: str, installed: tuple[str, ...]) -> str:
    """Those of the wanted languages that are installed; all that are when none is."""
    return "+".join([code for code in wanted.split("+") if code in installed] or installed)


def _read(path: str, kind: str, page: ParsedPage, languages: str) -> ParsedPage:
    try:
        found = recognise_page_in_jail(path, kind, page.number, languages=languages)
    except UnreadableDocument:
        return replace(page, examined=True)
    if not found.text:  # a blank page is no picture
        return replace(page, is_picture=found.is_picture, examined=True)
    width, height = page.width or found.width, page.height or found.height
    return replace(found, number=page.number, label=page.label, width=width, height=height, examined=True)
