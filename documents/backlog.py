"""What waits and who works, as Prometheus reads it: asked of the database when it is scraped."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from documents.models import Status
from documents.sweep import STALLED_SECONDS

logger = logging.getLogger(__name__)

#: What is counted: documents that are ready are many, and wait for nobody.
COUNTED = (Status.QUEUED, Status.PROCESSING, Status.FAILED)
#: One statement; the documents by the index on their status.
QUESTION = """
    SELECT count(*) FILTER (WHERE status = 'queued'),
           count(*) FILTER (WHERE status = 'processing'),
           count(*) FILTER (WHERE status = 'failed'),
           coalesce(extract(epoch FROM now() - min(updated_at) FILTER (WHERE status = 'queued')), 0),
           (SELECT count(*) FROM procrastinate_workers
            WHERE last_heartbeat > now() - %s * interval '1 s')
    FROM documents_document
    WHERE status IN ('queued', 'processing', 'failed')
"""


@dataclass(frozen=True, slots=True)
class Found:
    """``documents`` in the order of ``COUNTED``; ``oldest``: seconds that the first in the queue waits."""

    documents: tuple[int, ...]
    oldest: float
    workers: int


class Backlog(Collector):
    """Of the whole portal, so only one process of it should be asked."""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Asked when it is registered: at the start nothing may be read yet."""
        return families(None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = asked()
        except (OperationalError, InterfaceError) as error:
            logger.warning("the queue could not be counted: %s", error)
            return
        yield from families(found)


def asked() -> Found:
    with connection.cursor() as cursor:
        cursor.execute(QUESTION, [STALLED_SECONDS])
        *documents, oldest, workers = cursor.fetchone()
    return Found(tuple(documents), float(oldest), workers)


def families(found: Found | None) -> list[GaugeMetricFamily]:
    documents = GaugeMetricFamily(
        "ingest_queue_documents", "Documents that wait, are being read or failed.", labels=["status"]
    )
    oldest = GaugeMetricFamily(
        "ingest_queue_oldest_seconds", "How long the first document of the queue has waited; 0 without any."
    )
    workers = GaugeMetricFamily("ingest_workers", "Workers that gave a sign of life lately.")
    if found:
        for status, count in zip(COUNTED, found.documents, strict=True):
            documents.add_metric([status.value], count)
        oldest.add_metric([], found.oldest)
        workers.add_metric([], found.workers)
    return [documents, oldest, workers]
