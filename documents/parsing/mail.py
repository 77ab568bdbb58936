"""Mail (EML): its header lines and its body; files sent along become documents of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from documents.exceptions import UnreadableDocument
from documents.parsing.builder import PageBuilder, one_line
from documents.parsing.detection import SUFFIXES
from documents.parsing.markup import tree as markup
from documents.parsing.markup.html import decode_page, page_tree
from documents.parsing.registry import MEDIA_TYPES
from documents.parsing.text import decode, paragraphs, unusable_removed
from documents.parsing.types import Attachment, ParsedDocument, Report, unheard

MAX_ATTACHMENTS = 100
MAX_ATTACHED = 50 * 1024 * 1024
#: Smaller pictures within a mail are logos.
MIN_PICTURE = 20 * 1024
#: A list of thousands of recipients is no text to read.
MAX_HEADER = 5_000
TOO_DEEP = "The parts of this mail are nested too deeply to be read. Save what matters as a file of its own."

_SHOWN = ("From", "To", "Cc", "Date")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_CONTENT_ID = re.compile(rb"""cid:([^"'>\s)]{1,500})""", re.IGNORECASE)
_MARKER = re.compile(r"[ \t]*([-*+•‣▪·–]|\(?[0-9a-zA-Z]{1,3}[.)])[ \t]+")


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """Read a mail. The body is its plain text, where it has any, else its HTML."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        # Not the default policy: its headers raise nearly anything when they are malformed.
        return _read(BytesParser(policy=policy.compat32).parsebytes(content))
    except RecursionError as error:
        raise UnreadableDocument(TOO_DEEP) from error


def _read(message: Message) -> ParsedDocument:
    subject = header(message, "Subject")
    parts = list(_leaves(message))
    attachments, left_out = _attachments(parts)
    builder = PageBuilder()
    builder.heading(subject, 1)
    builder.paragraph("\n".join(_header_lines(message, [*(a.filename for a in attachments), *left_out])))
    for part, is_body in parts:
        if is_body and not _filename(part):
            _write_body(part, builder)
    if left_out:
        builder.paragraph(f"Sent along, but too much to be read here: {', '.join(left_out)}")
    metadata = {"title": subject, "subject": subject, "author": header(message, "From")}
    metadata["created"] = _sent(message)
    return builder.build(title=subject, metadata=metadata, attachments=attachments)


# The header


def header(message: Message, name: str) -> str:
    """A header's value as people read it; one that breaks its rules is decoded as far as it goes."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return _decoded(raw[: 4 * MAX_HEADER])[:MAX_HEADER]


def _decoded(raw: str) -> str:
    """Encoded words as text, and bytes that should have been encoded as what they seem to be."""
    content = raw.encode("utf-8", "surrogateescape")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    with suppress(HeaderParseError, ValueError, LookupError):
        text = "".join(_chunk(*chunk) for chunk in decode_header(text))
    return one_line(text)


def _chunk(content: bytes | str, charset: str | None) -> str:
    if isinstance(content, str):
        return content
    # What stands between encoded words comes back in this encoding, whatever it was.
    return content.decode(charset, "replace") if charset else content.decode("raw-unicode-escape")


def _header_lines(message: Message, files: list[str]) -> Iterator[str]:
    for name in _SHOWN:
        if value := header(message, name):
            yield f"{name}: {value}"
    if files:
        yield f"Attachments: {', '.join(map(one_line, files))}"[:MAX_HEADER]


def _sent(message: Message) -> str:
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        sent: datetime | None = parsedate_to_datetime(header(message, "Date"))
        return sent.isoformat() if sent else ""
    return ""


# The parts


def _leaves(message: Message) -> Iterator[tuple[Message, bool]]:
    """The parts that hold something, in order, and whether each belongs to the body to be read."""
    waiting: list[tuple[Message, bool]] = [(message, True)]
    while waiting:
        part, is_body = waiting.pop()
        if not part.is_multipart() or part.get_content_type() == "message/rfc822":
            yield part, is_body and _is_text(part)
            continue
        inner = [child for child in part.get_payload() if isinstance(child, Message)]
        chosen = _best(inner) if part.get_content_type() == "multipart/alternative" else None
        waiting += [(child, is_body and chosen in (None, child)) for child in reversed(inner)]


def _best(alternatives: list[Message]) -> Message | None:
    """The plain text that says something, else the richest that can be read."""
    for part in alternatives:
        if part.get_content_type() == "text/plain" and _text(part).strip():
            return part
    rich = [part for part in alternatives if part.is_multipart() or part.get_content_type() == "text/html"]
    return next(reversed(rich or alternatives), None)


def _is_text(part: Message) -> bool:
    # A multipart that is a leaf has lost its boundary: its parts are one text.
    return part.get_content_maintype() in ("text", "multipart") and _disposition(part) != "attachment"


def _write_body(part: Message, builder: PageBuilder) -> None:
    if part.get_content_type() == "text/html":
        root = page_tree(_text(part))
        if root is not None:
            markup.write(root, builder, below=1)
        return
    text = unusable_removed(_text(part))
    for block in paragraphs(text):
        words = text[block.start : block.end]
        if block.kind == "list":
            builder.items(_items(words))
        else:
            builder.paragraph(words)


def _items(text: str) -> Iterator[tuple[int, str, str]]:
    """The items of a list in plain text, whose lines may go on below."""
    marker, lines = "", list[str]()
    for line in text.split("\n"):
        if found := _MARKER.match(line):
            if lines:
                yield 0, marker, "\n".join(lines)
            marker, lines = found[1], []
            line = line[found.end() :]
        lines.append(line)
    yield 0, marker, "\n".join(lines)


def _text(part: Message) -> str:
    content = _content(part)
    charset = part.get_content_charset() or ""
    return (
        decode_page(content, charset) if part.get_content_type() == "text/html" else _plain(content, charset)
    )


def _plain(content: bytes, charset: str) -> str:
    """Charsets that are unknown, or not those of the text, are guessed."""
    try:
        return content.decode(charset) if charset not in ("", "us-ascii", "unknown-8bit") else decode(content)
    except (LookupError, ValueError):
        return decode(content)


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


# What is sent along


def _attachments(parts: list[tuple[Message, bool]]) -> tuple[list[Attachment], list[str]]:
    """The files to be read, and the names of those beyond the limits."""
    shown = _pictures_shown(parts)
    files: list[Attachment] = []
    left_out: list[str] = []
    size = 0
    for part, is_body in parts:
        if not _is_file(part, is_body, shown):
            continue
        name, content = _file_of(part)
        if not content:
            continue
        if len(files) >= MAX_ATTACHMENTS or size + len(content) > MAX_ATTACHED:
            left_out.append(name)
            continue
        size += len(content)
        files.append(Attachment(name, content))
    return files, left_out


def _pictures_shown(parts: list[tuple[Message, bool]]) -> set[str]:
    """The content ids that the mail's HTML refers to."""
    pages = (_content(part) for part, _ in parts if part.get_content_type() == "text/html")
    return {found.decode("utf-8", "replace") for page in pages for found in _CONTENT_ID.findall(page)}


def _is_file(part: Message, is_body: bool, shown: set[str]) -> bool:
    is_picture = part.get_content_maintype() == "image"
    if part.get_content_type() in _SIGNATURES or (is_body and not _filename(part)):
        return False
    if is_picture and header(part, "Content-ID").strip("<> ") in shown:
        return False
    if _disposition(part) == "attachment" or part.get_content_type() == "message/rfc822":
        return True
    if is_picture:
        return len(_content(part)) >= MIN_PICTURE
    return bool(_filename(part)) or part.get_content_maintype() not in ("text", "multipart")


def _disposition(part: Message) -> str:
    return header(part, "Content-Disposition").partition(";")[0].strip().lower()


def _filename(part: Message) -> str:
    # Encoded words in a parameter are against the rules, and common.
    return _decoded((part.get_filename() or "")[:2_000])[:255]


def _file_of(part: Message) -> tuple[str, bytes]:
    if part.get_content_type() == "message/rfc822":
        return _mail_file(part)
    return _filename(part) or f"attachment.{_suffix(part)}", _content(part)


def _suffix(part: Message) -> str:
    """For files without a name. Not by ``mimetypes``, which reads the tables of the system."""
    kind = next((kind for kind, media in MEDIA_TYPES.items() if media == part.get_content_type()), "")
    if kind in SUFFIXES.values():
        return next(suffix for suffix in SUFFIXES if SUFFIXES[suffix] == kind).removeprefix(".")
    if part.get_content_maintype() == "image":
        return part.get_content_subtype()
    return "txt" if part.get_content_maintype() == "text" else kind or "bin"


def _mail_file(part: Message) -> tuple[str, bytes]:
    """A mail sent along, as it came."""
    inner = next((child for child in part.get_payload() if isinstance(child, Message)), None)
    if inner is None:
        return "message.eml", _content(part)
    subject = re.sub(r'[/\\:*?"<>|]+', " ", header(inner, "Subject"))
    name = one_line(subject)[:200].strip(" .") or "message"
    try:
        return f"{name}.eml", inner.as_bytes(policy=policy.default.clone(refold_source="none"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{name}.eml", b""
