"""PDF text by pypdf: slower and without boxes, for files and pages that PDFium refuses."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from pypdf import PasswordType, PdfReader
from pypdf.errors import PyPdfError

from documents.exceptions import UnreadableDocument
from documents.parsing.text import paragraphs
from documents.parsing.types import ParsedDocument, ParsedPage

#: pypdf meets damaged files with all of these beside its own errors.
FAILURES = (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OSError)

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]")

logging.getLogger("pypdf").setLevel(logging.ERROR)


def parse(path: str) -> ParsedDocument:
    """Read the whole file. Raises ``UnreadableDocument`` if pypdf cannot read it either."""
    from documents.parsing.pdf import DAMAGED, ENCRYPTED, MAX_PAGES, own_title, tidy_metadata

    try:
        reader = _reader(path)
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise UnreadableDocument(ENCRYPTED)
        count = len(reader.pages)
        found = {str(key).lstrip("/"): str(value) for key, value in (reader.metadata or {}).items()}
    except (*FAILURES, RecursionError) as error:
        raise UnreadableDocument(DAMAGED) from error
    pages = tuple(read_page(path, number) for number in range(1, min(count, MAX_PAGES + 1) + 1))
    if not any(page.text for page in pages):
        raise UnreadableDocument(DAMAGED)
    metadata = tidy_metadata(found)
    return ParsedDocument(pages, own_title(metadata), metadata)


def read_page(path: str, number: int) -> ParsedPage:
    """One page; empty if pypdf cannot read it either."""
    try:
        text = _reader(path).pages[number - 1].extract_text()
    except (*FAILURES, RecursionError):
        text = ""
    text = _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return ParsedPage(number, text, tuple(paragraphs(text)))


@lru_cache(maxsize=1)
def _reader(path: str) -> PdfReader:
    return PdfReader(path, strict=False)
