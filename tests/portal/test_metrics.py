"""What Prometheus reads, and who else may."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from rest_framework.test import APIClient

Api = Callable[[User | None], APIClient]
ELSEWHERE = "192.0.2.7"


def test_this_machine_reads(client: Client) -> None:
    client.get("/healthz/live")
    text = client.get("/metrics").content.decode()
    assert 'request_latency_seconds_count{endpoint="live",method="GET"}' in text
    assert "documents_processed_total" in text


def test_no_address_becomes_a_label(client: Client, db: None) -> None:
    client.get("/documents/0f0f0f0f-0000-0000-0000-000000000000/")
    client.get("/no-such-page/")
    text = client.get("/metrics").content.decode()
    assert "0f0f0f0f" not in text
    assert "no-such-page" not in text
    assert 'endpoint="unmatched"' in text


def test_others_may_not(client: Client, db: None) -> None:
    assert client.get("/metrics", REMOTE_ADDR=ELSEWHERE).status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403


def test_staff_may_from_anywhere(client: Client, api: Api, alice: User) -> None:
    program = api(alice)
    assert program.get("/metrics", REMOTE_ADDR=ELSEWHERE).status_code == 403
    alice.is_staff = True
    alice.save()
    assert program.get("/metrics", REMOTE_ADDR=ELSEWHERE).status_code == 200
    client.force_login(alice)
    assert client.get("/metrics", REMOTE_ADDR=ELSEWHERE).status_code == 200


def test_the_policy_is_on_answers(client: Client) -> None:
    policy = client.get("/healthz/live")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_the_policy_is_on_asynchronous_answers(async_client: AsyncClient) -> None:
    assert "default-src 'none'" in (await async_client.get("/healthz/live"))["Content-Security-Policy"]


def test_several_processes_count_together(tmp_path: Path) -> None:
    """Two processes count one document each; a third one, which reads, sees two."""
    count = "from documents.metrics import documents_processed_total as c; c.labels('ready').inc()"
    read = (
        "from portal.metrics import registry; from prometheus_client import generate_latest;"
        "print(generate_latest(registry()).decode())"
    )
    setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"

    def run(code: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", setup + code], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    run(count)
    run(count)
    assert 'documents_processed_total{outcome="ready"} 2.0' in run(read)
