"""What must survive: killed workers, a database that restarts, Redis that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from portal.embedded.layout import Layout
from tests.acceptance.calls import document, ended, keyword_hits, send
from tests.acceptance.conftest import Portal, portal_of_its_own, wait_for

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def portal(used_before: Portal) -> Iterator[Portal]:
    """One for all: after every fault it must be as good as before."""
    with portal_of_its_own(used_before) as running:
        yield running


def long_text(name: str) -> str:
    return "\n\n".join(
        f"Paragraph {n} tells of {name} P-{n}. It moves {n} litres of water in an hour. " * 6
        for n in range(150)
    )


def test_killed_worker_resumes_and_stores_no_passage_twice(portal: Portal) -> None:
    client = portal.client()
    pk = send(client, "pumps.txt", long_text("pump"))
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


def test_portal_recovers_when_postgres_is_killed(portal: Portal) -> None:
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


def test_answers_503_and_not_a_traceback_while_the_database_is_away(portal: Portal) -> None:
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


def test_portal_recovers_when_postgres_restarts_in_mid_embedding(portal: Portal) -> None:
    client = portal.client()
    pk = send(client, "valves.txt", long_text("valve"))
    wait_for(lambda: document(client, pk)["stage"] == "embedding", 30)
    os.kill(portal.postgres(), signal.SIGINT)
    wait_for(lambda: client.get("documents/").status_code == 200, 30)
    wait_for(lambda: ended(client, pk), 120)
    assert document(client, pk)["status"] == "ready", document(client, pk)
    report = portal.manage("check_integrity", check=False)
    assert report.returncode == 0, report.stdout


def test_upload_and_search_work_without_redis(portal: Portal) -> None:
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
