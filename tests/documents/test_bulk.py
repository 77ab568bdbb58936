"""What is done to several documents at once, by whom, and how it is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from documents.models import Collection, Document, Role
from documents.services import bin_empty, collection_create, collection_delete, membership_set

BULK = "/documents/bulk/"


@pytest.fixture
def documents(collection: Collection, upload: Callable[..., Document]) -> list[Document]:
    return [upload(collection, f"Text {n}.", filename=f"text-{n}.txt", tags=["old"]) for n in range(3)]


@pytest.fixture
def shelf(alice: User) -> Collection:
    return collection_create(owner=alice, name="Shelf")


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def browser(sign_in: Any, alice: User) -> Client:
    client: Client = sign_in(alice)
    return client


def act(client: Client, action: str, documents: list[Document], **given: Any) -> dict[str, Any]:
    """The toast that htmx is told to show."""
    ids = [str(each.pk) for each in documents]
    response = client.post(BULK, {"action": action, "document": ids, **given}, headers={"HX-Request": "true"})
    assert response.status_code == 204
    news: dict[str, Any] = json.loads(response["HX-Trigger"])
    assert "documents:changed" in news
    return without_target(news["toast"])


def without_target(toast: dict[str, Any]) -> dict[str, Any]:
    assert toast.pop("target") == "body"
    return toast


def take_back(client: Client, toast: dict[str, Any]) -> dict[str, Any]:
    response = client.post(toast["undo"]["url"], headers={"HX-Request": "true"})
    return without_target(json.loads(response["HX-Trigger"])["toast"])


def seen(user: User) -> int:
    return Document.objects.visible_to(user).count()


def test_delete_and_undo(browser: Client, alice: User, documents: list[Document]) -> None:
    toast = act(browser, "delete", documents[:2])
    assert (toast["text"], toast["tone"], seen(alice)) == ("2 documents deleted.", "good", 1)
    assert take_back(browser, toast)["text"] == "Undone for 2 documents."
    assert seen(alice) == 3
    assert take_back(browser, toast) == {"text": "That can no longer be undone.", "tone": "bad"}


def test_undo_that_comes_too_late_says_so(browser: Client, alice: User, documents: list[Document]) -> None:
    toast = act(browser, "delete", documents[:2])
    Document.objects.filter(pk=documents[0].pk).update(binned_at=timezone.now() - timedelta(minutes=2))
    assert bin_empty() == 1
    said = take_back(browser, toast)
    assert said["text"] == "Undone for 1 document. 1 not: It is too late, they are deleted for good."
    assert (said["tone"], seen(alice)) == ("bad", 2)


def test_undo_after_the_same_file_came_again(
    browser: Client, collection: Collection, documents: list[Document], upload: Any
) -> None:
    toast = act(browser, "delete", documents[:1])
    upload(collection, "Text 0.")
    assert take_back(browser, toast)["text"].startswith("1 not: ")


def test_undo_is_for_who_did_it(browser: Client, sign_in: Any, bob: User, documents: list[Document]) -> None:
    toast = act(browser, "delete", documents)
    assert take_back(sign_in(bob), toast)["tone"] == "bad"
    assert seen(bob) == 0


def test_undo_needs_the_role_still(
    sign_in: Any, bob: User, alice: User, collection: Collection, documents: list[Document]
) -> None:
    membership_set(collection=collection, user=bob, role=Role.EDITOR)
    editor = sign_in(bob)
    toast = act(editor, "delete", documents)
    membership_set(collection=collection, user=bob, role=Role.VIEWER)
    assert take_back(editor, toast)["tone"] == "bad"
    assert seen(alice) == 0


def test_tags(browser: Client, documents: list[Document]) -> None:
    toast = act(browser, "tag", documents, tag="  New Tag ")
    assert toast["text"] == "3 documents tagged “new tag”."
    assert all(each.tags == ["old", "new tag"] for each in Document.objects.all())
    assert act(browser, "tag", documents, tag="new tag")["text"] == "There was nothing to do."
    take_back(browser, toast)
    assert all(each.tags == ["old"] for each in Document.objects.all())
    off = act(browser, "untag", documents[:1], tag="old")
    assert off["text"] == "“old” taken off 1 document."
    take_back(browser, off)
    assert all(each.tags == ["old"] for each in Document.objects.all())
    assert act(browser, "tag", documents, tag=" ")["text"] == "Write the tag first."


def test_move_tells_what_stayed_and_why(
    browser: Client, shelf: Collection, collection: Collection, documents: list[Document], upload: Any
) -> None:
    upload(shelf, "Text 0.")
    toast = act(browser, "move", documents, to=shelf.slug)
    assert toast["text"].startswith("2 documents moved to “Shelf”. 1 not: ")
    assert toast["tone"] == "bad"
    assert shelf.documents.count() == 3
    assert take_back(browser, toast)["text"] == "Undone for 2 documents."
    assert (shelf.documents.count(), collection.documents.count()) == (1, 3)


def test_move_goes_where_one_may_write_only(
    browser: Client, charlie: User, collection: Collection, documents: list[Document]
) -> None:
    foreign = collection_create(owner=charlie, name="Charlie's")
    for slug in (foreign.slug, "nowhere", ""):
        toast = act(browser, "move", documents, to=slug)
        assert toast["text"] == "Choose a collection that you may add to."
    assert collection.documents.count() == 3


def test_undo_of_a_move_whose_home_is_gone(
    browser: Client, shelf: Collection, collection: Collection, upload: Any
) -> None:
    document = upload(shelf, "Alone.")
    toast = act(browser, "move", [document], to=collection.slug)
    collection_delete(collection=shelf)
    assert take_back(browser, toast)["text"] == "1 not: You may not add to that collection any more."


def test_reading_again(browser: Client, documents: list[Document]) -> None:
    toast = act(browser, "reindex", documents)
    assert toast == {"text": "3 documents are read again.", "tone": "good"}
    assert {each.content_version for each in Document.objects.all()} == {2}


@pytest.mark.parametrize("action", ["delete", "tag", "untag", "move", "reindex"])
def test_roles_are_checked_for_each(
    action: str, sign_in: Any, bob: User, charlie: User, documents: list[Document], upload: Any
) -> None:
    own = upload(collection_create(owner=bob, name="Bob's"), "His own.", tags=["mine"])
    given = {"tag": "mine" if action == "untag" else "x", "to": "bobs"}
    collection_create(owner=bob, name="Target", slug="target")
    given["to"] = "target"
    toast = act(sign_in(bob), action, [*documents, own], **given)
    assert toast["text"].endswith("3 not: Your role in that collection does not allow it.")
    assert toast["text"].startswith(("1 document", "“mine” taken off 1 document"))
    assert Document.objects.filter(collection__slug="research", tags=["old"], content_version=1).count() == 3
    assert act(sign_in(charlie), action, documents, **given)["tone"] == "bad"


def test_all_that_match(
    browser: Client, alice: User, documents: list[Document], shelf: Collection, upload: Any
) -> None:
    upload(shelf, "Elsewhere.", filename="elsewhere.txt")
    toast = act(browser, "delete", [], all="1", query="collection=research&q=text&page=7")
    assert (toast["text"], seen(alice)) == ("3 documents deleted.", 1)


def test_nothing_chosen(browser: Client, documents: list[Document]) -> None:
    for given in ({"action": "delete"}, {"action": "nonsense", "document": str(documents[0].pk)}, {}):
        toast = act(browser, given.pop("action", ""), [], **given)
        assert toast["text"] == "Choose documents first, and what is to be done with them."
    assert act(browser, "delete", [], document=["no-id"])["tone"] == "bad"


def test_without_javascript(browser: Client, alice: User, documents: list[Document]) -> None:
    given = {"action": "delete", "document": [str(documents[0].pk)], "next": "/documents/?q=text"}
    response = browser.post(BULK, given, follow=True)
    page = response.content.decode()
    assert response.redirect_chain == [("/documents/?q=text", 302)]
    assert "1 document deleted." in page
    undo = page.split('class="note note-good note-undo" method="post" action="')[1].split('"')[0]
    assert "Undone for 1 document." in browser.post(undo, follow=True).content.decode()
    assert seen(alice) == 3
    assert browser.post(BULK, {**given, "next": "//evil.example/"})["Location"] == "/documents/"


def test_from_the_menu_of_a_row(browser: Client, alice: User, documents: list[Document]) -> None:
    response = browser.post(f"/documents/{documents[0].pk}/delete/", headers={"HX-Request": "true"})
    toast = json.loads(response["HX-Trigger"])["toast"]
    assert (toast["text"], seen(alice)) == (f"“{documents[0].title}” was deleted.", 2)
    take_back(browser, toast)
    assert seen(alice) == 3
