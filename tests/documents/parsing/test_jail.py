from __future__ import annotations

import ctypes
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from documents.exceptions import DocumentError, PoisonedFile, UnreadableDocument
from documents.parsing import jail, registry, wire
from documents.parsing.confinement import Limits
from documents.parsing.detection import detect
from documents.parsing.jail import parse_in_jail, recognise_page_in_jail, render_page_in_jail
from documents.parsing.types import Attachment, Block, Line, ParsedDocument, ParsedPage
from tests.documents.parsing.pdf_factory import make_pdf

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT.parent / "shared" / "data" / "pdf-samples"
QUICK = Limits(memory=256 * 1024**2, cpu_seconds=1, wall_seconds=3, answer=1_000_000)
#: Whether this kernel has Landlock with all that the jail asks of it.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 6


POISONS = (
    *("spin", "eat_memory", "sleep", "crash", "raise_unexpected", "raise_reason", "print_noise"),
    *("write_files", "look_around", "lie_about_offsets", "talk_forever", "touch_the_forbidden"),
    *("show_limits", "count_slowly", "count_for_ever", "flood_with_reports", "promise_much"),
    *("babble", "lie_about_progress"),
)


@pytest.fixture(autouse=True)
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in POISONS:
        monkeypatch.setitem(registry.PARSERS, name, f"tests.documents.parsing.poison.{name}")


@pytest.fixture
def some_file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"words")
    return str(path)


def pages_of(path: str, kind: str) -> list[str]:
    return [page.text for page in parse_in_jail(path, kind).pages]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("spin", "more than 1 s of processor time"),
        ("eat_memory", "more than 256 MB of memory"),
        ("sleep", "more than 1 s"),
        ("crash", r"took its reader down \(SIGSEGV\)\. The file is damaged or uses features"),
        ("talk_forever", "MB of text"),
        ("promise_much", "MB of text"),
        ("flood_with_reports", "took its reader down"),
        ("babble", "took its reader down"),
        ("lie_about_progress", "took its reader down"),
    ],
)
def test_every_limit_and_every_crash_is_named(some_file: str, name: str, reason: str) -> None:
    limits = replace(QUICK, wall_seconds=1) if name == "sleep" else QUICK
    with pytest.raises(PoisonedFile, match=reason):
        parse_in_jail(some_file, name, limits=limits)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raise_unexpected", "damaged or uses features"),
        ("raise_reason", "upside down"),
        ("lie_about_offsets", "damaged or uses features"),
    ],
)
def test_what_the_parser_itself_says_is_no_poison(some_file: str, name: str, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=reason) as error:
        parse_in_jail(some_file, name, limits=QUICK)
    assert not isinstance(error.value, PoisonedFile)


def test_an_unexpected_exception_keeps_its_traceback_for_the_log(some_file: str) -> None:
    with pytest.raises(UnreadableDocument) as error:
        parse_in_jail(some_file, "raise_unexpected")
    assert "ZeroDivisionError: inside the parser" in str(error.value.context["traceback"])


def test_what_a_library_prints_does_not_harm_the_answer(some_file: str) -> None:
    assert pages_of(some_file, "print_noise") == ["text"]


def test_a_parser_can_change_no_file(some_file: str) -> None:
    outcomes = pages_of(some_file, "write_files")
    if LANDLOCK:
        assert outcomes == [os.strerror(13)] * 4
    assert outcomes[0] in (os.strerror(13), os.strerror(27))
    assert Path(some_file).read_bytes() == b"words" or not LANDLOCK


def test_a_parser_sees_no_secrets(some_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "very secret")
    folder, environment, files = pages_of(some_file, "look_around")
    assert "SECRET_KEY" not in environment
    assert files == ""
    assert not Path(folder).exists()


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
def test_a_parser_reaches_no_socket_no_program_and_no_other_file(some_file: str) -> None:
    Path(some_file + ".secret").write_text("the password of the database")
    outcomes = pages_of(some_file, "touch_the_forbidden")
    assert set(outcomes) <= {os.strerror(1), os.strerror(13)}
    assert len(outcomes) == 9


def test_the_limits_are_those_of_the_file(some_file: str) -> None:
    (shown,) = pages_of(some_file, "show_limits")
    assert shown.split()[:5] == [str(1024**3), "60", "0", "0", "64"]
    assert shown.split()[5] == "1"  # no new privileges


