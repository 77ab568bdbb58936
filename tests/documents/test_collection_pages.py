"""Pages of collections as their owner (alice), as each kind of member (bob) and as a stranger (charlie)."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from documents.models import Collection, Membership, Role
from documents.services import collection_create, collection_private, membership_set

LIST = "/collections/"
PAGE = "/collections/research/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(user: User, address: str) -> str:
    return signed_in(user).get(address).content.decode()


@pytest.mark.parametrize("many", [0, 60])
def test_the_list_takes_five_queries(alice: User, bob: User, many: int) -> None:
    for n in range(many):
        made = collection_create(owner=bob if n % 2 else alice, name=f"{n} " + "n" * 110)
        membership_set(collection=made, user=alice if n % 2 else bob, role=Role.EDITOR)
    client = signed_in(alice)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(LIST).content.decode()
    asked = [query["sql"] for query in queries if "django_session" not in query["sql"]]
    assert len([sql for sql in asked if 'FROM "auth_user"' not in sql]) <= 5
    assert page.count('data-testid="collection"') == min(many, 24)
    assert ("1 of 3" in page) is bool(many)
    assert ('data-testid="empty"' in page) is not bool(many)


def test_the_list_tells_role_documents_size_and_members(
    alice: User, bob: User, charlie: User, collection: Collection, upload: Any
) -> None:
    upload(collection, "x" * 2048)
    upload(collection, "y" * 1024)
    collection_private(user=alice)
    page = shown(alice, LIST)
    assert page.index("Private (only you)") < page.index("Research"), "one's own comes first"
    for text in ('data-testid="role">owner', "2 documents", "3.0\xa0KB", "2 people<"):
        assert text in page
    assert 'data-testid="role">viewer' in shown(bob, LIST)
    assert "by alice" in shown(bob, LIST)
    assert "Research" not in shown(charlie, LIST)


def test_a_collection_is_found_by_name(alice: User, collection: Collection) -> None:
    assert "Research" in shown(alice, f"{LIST}?q=sear")
    assert "No collection of that name" in shown(alice, f"{LIST}?q=ferry%00")


def test_a_collection_is_made_and_a_name_is_needed(alice: User) -> None:
    client = signed_in(alice)
    answer = client.post(LIST, {"name": "  Harbour plans ", "description": "All of them."}, follow=True)
    assert answer.redirect_chain[-1][0] == "/collections/harbour-plans/"
    assert "All of them." in answer.content.decode()
    refused = client.post(LIST, {"name": " "}).content.decode()
    assert '<details class="new-collection" open>' in refused
    assert "This field is required." in refused


def test_an_empty_collection_offers_to_add_to_it(
    alice: User, bob: User, collection: Collection, upload: Any
) -> None:
    address = f"{LIST}{collection.slug}/"
    way = f'href="/documents/?collection={collection.slug}" data-testid="add-documents"'
    assert way in shown(alice, address)
    assert way not in shown(bob, address), "a viewer adds nothing"
    upload(collection, "Words.")
    assert way not in shown(alice, address)


def test_usage(alice: User, bob: User, collection: Collection, make_document: Any) -> None:
    make_document(collection, "The crane was built in 1931. " * 3)
    page = shown(bob, PAGE)
    assert page.count("<dd>1</dd>") == 3
    assert 'data-testid="asked-lately">0<' in page


@pytest.mark.parametrize("role", Role.values)
def test_what_each_role_may_do(bob: User, charlie: User, collection: Collection, role: str) -> None:
    membership_set(collection=collection, user=bob, role=role)
    page = shown(bob, PAGE)
    manages = role == Role.MANAGER
    assert ('data-testid="member-add"' in page) is manages
    assert ('data-testid="collection-delete"' in page) is manages
    assert 'data-testid="leave"' in page
    client = signed_in(bob)
    expected = 302 if manages else 403
    assert client.post(f"{PAGE}edit/", {"name": "Renamed"}).status_code == expected
    assert client.get(f"{PAGE}delete/").status_code == (200 if manages else 403)
    assert client.post(f"{PAGE}members/", {"username": "charlie", "role": "viewer"}).status_code == expected
    assert client.post(f"{PAGE}members/remove/", {"username": "bob"}).status_code == expected


def test_the_stranger_finds_nothing(charlie: User, collection: Collection) -> None:
    client = signed_in(charlie)
    assert client.get(PAGE).status_code == client.get(f"{PAGE}delete/").status_code == 404
    for action in ("edit/", "delete/", "leave/", "members/", "members/remove/"):
        assert client.post(f"{PAGE}{action}").status_code == 404


def test_a_member_leaves_and_the_owner_cannot(alice: User, bob: User, collection: Collection) -> None:
    assert 'data-testid="leave"' not in shown(alice, PAGE)
    assert signed_in(alice).post(f"{PAGE}leave/").status_code == 404
    answer = signed_in(bob).post(f"{PAGE}leave/", follow=True)
    assert "You left “Research”." in answer.content.decode()
    assert not collection.memberships.exists()


def test_a_manager_who_removes_themselves_sees_the_list(bob: User, collection: Collection) -> None:
    membership_set(collection=collection, user=bob, role=Role.MANAGER)
    answer = signed_in(bob).post(f"{PAGE}members/remove/", {"username": "bob"}, follow=True)
    assert answer.redirect_chain[-1][0] == LIST
    assert "bob was removed." in answer.content.decode()


def test_what_is_wrong_stands_beside_its_field(alice: User, collection: Collection) -> None:
    client = signed_in(alice)
    for username, said in (("nobody", "There is no user"), ("alice", "The owner has every right already.")):
        answer = client.post(f"{PAGE}members/", {"username": username, "role": "viewer"})
        assert (answer.status_code, said in answer.content.decode()) == (400, True)
    answer = client.post(f"{PAGE}edit/", {"name": ""})
    assert (answer.status_code, "This field is required." in answer.content.decode()) == (400, True)
    long = client.post(f"{PAGE}edit/", {"name": "x" * 200}).content.decode()
    assert "at most 120 characters" in long


def test_a_role_is_changed(alice: User, bob: User, collection: Collection) -> None:
    answer = signed_in(alice).post(f"{PAGE}members/", {"username": "bob", "role": "editor"}, follow=True)
    assert "bob is editor here now." in answer.content.decode()
    assert Membership.objects.get(user=bob).role == Role.EDITOR


def test_deletion_asks_first_and_keeps_what_is_not_empty(
    alice: User, collection: Collection, upload: Any
) -> None:
    client = signed_in(alice)
    assert 'data-testid="confirm-delete"' in client.get(f"{PAGE}delete/").content.decode()
    document = upload(collection, "Words.")
    page = client.get(f"{PAGE}delete/").content.decode()
    assert "This collection is not empty" in page
    assert 'data-testid="confirm-delete"' not in page
    assert "still holds documents" in client.post(f"{PAGE}delete/", follow=True).content.decode()
    document.delete()
    answer = client.post(f"{PAGE}delete/", follow=True)
    assert "“Research” was deleted." in answer.content.decode()
    assert not Collection.objects.filter(slug="research").exists()


def test_a_private_collection_has_usage_only(alice: User) -> None:
    page = shown(alice, f"/collections/{collection_private(user=alice).slug}/")
    assert 'data-testid="usage"' in page
    assert "members-title" not in page
