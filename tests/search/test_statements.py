"""How many messages a search sends to the database: the same however much there is, and few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from documents import lexical, lexical_scan
from documents.models import Collection, Document
from search import retrieval
from tests.search.examples import HERONS

pytestmark = pytest.mark.django_db
MakeDocument = Callable[..., Document]
Api = Callable[[User | None], APIClient]
#: Who calls, what is kept, what is there; both legs by words, by meaning, in the documents meant, what was
#: left open; the passages. In a request of its own the last five are between BEGIN and COMMIT.
UNCACHED = 8
#: Who calls, what is kept, the passages.
CACHED = 3


@pytest.fixture(autouse=True)
def _as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the indexes, as where there are more passages than are looked at one by one."""
    monkeypatch.setattr("documents.scope.few", lambda k, total: -1)
    monkeypatch.setattr(lexical_scan, "is_small", lambda extent, k: False)
    monkeypatch.setattr(retrieval, "DEPTH", 2)


def messages(client: APIClient, query: str, **given: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as sent:
        found = client.get("/api/v1/search/", {"q": query, "rerank": "off", "limit": 1, **given})
    assert found.json()["results"]
    return [each["sql"] for each in sent.captured_queries if "SAVEPOINT" not in each["sql"]]


@pytest.mark.parametrize("documents", [3, 12])
def test_a_search_sends_few_messages_however_much_it_finds(
    documents: int, api: Api, alice: User, collection: Collection, make_document: MakeDocument
) -> None:
    for number in range(documents):
        make_document(collection, f"{HERONS} Colony {number}.", title=f"Herons {number}")
    client = api(alice)
    lexical.languages()
    messages(client, "herons of the colony")  # and what a process keeps for a while
    fresh = messages(client, "breeding pairs of herons")
    assert len(fresh) <= UNCACHED, "\n\n".join(fresh)
    again = messages(client, "breeding pairs of herons")
    assert len(again) <= CACHED, "\n\n".join(again)
