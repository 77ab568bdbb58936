"""What the tests ask of a portal by REST."""

from __future__ import annotations

import httpx


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
