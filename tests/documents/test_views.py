"""Pages about documents and collections, tried as owner (alice), viewer (bob) and stranger (charlie)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from documents.highlight import Piece, cut
from documents.models import Attachment, Collection, Document, Page, Role, Stage, Status
from documents.parsing.registry import SUPPORTED
from documents.services import collection_create, document_cancel, document_fail
from documents.templatetags.document_words import language_name, percent, stage_words

SignIn = Callable[[User | None], Client]
LIST = "/documents/"


@pytest.fixture
def browser(db: None) -> SignIn:
    def sign_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def document(collection: Collection, make_document: Any) -> Document:
    text = "The boiler was built by Marlow <& Sons> in 1904. It runs on Sundays."
    made: Document = make_document(collection, text, title="Boiler <manual>")
    return made


def test_visitor_is_sent_to_sign_in(browser: SignIn) -> None:
    for address in (LIST, "/", "/search/", "/ask/", "/collections/", "/account/"):
        response = browser(None).get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


def test_list_shows_what_is_visible_and_no_more(
    browser: SignIn, alice: User, bob: User, charlie: User, document: Document
) -> None:
    title = "Boiler &lt;manual&gt;"
    assert title in browser(alice).get(LIST).content.decode()
    seen_by_bob = browser(bob).get(LIST).content.decode()
    assert title in seen_by_bob
    assert f"/documents/{document.pk}/delete/" not in seen_by_bob
    assert title not in browser(charlie).get(LIST).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=boiler", True),
        ("q=ferry", False),
        ("collection=research", True),
        ("collection=elsewhere", False),
        ("status=ready", True),
        ("status=failed", False),
        ("type=text&tag=", True),
        ("type=pdf", False),
        ("tag=%00", False),
        ("page=999", True),
    ],
)
def test_filters(browser: SignIn, alice: User, document: Document, query: str, found: bool) -> None:
    response = browser(alice).get(f"{LIST}?{query}")
    assert (str(document.pk) in response.content.decode()) is found


def test_htmx_gets_the_part_only(browser: SignIn, alice: User, document: Document) -> None:
    part = browser(alice).get(LIST, headers={"HX-Request": "true"})
    assert part["Vary"].count("HX-Request")
    assert "<html" not in part.content.decode()
    assert str(document.pk) in part.content.decode()


def test_plain_upload_of_several_files(browser: SignIn, alice: User, collection: Collection) -> None:
    files = [
        SimpleUploadedFile("one.txt", b"Words of the first file."),
        SimpleUploadedFile("two.txt", b"Words of the second file."),
        SimpleUploadedFile("none.txt", b""),
    ]
    given = {"file": files, "collection": "research", "tags": "Ships, quay"}
    page = browser(alice).post("/documents/upload/", given, follow=True).content.decode()
    assert set(Document.objects.values_list("title", flat=True)) == {"one", "two"}
    assert Document.objects.get(title="one").tags == ["ships", "quay"]
    assert "none.txt: The file is empty." in page


def test_plain_upload_is_refused_where_one_may_only_read(
    browser: SignIn, bob: User, collection: Collection
) -> None:
    given = {"file": SimpleUploadedFile("one.txt", b"Words."), "collection": "research"}
    browser(bob).post("/documents/upload/", given)
    assert not Document.objects.exists()


def test_document_page_is_404_for_a_stranger_as_if_it_did_not_exist(
    browser: SignIn, alice: User, bob: User, charlie: User, document: Document
) -> None:
    address = document.get_absolute_url()
    assert browser(alice).get(address).status_code == 200
    assert browser(bob).get(address).status_code == 200
    assert browser(charlie).get(address).status_code == 404
    absent = reverse("document-detail", args=["00000000-0000-0000-0000-000000000000"])
    assert browser(alice).get(absent).status_code == 404


def test_cited_characters_are_marked_and_escaped(browser: SignIn, alice: User, document: Document) -> None:
    text = Page.objects.get(document=document).text
    start = text.index("Marlow")
    address = f"{document.get_absolute_url()}?page=1&start={start}&end={start + len('Marlow <& Sons>')}"
    page = browser(alice).get(address).content.decode()
    assert 'data-testid="passage-mark" tabindex="-1">Marlow &lt;&amp; Sons&gt;</mark>' in page


def test_passage_is_marked_by_its_number(browser: SignIn, alice: User, document: Document) -> None:
    chunk = document.chunks.get()
    page = browser(alice).get(f"{document.get_absolute_url()}?chunk={chunk.pk}").content.decode()
    assert 'id="mark"' in page
    assert f'id="chunk-{chunk.pk}" class="is-marked"' in page


def test_passage_that_is_gone_marks_nothing_and_says_so(
    browser: SignIn, alice: User, document: Document
) -> None:
    address = f"{document.get_absolute_url()}?page=1&chunk=999999999&start=0&end=5"
    page = browser(alice).get(address).content.decode()
    assert 'id="mark"' not in page
    assert "read again since this passage was cited" in page


@pytest.mark.parametrize(
    "query", ["page=x&start=-1&end=é", "page=99999999999999999999", "box=1,2&box=nan,1,2,3&chunk=²"]
)
def test_odd_places_are_no_errors(browser: SignIn, alice: User, document: Document, query: str) -> None:
    assert browser(alice).get(f"{document.get_absolute_url()}?{query}").status_code == 200


def test_failed_document_tells_why(browser: SignIn, bob: User, collection: Collection, upload: Any) -> None:
    document = upload(collection, "Words.")
    document_fail(document_id=document.pk, reason="Page 3 is damaged.", detail="Traceback: secret")
    page = browser(bob).get(document.get_absolute_url()).content.decode()
    assert "Page 3 is damaged." in page
    assert "Traceback" not in page


def test_only_editors_change_a_document(
    browser: SignIn, alice: User, bob: User, charlie: User, document: Document
) -> None:
    edit = reverse("document-field", args=[document.pk, "title"])
    others = [
        reverse(f"document-{each}", args=[document.pk]) for each in ("cancel", "retry", "delete", "replace")
    ]
    for address in (edit, *others):
        assert browser(bob).post(address, {"title": "Mine"}).status_code == 403
        assert browser(charlie).post(address, {"title": "Mine"}).status_code == 404
    browser(alice).post(edit, {"title": "  New title "})
    document.refresh_from_db()
    assert (document.title, document.status) == ("New title", Status.QUEUED)


def test_deleting_a_mail_tells_how_much_goes_with_it(
    browser: SignIn, alice: User, collection: Collection, upload: Any
) -> None:
    mail, brought, kept = (upload(collection, f"{name}.") for name in ("Mail", "Brought", "Kept"))
    for attached in (brought, kept):
        Attachment.objects.create(message=mail, document=attached, filename="a.txt")
    Document.objects.filter(pk=brought.pk).update(only_attached=True, page_count=1203)
    Document.objects.filter(pk=mail.pk).update(page_count=1)
    page = browser(alice).get(reverse("document-delete", args=[mail.pk])).content.decode()
    assert "What came attached to it alone goes too: 2 documents of 1,204 pages in all." in page
    page = browser(alice).get(reverse("document-delete", args=[kept.pk])).content.decode()
    assert "delete-attached" not in page
    browser(alice).post(reverse("document-delete", args=[mail.pk]))
    assert list(Document.objects.visible_to(alice)) == [kept]


def test_delete_asks_first(browser: SignIn, alice: User, document: Document) -> None:
    address = reverse("document-delete", args=[document.pk])
    assert b"undo that for a minute" in browser(alice).get(address).content
    assert Document.objects.visible_to(alice).exists()
    assert browser(alice).post(address)["Location"] == LIST
    assert not Document.objects.visible_to(alice).exists()


def test_cancel_goes_back_to_our_pages_only(
    browser: SignIn, alice: User, collection: Collection, upload: Any
) -> None:
    address = reverse("document-cancel", args=[upload(collection, "Words.").pk])
    assert browser(alice).post(address, {"next": "/documents/?page=2"})["Location"] == "/documents/?page=2"
    assert browser(alice).post(address, {"next": "//elsewhere.example/"})["Location"] == LIST
    assert Document.objects.get().reason == "cancelled"


def test_collection_pages(
    browser: SignIn, alice: User, bob: User, charlie: User, collection: Collection
) -> None:
    address = reverse("collection-detail", args=["research"])
    assert b"Add a person" in browser(alice).get(address).content
    assert b"Add a person" not in browser(bob).get(address).content
    assert browser(charlie).get(address).status_code == 404
    browser(charlie).post("/collections/", {"name": "Charlie's own"})
    assert Collection.objects.get(name="Charlie's own").owner == charlie


def test_members(browser: SignIn, alice: User, bob: User, charlie: User, collection: Collection) -> None:
    add = reverse("collection-member-set", args=["research"])
    assert browser(bob).post(add, {"username": "bob", "role": "manager"}).status_code == 403
    assert browser(charlie).post(add, {"username": "charlie", "role": "viewer"}).status_code == 404
    browser(alice).post(add, {"username": "charlie", "role": "editor"})
    assert collection.memberships.get(user=charlie).role == Role.EDITOR
    page = browser(alice).post(add, {"username": "nobody", "role": "editor"}, follow=True)
    assert b"no user of that name. New users are made in the administration." in page.content
    page = browser(alice).post(add, {"username": "alice", "role": "editor"}, follow=True)
    assert b"owner has every right" in page.content
    browser(alice).post(reverse("collection-member-remove", args=["research"]), {"username": "charlie"})
    assert not collection.memberships.filter(user=charlie).exists()


def test_collection_with_documents_is_not_deleted(
    browser: SignIn, alice: User, bob: User, collection: Collection, upload: Any
) -> None:
    address = reverse("collection-delete", args=["research"])
    assert browser(bob).post(address).status_code == 403
    upload(collection, "Words.")
    assert b"still holds documents" in browser(alice).post(address, follow=True).content
    Document.objects.all().delete()
    browser(alice).post(address)
    assert not Collection.objects.filter(slug="research").exists()


def test_token_is_shown_once_and_revoked_by_its_owner(browser: SignIn, alice: User, bob: User) -> None:
    page = browser(alice).post("/account/tokens/", {"name": "import"}).content.decode()
    assert 'data-testid="token-secret">dp_' in page
    token = alice.api_tokens.get()  # type: ignore[attr-defined]
    assert 'data-testid="token-secret"' not in browser(alice).get("/account/").content.decode()
    revoke = reverse("token-revoke", args=[token.pk])
    assert browser(bob).post(revoke).status_code == 404
    browser(alice).post(revoke)
    assert not alice.api_tokens.exists()  # type: ignore[attr-defined]


def test_theme_comes_with_the_page(browser: SignIn, alice: User) -> None:
    client = browser(alice)
    client.cookies["theme"] = "dark"
    assert b'data-theme="dark"' in client.get(LIST).content
    client.cookies["theme"] = '"><script>'
    assert b"data-theme=" not in client.get(LIST).content.split(b"<head>")[0]


def test_no_page_needs_inline_code_or_style(browser: SignIn, alice: User, document: Document) -> None:
    for address in ("/", LIST, document.get_absolute_url(), "/search/?q=boiler", "/ask/", "/account/"):
        page = browser(alice).get(address).content.decode()
        for forbidden in (" style=", " onclick=", "<style", "<script>", "javascript:"):
            assert forbidden not in page


def test_cut_joins_overlapping_spans_and_stays_within_the_text() -> None:
    assert cut("abcdef", [(4, 99), (1, 3), (2, 3), (-5, 0), (3, 3)]) == [
        Piece("a"),
        Piece("bc", marked=True),
        Piece("d"),
        Piece("ef", marked=True),
    ]
    assert cut("", [(0, 1)]) == []


def test_a_title_of_invisible_characters_is_refused(browser: SignIn, alice: User, document: Document) -> None:
    title = document.title
    edit = reverse("document-field", args=[document.pk, "title"])
    page = browser(alice).post(edit, {"title": "\u202e\u200b"})
    assert page.status_code == 400
    assert b"A title needs a character that can be seen." in page.content
    document.refresh_from_db()
    assert document.title == title


def test_a_file_is_replaced(browser: SignIn, alice: User, collection: Collection, upload: Any) -> None:
    document = upload(collection, "The old words.", title="Rules")
    upload(collection, "Words of another document.")
    address = reverse("document-replace", args=[document.pk])

    def said(*content: bytes) -> str:
        given = {"file": SimpleUploadedFile("new.txt", *content)} if content else {}
        return browser(alice).post(address, given, follow=True).content.decode()

    assert 'name="file" required data-testid="replace-input"' in said()
    assert "Choose the file that is to take its place." in said()
    assert "new.txt: The file is empty." in said(b"")
    assert "This is the same file as before." in said(b"The old words.")
    assert "new.txt: Another document of this collection has exactly this content." in said(
        b"Words of another document."
    )
    assert f"{SUPPORTED}</p>" in said(bytes(range(256)) * 8), "it stands nowhere else on this page"
    document.refresh_from_db()
    assert (document.content_version, document.filename != "new.txt") == (1, True)
    assert "Replaced. The new file is read now." in said(b"The new words.")
    document.refresh_from_db()
    assert (document.content_version, document.filename, document.status) == (2, "new.txt", "queued")


def test_of_htmx_an_action_only_renews_the_list(
    browser: SignIn, alice: User, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    client = browser(alice)
    changed = {"documents:changed": {"target": "body"}}
    toast = {"text": "0 documents are tried again.", "tone": "good", "target": "body"}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        (reverse("document-cancel", args=[document.pk]), Status.FAILED, changed),
        (reverse("document-retry", args=[document.pk]), Status.QUEUED, changed),
        (reverse("documents-retry"), Status.QUEUED, {**changed, "toast": toast}),
    ]
    for address, status, news in steps:
        answer = client.post(address, {"next": LIST}, headers={"HX-Request": "true"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert json.loads(answer["HX-Trigger"]) == news
        document.refresh_from_db()
        assert document.status == status
    assert b"tried again" not in client.get(LIST).content, "nothing is told twice"


def test_the_list_of_formats_is_not_repeated_for_each_refused_file(
    browser: SignIn, alice: User, collection: Collection
) -> None:
    files = [SimpleUploadedFile(f"{name}.bin", bytes(range(256)) * 8) for name in ("one", "two")]
    given = {"file": files, "collection": "research"}
    page = browser(alice).post("/documents/upload/", given, follow=True).content.decode()
    assert page.count('note note-bad">one.bin: ') == page.count('note note-bad">two.bin: ') == 1
    assert page.count(f"{SUPPORTED}</span>") == 1


def test_a_cancelled_document_is_no_failure_to_look_at(
    browser: SignIn, alice: User, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    document_cancel(document=document)
    for address in (LIST, document.get_absolute_url()):
        page = browser(alice).get(address).content.decode()
        assert 'data-status="cancelled" data-badge data-testid="document-status">cancelled<' in page
        assert 'data-testid="document-reason" hidden>' in page
        assert "document could not be read" not in page


# --- What happened to a file, and what to do about it -------------------------------------------


def test_progress_is_shown_with_its_counts_at_first_load(
    browser: SignIn, bob: User, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    rows = Document.objects.filter(pk=document.pk)
    rows.update(status=Status.PROCESSING, stage=Stage.EMBEDDING, stage_done=64, stage_total=412, percent=42)
    for address in (LIST, document.get_absolute_url(), reverse("document-facts", args=[document.pk])):
        page = browser(bob).get(address).content.decode()
        assert "Embedding passage 64 of 412" in page
        assert 'max="100" value="42"' in page


@pytest.mark.parametrize(
    ("stage", "done", "total", "words"),
    [
        (Stage.PARSING, 12, 80, "Reading page 12 of 80"),
        (Stage.PARSING, 0, 0, "Reading"),
        (Stage.PARSING, 0, 3, "Reading page 1 of 3"),
        (Stage.RECOGNISING, 3, 9, "Recognising text on page 3 of 9"),
        (Stage.CHUNKING, 0, 0, "Splitting into passages"),
        (Stage.EMBEDDING, 64, 12412, "Embedding passage 64 of 12,412"),
        (Stage.STORING, 412, 412, "Storing"),
        (Stage.NONE, 0, 0, ""),
    ],
)
def test_stages_in_words(stage: Stage, done: int, total: int, words: str) -> None:
    document = Document(status=Status.PROCESSING, stage=stage, stage_done=done, stage_total=total)
    assert stage_words(document) == words
    document.status = Status.READY
    assert stage_words(document) == ""


def test_shares_and_languages_in_words() -> None:
    assert [percent(share) for share in (None, 0.0, 0.004, 0.055, 1.0)] == [
        "",
        "0 %",
        "under 1 %",
        "6 %",
        "100 %",
    ]
    assert (language_name("de"), language_name("tlh")) == ("German", "tlh")


def test_a_failed_row_says_why_and_offers_a_retry(
    browser: SignIn, alice: User, bob: User, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    document_fail(document_id=document.pk, reason="Page 3 is damaged.")
    retry = reverse("document-retry", args=[document.pk])
    page = browser(alice).get(LIST).content.decode()
    assert "Page 3 is damaged." in page
    assert f'<form method="post" action="{retry}"' in page
    assert f'action="{retry}"' not in browser(bob).get(LIST).content.decode()


def test_all_that_failed_is_tried_again_where_one_may_write(
    browser: SignIn, alice: User, bob: User, charlie: User, collection: Collection, upload: Any
) -> None:
    other = collection_create(owner=alice, name="Other", slug="other")
    failed = [
        upload(place, f"Words of {place}.") for place in (collection, collection_create(owner=bob, name="B"))
    ]
    failed.append(upload(other, "More words."))
    for document in failed:
        document_fail(document_id=document.pk, reason="Page 3 is damaged.")
    address = reverse("documents-retry")
    seen = browser(alice).get(LIST).content.decode()
    assert "2 documents could not be read." in seen
    assert "1 document could not be read." in browser(alice).get(f"{LIST}?collection=other").content.decode()
    assert address not in browser(charlie).get(LIST).content.decode()
    browser(charlie).post(address)
    assert Document.objects.filter(status=Status.FAILED).count() == 3
    given = {"collection": "other", "next": f"{LIST}?collection=other"}
    answer = browser(alice).post(address, given, follow=True)
    assert answer.redirect_chain[-1][0] == f"{LIST}?collection=other"
    assert b"1 document is tried again." in answer.content
    browser(alice).post(address, {"collection": ""})
    assert [Document.objects.get(pk=document.pk).status for document in failed] == [
        "queued",
        "failed",
        "queued",
    ]
    assert browser(None).post(address)["Location"].startswith("/login/")


def test_document_page_tells_how_well_it_was_read(browser: SignIn, bob: User, document: Document) -> None:
    measured = {"quality": "poor", "characters_per_page": 1234, "blank_share": 0.25, "garbled_share": 0.001}
    Document.objects.filter(pk=document.pk).update(
        **measured, language="de", notice="Half of it is missing.", source="reports/2024/a & b.txt"
    )
    page = browser(bob).get(document.get_absolute_url()).content.decode()
    for fact in ("1,234", "25 %", "under 1 %", "German", "read badly", "reports/2024/a &amp; b.txt"):
        assert fact in page
    assert 'data-testid="document-notice">Half of it is missing.</p>' in page


def test_attachments_are_linked_both_ways_and_only_where_visible(
    browser: SignIn, alice: User, bob: User, collection: Collection, upload: Any
) -> None:
    mail, shared, private = (
        upload(collection, words, title=words) for words in ("A mail", "Table", "Secret")
    )
    for attached in (shared, private):
        Attachment.objects.create(message=mail, document=attached, filename="a.txt")
    Document.objects.filter(pk=private.pk).update(collection=collection_create(owner=alice, name="Alice's"))
    seen = browser(alice).get(mail.get_absolute_url()).content.decode()
    assert "2 attachments" in seen
    seen = browser(bob).get(mail.get_absolute_url()).content.decode()
    assert "1 attachment<" in seen
    assert f'href="{shared.get_absolute_url()}"' in seen
    assert "Secret" not in seen
    back = browser(bob).get(shared.get_absolute_url()).content.decode()
    assert f'href="{mail.get_absolute_url()}"' in back


def test_facts_are_for_those_who_see_the_document(
    browser: SignIn, bob: User, charlie: User, document: Document
) -> None:
    address = reverse("document-facts", args=[document.pk])
    part = browser(bob).get(address)
    assert (part.status_code, b"<html" in part.content) == (200, False)
    assert browser(charlie).get(address).status_code == 404
    assert browser(None).get(address)["Location"].startswith("/login/")


def test_a_page_is_called_what_the_document_calls_it(browser: SignIn, bob: User, document: Document) -> None:
    address = document.get_absolute_url()
    assert b"page-label" not in browser(bob).get(address).content
    pages = Page.objects.filter(document=document)
    pages.update(label="1")
    assert b"page-label" not in browser(bob).get(address).content
    pages.update(label="iv", recognised=True)
    page = browser(bob).get(address).content.decode()
    assert "page iv (1)" in page
    assert "Text recognised from a picture" in page


def test_counts_have_their_plural(browser: SignIn, bob: User, document: Document) -> None:
    row = browser(bob).get(LIST).content.decode()
    assert 'data-label="page"' in row
    assert "1 pages" not in browser(bob).get(document.get_absolute_url()).content.decode()
    Document.objects.filter(pk=document.pk).update(page_count=1200, chunk_count=2)
    page = browser(bob).get(document.get_absolute_url()).content.decode()
    assert "1,200 pages" in page
    assert "2 passages" in page


def test_the_words_of_live_progress_come_with_the_page(
    browser: SignIn, bob: User, document: Document
) -> None:
    for address in ("/", LIST, document.get_absolute_url()):
        page = browser(bob).get(address).content.decode()
        words = json.loads(page.split('id="live-words" type="application/json">')[1].split("</script>")[0])
        assert words["stages"]["embedding"][1] == "Embedding passage {done} of {total}"
        assert words["statuses"]["ready"] == "ready"
