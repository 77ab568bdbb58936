"""PDF files that mean harm, or came to harm."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tests.documents.hostile_types import Hostile
from tests.documents.parsing.pdf_factory import encrypt, make_pdf

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
RESOURCES = b"/Resources << /Font << /F1 4 0 R >> >>"
WORDS = b"BT /F1 12 Tf 72 700 Td (Readable words on a page.) Tj ET"


def pdf_files() -> Iterator[Hostile]:
    yield Hostile("pdf-page-tree-loop", "loop.pdf", lambda: document(kids=b"2 0 R", count=5))
    yield Hostile("pdf-page-tree-of-10000", "long.pdf", lambda: many_pages(10_000))
    yield Hostile("pdf-page-tree-of-10001", "longer.pdf", lambda: many_pages(10_001))
    yield Hostile("pdf-count-lies", "count.pdf", lambda: document(count=2_000_000_000))
    yield Hostile("pdf-object-stream-loop", "objstm.pdf", object_stream_loop)
    yield Hostile("pdf-xref-loop", "xref.pdf", xref_loop)
    yield Hostile("pdf-size-lies", "size.pdf", lambda: document().replace(b"/Size 6", b"/Size 2147483647"))
    yield Hostile(
        "pdf-stream-length-lies",
        "length.pdf",
        lambda: document().replace(b"/Length 60", b"/Length 99999999999"),
    )
    yield Hostile("pdf-flate-4-mb", "flate4.pdf", lambda: document(content=flate_of_text(4_000_000)))
    yield Hostile("pdf-flate-400-mb", "flate400.pdf", lambda: document(content=flate_of_text(400_000_000)))
    yield Hostile("pdf-flate-of-flate", "flateflate.pdf", flate_of_flate)
    yield Hostile("pdf-deep-arrays", "arrays.pdf", lambda: deep(b"[", b"]", 200_000))
    yield Hostile("pdf-deep-dictionaries", "dicts.pdf", lambda: deep(b"<</A", b">>", 100_000))
    yield Hostile("pdf-encrypted", "secret.pdf", lambda: encrypt(make_pdf([["Hidden words."]]), "secret"))
    yield Hostile("pdf-javascript-and-launch", "launch.pdf", lambda: document(catalog=ACTIONS))
    yield Hostile("pdf-huge-media-box", "huge.pdf", lambda: document(box=b"[0 0 1000000000 1000000000]"))
    yield Hostile("pdf-zero-media-box", "zero.pdf", lambda: document(box=b"[0 0 0 0]"))
    yield Hostile("pdf-absurd-media-box", "absurd.pdf", lambda: document(box=b"[1e39 -1e39 -9e99 null]"))
    yield Hostile("pdf-form-draws-itself", "itself.pdf", lambda: forms(b"/X0 Do", depth=1))
    yield Hostile("pdf-forms-billion-laughs", "laughs.pdf", lambda: forms(b"", depth=12))
    yield Hostile("pdf-image-60000-by-60000", "bomb.pdf", picture_bomb)
    yield Hostile("pdf-only-a-header", "header.pdf", lambda: b"%PDF-1.7\n")
    yield Hostile(
        "pdf-of-noise", "noise.pdf", lambda: b"%PDF-1.7\n" + bytes(i * i % 251 for i in range(200_000))
    )
    yield Hostile("pdf-without-xref", "noxref.pdf", lambda: document().split(b"xref\n")[0] + b"%%EOF\n")
    good = make_pdf([["# A title", "Some words of a good file."], ["More words."]])
    for tenth in range(10):
        cut = max(12, len(good) * tenth // 10)
        yield Hostile(f"pdf-cut-at-{tenth}0-percent", "cut.pdf", lambda cut=cut: good[:cut])  # type: ignore[misc]


def assembled(objects: list[bytes], trailer: bytes = b"") -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(content: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), extra, content)


def document(
    *,
    kids: bytes = b"3 0 R",
    count: int = 1,
    box: bytes = b"[0 0 612 792]",
    content: bytes = stream(WORDS),
    catalog: bytes = b"",
    resources: bytes = RESOURCES,
    more: tuple[bytes, ...] = (),
) -> bytes:
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s %s /Contents 5 0 R >>" % (box, resources),
            FONT,
            content,
            *more,
        ]
    )


def many_pages(count: int) -> bytes:
    """Words on the first page, nothing on all the others."""
    kids = b" ".join(b"%d 0 R" % number for number in (3, *range(6, count + 5)))
    blank = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>"
    return document(kids=kids, count=count, more=(blank,) * (count - 1))


def object_stream_loop() -> bytes:
    """An object stream that extends itself, and holds itself."""
    packed = zlib.compress(b"6 0 << /Type /ObjStm >>")
    extra = b"/Type /ObjStm /N 1 /First 4 /Extends 6 0 R /Filter /FlateDecode"
    return document(more=(stream(packed, extra),), catalog=b"/Names 6 0 R /Metadata 6 0 R")


def xref_loop() -> bytes:
    """Cross-reference tables that each name the other as the one before."""
    first = document()
    start = first.rindex(b"xref\n0")
    return first.replace(b"/Root", b"/Prev %d /Root" % start)


def flate_of_text(size: int) -> bytes:
    """Text operators that shrink to a thousandth: all show the same words again and again."""
    operators = b"BT /F1 12 Tf 72 700 Td (words) Tj ET\n"
    return stream(_repeated(operators, size), b"/Filter /FlateDecode")


def _repeated(unit: bytes, size: int) -> bytes:
    """About ``size`` bytes of ``unit`` again and again, compressed, in no time."""
    block = unit * (1_000_000 // len(unit))
    packer = zlib.compressobj(9)
    out = [packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)]
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"".join([*out, again * max(0, size // len(block) - 1), packer.flush()])


def flate_of_flate() -> bytes:
    inner = _repeated(b"\0" * 1000, 1_000_000_000)
    packed = zlib.compress(zlib.compress(inner, 9), 9)
    return document(content=stream(packed, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]"))


def deep(opening: bytes, closing: bytes, depth: int) -> bytes:
    return document(catalog=b"/Deep " + opening * depth + b" 1 " + closing * depth)


ACTIONS = (
    b"/OpenAction << /S /JavaScript /JS (app.launchURL\\('http://127.0.0.1:1/'\\)) >> "
    b"/AA << /O << /S /Launch /F (/bin/sh) >> >> "
    b"/Names << /EmbeddedFiles << /Names [(x) << /Type /Filespec /F (/etc/passwd) >>] >> >>"
)


def forms(last: bytes, depth: int) -> bytes:
    """Forms that each draw the next one ten times; the last one draws ``last``."""
    names = b"/XObject << %s >>" % b" ".join(b"/X%d %d 0 R" % (n, 6 + n) for n in range(depth))
    resources = b"/Resources << /Font << /F1 4 0 R >> %s >>" % names
    extra = b"/Type /XObject /Subtype /Form /BBox [0 0 600 700] " + resources
    drawn = [b"/X%d Do " % (n + 1) * 10 for n in range(depth - 1)] + [last + WORDS]
    bodies = tuple(stream(content, extra) for content in drawn)
    return document(content=stream(b"/X0 Do"), resources=resources, more=bodies)


def picture_bomb() -> bytes:
    """A page that shows a picture of 3.6 gigapixels, packed into a megabyte or four."""
    picture = stream(
        _repeated(b"\0" * 1000, 3_600_000_000),
        b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 "
        b"/ColorSpace /DeviceGray /Filter /FlateDecode",
    )
    resources = b"/Resources << /XObject << /I 6 0 R >> >>"
    return document(content=stream(b"600 0 0 700 0 0 cm /I Do"), resources=resources, more=(picture,))
