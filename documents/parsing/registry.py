"""Which kinds of file can be read, and by which parser.

To add a family of formats: one module with a ``parse`` function, one line in each table here, and the
bytes by which ``detection`` knows it.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from documents.parsing.types import Parser

#: kind -> dotted path of its parser, imported on first use (it may pull in a heavy library).
PARSERS = {
    "pdf": "documents.parsing.pdf.parser.parse",
    "docx": "documents.parsing.office.word.parse",
    "pptx": "documents.parsing.office.slides.parse",
    "xlsx": "documents.parsing.office.sheets.parse_xlsx",
    "csv": "documents.parsing.office.sheets.parse_csv",
    "odt": "documents.parsing.office.opendocument.parse",
    "html": "documents.parsing.markup.html.parse",
    "epub": "documents.parsing.markup.epub.parse",
    "email": "documents.parsing.mail.parse",
    "image": "documents.parsing.pictures.image.parse",
    "markdown": "documents.parsing.markdown.parse",
    "rst": "documents.parsing.rst.parse",
    "text": "documents.parsing.text.parse",
}
#: For HTTP; that of an image depends on its bytes (``detection.IMAGES``).
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "odt": "application/vnd.oasis.opendocument.text",
    "html": "text/html",
    "epub": "application/epub+zip",
    "email": "message/rfc822",
    "image": "image/png",
    "markdown": "text/markdown",
    "rst": "text/x-rst",
    "text": "text/plain",
}
#: What people call them.
NAMES = {
    "pdf": "PDF",
    "docx": "Word",
    "pptx": "PowerPoint",
    "xlsx": "Excel",
    "csv": "CSV",
    "odt": "OpenDocument",
    "html": "HTML",
    "epub": "EPUB",
    "email": "Mail",
    "image": "Image",
    "markdown": "Markdown",
    "rst": "reStructuredText",
    "text": "Text",
}
SUPPORTED = (
    "Supported: PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx), OpenDocument text (.odt), EPUB, "
    "HTML, mail (.eml), CSV, Markdown, reStructuredText, plain text, and pictures of text."
)


def import_parser(dotted_path: str) -> Parser:
    """The parser at ``package.module.function``."""
    module, _, name = dotted_path.rpartition(".")
    return cast(Parser, getattr(import_module(module), name))
