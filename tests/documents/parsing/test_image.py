"""Pictures: a page each, of a sensible size, upright, and never more than the jail can hold."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from documents.exceptions import UnreadableDocument
from documents.parsing.jail import parse_in_jail, render_page_in_jail
from documents.parsing.pictures import image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def save(folder: Path, picture: Image.Image, name: str, **given: Any) -> str:
    path = folder / name
    picture.save(path, **given)
    return str(path)


def drawn(path: str, scale: float = 1.0, number: int = 1) -> Image.Image:
    return Image.open(BytesIO(render_page_in_jail(path, number, scale=scale, kind="image"))).convert("RGB")


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    found = b"\x89PNG\r\n\x1a\n"
    for name, content in [(b"IHDR", header), *chunks, (b"IEND", b"")]:
        found += struct.pack(">I", len(content)) + name + content
        found += struct.pack(">I", zlib.crc32(name + content))
    return found


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tiff", "a.webp", "a.bmp"])
def test_every_format_is_one_page_that_waits_for_recognition(tmp_path: Path, name: str) -> None:
    path = save(tmp_path, Image.new("RGB", (640, 480), RED), name)
    (page,) = parse_in_jail(path, "image").pages
    assert (page.number, page.text, page.is_picture, page.recognised) == (1, "", True, False)
    assert (page.width, page.height) == (480, 360)  # 96 pixels to the inch
    red, green, blue = drawn(path).getpixel((100, 100))  # type: ignore[misc]
    assert (red > 240, green < 15, blue < 15) == (True, True, True)


@pytest.mark.parametrize(
    ("pixels", "dpi", "points"),
    [
        ((2480, 3508), (300, 300), (595.2, 841.92)),
        ((1728, 1100), (204, 98), (609.88, 808.16)),  # a fax: its pixels are higher than wide
        ((4000, 3000), (72, 72), (842, 631.5)),  # a camera that does not know
        ((4000, 3000), None, (842, 631.5)),
        ((300, 100), None, (225, 75)),
        ((300, 100), (1e6, 1e6), (225, 75)),
    ],
)
def test_the_page_is_as_large_as_the_file_says_if_that_can_be_true(
    tmp_path: Path, pixels: tuple[int, int], dpi: tuple[float, float] | None, points: tuple[float, float]
) -> None:
    given = {"dpi": dpi} if dpi else {}
    path = save(tmp_path, Image.new("L", pixels, 255), "a.png", **given)
    (page,) = parse_in_jail(path, "image").pages
    assert (page.width, page.height) == pytest.approx(points, abs=0.1)


def test_a_picture_taken_on_its_side_is_shown_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (400, 200), WHITE)
    picture.paste(RED, (0, 0, 40, 40))  # the upper left corner of the sensor
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    path = save(tmp_path, picture, "a.jpg", exif=exif, quality=95)
    (page,) = parse_in_jail(path, "image").pages
    assert (page.width, page.height) == (150, 300)
    shown = drawn(path)
    assert shown.size == (150, 300)
    assert shown.getpixel((140, 10))[1] < 60  # type: ignore[index]
    assert shown.getpixel((10, 10))[1] > 200  # type: ignore[index]


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    picture.paste((*RED, 255), (0, 0, 50, 200))
    for name, kept in (("a.png", picture), ("b.png", picture.quantize(8)), ("c.png", picture.convert("LA"))):
        assert drawn(save(tmp_path, kept, name)).getpixel((120, 100)) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "F", "RGB", "YCbCr"])
def test_every_kind_of_pixels_is_drawn(tmp_path: Path, mode: str) -> None:
    half = Image.new("L", (200, 100), 0)
    half.paste(255, (100, 0, 200, 100))
    if mode == "I;16":
        picture = Image.frombytes("I;16", (200, 100), (b"\0\0" * 100 + b"\xff\xff" * 100) * 100)
    else:
        picture = half.convert(mode)
    path = save(tmp_path, picture, "a.jpg" if mode in ("CMYK", "YCbCr") else "a.tiff")
    shown = drawn(path)
    assert shown.getpixel((20, 30))[0] < 30  # type: ignore[index]
    assert shown.getpixel((130, 30))[0] > 225  # type: ignore[index]


def test_each_page_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    pages = [Image.new("L", (300, 100 * n), 255 - 60 * n) for n in (1, 2, 3)]
    path = save(tmp_path, pages[0], "a.tiff", save_all=True, append_images=pages[1:])
    heard: list[tuple[int, int]] = []
    found = image.parse(path, lambda done, total: heard.append((done, total)))
    assert [(page.number, page.height) for page in found.pages] == [(1, 75), (2, 150), (3, 225)]
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert drawn(path, number=3).getpixel((5, 5)) == (75, 75, 75)
    with pytest.raises(UnreadableDocument, match=r"no page 4|damaged"):
        drawn(path, number=4)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_of_an_animation_the_first_frame_is_the_page(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, WHITE, (0, 0, 255))]
    path = save(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], duration=100)
    assert len(parse_in_jail(path, "image").pages) == 1
    assert drawn(path).getpixel((9, 9))[1] < 15  # type: ignore[index]
    with pytest.raises(UnreadableDocument, match="no page 2"):
        drawn(path, number=2)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tiff", "a.webp", "a.bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = Path(save(tmp_path, Image.effect_noise((200, 200), 80).convert("RGB"), name))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UnreadableDocument, match="This image is damaged"):
        image.parse(str(path))


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (10_001, 10_000)])
def test_a_picture_of_too_many_pixels_is_refused_unseen(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(*size, (b"IDAT", zlib.compress(b"\0" * 100_000))))
    with pytest.raises(UnreadableDocument, match="more than 100 million pixels"):
        parse_in_jail(str(path), "image")


def test_the_largest_picture_fits_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    rows = zlib.compress((b"\0" + b"\xff" * 10_000) * 10_000, 1)
    path.write_bytes(png(10_000, 10_000, (b"IDAT", rows)))
    assert len(parse_in_jail(str(path), "image").pages) == 1
    assert drawn(str(path)).getpixel((5, 5)) == WHITE


def test_a_chain_of_pages_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = Path(save(tmp_path, Image.new("L", (50, 50), 9), "a.tiff"))
    content = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    struct.pack_into("<I", content, directory + 2 + 12 * entries, directory)
    path.write_bytes(content)
    assert len(parse_in_jail(str(path), "image").pages) == 1


def test_a_picture_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(0, 0))
    with pytest.raises(UnreadableDocument, match="damaged"):
        image.parse(str(path))


def test_formats_whose_readers_start_programs_are_not_tried(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(UnreadableDocument, match="damaged"):
        image.parse(str(path))


def test_the_viewers_picture_is_bounded(tmp_path: Path) -> None:
    path = save(tmp_path, Image.new("L", (600, 600), 255), "a.png")
    width, height = drawn(path, scale=50).size
    assert 3_900_000 < width * height <= 4_000_000
    assert drawn(path, scale=0.0001).size == (1, 1)


def test_title_author_subject_and_date_are_taken_and_nothing_else(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Pump  P-101\nin the cellar"
    exif[0x0132] = "2018:02:07 16:17:20"
    exif[0x013B] = "Ann"
    exif[0x0110] = "Camera 3000"
    exif[0x9C9B] = "The pump".encode("utf-16-le") + b"\0\0"
    found = parse_in_jail(save(tmp_path, Image.new("L", (50, 50)), "a.jpg", exif=exif), "image")
    assert found.metadata == {
        "title": "The pump",
        "author": "Ann",
        "subject": "Pump P-101 in the cellar",
        "created": "2018-02-07T16:17:20",
    }
    assert found.title == "The pump"


@pytest.mark.parametrize(
    "words", ["OLYMPUS DIGITAL CAMERA", "Created with GIMP", "Screenshot", "DSC_0001", "  "]
)
def test_what_a_camera_or_a_program_says_is_no_description(tmp_path: Path, words: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = words
    exif[0x0132] = "0000:00:00 00:00:00"
    assert image.parse(save(tmp_path, Image.new("L", (50, 50)), "a.jpg", exif=exif)).metadata == {}
