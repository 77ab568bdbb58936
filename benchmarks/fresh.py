"""``python -m benchmarks.fresh``: searches computed now, beside a running portal, never taken from a cache.

A process of its own on the portal's data folder: it calls the search below everything that is kept. Reads
``{"user", "q", …}`` from its input, a line each, and writes the results as the REST API shows them.
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
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"user": user, **parameters}) + "\n")
        self.process.stdin.flush()
        return comparable(json.loads(self.process.stdout.readline()))


def comparable(results: Results) -> Results:
    """Without scores: their last digits depend on which other queries were computed at once."""
    return [{name: value for name, value in hit.items() if name != "score"} for hit in results]


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
        print(json.dumps(found(user, given)), flush=True)


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
