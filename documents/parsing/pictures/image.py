"""Pictures: one page each, or one for each frame of a TIFF. Their text is found later, by recognition."""

from __future__ import annotations

import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any

from PIL import Image
from PIL.Image import Resampling, Transpose

from documents.exceptions import UnreadableDocument
from documents.parsing.builder import one_line
from documents.parsing.types import ParsedDocument, ParsedPage, Report, unheard

#: No other format is tried: some of Pillow's readers start programs.
FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
#: Pixels of a frame; four bytes each must fit the jail's memory.
MAX_PIXELS = 100_000_000
MAX_PAGES = 10_000
#: Pixels of the picture that the viewer gets.
MAX_DRAWN = 4_000_000

DAMAGED = (
    "This image is damaged and cannot be read. Open it in the program that made it, save it again, and "
    "upload that."
)
TOO_LARGE = (
    f"This image has more than {MAX_PIXELS // 1_000_000} million pixels. Scale it down and upload it again."
)
TOO_MANY = f"This image has more than {MAX_PAGES:,} pages. Split it and upload the parts."

#: What Pillow raises for damaged files, beside its own.
FAILURES = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
)
#: Points of the longer side of a page, where the image does not say how large it is: that of A4.
LONGER_SIDE = 842
#: Programs write 72 and 96 without knowing, so one side has to have more. A fax has 98 the other way.
_MIN_DPI, _MAX_DPI, _COARSE_DPI, _SCREEN_DPI = 100, 2400, 90, 96

_ORIENTATION, _DESCRIPTION, _DATE, _TITLE, _AUTHOR = 0x0112, 0x010E, 0x0132, 0x9C9B, 0x013B
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
#: Values that cameras and programs put where a description should be.
_NO_DESCRIPTION = re.compile(
    r"(?:olympus|sony|samsung|minolta|konica|kodak|nikon|canon) .*|(?:dcm|dsc|img)[_\d]*|created with .*|"
    r"screenshot|untitled|default|[\d\W_]*",
    re.IGNORECASE,
)

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def parse(path: str, report: Report = unheard) -> ParsedDocument:
    """One page without text for each frame. Raises ``UnreadableDocument`` with a reason."""
    with _opened(path) as image:
        image.load()  # a file that was cut off shows itself here
        count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if count > MAX_PAGES:
            raise UnreadableDocument(TOO_MANY)
        pages = []
        for number in range(1, count + 1):
            image.seek(number - 1)
            _check_size(image)
            pages.append(ParsedPage(number, "", (), *page_size(image), is_picture=True))
            report(number, count)
        image.seek(0)
        metadata = _metadata(image)
    return ParsedDocument(tuple(pages), metadata.get("title", ""), metadata)


def render(path: str, number: int, scale: float) -> bytes:
    """A PNG of one frame (1 = first), upright; ``scale`` is in pixels per point, lowered for huge ones."""
    with frame(path, number) as image:
        width, height = page_size(image)
        scale = min(scale, math.sqrt(MAX_DRAWN / (width * height)) * 0.999)
        target = (max(1, int(width * scale)), max(1, int(height * scale)))
        drawn = upright(image, "RGB", pixels=4 * target[0] * target[1]).resize(target, Resampling.BILINEAR)
    out = BytesIO()
    drawn.save(out, "PNG", compress_level=6)
    return out.getvalue()


@contextmanager
def frame(path: str, number: int) -> Iterator[Image.Image]:
    """One frame of the file, not decoded yet. Raises ``UnreadableDocument``, for its user's errors too."""
    with _opened(path) as image:
        if number != 1 and (image.format != "TIFF" or not 1 <= number <= MAX_PAGES):
            raise UnreadableDocument(f"This document has no page {number}.")
        image.seek(number - 1)
        _check_size(image)
        yield image


def upright(image: Image.Image, mode: str, *, pixels: int) -> Image.Image:
    """The frame as a person sees it, on white, in ``mode`` ("L" or "RGB"), with about ``pixels`` at most."""
    turn = _UPRIGHT.get(_orientation(image))
    share = math.sqrt(pixels / (image.width * image.height))
    if share < 1:
        image.draft(mode, (int(image.width * share), int(image.height * share)))
    image = _direct(image)
    factor = math.floor(math.sqrt(image.width * image.height / pixels))
    if factor > 1:
        image = image.reduce(factor)
    image = _on_white(image).convert(mode)
    return image.transpose(turn) if turn is not None else image


def page_size(image: Image.Image) -> tuple[float, float]:
    """Width and height in points of the frame as it is shown."""
    width, height = image.width, image.height
    dpi = _resolution(image)
    size = (round(width * 72 / dpi[0], 2), round(height * 72 / dpi[1], 2))
    return size if _orientation(image) < 5 else (size[1], size[0])


@contextmanager
def _opened(path: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check_size(image)
            yield image
    except Image.DecompressionBombError as error:
        raise UnreadableDocument(TOO_LARGE) from error
    except FAILURES as error:
        raise UnreadableDocument(DAMAGED) from error


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableDocument(TOO_LARGE)
    if not image.width or not image.height:
        raise UnreadableDocument(DAMAGED)


def _resolution(image: Image.Image) -> tuple[float, float]:
    """Pixels per inch across and down: what the file says, if that can be true."""
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except FAILURES:
        across = down = 0.0
    if max(across, down) >= _MIN_DPI and all(_COARSE_DPI <= value <= _MAX_DPI for value in (across, down)):
        return across, down
    dpi = max(_SCREEN_DPI, max(image.width, image.height) * 72 / LONGER_SIDE)
    return dpi, dpi


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except FAILURES:
        return 1


def _direct(image: Image.Image) -> Image.Image:
    """The pixels themselves, decoded, 8 bits a channel: no palettes, no deep greys."""
    if image.mode.startswith(("I", "F")):
        low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
        scale = 255 / (high - low) if high > low else 0.0
        return image.point(lambda value: value * scale + -low * scale).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white


def _metadata(image: Image.Image) -> dict[str, str]:
    """What the picture says of itself: title, author, subject and date."""
    try:
        exif: Any = image.getexif()
    except FAILURES:
        exif = {}
    given = {
        "title": _words(exif.get(_TITLE)) or _words(image.info.get("Title")),
        "author": _words(exif.get(_AUTHOR)) or _words(image.info.get("Author")),
        "subject": _described(exif.get(_DESCRIPTION)) or _described(image.info.get("Description")),
        "created": _iso_date(exif.get(_DATE)),
    }
    return {name: value for name, value in given.items() if value}


def _words(value: object) -> str:
    if isinstance(value, bytes):  # Windows writes its own tags so
        value = value.decode("utf-16-le", "replace")
    return one_line(value)[:500] if isinstance(value, str) else ""


def _described(value: object) -> str:
    words = _words(value)
    return "" if _NO_DESCRIPTION.fullmatch(words) else words


def _iso_date(value: object) -> str:
    """``2018:02:07 16:17:20`` as ``2018-02-07T16:17:20``; nonsense as nothing."""
    try:
        return datetime.strptime(_words(value), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return ""
