"""What a file is, judged by its bytes; its name only tells kinds of text from each other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

from documents.exceptions import EmptyUpload, UnsupportedType
from documents.parsing import containers
from documents.parsing.registry import MEDIA_TYPES, SUPPORTED

#: Kinds of text that only their names tell.
SUFFIXES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdown": "markdown",
    ".mkd": "markdown",
    ".rst": "rst",
    ".rest": "rst",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".eml": "email",
}
#: Pictures by their first bytes.
IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"BM": "image/bmp",
}
#: Suffixes of texts that may quote a page or look like a mail's header, and are neither.
_STAYS_TEXT = frozenset(
    {
        ".json",
        ".xml",
        ".log",
        ".py",
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
        ".cfg",
        ".conf",
        ".js",
        ".ts",
        ".css",
        ".php",
        ".java",
        ".c",
        ".h",
        ".cpp",
        ".cs",
        ".go",
        ".rs",
        ".rb",
        ".sh",
        ".sql",
        ".tex",
        ".bib",
        ".adoc",
    }
)

#: A text may hold a few bytes that no text should; above this share it is something else.
MAX_CONTROL_SHARE = 0.02
WINDOW = 32 * 1024

ARCHIVE = "This seems to be a ZIP archive. Unpack it and upload the files in it."
DRAWING = "This is an SVG drawing, whose markup is no text to read. Save it as PNG or PDF and upload that."
BINARY = "This is a binary file that no reader here understands."
#: Fewer bytes of a signature are in a file by chance.
_SIGNATURE_BYTES = 3

_PDF_HEADER = re.compile(rb"%PDF-\d")
#: Formats made of printable characters that are not text a person reads.
_TEXTUAL_CONTAINERS = ((b"{\\rtf", "an RTF document"), (b"%!PS", "a PostScript file"))
#: Bytes that never occur in text: C0 controls but \a \b \t \n \v \f \r and escape, and DEL.
_CONTROL_BYTES = bytes([*range(7), *range(14, 27), *range(28, 32), 127])
_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
#: The possessive quantifier keeps a run of comments from being read in exponentially many ways.
_PROLOGUE = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+"
_HTML = re.compile(_PROLOGUE + rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(_PROLOGUE + rb"<(?:!doctype\s+)?(?:svg:)?svg[\s/>]", re.IGNORECASE | re.DOTALL)
#: The header of a mail: lines of "Name: value", among them some that only mails have.
_MAIL_LINE = re.compile(rb"[\x21-\x39\x3b-\x7e]+:|[ \t]|From ")
_MAIL_NAMES = re.compile(
    rb"^(?:from|to|cc|date|subject|message-id|mime-version|received|return-path|delivered-to|reply-to|"
    rb"content-type|in-reply-to|references|dkim-signature|x-mailer):",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class DetectedType:
    """``kind`` names the parser (a key of ``PARSERS``), ``media_type`` is for HTTP."""

    kind: str
    media_type: str


def detect(file: BinaryIO, filename: str) -> DetectedType:
    """The type of an open file. Raises ``EmptyUpload`` for a file of no bytes and ``UnsupportedType``
    for what no parser reads."""
    windows = _windows(file)
    head = windows[0]
    if not head:
        raise EmptyUpload()
    if _is_pdf(head, windows[-1]):
        return _detected("pdf")
    if media_type := image_type(head):
        return DetectedType("image", media_type)
    if head.startswith(b"PK\x03\x04"):
        return _detected(_kind_of_container(file, filename))
    if not looks_like_text(windows):
        raise UnsupportedType(_refusal(head))
    for magic, name in _TEXTUAL_CONTAINERS:
        if head.lstrip().startswith(magic):
            raise UnsupportedType(_sentence(name))
    return _detected(_kind_of_text(head, filename))


def image_type(head: bytes) -> str:
    """The media type of a picture, or nothing."""
    if head[:4] == b"RIFF" and head[8:15] == b"WEBPVP8":
        return "image/webp"
    found = next((kind for magic, kind in IMAGES.items() if head.startswith(magic)), "")
    # A text may begin with a few letters that mean something.
    if found == "image/bmp":
        return found if _is_bitmap(head) else ""
    return "" if found == "image/gif" and looks_like_text([head]) else found


def _is_bitmap(head: bytes) -> bool:
    """Two letters are not much; four zero bytes and a known length of header follow in any bitmap."""
    return head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)


def _kind_of_text(head: bytes, filename: str) -> str:
    suffix = os.path.splitext(filename.lower())[1]
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if encoding := wide_encoding(head):
        head = head.decode(encoding, "replace").encode("utf-8", "replace")
    if suffix == ".svg" or _SVG.match(head):
        raise UnsupportedType(f"{DRAWING} {SUPPORTED}")
    if suffix in _STAYS_TEXT:
        return "text"
    if _HTML.match(head):
        return "html"
    return "email" if _is_mail(head) else "text"


def _kind_of_container(file: BinaryIO, filename: str) -> str:
    """The kind of a ZIP file. A damaged one that is named like a document is left to its parser."""
    found = containers.look_into(file)
    if found.kind:
        return found.kind
    suffix = os.path.splitext(filename.lower())[1].removeprefix(".")
    if not found.is_whole and suffix in containers.KINDS:
        return suffix
    raise UnsupportedType(f"{found.refusal or ARCHIVE} {SUPPORTED}")


def _is_mail(head: bytes) -> bool:
    header = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    names = {name.lower() for name in _MAIL_NAMES.findall(header)}
    lines = header.splitlines()
    return len(names) >= 3 and all(_MAIL_LINE.match(line) for line in lines)


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


def _read_at(file: BinaryIO, start: int, size: int = WINDOW) -> bytes:
    file.seek(start)
    return file.read(size)


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


def _refusal(head: bytes) -> str:
    """By the bytes alone: a name that has them wrong would be taken at its word."""
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return (
            "This is a document of an older Office program, or one protected by a password. Save it as "
            f".docx, .pptx or .xlsx without a password and upload that. {SUPPORTED}"
        )
    import puremagic  # 20 ms to import, and needed for refusals only

    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        matches = []
    for match in matches:
        if match.name and len(match.byte_match) >= _SIGNATURE_BYTES:
            return _sentence(f"a file of the type “{match.name.strip()}”")
    return f"{BINARY} {SUPPORTED}"


def _sentence(seems: str) -> str:
    return f"This seems to be {seems}, which is not supported. {SUPPORTED}"
