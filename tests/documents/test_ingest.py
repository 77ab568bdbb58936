"""Waiting for uploads from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from documents import indexing, ingest, tasks
from documents.models import Collection

pytestmark = pytest.mark.django_db


def test_a_job_that_is_to_be_tried_again_is_not_waited_for_in_vain(monkeypatch: Any) -> None:
    """The queue is empty while the second try is seconds away: it must be worked off once more."""
    drains, looks = list[None](), list[float]()

    async def drain() -> None:
        drains.append(None)

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        assert len(looks) < 10, "nobody works on the queue"

    monkeypatch.setattr(ingest, "a_worker_lives", lambda: False)
    monkeypatch.setattr(ingest, "drain", drain)
    monkeypatch.setattr(ingest, "count_ended", lambda names: len(names) if len(drains) > 2 else 0)
    monkeypatch.setattr(ingest.time, "sleep", sleep)
    ingest.wait_for({uuid4(): ""}, ingest.IngestReport(), None)
    assert len(drains) == 3


@pytest.mark.django_db(transaction=True)
def test_alone_it_ends_a_document_whose_job_always_fails(
    collection: Collection, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr(indexing, "embed", broken)
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 1)
    path = tmp_path / "herons.txt"
    path.write_text("Words about herons.")
    report = ingest.ingest_paths([path], user=collection.owner, collection=collection)
    assert [failure.reason for failure in report.failed] == [tasks.GAVE_UP]
