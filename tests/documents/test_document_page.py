"""The page of one document, as owner (alice), viewer (bob) and stranger (charlie)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from documents import services, similar
from documents.models import Chunk, Collection, Document, EmbeddingSpace, Page
from documents.services import collection_create
from tests.documents.parsing.pdf_factory import make_pdf

TEXT = "# Rules\n\nThe boiler is lit at dawn.\n\n## Coal\n\nCoal lies by the boiler. The Café is shut."
HTMX = {"HX-Request": "true"}


def client(user: User) -> Client:
    signed = Client()
    signed.force_login(user)
    return signed


def get(user: User, address: str, **headers: str) -> str:
    return client(user).get(address, headers=headers).content.decode()


@pytest.fixture
def document(collection: Collection, make_document: Any) -> Document:
    made: Document = make_document(collection, TEXT, filename="rules.md")
    return made


@pytest.fixture
def pictured(collection: Collection, make_document: Any) -> Document:
    lines = [f"Line {n} of the harbour rules is about berth number {n}." for n in range(40)]
    made: Document = make_document(collection, make_pdf([lines, lines[:3]]), filename="harbour.pdf")
    return made


def field(document: Document, name: str) -> str:
    return reverse("document-field", args=[document.pk, name])


# --- Reading -------------------------------------------------------------------------------------


def test_the_page_takes_few_queries_however_much_there_is(alice: User, pictured: Document) -> None:
    for n in range(30):
        services.document_set_details(document=pictured, user=alice, details={"n": str(n)})
    signed = client(alice)
    with CaptureQueriesContext(connection) as queries:
        page = signed.get(f"{pictured.get_absolute_url()}?page=1&find=berth")
    asked = [query["sql"] for query in queries if "django_session" not in query["sql"]]
    besides = [sql for sql in asked if not sql.startswith('SELECT "auth_user"')]
    assert page.status_code == 200
    assert len(besides) <= 10, "\n".join(besides)


def test_each_passage_is_outlined_and_linked_with_its_text(bob: User, pictured: Document) -> None:
    page = get(bob, f"{pictured.get_absolute_url()}?page=1")
    for chunk in Chunk.objects.filter(document=pictured, page_start=1):
        assert (
            f'class="outline" href="{pictured.get_absolute_url()}?page=1&amp;chunk={chunk.pk}#mark"' in page
        )
        assert f'<span class="passage" data-chunk="{chunk.pk}">' in page
        assert f'data-chunk="{chunk.pk}" data-selects>' in page


def test_places_found_are_marked_counted_and_followed(bob: User, pictured: Document) -> None:
    address = pictured.get_absolute_url()
    page = get(bob, f"{address}?find=BERTH+number+2.")
    assert "“BERTH number 2.”: 1 of 2" in page
    assert '<mark class="find is-current" id="match">berth number 2.</mark>' in page
    assert f'href="{address}?page=2&amp;match=1&amp;find=BERTH+number+2.#match"' in page
    svg = page.split('data-testid="found-boxes"')[1].split("</svg>")[0]
    assert svg.count("<rect") == 1, "the line, not the passage"
    page = get(bob, f"{address}?find=berth&page=2")
    assert "“berth”: 43 places" in page
    assert 'id="match"' not in page
    assert f'href="{address}?page=1&amp;find=berth"' in page, "other pages keep the search"
    assert "“ferry” is nowhere in this document." in get(bob, f"{address}?find=ferry")
    assert "stand nowhere together" in get(bob, f"{address}?find=berth+rules")


def test_found_words_are_escaped(bob: User, document: Document) -> None:
    page = get(bob, f"{document.get_absolute_url()}?find=%3Cscript%3E")
    assert "<script>" not in page.replace('<script type="module"', "")
    assert "“&lt;script&gt;” is nowhere" in page


def test_text_without_pictures_has_an_outline_and_no_sheet(bob: User, document: Document) -> None:
    page = get(bob, document.get_absolute_url())
    assert 'data-testid="page-picture"' not in page
    outline = page.split('data-testid="outline"')[1].split("</ol>")[0]
    assert "Rules" in outline
    assert 'class="depth-2"' in outline
    assert 'data-testid="strip"' not in page, "there is one page only"


def test_a_page_without_text_says_so(bob: User, pictured: Document) -> None:
    Page.objects.filter(document=pictured, number=2).update(text="")
    Chunk.objects.filter(document=pictured, page_start=2).delete()
    page = get(bob, f"{pictured.get_absolute_url()}?page=2")
    assert "a picture in which nothing could be recognised" in page
    assert 'data-testid="page-picture"' in page


def test_a_thousand_pages_are_not_drawn_at_once(bob: User, pictured: Document) -> None:
    Document.objects.filter(pk=pictured.pk).update(page_count=1000)
    page = get(bob, f"{pictured.get_absolute_url()}?page=500")
    assert page.count('data-testid="thumbnail"') == 20
    strip = reverse("document-strip", args=[pictured.pk])
    assert f'hx-get="{strip}?page=481&amp;side=before"' not in page
    assert f'hx-get="{strip}?page=461&amp;side=before"' in page
    part = get(bob, f"{strip}?page=501&side=after")
    assert ('data-page="501"' in part, 'data-page="520"' in part, "data-strip-before" in part) == (
        True,
        True,
        False,
    )
    assert "data-strip-after" not in get(bob, f"{strip}?page=999999")


def test_the_address_follows_the_reader_on_its_own_page_only(bob: User, pictured: Document) -> None:
    here = pictured.get_absolute_url()
    asked = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{here}?page=1"}
    assert client(bob).get(f"{here}?page=2", headers=asked)["HX-Push-Url"] == f"{here}?page=2"
    assert "HX-Push-Url" not in client(bob).get(f"{here}?page=1", headers=asked)
    beside = {"HX-Request": "true", "HX-Current-URL": "http://testserver/ask/"}
    assert "HX-Push-Url" not in client(bob).get(f"{here}?page=2", headers=beside)


# --- What is known of it, and who may change it ------------------------------------------------------


def test_a_viewer_reads_everything_and_changes_nothing(alice: User, bob: User, document: Document) -> None:
    page = get(bob, document.get_absolute_url())
    assert document.sha256 in page
    for control in (
        "edit-title",
        "edit-tags",
        'data-testid="reindex"',
        "replace-input",
        'data-testid="delete"',
    ):
        assert control not in page
        assert control in get(alice, document.get_absolute_url())
    assert "Change members" not in page
    assert "Change members" in get(alice, document.get_absolute_url())


def test_strangers_find_nothing(charlie: User, document: Document) -> None:
    names = ("detail", "facts", "strip", "history", "similar")
    addresses = [reverse(f"document-{name}", args=[document.pk]) for name in names]
    for address in (*addresses, field(document, "tags")):
        assert client(charlie).get(address).status_code == 404


def test_members_and_roles_are_named(bob: User, document: Document) -> None:
    sharing = get(bob, document.get_absolute_url()).split('data-testid="sharing"')[1].split("</section>")[0]
    assert ("alice" in sharing, "owner" in sharing, "bob" in sharing, "viewer" in sharing) == (True,) * 4


def test_a_private_document_says_that_nobody_else_sees_it(alice: User, make_document: Any) -> None:
    document = make_document(services.collection_private(user=alice), "Words of mine.")
    assert "Only alice: it is in a private collection." in get(alice, document.get_absolute_url())


def test_history_has_pages_of_its_own(alice: User, bob: User, document: Document) -> None:
    for n in range(12):
        services.document_set_details(document=document, user=alice, details={"n": str(n)})
    page = get(bob, document.get_absolute_url())
    older = page.split('data-testid="history-older"')[0].rsplit('hx-get="', 1)[1].split('"')[0]
    part = get(bob, older, **HTMX)
    assert ("<html" in part, "Uploaded as “rules.md”" in part) == (False, True)
    whole = get(bob, older)
    assert ("<html" in whole, "Uploaded as “rules.md”" in whole) == (True, True)


# --- Fields edited in place -------------------------------------------------------------------------


def test_a_field_is_saved_in_place_with_a_way_back(alice: User, document: Document) -> None:
    address = field(document, "tags")
    services.document_update(document=document, user=alice, tags=["coal"])
    form = get(alice, address, **HTMX)
    assert ("<html" in form, 'name="tags" value="coal"' in form, "datalist" in form) == (False, True, True)
    saved = client(alice).post(address, {"tags": ["coal"], "more": "Steam, fire"}, headers=HTMX)
    toast = json.loads(saved["HX-Trigger"])["toast"]
    assert toast["undo"] == {"url": address, "fields": {"tags": ["coal"]}}
    assert saved["HX-Retarget"] == "#document-head"
    assert 'id="document-about"' in saved.content.decode()
    document.refresh_from_db()
    assert document.tags == ["coal", "steam", "fire"]
    client(alice).post(address, toast["undo"]["fields"], headers=HTMX)
    document.refresh_from_db()
    assert document.tags == ["coal"]
    client(alice).post(address, {"tags": ["coal", "lost"]})
    document.refresh_from_db()
    assert document.tags == ["coal", "lost"], "an undo brings back what is not there any more"


def test_a_new_title_is_that_of_the_page_and_its_path_too(alice: User, document: Document) -> None:
    saved = client(alice).post(field(document, "title"), {"title": "Laws & <rules>"}, headers=HTMX)
    part = saved.content.decode()
    assert part.startswith("<title>Laws &amp; &lt;rules&gt; · Document portal</title>")
    path = part.split('<ol hx-swap-oob="innerHTML:.crumb-list">')[1].split("</ol>")[0]
    assert path.endswith('<li aria-current="page">Laws &amp; &lt;rules&gt;</li>')
    assert path in get(alice, document.get_absolute_url())


def test_tags_in_use_are_suggested_but_not_those_of_others(
    alice: User, bob: User, document: Document, upload: Any
) -> None:
    upload(document.collection, "Other words.", tags=["harbour"])
    upload(services.collection_private(user=bob), "Bob's words.", tags=["secret"])
    form = get(alice, field(document, "tags"))
    assert '<option value="harbour">' in form
    assert "secret" not in form


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("title", {"title": ""}, "This field is required."),
        ("title", {"title": "x" * 301}, "at most 300 characters"),
        ("dated", {"dated": "31.2.2024"}, "Enter a valid date."),
        ("language", {"language": "klingon"}, "Select a valid choice."),
        ("collection", {"collection": "elsewhere"}, "Select a valid choice."),
        ("details", {"details": "no colon"}, "is not of the form"),
        ("details", {"details": "\n".join(f"a{n}: b" for n in range(31))}, "At most 30 details."),
        ("details", {"details": f"{'n' * 61}: v"}, "at most 60 characters"),
    ],
)
def test_what_is_wrong_stands_at_the_field(
    alice: User, document: Document, name: str, given: dict[str, str], said: str
) -> None:
    for headers, status in ((HTMX, 200), ({}, 400)):
        answer = client(alice).post(field(document, name), given, headers=headers)
        assert answer.status_code == status
        assert said in answer.content.decode()
        assert "HX-Trigger" not in answer
    assert not document.events.exclude(kind__in=["uploaded", "read"]).exists()


def test_fields_are_saved_without_scripts(alice: User, document: Document) -> None:
    for name, given in (
        ("dated", {"dated": "1904-05-06"}),
        ("language", {"language": "de"}),
        ("details", {"details": "Shelf: B 12\nSigned: yes: twice"}),
    ):
        page = client(alice).post(field(document, name), given, follow=True)
        assert page.redirect_chain == [(document.get_absolute_url(), 302)]
        assert b"Saved." in page.content
    page = get(alice, document.get_absolute_url())
    for shown in ("German", 'datetime="1904-05-06"', "<dt>Shelf</dt><dd>B 12</dd>", "<dd>yes: twice</dd>"):
        assert shown in page
    assert client(alice).get(field(document, "owner")).status_code == 404
    client(alice).post(field(document, "dated"), {"dated": ""})
    document.refresh_from_db()
    assert document.dated is None


def test_a_document_moves_where_one_may_write(
    alice: User, bob: User, document: Document, upload: Any
) -> None:
    own = collection_create(owner=bob, name="Bob's", slug="bobs")
    other = collection_create(owner=alice, name="Other", slug="other")
    address = field(document, "collection")
    assert "bobs" not in get(alice, address)
    assert client(alice).post(address, {"collection": own.slug}).status_code == 400
    twin = upload(other, TEXT, filename="rules.md")
    answer = client(alice).post(address, {"collection": "other"}, headers=HTMX)
    assert "exactly this content" in answer.content.decode()
    twin.delete()
    client(alice).post(address, {"collection": "other"}, headers=HTMX)
    document.refresh_from_db()
    assert document.collection == other
    assert client(bob).get(document.get_absolute_url()).status_code == 404


# --- Similar documents ------------------------------------------------------------------------------


def test_similar_documents_are_like_it_and_the_reader_sees_them(
    alice: User, bob: User, collection: Collection, make_document: Any
) -> None:
    about = "The steam boiler of the ship is heated with coal and makes steam for the engine."
    document = make_document(collection, about, title="Boilers")
    near = make_document(collection, "Steam engines need a boiler that burns coal.", title="Engines")
    less = make_document(collection, "The turbine of the power station is driven by steam.", title="Turbines")
    make_document(collection, "Parliament voted on the pension reform.", title="Pensions")
    own = collection_create(owner=alice, name="Own")
    hidden = make_document(own, "A boiler makes steam from coal, for engines.", title="Hidden")
    found = [each.document.pk for each in similar.similar_documents(document, bob)]
    assert found == [near.pk, less.pk]
    assert hidden.pk in [each.document.pk for each in similar.similar_documents(document, alice)]
    address = reverse("document-similar", args=[document.pk])
    part = get(bob, address, **HTMX)
    assert part.index("Engines") < part.index("Turbines")
    assert "Hidden" not in part
    assert "Pensions" not in part
    assert "<html" in get(bob, address)


def test_that_no_other_document_is_similar_is_said(alice: User, document: Document) -> None:
    assert "no other documents" in get(alice, reverse("document-similar", args=[document.pk]))


def test_what_could_not_be_told_in_time_is_said(
    alice: User, collection: Collection, upload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[str] = []

    def slow(*_: Any) -> None:
        """What Postgres says of a statement that takes too long."""
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            limits.append(cursor.fetchone()[0])
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'query_canceled'; END $$")

    document = upload(collection, "Words.")
    monkeypatch.setattr(similar, "active_space", EmbeddingSpace)
    monkeypatch.setattr(similar, "middle_of", slow)
    assert "could not be told in time" in get(alice, reverse("document-similar", args=[document.pk]))
    assert limits == ["2s"]


def test_a_document_without_passages_has_no_similar_ones(
    alice: User, collection: Collection, document: Document, upload: Any
) -> None:
    unread = upload(collection, "Not read yet.")
    assert similar.similar_documents(unread, alice) == []
