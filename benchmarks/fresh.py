"""``python -m benchmarks.fresh``: searches computed now, beside a running portal, never taken from a cache.

A process of its own on the portal's data folder: it calls the search below everything that is kept. Reads
``{"user", "q", …}`` from its input, a line each, and writes the results as the REST API shows them; for
``{"user", "chunks"}`` those passages as they are now, without any that the user does not see.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.portal import ROOT, Portal

Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Fresh:
    """The process, asked one search after the other."""

    process: subprocess.Popen[str]

    def results(self, user: str, **parameters: str) -> Results:
        return comparable(self.told(user=user, **parameters))

    def passages(self, user: str, served: Results) -> list[list[Any]]:
        """Those of ``served`` as they are now, as ``shown`` has them."""
        return [list(row) for row in self.told(user=user, chunks=[hit["chunk"] for hit in served])]

    def told(self, **wanted: Any) -> list[Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        found: list[Any] = json.loads(self.process.stdout.readline())
        return found


def comparable(results: Results) -> Results:
    """Without scores: their last digits depend on which other queries were computed at once."""
    return [{name: value for name, value in hit.items() if name != "score"} for hit in results]


def shown(served: Results) -> list[list[Any]]:
    """Of each hit its passage, document, title and text."""
    return [[hit["chunk"], hit["document"]["id"], hit["document"]["title"], hit["text"]] for hit in served]


@contextmanager
def beside(portal: Portal) -> Iterator[Fresh]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fresh"],
        cwd=ROOT,
        env=portal.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Fresh(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(60)


def main() -> None:
    from benchmarks.passages import open_portal

    open_portal(Path(os.environ["DATA_DIR"]))
    from django.contrib.auth.models import User

    for line in sys.stdin:
        given = json.loads(line)
        user = User.objects.get(username=given.pop("user"))
        chunks = given.get("chunks")
        print(json.dumps(found(user, given) if chunks is None else present(user, chunks)), flush=True)


def present(user: Any, chunks: list[int]) -> list[list[Any]]:
    from documents.models import Chunk

    rows = Chunk.objects.visible_to(user).select_related("document").in_bulk(chunks)
    there = [rows[pk] for pk in chunks if pk in rows]
    return [[each.pk, str(each.document_id), each.document.title, each.text] for each in there]


def found(user: Any, parameters: dict[str, str]) -> Results:
    from search.pipeline import found_now
    from search.representation import search_json
    from search.serializers import SearchQuery, search_request

    query = SearchQuery(data=parameters)
    query.is_valid(raise_exception=True)
    results: Results = search_json(found_now(search_request(query.validated_data), user))["results"]
    return results


if __name__ == "__main__":
    main()
