"""What the catalog of a PDF holds beside its pages, by pypdf: attached files, and metadata as XMP.

Opened only for files that have one of them: importing pypdf and reading a file's tables takes as long as
reading twenty or thirty pages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from documents.parsing.text import unusable_removed
from documents.parsing.types import Attachment

MAX_ATTACHMENTS, MAX_ATTACHED = 100, 50 * 1024 * 1024
MAX_XMP = 1024 * 1024

#: pypdf meets damaged files with all of these beside its own errors.
FAILURES = (
    PyPdfError,
    DependencyError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    OSError,
    RecursionError,
)

logging.getLogger("pypdf").setLevel(logging.ERROR)


@lru_cache(maxsize=1)
def open_reader(path: str) -> PdfReader:
    """The file, opened with an empty password where it is encrypted and that one fits."""
    return PdfReader(path, strict=False)


def attachments(path: str) -> tuple[Attachment, ...]:
    """The embedded files, as far as they can be read and are not too many or too large."""
    return tuple(_within_limits(path))


def _within_limits(path: str) -> Iterator[Attachment]:
    left = MAX_ATTACHED
    for attachment in _embedded(path):
        if len(attachment.content) <= left:
            left -= len(attachment.content)
            yield attachment


def _embedded(path: str) -> Iterator[Attachment]:
    try:
        for file in islice(open_reader(path).attachment_list, MAX_ATTACHMENTS):
            try:
                name = file.alternative_name or file.name
                yield Attachment(_file_name(name), bytes(file.content))
            except FAILURES:
                continue
    except FAILURES:
        return


def _file_name(name: str) -> str:
    tidied = " ".join(unusable_removed(name).split())
    return tidied.replace("\\", "/").rsplit("/", 1)[-1][-255:] or "attachment"


def xmp_metadata(path: str) -> dict[str, str]:
    """Title, author, subject and keywords under the names that PDF gives them."""
    try:
        stream = open_reader(path).root_object.get("/Metadata")
        if stream is None or len(stream.get_object().get_data()) > MAX_XMP:
            return {}
        found = open_reader(path).xmp_metadata
        if found is None:
            return {}
        return {
            "Title": _first(found.dc_title),
            "Author": ", ".join(map(str, found.dc_creator or [])),
            "Subject": _first(found.dc_description),
            "Keywords": str(found.pdf_keywords or ""),
        }
    except FAILURES:
        return {}


def _first(translations: dict[str, str] | None) -> str:
    texts = translations or {}
    return str(texts.get("x-default") or next(iter(texts.values()), ""))