def test_the_parent_hears_how_far_the_child_is(some_file: str) -> None:
    heard: list[tuple[int, int]] = []
    parse_in_jail(some_file, "count_slowly", report=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


class Cancelled(Exception):
    pass


def test_a_report_that_raises_ends_the_child(some_file: str, children: list[int]) -> None:
    def cancel(done: int, total: int) -> None:
        raise Cancelled

    started = time.monotonic()
    with pytest.raises(Cancelled):
        parse_in_jail(some_file, "count_for_ever", report=cancel)
    assert time.monotonic() - started < 5
    _assert_gone(children)


@pytest.mark.parametrize("name", ["spin", "crash", "print_noise", "raise_reason", "talk_forever"])
def test_nothing_is_left_of_any_child(some_file: str, name: str, children: list[int]) -> None:
    with suppress(UnreadableDocument):
        parse_in_jail(some_file, name, limits=QUICK)
    _assert_gone(children)


@pytest.mark.skipif(not shutil.which("tesseract"), reason="Tesseract is not installed")
def test_text_recognition_that_takes_too_long_leaves_no_process(tmp_path: Path, children: list[int]) -> None:
    path = tmp_path / "noise.png"
    Image.effect_noise((2000, 2000), 120).save(path)
    with pytest.raises(PoisonedFile, match=r"more than 0\.6 s"):
        recognise_page_in_jail(str(path), "image", 1, languages="eng", limits=Limits(wall_seconds=0.6))
    _assert_gone(children)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids, which are also those of sessions, of the children that the jail starts."""
    started: list[int] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: object, **given: object) -> None:
            super().__init__(*args, **given)  # type: ignore[call-overload]
            started.append(self.pid)

    monkeypatch.setattr(jail.subprocess, "Popen", Watched)
    return started


def _assert_gone(sessions: list[int]) -> None:
    """Neither a zombie nor a grandchild: nothing has the child's number as its own or its session's."""
    assert len(sessions) == 1
    left = [fields for fields in _processes() if int(fields[0]) in sessions or int(fields[5]) in sessions]
    assert left == []


def _processes() -> Iterator[list[str]]:
    """Process id, name, state, parent, group, session … of each process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, _, rest = path.read_text().partition(" (")
            name, _, numbers = rest.rpartition(") ")
            yield [pid, name, *numbers.split()]


def test_a_killed_worker_leaves_no_child(some_file: str) -> None:
    code = (
        "import sys; from documents.parsing import registry, jail;"
        "registry.PARSERS['sleep'] = 'tests.documents.parsing.poison.sleep';"
        "jail.parse_in_jail(sys.argv[1], 'sleep')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, some_file], cwd=ROOT)
    _wait_for(lambda: _children_of(worker.pid))
    children = _children_of(worker.pid)
    time.sleep(0.3)  # until the child has confined itself
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    _wait_for(lambda: not any(_runs(child) for child in children))


def _children_of(pid: int) -> list[int]:
    return [int(fields[0]) for fields in _processes() if int(fields[3]) == pid]


def _runs(pid: int) -> bool:
    return any(int(fields[0]) == pid and fields[2] != "Z" for fields in _processes())


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
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
    picture = ParsedPage(4, "", (), label="iv", is_picture=True)
    table = ParsedPage(9, "1 | 2", (Block("table", 0, 5, header="a | b"),), recognised=True)
    attached = (Attachment("note\n.txt", b"\0\xff\n"),)
    document = ParsedDocument((page, picture, table), "Title", {"author": "Ann"}, attached)
    assert wire.load(wire.dump(document)) == document


HEAD = '["t",{},0]\n'


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        '["t",{}]',
        "[1,{},0]",
        '["t",{},1]',
        '["t",{},-1]',
        '["t",{},1]\n["name",5]',
        '["t",{"a":5},0]',
        HEAD + "{}",
        HEAD + "[" * 100_000,
        HEAD + '[1,"a\\u0000",null,null,[],[],"",false,false]',
        HEAD + '[1,"\\ud800",null,null,[],[],"",false,false]',
        HEAD + '[1,"abc",null,null,[0,9,0,0,0,0],[],"",false,false]',
        HEAD + '[1,"abc",null,null,[0,1,NaN,0,0,0],[],"",false,false]',
        HEAD + '[1,"abc",1e999,10,[],[],"",false,false]',
        HEAD + '[1,"abc",null,null,[],[[0,2,1,0,"",""]],"",false,false]',
        HEAD + '[2,"a",null,null,[],[],"",false,false]\n[2,"b",null,null,[],[],"",false,false]',
    ],
)
def test_the_wire_refuses_what_it_would_not_write(answer: str) -> None:
    with pytest.raises(ValueError):
        wire.load(answer.encode())


def test_the_wire_bounds_what_a_small_answer_can_unpack_to(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ParsedPage(1, "a" * 50, tuple(Block("paragraph", n, n + 1) for n in range(50)))
    document = ParsedDocument((page,))
    answer = wire.dump(document)
    assert wire.load(answer) == document
    monkeypatch.setattr(wire, "MAX_SPANS", 50)
    with pytest.raises(ValueError, match="too much"):
        wire.load(answer)
    with pytest.raises(UnreadableDocument, match="more than a million lines or paragraphs"):
        wire.dump(document)


def test_a_page_that_no_page_can_be_is_refused_by_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_PAGE", 1000)
    with pytest.raises(UnreadableDocument, match="Page 7 of this file holds more text"):
        wire.dump(ParsedDocument((ParsedPage(7, "x" * 1000, ()),)))


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


def test_a_reason_that_no_database_takes_is_made_storable() -> None:
    from documents.parsing import jail

    error = jail._reported(rb'["a\u0000b \udcff", "trace \ud800"]', jail.DEFAULT)
    assert str(error) == "ab ?"
    assert error.context["traceback"] == "trace ?"
