"""What Prometheus reads, and who else may."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError
from django.test import AsyncClient, Client
from django.utils import timezone
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from documents import backlog
from documents.exposition import open_door
from documents.management.commands import worker
from documents.metrics import embedding_tokens_total
from documents.models import Collection, Document

Api = Callable[[User | None], APIClient]
ELSEWHERE = "192.0.2.7"
READ = (
    "from documents.exposition import counted; from prometheus_client import generate_latest;"
    "print(generate_latest(counted()).decode())"
)


def test_this_machine_reads(client: Client, db: None) -> None:
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
    counting(tmp_path, count)
    counting(tmp_path, count)
    assert 'documents_processed_total{outcome="ready"} 2.0' in counting(tmp_path, READ)


def counting(folder: Path, code: str) -> str:
    """What ``code`` prints in a process of its own, which counts in the folder."""
    setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"
    environment = {"PATH": "/usr/bin:/bin", "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", setup + code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_token_of_prometheus_opens_this_page_alone(client: Client, settings: Any, db: None) -> None:
    settings.METRICS_TOKEN = "known-to-prometheus"
    asked = {"REMOTE_ADDR": ELSEWHERE, "headers": {"Authorization": "Bearer known-to-prometheus"}}
    assert client.get("/metrics", **asked).status_code == 200
    assert client.get("/api/v1/documents/", **asked).status_code == 401
    asked["headers"] = {"Authorization": "Bearer unknown"}
    assert client.get("/metrics", **asked).status_code == 403


def test_without_a_token_of_prometheus_an_empty_one_opens_nothing(client: Client, db: None) -> None:
    refused = client.get("/metrics", REMOTE_ADDR=ELSEWHERE, headers={"Authorization": "Bearer "})
    assert refused.status_code == 403


def test_the_queue_is_counted_in_one_statement(
    client: Client, collection: Collection, upload: Callable[..., Document], django_assert_num_queries: Any
) -> None:
    waiting, failed = (upload(collection, f"The {name}.") for name in ("first", "second"))
    Document.objects.filter(pk=waiting.pk).update(updated_at=timezone.now() - timedelta(seconds=90))
    Document.objects.filter(pk=failed.pk).update(status="failed", reason="It could not be read.")
    with django_assert_num_queries(1):
        text = client.get("/metrics").content.decode()
    assert 'ingest_queue_documents{status="queued"} 1.0' in text
    assert 'ingest_queue_documents{status="failed"} 1.0' in text
    # From the start of the transaction on, which the test is one of.
    assert 80 <= float(value_of("ingest_queue_oldest_seconds", text)) < 120
    assert value_of("ingest_workers", text) == "0.0"


def test_without_the_database_the_rest_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(backlog, "asked", away)
    text = client.get("/metrics").content.decode()
    assert "ingest_workers" not in text
    assert "request_latency_seconds" in text


def value_of(name: str, text: str) -> str:
    (found,) = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return str(found)


def test_gauges_of_processes_that_are_gone_go(tmp_path: Path) -> None:
    """A process begins an answer and dies: nobody writes it any more. What it counted stays."""
    begin = (
        "from search.metrics import answers_running, answers_total;"
        "answers_running.inc(); answers_total.labels('done').inc()"
    )
    counting(tmp_path, begin)
    assert list(tmp_path.glob("gauge_livesum_*.db"))
    text = counting(tmp_path, READ)
    assert 'answers_total{outcome="done"} 1.0' in text
    assert "answers_running 1.0" not in text


def test_each_process_that_counts_is_told_of(tmp_path: Path) -> None:
    text = counting(tmp_path, READ)
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        (value,) = re.findall(rf'^{name}{{pid="\d+",process="web"}} (\S+)$', text, re.MULTILINE)
        assert float(value) > 0


def test_a_worker_has_a_door_of_its_own(tmp_path: Path) -> None:
    """With what it counted, and without what is of the whole portal."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = counting(
        tmp_path,
        "from documents.metrics import documents_processed_total as c; c.labels('ready').inc();"
        f"from documents.exposition import open_door; open_door({port}, '127.0.0.1');"
        "from urllib.request import urlopen;"
        f"print(urlopen('http://127.0.0.1:{port}/metrics').read().decode())",
    )
    assert 'documents_processed_total{outcome="ready"} 1.0' in text
    assert "ingest_workers" not in text


def test_a_worker_whose_port_is_taken_works_on(caplog: pytest.LogCaptureFixture) -> None:
    with socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        open_door(other.getsockname()[1], "127.0.0.1")
    assert "nobody can read what this worker counts" in caplog.text


@pytest.mark.parametrize("port", [0, 9100])
def test_the_command_opens_the_door_when_it_is_asked_to(
    port: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[int, str]] = []

    async def nothing(**_options: Any) -> None:
        """There is no work."""

    settings.WORKER_METRICS_PORT, settings.WORKER_METRICS_HOST = port, "127.0.0.1"
    monkeypatch.setattr(worker, "open_door", lambda *asked: opened.append(asked))
    monkeypatch.setattr(worker, "work", nothing)
    call_command("worker")
    assert opened == ([(9100, "127.0.0.1")] if port else [])


def test_each_stage_of_the_write_way_is_timed(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    before = {stage: timed_so_far(stage) for stage in ("parsing", "chunking", "embedding", "storing")}
    tokens = embedding_tokens_total.labels("onnx")._value.get()
    make_document(collection, "Each stage of this text is timed, and its tokens are counted.")
    assert {stage: timed_so_far(stage) - count for stage, count in before.items()} == dict.fromkeys(before, 1)
    assert embedding_tokens_total.labels("onnx")._value.get() > tokens


def timed_so_far(stage: str) -> int:
    asked = {"stage": stage}
    return int(REGISTRY.get_sample_value("ingest_stage_seconds_count", asked) or 0)
