"""The admin as superuser, as curator (staff: works where a manager) and as somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from documents.models import Attachment, Collection, Document, Role, Status
from documents.services import collection_create, document_fail, document_reindex, membership_set
from search.models import Answer, Conversation

DOCUMENTS = "/admin/documents/document/"
COLLECTIONS = "/admin/documents/collection/"


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="root-password"))
    return client


@pytest.fixture
def curator(bob: User, collection: Collection) -> Client:
    """Bob, made staff and a manager of ``collection``; no model permissions."""
    bob.is_staff = True
    bob.save()
    membership_set(collection=collection, user=bob, role=Role.MANAGER)
    client = Client()
    client.force_login(bob)
    return client


@pytest.fixture
def elsewhere(charlie: User, upload: Any) -> Document:
    kept: Document = upload(
        collection_create(owner=charlie, name="Elsewhere"), "Charlie's words.", title="Not theirs"
    )
    return kept


def test_every_page_opens_for_a_superuser(root: Client, collection: Collection, make_document: Any) -> None:
    document = make_document(collection, "The boiler was built in 1904.")
    owner = collection.owner
    conversation = Conversation.objects.create(owner=owner, title="Boiler")
    answer = Answer.objects.create(conversation=conversation, asked_by=owner, question="Who?")
    chunk = document.chunks.get()
    for app, model, pk in (
        ("documents", "collection", collection.pk),
        ("documents", "document", document.pk),
        ("documents", "chunk", chunk.pk),
        ("documents", "embeddingspace", None),
        ("search", "conversation", conversation.pk),
        ("search", "answer", answer.pk),
        ("search", "feedback", None),
    ):
        assert root.get(reverse(f"admin:{app}_{model}_changelist"), {"q": "b"}).status_code == 200
        if pk is not None:
            assert root.get(reverse(f"admin:{app}_{model}_change", args=[pk])).status_code == 200


def test_ordinary_users_stay_out(collection: Collection) -> None:
    client = Client()
    client.force_login(collection.owner)
    assert client.get(DOCUMENTS)["Location"].startswith("/admin/login/")


def test_curator_sees_what_they_manage_and_no_more(
    curator: Client, collection: Collection, upload: Any, elsewhere: Document
) -> None:
    managed = upload(collection, "Words.", title="Theirs to keep")
    page = curator.get(DOCUMENTS).content.decode()
    assert "Theirs to keep" in page
    assert "Not theirs" not in page
    assert "Elsewhere" not in curator.get(COLLECTIONS).content.decode()
    assert curator.get(f"{DOCUMENTS}{managed.pk}/change/").status_code == 200
    assert curator.get(f"{DOCUMENTS}{elsewhere.pk}/change/").status_code == 302
    assert curator.get(f"{COLLECTIONS}{elsewhere.collection_id}/change/").status_code == 302
    assert curator.get("/admin/search/answer/").status_code == 403


def test_a_document_is_viewed_on_the_site_by_those_who_may(
    root: Client, curator: Client, collection: Collection, upload: Any
) -> None:
    address = f"{DOCUMENTS}{upload(collection, 'Words.').pk}/change/"
    assert "View on site" in curator.get(address).content.decode()
    assert "View on site" not in root.get(address).content.decode(), "there it would be 404"


def test_curator_uploads_into_managed_collections_only(
    curator: Client, collection: Collection, elsewhere: Document
) -> None:
    def given(into: int, content: bytes) -> dict[str, Any]:
        return {
            "upload": SimpleUploadedFile("new.txt", content),
            "collection": into,
            "title": "",
            "tags": "A, b",
        }

    curator.post(f"{DOCUMENTS}add/", given(elsewhere.collection_id, b"Some words."))
    assert not Document.objects.filter(filename="new.txt").exists()
    assert curator.post(f"{DOCUMENTS}add/", given(collection.pk, b"Some words.")).status_code == 302
    document = Document.objects.get(filename="new.txt")
    assert (document.title, document.tags, document.status) == ("new", ["a", "b"], Status.QUEUED)


def test_refused_file_is_an_error_of_the_form(root: Client, collection: Collection) -> None:
    given = {"upload": SimpleUploadedFile("new.bin", bytes(range(256)) * 8), "collection": collection.pk}
    response = root.post(f"{DOCUMENTS}add/", given)
    assert response.status_code == 200
    assert b"Supported: PDF" in response.content
    assert not Document.objects.exists()


def test_new_title_goes_through_the_service_and_reindexes(
    root: Client, collection: Collection, make_document: Any
) -> None:
    document = make_document(collection, "The boiler was built in 1904.")
    given = {"title": "Boiler", "tags": "steam", "collection": collection.pk}
    assert root.post(f"{DOCUMENTS}{document.pk}/change/", given).status_code == 302
    document.refresh_from_db()
    assert (document.title, document.tags, document.status) == ("Boiler", ["steam"], Status.QUEUED)


def test_traceback_is_for_superusers(
    root: Client, curator: Client, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    document_fail(document_id=document.pk, reason="Damaged.", detail="Traceback of the parser <module>")
    address = f"{DOCUMENTS}{document.pk}/change/"
    assert b"<pre>Traceback of the parser &lt;module&gt;</pre>" in root.get(address).content
    assert b"Traceback of the parser" not in curator.get(address).content


def test_actions_and_deletion(
    curator: Client, collection: Collection, upload: Any, elsewhere: Document
) -> None:
    document = upload(collection, "The boiler was built in 1904.")
    chosen = {"_selected_action": [str(document.pk), str(elsewhere.pk)]}
    curator.post(DOCUMENTS, {"action": "reindex", **chosen})
    document.refresh_from_db()
    assert (document.status, document.content_version) == (Status.QUEUED, 2)
    curator.post(DOCUMENTS, {"action": "cancel", **chosen})
    document.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (document.reason, elsewhere.reason) == ("cancelled", "")
    page = curator.post(DOCUMENTS, {"action": "retry_failed", **chosen}, follow=True)
    assert b"0 documents are tried again." in page.content  # it was meant to end
    document_reindex(document=document)
    document_fail(document_id=document.pk, reason="Something.")
    page = curator.post(DOCUMENTS, {"action": "retry_failed", **chosen}, follow=True)
    assert b"1 document is tried again." in page.content
    document.refresh_from_db()
    assert document.status == Status.QUEUED
    curator.post(DOCUMENTS, {"action": "delete_selected", "post": "yes", **chosen})
    assert list(Document.objects.all()) == [elsewhere]


def test_deletion_counts_what_goes_with_a_mail(curator: Client, collection: Collection, upload: Any) -> None:
    mail, brought = upload(collection, "Mail.", title="Mail"), upload(collection, "Table.", title="Table")
    Attachment.objects.create(message=mail, document=brought, filename="table.txt")
    Document.objects.filter(pk=brought.pk).update(only_attached=True, page_count=7)
    one = curator.get(f"{DOCUMENTS}{mail.pk}/delete/")
    chosen = {"action": "delete_selected", "_selected_action": [str(mail.pk), str(brought.pk)]}
    for page in (one.content.decode(), curator.post(DOCUMENTS, chosen).content.decode()):
        assert "Documents: 2" in page
        assert "Pages: 7" in page
        assert "<li>Table</li>" in page
    curator.post(DOCUMENTS, {**chosen, "post": "yes"})
    assert not Document.objects.exists()


def test_a_duplicate_upload_is_told_once(root: Client, collection: Collection, upload: Any) -> None:
    first = upload(collection, "Some words.", title="The <first>")
    given = {"upload": SimpleUploadedFile("again.txt", b"Some words."), "collection": collection.pk}
    page = root.post(f"{DOCUMENTS}add/", given, follow=True)
    told = [str(message) for message in page.context["messages"]]
    assert told == ["The collection had this file already, as “The &lt;first&gt;”. Nothing was added."]
    assert page.redirect_chain[-1][0] == f"{DOCUMENTS}{first.pk}/change/"
    assert not LogEntry.objects.exists()
    given["upload"] = SimpleUploadedFile("new.txt", b"Other words.")
    page = root.post(f"{DOCUMENTS}add/", given, follow=True)
    assert ["was added successfully" in str(message) for message in page.context["messages"]] == [True]
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("quality__exact=poor", True),
        ("quality__exact=good", False),
        ("language=de", True),
        ("language=fr", False),
        ("kind=text", True),
        ("kind=pdf", False),
        ("status__exact=queued", True),
        ("status__exact=failed", False),
    ],
)
def test_the_list_is_filtered_by_quality_language_type_and_status(
    root: Client, collection: Collection, upload: Any, query: str, found: bool
) -> None:
    document = upload(collection, "Worte.", title="Merkzettel")
    Document.objects.filter(pk=document.pk).update(quality="poor", language="de")
    page = root.get(f"{DOCUMENTS}?{query}").content.decode()
    assert ("1 document" in page.split('class="paginator"')[1]) is found
    for choice in ("German", "poor", "Text"):
        assert choice in page


def test_the_page_of_a_document_shows_what_was_measured(
    root: Client, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    measured = {"quality": "poor", "characters_per_page": 1234, "blank_share": 0.25, "garbled_share": 0.001}
    Document.objects.filter(pk=document.pk).update(
        **measured, language="de", notice="Half of it is missing.", source="reports/a.txt"
    )
    page = root.get(f"{DOCUMENTS}{document.pk}/change/").content.decode()
    for fact in ("1234", "25 %", "under 1 %", "German", "Half of it is missing.", "reports/a.txt"):
        assert fact in page


def test_members_are_set_through_the_collection(
    curator: Client, collection: Collection, charlie: User
) -> None:
    bob_in = collection.memberships.get()
    given = {
        "name": "Research",
        "description": "",
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": bob_in.pk,
        "memberships-0-collection": collection.pk,
        "memberships-0-user": bob_in.user_id,
        "memberships-0-role": Role.MANAGER,
        "memberships-1-collection": collection.pk,
        "memberships-1-user": charlie.pk,
        "memberships-1-role": Role.EDITOR,
    }
    assert curator.post(f"{COLLECTIONS}{collection.pk}/change/", given).status_code == 302
    assert collection.memberships.get(user=charlie).role == Role.EDITOR
    given |= {"memberships-1-user": collection.owner_id}
    refused = curator.post(f"{COLLECTIONS}{collection.pk}/change/", given)
    assert b"owner has every right" in refused.content


def test_a_member_is_not_exchanged_for_another(
    curator: Client, collection: Collection, charlie: User
) -> None:
    bob_in = collection.memberships.get()
    given = {
        "name": "Research",
        "description": "",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": bob_in.pk,
        "memberships-0-collection": collection.pk,
        "memberships-0-user": charlie.pk,
        "memberships-0-role": Role.MANAGER,
    }
    curator.post(f"{COLLECTIONS}{collection.pk}/change/", given)
    assert list(collection.memberships.values_list("user", "role")) == [(bob_in.user_id, Role.MANAGER)]


def test_a_title_of_invisible_characters_is_an_error_of_the_form(
    root: Client, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.")
    given = {"title": "\u202e", "tags": "", "collection": collection.pk}
    response = root.post(f"{DOCUMENTS}{document.pk}/change/", given)
    assert (response.status_code, b"can be seen" in response.content) == (200, True)
