"""Collections, members and tags over REST, tried as all three people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from documents.models import Collection, Document, Role
from documents.services import collection_private, document_update, membership_set

Api = Callable[[User | None], APIClient]
COLLECTIONS = "/api/v1/collections/"
RESEARCH = f"{COLLECTIONS}research/"
MEMBERS = f"{RESEARCH}members/"


def test_the_list_tells_roles(
    api: Api, alice: User, bob: User, charlie: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    upload(collection, "Words.")
    for user, role in ((alice, "owner"), (bob, "viewer")):
        row = api(user).get(COLLECTIONS).json()["results"][0]
        assert (row["slug"], row["role"], row["owner"], row["documents"]) == ("research", role, "alice", 1)
    assert api(charlie).get(COLLECTIONS).json()["results"] == []
    assert api(None).get(COLLECTIONS).status_code == 401


def test_making_one(api: Api, charlie: User, collection: Collection) -> None:
    made = api(charlie).post(COLLECTIONS, {"name": "Field notes"})
    assert (made.status_code, made.json()["slug"], made.json()["role"]) == (201, "field-notes", "owner")
    taken = api(charlie).post(COLLECTIONS, {"name": "X", "slug": "research"})
    assert (taken.status_code, list(taken.json()["errors"])) == (400, ["slug"])
    assert api(charlie).post(COLLECTIONS, {"name": "X", "slug": "no good"}).status_code == 400
    assert api(charlie).post(COLLECTIONS, {"name": ""}).status_code == 400


@pytest.mark.parametrize(("method", "allowed"), [("get", 200), ("patch", 200), ("delete", 204)])
def test_who_may_do_what(
    method: str, allowed: int, api: Api, alice: User, bob: User, charlie: User, collection: Collection
) -> None:
    for_bob = 200 if method == "get" else 403
    for user, status in ((None, 401), (charlie, 404), (bob, for_bob), (alice, allowed)):
        assert getattr(api(user), method)(RESEARCH, {"name": "New"}).status_code == status, user


def test_what_cannot_be_deleted(
    api: Api, alice: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    upload(collection, "Words.")
    assert api(alice).delete(RESEARCH).status_code == 400
    private = collection_private(user=alice)
    assert api(alice).delete(f"{COLLECTIONS}{private.slug}/").status_code == 400


def test_members(api: Api, alice: User, bob: User, charlie: User, collection: Collection) -> None:
    assert [row["user"] for row in api(bob).get(MEMBERS).json()["results"]] == ["bob"]
    assert api(charlie).get(MEMBERS).status_code == 404
    for user, status in ((charlie, 404), (bob, 403), (alice, 201)):
        assert api(user).post(MEMBERS, {"user": "charlie", "role": "editor"}).status_code == status
    assert api(charlie).get(MEMBERS).status_code == 200
    assert api(alice).put(f"{MEMBERS}charlie/", {"role": "viewer"}).json()["role"] == "viewer"
    assert api(alice).put(f"{MEMBERS}charlie/", {"role": "king"}).status_code == 400
    assert api(alice).put(f"{MEMBERS}nobody/", {"role": "viewer"}).status_code == 404
    assert api(alice).put(f"{MEMBERS}alice/", {"role": "viewer"}).status_code == 400
    unknown = api(alice).post(MEMBERS, {"user": "nobody", "role": "viewer"})
    assert list(unknown.json()["errors"]) == ["user"]
    assert api(alice).post(MEMBERS, {"user": "a\x00", "role": "viewer"}).status_code == 400


def test_leaving_and_removing(
    api: Api, alice: User, bob: User, charlie: User, collection: Collection
) -> None:
    membership_set(collection=collection, user=charlie, role=Role.VIEWER)
    assert api(bob).delete(f"{MEMBERS}charlie/").status_code == 403
    assert api(alice).delete(f"{MEMBERS}charlie/").status_code == 204
    assert api(alice).delete(f"{MEMBERS}charlie/").status_code == 404
    assert api(bob).delete(f"{MEMBERS}bob/").status_code == 204
    assert api(bob).get(RESEARCH).status_code == 404


def test_tags_are_counted_over_what_one_sees(
    api: Api, alice: User, bob: User, charlie: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    for words, tags in (("One.", ["sea"]), ("Two.", ["sea", "wind"])):
        document_update(document=upload(collection, words), tags=tags)
    expected = [{"tag": "sea", "documents": 2}, {"tag": "wind", "documents": 1}]
    assert api(alice).get("/api/v1/tags/").json() == api(bob).get("/api/v1/tags/").json() == expected
    assert api(charlie).get("/api/v1/tags/").json() == []
    assert api(None).get("/api/v1/tags/").status_code == 401


def test_members_come_in_pages(api: Api, alice: User, charlie: User, collection: Collection) -> None:
    membership_set(collection=collection, user=charlie, role="viewer")
    first = api(alice).get(MEMBERS, {"limit": 1}).json()
    assert [member["user"] for member in first["results"]] == ["bob"]
    second = api(alice).get(first["next"]).json()
    assert [member["user"] for member in second["results"]] == ["charlie"]
