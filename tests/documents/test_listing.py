"""The list of documents: filters and order from the address, counts, both views, however many there are."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from documents import listing
from documents.models import Collection, Document, SavedView, Status
from documents.services import collection_create, collection_private, document_bin, view_save
from tests.many import many_documents

LIST = "/documents/"


def rows(collection: Collection, count: int, **given: Any) -> list[Document]:
    """Rows as they are after a failed reading: the cheapest that the database takes."""
    return Document.objects.bulk_create(
        Document(
            **{
                "collection": collection,
                "title": f"Note {number:05}",
                "filename": f"note-{number}.txt",
                "file": f"originals/none/{number}",
                "sha256": uuid.uuid4().hex * 2,
                "size": number + 1,
                "kind": "text",
                "media_type": "text/plain",
                "status": Status.FAILED,
                "reason": "It was made for a test.",
                **given,
            }
        )
        for number in range(count)
    )


@pytest.fixture
def look() -> Callable[..., Any]:
    def get(user: User, query: str = "", **given: Any) -> Any:
        client = Client()
        client.force_login(user)
        return client.get(f"{LIST}?{query}", **given)

    return get


def titles(response: Any) -> list[str]:
    return [document.title for document in response.context["page"]]


def labels(response: Any, name: str) -> dict[str, int]:
    found = [each for each in response.context["facets"] if each.name == name]
    return {link.label: link.count for each in found for link in each.values}


@pytest.mark.parametrize("view", ["table", "grid"])
def test_five_queries_however_many_rows(view: str, alice: User, collection: Collection) -> None:
    rows(collection, 400, tags=["ships", "quay"], language="de", dated=date(2020, 1, 2))
    for number in range(6):
        rows(collection_create(owner=alice, name=f"Shelf {number}"), 20, tags=[f"tag-{number}"])
        view_save(user=alice, name=f"View {number}", query=f"tag=tag-{number}")
    client = Client()
    client.force_login(alice)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(f"{LIST}?view={view}&q=note&status=failed&sort=title&page=3")
    assert len(response.context["page"]) == listing.PER_PAGE[view]
    asked = [query["sql"] for query in queries if "django_session" not in query["sql"]]
    assert len([sql for sql in asked if 'FROM "auth_user"' not in sql]) <= 5


def test_ten_thousand_documents(alice: User, collection: Collection, look: Any) -> None:
    many_documents(collection, 10_000)
    response = look(alice, "sort=title&page=400")
    assert (response.context["counts"].total, titles(response)[-1]) == (10_000, "Minutes of meeting 10000")
    assert [number for number, _ in response.context["page_links"]] == [1, "…", 399, 400]
    assert len(look(alice, "sort=title&page=junk").content) < 400_000


def test_facets_count_what_choosing_another_value_would_give(
    alice: User, collection: Collection, look: Any
) -> None:
    shelf = collection_create(owner=alice, name="Shelf")
    rows(collection, 3, kind="pdf", tags=["ships"], language="en", dated=date(2019, 5, 1))
    rows(shelf, 2, kind="text", tags=["ships", "quay"], language="de", dated=date(2021, 5, 1))
    response = look(alice, "type=pdf")
    assert labels(response, "type") == {"PDF": 3, "Text": 2}
    assert labels(response, "collection") == {"Research": 3}
    assert labels(response, "tag") == {"ships": 3}
    assert labels(response, "language") == {"English": 3}
    assert labels(response, "year") == {"2019": 3}
    assert labels(response, "status") == {"failed": 3}
    assert [chip.label for chip in response.context["chips"]] == ["Type: PDF"]
    both = look(alice, "type=pdf&collection=shelf")
    assert (both.context["counts"].total, labels(both, "type")) == (0, {"Text": 2})
    assert b"No document matches" in both.content


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("tag=SHIPS", 3),
        ("language=en", 3),
        ("year=2019", 3),
        ("year=20x9", 3),
        ("year=0", 3),
        ("year=99999999999", 3),
        ("year=2020", 0),
        ("sort=nonsense&view=nonsense", 3),
        ("q=note-1", 1),
        ("q=%00", 0),
        ("status=ready", 0),
    ],
)
def test_filters(query: str, count: int, alice: User, collection: Collection, look: Any) -> None:
    rows(collection, 3, tags=["ships"], language="en", dated=date(2019, 5, 1))
    assert len(titles(look(alice, query))) == count


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("title", "a"), ("-title", "c"), ("size", "b"), ("-size", "c"), ("pages", "c"), ("-pages", "a"),
        ("date", "b"), ("-date", "a"), ("added", "a"), ("-added", "c"), ("", "c"),
    ],
)  # fmt: skip
def test_order(sort: str, first: str, alice: User, collection: Collection, look: Any) -> None:
    given = {
        "a": (20, 9, date(2021, 1, 1), "2021-01-01"),
        "B": (10, 5, date(2020, 1, 1), "2022-01-01"),
        "c": (30, 1, None, "2023-01-01"),
    }
    for title, (size, pages, dated, added) in given.items():
        rows(
            collection, 1, title=title, size=size, page_count=pages, dated=dated, created_at=f"{added}T00:00Z"
        )
    assert titles(look(alice, f"sort={sort}"))[0].lower() == first


def test_the_way_of_looking_is_remembered(alice: User, collection: Collection) -> None:
    rows(collection, 1)
    client = Client()
    client.force_login(alice)
    assert 'data-testid="document-row"' in client.get(LIST).content.decode()
    client.get(f"{LIST}?view=grid")
    assert 'data-testid="document-card"' in client.get(LIST).content.decode()
    assert 'data-testid="document-row"' in client.get(f"{LIST}?view=table").content.decode()


def test_nobody_else_is_counted(charlie: User, collection: Collection, look: Any) -> None:
    rows(collection, 3, tags=["secret"])
    response = look(charlie)
    assert (response.context["facets"], response.context["counts"].total) == ([], 0)
    assert b"No documents yet" in response.content
    assert b"secret" not in response.content


def test_what_was_deleted_is_in_no_count(alice: User, collection: Collection, look: Any) -> None:
    first, _ = rows(collection, 2)
    document_bin(document=first, user=alice)
    response = look(alice)
    assert (response.context["counts"].total, labels(response, "collection")) == (1, {"Research": 1})
    assert "Bin: " not in response.content.decode()


def test_a_viewer_can_select_nothing(bob: User, alice: User, collection: Collection, look: Any) -> None:
    rows(collection, 1)
    seen = look(bob).content.decode()
    assert 'data-testid="bulk"' not in seen
    assert 'data-testid="select"' not in seen
    assert 'data-testid="bulk"' in look(alice).content.decode()
    own = collection_private(user=bob)
    rows(own, 1, title="His own")
    mixed = look(bob).content.decode()
    assert mixed.count('data-testid="select"') == 1


def test_words_in_the_box_keep_the_rest(alice: User, collection: Collection, look: Any) -> None:
    rows(collection, 1)
    page = look(alice, "type=text&sort=title&q=note").content.decode()
    assert '<input type="hidden" form="list-search" name="type" value="text">' in page
    assert '<input type="hidden" form="list-search" name="sort" value="title">' in page


def test_addresses_have_one_order() -> None:
    one, other = QueryDict("view=grid&q=a&page=3&evil=1"), QueryDict("q=a&view=grid")
    assert listing.query_of(one) == listing.query_of(other) == "q=a&view=grid"
    assert listing.address(one, q="", view="") == LIST


# --- Saved views ---------------------------------------------------------------------------------


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


def test_a_view_is_saved_opened_renamed_and_deleted(
    alice: User, collection: Collection, sign_in: Any
) -> None:
    rows(collection, 1)
    client = sign_in(alice)
    given = {"name": " Late ships ", "query": "page=2&tag=ships&sort=-title&evil=1"}
    saved = client.post(f"{LIST}views/", given)
    assert saved["Location"] == f"{LIST}?tag=ships&sort=-title"
    view = SavedView.objects.get()
    assert (view.name, view.query) == ("Late ships", "tag=ships&sort=-title")
    page = client.get(f"{LIST}?sort=-title&tag=ships").content.decode()
    assert 'aria-current="page" data-testid="saved-view">Late ships' in page
    client.post(f"{LIST}views/{view.pk}/rename/", {"name": "Ships", "next": LIST})
    assert SavedView.objects.get().name == "Ships"
    client.post(f"{LIST}views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_the_same_name_takes_the_place_of_the_former(alice: User, bob: User) -> None:
    view_save(user=alice, name="Mine", query="tag=a")
    view_save(user=alice, name="Mine", query="tag=b")
    view_save(user=bob, name="Mine", query="tag=c")
    assert list(SavedView.objects.values_list("query", flat=True).order_by("query")) == ["tag=b", "tag=c"]


def test_bad_names_are_refused_with_a_sentence(alice: User, sign_in: Any) -> None:
    client = sign_in(alice)
    for name in ("", "   ", "x" * 61):
        page = client.post(f"{LIST}views/", {"name": name, "query": "tag=a"}, follow=True).content.decode()
        assert "A view needs a name of at most 60 characters." in page
    first, second = (view_save(user=alice, name=name, query="") for name in ("One", "Two"))
    page = client.post(f"{LIST}views/{second.pk}/rename/", {"name": first.name}, follow=True)
    assert "There is a view of that name already." in page.content.decode()
    for number in range(28):
        view_save(user=alice, name=str(number), query="")
    page = client.post(f"{LIST}views/", {"name": "One too many"}, follow=True).content.decode()
    assert "There are 30 saved views already." in page


def test_views_are_nobody_elses(alice: User, charlie: User, sign_in: Any) -> None:
    view = view_save(user=alice, name="Private thoughts", query="tag=a")
    stranger = sign_in(charlie)
    assert "Private thoughts" not in stranger.get(LIST).content.decode()
    for act in ("rename", "delete"):
        assert stranger.post(f"{LIST}views/{view.pk}/{act}/", {"name": "x"}).status_code == 404
    assert SavedView.objects.get().name == "Private thoughts"
