from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from documents.exceptions import DocumentError, UnreadableDocument
from documents.parsing import registry, wire
from documents.parsing.jail import Limits, parse_in_jail, render_page_in_jail
from documents.parsing.registry import detect
from documents.parsing.types import Block, Line, ParsedDocument, ParsedPage
from tests.documents.parsing.pdf_factory import make_pdf

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT.parent / "shared" / "data" / "pdf-samples"
QUICK = Limits(memory=256 * 1024**2, cpu_seconds=1, wall_seconds=3, answer=1_000_000)


@pytest.fixture(autouse=True)
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "spin eat_memory sleep crash raise_unexpected raise_reason print_noise write_file look_around"
    for name in [*names.split(), "lie_about_offsets", "talk_forever"]:
        monkeypatch.setitem(registry.PARSERS, name, f"tests.documents.parsing.poison.{name}")


@pytest.fixture
def some_file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"words")
    return str(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("spin", "more than 1 s of processor time"),
        ("eat_memory", "more than 256 MB of memory"),
        ("sleep", "more than 3 s"),
        ("crash", "damaged or uses features"),
        ("raise_unexpected", "damaged or uses features"),
        ("raise_reason", "upside down"),
        ("lie_about_offsets", "damaged or uses features"),
        ("talk_forever", "MB of text"),
    ],
)
def test_every_misbehaviour_ends_with_a_reason(some_file: str, name: str, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=reason):
        parse_in_jail(some_file, name, limits=QUICK)


def test_an_unexpected_exception_keeps_its_traceback_for_the_log(some_file: str) -> None:
    with pytest.raises(UnreadableDocument) as error:
        parse_in_jail(some_file, "raise_unexpected")
    assert "ZeroDivisionError: inside the parser" in str(error.value.context["traceback"])


def test_what_a_library_prints_does_not_harm_the_answer(some_file: str) -> None:
    assert parse_in_jail(some_file, "print_noise").pages[0].text == "text"


def test_a_parser_can_not_write_files(some_file: str) -> None:
    assert parse_in_jail(some_file, "write_file").pages[0].text == os.strerror(27)


def test_a_parser_sees_no_secrets(some_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "very secret")
    folder, environment, files = (page.text for page in parse_in_jail(some_file, "look_around").pages)
    assert "SECRET_KEY" not in environment
    assert files == ""
    assert not Path(folder).exists()


def test_a_killed_worker_leaves_no_child(some_file: str) -> None:
    code = (
        "import sys; from documents.parsing import registry, jail;"
        "registry.PARSERS['sleep'] = 'tests.documents.parsing.poison.sleep';"
        "jail.parse_in_jail(sys.argv[1], 'sleep')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, some_file], cwd=ROOT)
    link = Path(some_file + ".pid")
    _wait_for(link.is_symlink)
    child = int(os.readlink(link))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    _wait_for(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_jail_needs_no_django() -> None:
    code = "import sys, documents.parsing.jail; sys.exit('django' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_page_as_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(make_pdf([["first"], ["second"]]))
    picture = render_page_in_jail(str(path), 2, scale=1.5)
    width, height, depth, colour = struct.unpack(">IIBB", picture[16:26])
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert (width, height, depth, colour) == (918, 1188, 8, 2)
    pixels = zlib.decompress(picture[picture.index(b"IDAT") + 4 :])
    assert len(pixels) == (width * 3 + 1) * height
    assert 0 < pixels.count(b"\0") - height < len(pixels) / 10  # black on white


def test_a_picture_has_at_most_four_million_pixels(tmp_path: Path) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(make_pdf([["first"]]))
    width, height = struct.unpack(">II", render_page_in_jail(str(path), 1, scale=50)[16:24])
    assert 3_900_000 < width * height <= 4_000_000


def test_no_picture_of_a_missing_page(tmp_path: Path) -> None:
    path = tmp_path / "file.pdf"
    path.write_bytes(make_pdf([["first"]]))
    with pytest.raises(UnreadableDocument, match="no page 2"):
        render_page_in_jail(str(path), 2, scale=1)


def test_the_wire_loses_nothing() -> None:
    page = ParsedPage(
        3,
        "Title\nwords",
        (Block("heading", 0, 5, 1, "Title"),),
        612.0,
        792.0,
        (Line(0, 5, (1.0, 2.0, 3.0, 4.5)),),
    )
    document = ParsedDocument((page, ParsedPage(4, "", ())), "Title", {"author": "Ann"})
    assert wire.load(wire.dump(document)) == document


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "[1,{},[]]",
        '["t",{},[[1,"a\\u0000",null,null,[],[]]]]',
        '["t",{},[[1,"\\ud800",null,null,[],[]]]]',
        '["t",{},[[1,"abc",null,null,[0,9,0,0,0,0],[]]]]',
        '["t",{},[[1,"abc",null,null,[],[[0,2,1,0,""]]]]]',
    ],
)
def test_the_wire_refuses_what_it_would_not_write(answer: str) -> None:
    with pytest.raises(ValueError):
        wire.load(answer.encode())


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no sample files in {SAMPLES}")
def test_every_sample_is_read_or_refused_with_a_reason() -> None:
    outcomes: dict[str, str] = {}
    for path in sorted(SAMPLES.glob("*.pdf")):
        try:
            with path.open("rb") as file:
                kind = detect(file, path.name).kind
            document = parse_in_jail(str(path), kind)
            outcomes[path.name] = "text" if document.has_text else "no text"
        except DocumentError as error:
            outcomes[path.name] = str(error)
    refused = {name: outcome for name, outcome in outcomes.items() if outcome not in ("text", "no text")}
    assert len(outcomes) >= 30
    assert list(refused.values()) == [
        "This PDF is protected by a password. Remove the protection and upload it again."
    ]
