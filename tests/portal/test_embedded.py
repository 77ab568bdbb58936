"""The embedded servers: one owner, as long as somebody uses them, whatever a crash left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.embedded import Layout, memory
from portal.embedded.layout import DATABASE, ROLE, SOCKET_FOLDER_LIMIT
from portal.embedded.postgres import process_runs
from portal.embedded.session import owner_lives, read_state, release, use
from portal.environment import kept_secret

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    made = Layout(tmp_path / "data")
    yield made
    release(made)
    wait_until_stopped(made)


def wait_until_stopped(layout: Layout) -> None:
    deadline = time.monotonic() + 30
    while layout.owner_lock.exists() and owner_lives(layout):
        assert time.monotonic() < deadline, "the servers did not stop"
        time.sleep(0.1)


def answer(layout: Layout) -> int:
    with psycopg.connect(
        host=str(layout.sockets), user=ROLE, dbname=DATABASE, password=kept_secret(layout.password_file)
    ) as connection:
        row = connection.execute("SELECT 6 * 7").fetchone()
        assert row is not None
        return int(row[0])


def postmaster(layout: Layout) -> int:
    return int((layout.postgres / "postmaster.pid").read_text().split("\n", 1)[0])


def test_servers_run_while_used_and_stop_after(layout: Layout) -> None:
    use(layout)
    assert answer(layout) == 42
    pid = postmaster(layout)
    release(layout)
    wait_until_stopped(layout)
    assert not process_runs(pid, layout.postgres)
    assert not layout.postgres_socket.exists()
    use(layout)
    assert answer(layout) == 42


def test_two_users_share_one_owner(layout: Layout) -> None:
    use(layout)
    pid = postmaster(layout)
    code = (
        "import sys; from pathlib import Path; from portal.embedded import Layout, use\n"
        "layout = Layout(Path(sys.argv[1])); use(layout)\n"
        "print((layout.postgres / 'postmaster.pid').read_text().split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(layout.data_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == pid
    assert answer(layout) == 42


def test_what_a_crash_left_behind_is_cleared(layout: Layout) -> None:
    use(layout)
    owner = int(read_state(layout)["pid"])
    server = postmaster(layout)
    os.kill(owner, signal.SIGKILL)
    os.kill(server, signal.SIGKILL)
    release(layout)
    time.sleep(0.5)
    # The worst of it: the pid file names a process that lives and is a stranger.
    pid_file = layout.postgres / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{layout.postgres}\n")
    layout.redis_socket.touch()
    use(layout)
    assert answer(layout) == 42
    assert postmaster(layout) != os.getpid()


def test_a_dead_server_is_started_again(layout: Layout) -> None:
    use(layout)
    os.kill(postmaster(layout), signal.SIGQUIT)
    deadline = time.monotonic() + 30
    while True:
        try:
            assert answer(layout) == 42
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_others_cannot_read_what_is_kept(layout: Layout) -> None:
    use(layout)
    assert layout.password_file.stat().st_mode & 0o077 == 0
    for folder in (layout.postgres, layout.sockets, layout.password_file.parent):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_no_connection_without_the_password(layout: Layout) -> None:
    use(layout)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(layout.sockets), user=ROLE, dbname=DATABASE, password="wrong")


def test_folders_above_are_never_touched(tmp_path: Path) -> None:
    above = tmp_path / "closed"
    above.mkdir(mode=0o700)
    layout = Layout(above / "data")
    before = above.stat()
    use(layout)
    try:
        assert answer(layout) == 42
        assert (above.stat().st_mode, above.stat().st_uid) == (before.st_mode, before.st_uid)
    finally:
        release(layout)
        wait_until_stopped(layout)


def test_a_long_data_folder_gets_a_short_one_for_its_sockets(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("long" * 40))
    assert len(str(layout.sockets)) <= SOCKET_FOLDER_LIMIT
    assert layout.sockets != layout.data_dir / "run"
    layout.data_dir.mkdir()
    layout.make_folders()
    assert layout.sockets.stat().st_mode & 0o077 == 0
    layout.sockets.rmdir()


def test_a_strangers_socket_folder_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("long" * 40))
    layout.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises((PermissionError, FileExistsError)):
            layout.make_folders()
    finally:
        layout.sockets.unlink()


def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("long" * 40))
    layout.sockets.mkdir()
    layout.sockets.chmod(0o777)
    try:
        with pytest.raises(PermissionError):
            layout.make_folders()
    finally:
        layout.sockets.rmdir()


def test_postgres_takes_its_share_of_the_memory(layout: Layout) -> None:
    use(layout)
    with psycopg.connect(
        host=str(layout.sockets), user=ROLE, dbname=DATABASE, password=kept_secret(layout.password_file)
    ) as connection:
        row = connection.execute("SELECT pg_size_bytes(current_setting('shared_buffers'))").fetchone()
        assert row == (memory.for_pages(memory.usable()) // memory.MB * memory.MB,)
        row = connection.execute("SHOW shared_preload_libraries").fetchone()
        assert row, "what was in memory is in it again after a restart"
        assert "pg_prewarm" in row[0]


@pytest.mark.parametrize(
    ("available", "taken"), [(512, 128), (8 * 1024, 1024), (24 * 1024, 3072), (512 * 1024, 4096)]
)
def test_the_share_has_bounds(available: int, taken: int) -> None:
    assert memory.for_pages(available * memory.MB) == taken * memory.MB


@pytest.mark.parametrize(
    ("written", "limited"), [("536870912\n", True), ("max\n", False), ("9223372036854771712\n", False)]
)
def test_a_container_has_what_its_limit_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, limited: bool
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (limit, tmp_path / "none"))
    machine = memory.usable()
    limit.write_text(written)
    assert memory.usable() == (536870912 if limited else machine)
