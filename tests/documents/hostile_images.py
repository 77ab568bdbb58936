"""Pictures that mean harm, or came to harm."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from tests.documents.hostile_types import Hostile


def image_files() -> Iterator[Hostile]:
    yield Hostile("png-60000-by-60000", "bomb.png", lambda: png(60_000, 60_000))
    yield Hostile("png-of-no-size", "none.png", lambda: png(0, 0))
    yield Hostile("png-of-90-megapixels", "large.png", lambda: png(9_500, 9_500, whole=True))
    yield Hostile("png-text-bomb", "text.png", text_bomb)
    yield Hostile("png-cut", "cut.png", lambda: saved("PNG")[:700])
    yield Hostile("jpeg-cut", "cut.jpg", lambda: saved("JPEG")[:900])
    yield Hostile("webp-cut", "cut.webp", lambda: saved("WEBP")[:60])
    yield Hostile("jpeg-of-65500-by-65500", "bomb.jpg", jpeg_bomb)
    yield Hostile("tiff-pages-in-a-loop", "loop.tiff", tiff_loop)
    yield Hostile("tiff-tags-that-lie", "lies.tiff", tiff_lies)
    yield Hostile("gif-of-10000-frames", "frames.gif", gif_of_frames)
    yield Hostile("bmp-of-negative-size", "minus.bmp", bmp_of_negative_size)
    yield Hostile("png-named-pdf", "picture.pdf", lambda: saved("PNG"))


def saved(kind: str) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(out, kind)
    return out.getvalue()


def png(
    width: int, height: int, *, whole: bool = False, chunks: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    row = b"\0" + b"\xff" * width if whole else b"\0"
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(row * (height if whole else 1), 1)
    found = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")):
        found += struct.pack(">I", len(content)) + name + content
        found += struct.pack(">I", zlib.crc32(name + content))
    return found


def text_bomb() -> bytes:
    """Remarks in a small picture that unpack to 100 MB each."""
    packed = zlib.compress(b"a" * 100_000_000, 9)
    return png(
        64, 64, whole=True, chunks=((b"zTXt", b"Comment\0\0" + packed), (b"iCCP", b"ICC\0\0" + packed))
    )


def jpeg_bomb() -> bytes:
    content = saved("JPEG")
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + struct.pack(">HH", 65_500, 65_500) + content[at + 9 :]


def tiff_loop() -> bytes:
    content = bytearray(saved("TIFF"))
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    struct.pack_into("<I", content, directory + 2 + 12 * entries, directory)
    return bytes(content)


def tiff_lies() -> bytes:
    """A directory whose tags each claim four billion values."""
    tags = b"".join(struct.pack("<HHII", tag, 4, 0xFFFFFFFF, 8) for tag in range(256, 300))
    return b"II*\0" + struct.pack("<IH", 8, 44) + tags + struct.pack("<I", 0)


def gif_of_frames() -> bytes:
    """Ten thousand frames of one pixel each, on a screen of 2,000 by 2,000."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 2_000, 2_000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return screen + frame * 10_000 + b"\x3b"


def bmp_of_negative_size() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, -2_000_000_000, -2_000_000_000, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1_000, 0, 0, 54) + header + bytes(range(256)) * 4
