"""What a file is, judged by its bytes, and which parser reads it.

To add a family of formats: one module with a ``parse`` function, and one line in ``PARSERS``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from typing import BinaryIO, cast

from documents.exceptions import EmptyUpload, UnsupportedType
from documents.parsing.types import Parser

#: kind -> dotted path of its parser, imported on first use (it may pull in a heavy library).
PARSERS = {
    "pdf": "documents.parsing.pdf.parse",
    "markdown": "documents.parsing.markdown.parse",
    "text": "documents.parsing.text.parse",
}
MEDIA_TYPES = {"pdf": "application/pdf", "markdown": "text/markdown", "text": "text/plain"}
MARKDOWN_SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")

#: A text may hold a few bytes that no text should; above this share it is something else.
MAX_CONTROL_SHARE = 0.02
WINDOW = 32 * 1024

_PDF_HEADER = re.compile(rb"%PDF-\d")
#: Formats made of printable characters that are not text a person reads.
_TEXTUAL_CONTAINERS = ((b"{\\rtf", "an RTF document"), (b"%!PS", "a PostScript file"))
#: Bytes that never occur in text: C0 controls but \a \b \t \n \v \f \r and escape, and DEL.
_CONTROL_BYTES = bytes([*range(7), *range(14, 27), *range(28, 32), 127])
_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class DetectedType:
    """``kind`` names the parser (a key of ``PARSERS``), ``media_type`` is for HTTP."""

    kind: str
    media_type: str


def detect(file: BinaryIO, filename: str) -> DetectedType:
    """The type of an open file by its content; ``filename`` only tells Markdown from text.

    Raises ``EmptyUpload`` for a file of no bytes and ``UnsupportedType`` for what no parser reads.
    """
    windows = _windows(file)
    head = windows[0]
    if not head:
        raise EmptyUpload()
    if _is_pdf(head, windows[-1]):
        return _detected("pdf")
    if not looks_like_text(windows):
        raise UnsupportedType(_refusal(head, filename))
    for magic, name in _TEXTUAL_CONTAINERS:
        if head.lstrip().startswith(magic):
            raise UnsupportedType(_sentence(name))
    return _detected("markdown" if filename.lower().endswith(MARKDOWN_SUFFIXES) else "text")


def import_parser(dotted_path: str) -> Parser:
    """The parser at ``package.module.function``."""
    module, _, name = dotted_path.rpartition(".")
    return cast(Parser, getattr(import_module(module), name))


def looks_like_text(windows: list[bytes]) -> bool:
    """Whether every window of the file reads as text in some encoding."""
    encoding = wide_encoding(windows[0])
    return all(_control_share(window, encoding) <= MAX_CONTROL_SHARE for window in windows if window)


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by its byte order mark or by where the zero bytes of ASCII letters lie."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[0:4096:2], head[1:4096:2]
    if len(odd) < 4:
        return None
    even_zeros, odd_zeros = even.count(0) / len(even), odd.count(0) / len(odd)
    if odd_zeros > 0.3 and even_zeros < 0.05:
        return "utf-16-le"
    if even_zeros > 0.3 and odd_zeros < 0.05:
        return "utf-16-be"
    return None


def _detected(kind: str) -> DetectedType:
    return DetectedType(kind, MEDIA_TYPES[kind])


def _windows(file: BinaryIO) -> list[bytes]:
    """The beginning, the middle and the end of the file (offsets are multiples of four)."""
    size = file.seek(0, os.SEEK_END)
    starts = {0, size // 2 // 4 * 4, max(0, size - WINDOW) // 4 * 4} if size > WINDOW else {0}
    return [_read_at(file, start) for start in sorted(starts)]


def _read_at(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(WINDOW)


def _is_pdf(head: bytes, tail: bytes) -> bool:
    found = _PDF_HEADER.search(head[:1024])
    if not found:
        return False
    # Readers accept junk before the header; a text *about* PDF may name the header too.
    if not head[: found.start()].strip(b"\xef\xbb\xbf\0 \t\r\n"):
        return True
    return b"startxref" in tail or b"%%EOF" in tail or not looks_like_text([head])


def _control_share(window: bytes, encoding: str | None) -> float:
    if encoding is None:
        return 1 - len(window.translate(None, _CONTROL_BYTES)) / len(window)
    # A window cuts the text anywhere but at a multiple of four: only its last unit may be torn.
    text = window[: len(window) // 4 * 4 or len(window)].decode(_window_encoding(window, encoding), "replace")
    return (len(_CONTROLS.findall(text)) + text.count("\ufffd")) / max(len(text), 1)


def _window_encoding(window: bytes, encoding: str) -> str:
    """Later windows carry no byte order mark: little endian is what nearly all such files are."""
    if encoding.endswith(("-le", "-be")) or window.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return encoding
    return f"{encoding}-le"


def _refusal(head: bytes, filename: str) -> str:
    import puremagic  # 20 ms to import, and needed for refusals only

    try:
        matches = puremagic.magic_string(head, filename)
    except (puremagic.PureError, ValueError):
        return _sentence("a binary file")
    return _sentence(f"a file of the type “{matches[0].name}”" if matches[0].name else "a binary file")


def _sentence(seems: str) -> str:
    return f"This seems to be {seems}, which is not supported. Supported: PDF, Markdown and plain text."
