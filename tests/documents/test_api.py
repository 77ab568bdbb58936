"""Documents over REST, tried as all three people: alice owns, bob may read, charlie sees nothing."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfWriter
from rest_framework.test import APIClient

from documents import tasks
from documents.models import Attachment, Collection, Document, Role, Stage, Status
from documents.services import collection_create, document_fail, membership_set
from tests.documents.parsing.pdf_factory import make_pdf

Api = Callable[[User | None], APIClient]
DOCUMENTS = "/api/v1/documents/"
PROBLEM = "application/problem+json"


def post(program: APIClient, content: bytes = b"Some words to read.", **fields: Any) -> Any:
    key = fields.pop("key", None)
    headers = {"Idempotency-Key": key} if key else None
    upload = ContentFile(content, name=fields.pop("filename", "note.txt"))
    return program.post(DOCUMENTS, {"file": upload, **fields}, format="multipart", headers=headers)


@pytest.fixture
def document(collection: Collection, upload: Callable[..., Document]) -> Document:
    return upload(collection, "Words about tides.", title="Tides")


def pdf_without_pages() -> bytes:
    out = BytesIO()
    PdfWriter().write(out)
    return out.getvalue()


# --- Upload ---------------------------------------------------------------------------------


def test_an_upload_is_accepted(api: Api, alice: User) -> None:
    response = post(api(alice), title="A note", tags="Sea, wind")
    body = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"{DOCUMENTS}{body['id']}/"
    assert (body["status"], body["title"], body["tags"]) == ("queued", "A note", ["sea", "wind"])
    assert body["collection"] == "alice-private"
    assert (body["type"], body["uploaded_by"], body["duplicate"]) == ("text", "alice", False)


def test_tags_may_be_repeated(api: Api, alice: User) -> None:
    assert post(api(alice), tags=["sea", "wind"]).json()["tags"] == ["sea", "wind"]


def test_the_path_inside_a_folder_is_kept(api: Api, alice: User) -> None:
    assert post(api(alice), path="reports/2024/may.txt").json()["source"] == "reports/2024/may.txt"
    outside = post(api(alice), b"Other words.", path="../..//etc/./passwd")
    assert (outside.status_code, outside.json()["source"]) == (202, "etc/passwd")


def test_the_same_bytes_answer_with_the_first(api: Api, alice: User) -> None:
    first, second = post(api(alice)), post(api(alice), filename="other.txt")
    assert second.status_code == 200
    assert second.json()["duplicate"] is True
    assert second.json()["id"] == first.json()["id"]


def test_an_idempotency_key_is_honoured(api: Api, alice: User, collection: Collection) -> None:
    first = post(api(alice), key="k1")
    assert post(api(alice), key="k1").json()["id"] == first.json()["id"]
    for content, into in ((b"Other words.", "alice-private"), (b"Some words to read.", "research")):
        other = post(api(alice), content, key="k1", collection=into)
        assert (other.status_code, other["Content-Type"]) == (422, PROBLEM)


def test_who_may_upload_where(api: Api, bob: User, charlie: User, collection: Collection) -> None:
    assert post(api(bob), collection="research").status_code == 403
    unseen, missing = post(api(charlie), collection="research"), post(api(charlie), collection="no-such")
    assert unseen.status_code == missing.status_code == 404
    assert unseen.json() == missing.json()
    assert post(api(None)).status_code == 401
    membership_set(collection=collection, user=bob, role=Role.EDITOR)
    assert post(api(bob), collection="research").status_code == 202


@pytest.mark.parametrize(
    ("content", "filename", "status"),
    [(b"", "empty.txt", 400), (bytes(range(256)) * 4, "program.bin", 415)],
)
def test_refused_files(content: bytes, filename: str, status: int, api: Api, alice: User) -> None:
    response = post(api(alice), content, filename=filename)
    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM)
    assert not Document.objects.exists()


def test_too_large_a_file_is_refused(api: Api, alice: User, settings: Any) -> None:
    settings.UPLOAD_LIMIT = 10
    assert post(api(alice)).status_code == 413
    assert not Document.objects.exists()


def test_a_wrong_form_names_its_field(api: Api, alice: User) -> None:
    response = api(alice).post(DOCUMENTS, {"title": "x"}, format="multipart")
    assert (response.status_code, list(response.json()["errors"])) == (400, ["file"])
    assert api(alice).post(DOCUMENTS, {"title": "x"}, format="json").status_code == 415
    assert "title" in post(api(alice), title="a\x00b").json()["errors"]


# --- List and read --------------------------------------------------------------------------


def test_the_list_shows_what_one_may_see(
    api: Api, alice: User, bob: User, charlie: User, document: Document
) -> None:
    for user, expected in ((alice, [str(document.pk)]), (bob, [str(document.pk)]), (charlie, [])):
        assert [row["id"] for row in api(user).get(DOCUMENTS).json()["results"]] == expected
    assert api(None).get(DOCUMENTS).status_code == 401


def test_pages_hold_every_document_once(
    api: Api, alice: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    """All made in one transaction, so that they share one moment of creation."""
    made = {str(upload(collection, f"Words {n}.").pk) for n in range(7)}
    program, address, seen = api(alice), f"{DOCUMENTS}?limit=3", []
    while address:
        page = program.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert len(seen) == 7
    assert set(seen) == made


def test_filters(api: Api, alice: User, collection: Collection, document: Document) -> None:
    def found(**filters: str) -> int:
        return len(api(alice).get(DOCUMENTS, filters).json()["results"])

    assert found(collection="research") == found(status="queued") == found(type="text") == found(q="tid") == 1
    assert found(collection="x") == found(status="ready") == found(type="pdf") == found(q="%") == 0
    assert found(tag="none") == 0


def test_filters_by_quality_and_language(
    api: Api, alice: User, collection: Collection, upload: Callable[..., Document], document: Document
) -> None:
    poor = upload(collection, "Schlecht lesbare Worte.")
    Document.objects.filter(pk=poor.pk).update(quality="poor", language="de")

    def found(**filters: str) -> list[str]:
        return [row["id"] for row in api(alice).get(DOCUMENTS, filters).json()["results"]]

    assert found(quality="poor") == found(language="de") == [str(poor.pk)]
    assert found(quality="good") == found(language="fr") == found(quality="poor", language="en") == []
    assert len(found(quality="", language="")) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quality", "splendid"),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "x"),
        ("status", "lost"),
        ("cursor", "x"),
        ("q", "\x00"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: str, api: Api, alice: User) -> None:
    response = api(alice).get(DOCUMENTS, {name: value})
    assert (response.status_code, response["Content-Type"]) == (400, PROBLEM)
    assert name in response.json()["errors"]


def test_one_document(api: Api, alice: User, bob: User, charlie: User, document: Document) -> None:
    address = f"{DOCUMENTS}{document.pk}/"
    for user in (alice, bob):
        body = api(user).get(address).json()
        assert (body["status"], body["percent"], body["sha256"]) == ("queued", 0, document.sha256)
    unseen, missing = api(charlie).get(address), api(charlie).get(f"{DOCUMENTS}{uuid4()}/")
    assert unseen.status_code == missing.status_code == 404
    assert unseen.json().keys() == missing.json().keys()
    assert api(alice).get(f"{DOCUMENTS}not-a-uuid/").status_code == 404
    assert api(None).get(address).status_code == 401


def test_what_was_measured_and_how_far_it_is(api: Api, bob: User, document: Document) -> None:
    body = api(bob).get(f"{DOCUMENTS}{document.pk}/").json()
    unmeasured = {"verdict": "", "characters_per_page": None, "blank_share": None, "garbled_share": None}
    assert (body["quality"], body["progress"]) == (unmeasured, {"done": 0, "total": 0})
    assert (body["notice"], body["source"], body["language"]) == ("", "", "")
    measured = {"quality": "poor", "characters_per_page": 40, "blank_share": 0.5, "garbled_share": 0.25}
    Document.objects.filter(pk=document.pk).update(
        **measured,
        status=Status.PROCESSING,
        stage=Stage.EMBEDDING,
        stage_done=64,
        stage_total=412,
        notice="Half is missing.",
        language="de",
    )
    body = api(bob).get(f"{DOCUMENTS}{document.pk}/").json()
    assert body["quality"].pop("verdict") == measured.pop("quality")
    assert body["quality"] == measured
    assert (body["stage"], body["progress"]) == ("embedding", {"done": 64, "total": 412})
    assert (body["notice"], body["language"]) == ("Half is missing.", "de")


def test_attachments_are_linked_both_ways_as_far_as_one_may_see_them(
    api: Api, alice: User, bob: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    mail, shared, private = (upload(collection, words) for words in ("A mail.", "A table.", "A secret."))
    for attached in (shared, private):
        Attachment.objects.create(message=mail, document=attached, filename="a.txt")
    Document.objects.filter(pk=private.pk).update(
        collection=collection_create(owner=alice, name="Alice's", slug="alices")
    )

    def seen(user: User, document: Document) -> dict[str, Any]:
        body: dict[str, Any] = api(user).get(f"{DOCUMENTS}{document.pk}/").json()
        return body

    both = [{"id": str(each.pk), "title": each.title} for each in (shared, private)]
    assert seen(alice, mail)["attachments"] == both
    assert seen(bob, mail)["attachments"] == both[:1]
    assert seen(bob, shared)["attached_to"] == [str(mail.pk)]
    assert (seen(bob, shared)["attachments"], seen(bob, mail)["attached_to"]) == ([], [])
    Document.objects.filter(pk=mail.pk).update(collection=Collection.objects.get(slug="alices"))
    assert seen(bob, shared)["attached_to"] == []
    assert seen(alice, shared)["attached_to"] == [str(mail.pk)]


def test_a_list_takes_as_many_queries_for_many_documents_as_for_one(
    api: Api, alice: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert program.get(DOCUMENTS).status_code == 200
        return len(asked)

    program = api(alice)
    first = upload(collection, "A mail.")
    Attachment.objects.create(message=first, document=upload(collection, "One."), filename="a.txt")
    program.get(DOCUMENTS)
    before = queries()
    for number in range(6):
        attached = upload(collection, f"Attached {number}.")
        Attachment.objects.create(message=first, document=attached, filename="a.txt")
    assert queries() == before


# --- Change ---------------------------------------------------------------------------------


def test_changes(api: Api, alice: User, document: Document) -> None:
    address = f"{DOCUMENTS}{document.pk}/"
    assert api(alice).patch(address, {"tags": ["Sea", "sea"]}).json()["tags"] == ["sea"]
    assert api(alice).patch(address, {"title": "New"}).json()["title"] == "New"
    assert api(alice).patch(address, {"title": ""}).status_code == 400
    assert api(alice).patch(address, {"title": "x" * 301}).status_code == 400


def test_moving(api: Api, alice: User, bob: User, document: Document) -> None:
    address = f"{DOCUMENTS}{document.pk}/"
    collection_create(owner=bob, name="Bob's", slug="bobs")
    assert api(alice).patch(address, {"collection": "bobs"}).status_code == 404
    collection_create(owner=alice, name="Other", slug="other")
    assert api(alice).patch(address, {"collection": "other"}).json()["collection"] == "other"
    assert api(bob).get(address).status_code == 404


@pytest.mark.parametrize(
    ("method", "tail", "allowed"),
    [("patch", "", 200), ("post", "reindex/", 202), ("post", "cancel/", 200), ("delete", "", 204)],
)
def test_who_may_change(
    method: str,
    tail: str,
    allowed: int,
    api: Api,
    alice: User,
    bob: User,
    charlie: User,
    document: Document,
) -> None:
    address = f"{DOCUMENTS}{document.pk}/{tail}"
    for user, status in ((None, 401), (charlie, 404), (bob, 403), (alice, allowed)):
        response = getattr(api(user), method)(address, {})
        assert response.status_code == status, user
        assert status < 400 or response["Content-Type"] == PROBLEM


def test_a_cancelled_document_says_so(api: Api, alice: User, document: Document) -> None:
    body = api(alice).post(f"{DOCUMENTS}{document.pk}/cancel/").json()
    assert (body["status"], body["reason"]) == ("failed", "cancelled")
    assert api(alice).post(f"{DOCUMENTS}{document.pk}/reindex/").json()["status"] == "queued"


def test_a_cancelled_one_stays_as_it_ended(api: Api, alice: User, document: Document) -> None:
    address = f"{DOCUMENTS}{document.pk}/cancel/"
    document_fail(document_id=document.pk, reason="Page 3 is damaged.")
    body = api(alice).post(address)
    assert (body.status_code, body.json()["reason"]) == (200, "Page 3 is damaged.")


def test_retrying_all_that_failed(
    api: Api,
    alice: User,
    bob: User,
    charlie: User,
    collection: Collection,
    upload: Callable[..., Document],
) -> None:
    other = collection_create(owner=alice, name="Other", slug="other")
    bobs = collection_create(owner=bob, name="Bob's", slug="bobs")
    failed = [upload(place, f"Words of {place}.") for place in (collection, other, bobs)]
    fine = upload(collection, "Fine words.")
    for document in failed:
        document_fail(document_id=document.pk, reason="Page 3 is damaged.")

    def retry(user: User | None, **given: str) -> tuple[int, Any]:
        response = api(user).post(f"{DOCUMENTS}retry/", given)
        return response.status_code, response.json().get("retried", response.json().get("code"))

    assert retry(None)[0] == 401
    assert retry(charlie) == (202, 0)
    assert retry(charlie, collection="research")[0] == 404
    assert retry(bob, collection="research")[0] == 403
    assert retry(alice, collection="nowhere")[0] == 404
    assert retry(alice, collection="research") == (202, 1)
    assert retry(alice) == (202, 1)
    assert retry(alice) == (202, 0)
    for document in (*failed, fine):
        document.refresh_from_db()
    assert [document.status for document in failed] == ["queued", "queued", "failed"]
    assert (failed[0].reason, fine.content_version) == ("", 1)


def test_a_deleted_document_is_gone_and_its_managers_see_the_record(
    api: Api, alice: User, bob: User, charlie: User, document: Document
) -> None:
    address = f"{DOCUMENTS}{document.pk}/"
    api(alice).delete(address)
    gone = api(alice).get(address)
    assert gone.status_code == 410
    assert gone["Content-Type"] == "application/problem+json"
    record = gone.json()
    assert (record["deleted_by"], record["pages"], record["chunks"]) == ("alice", 0, 0)
    assert record["deleted_at"]
    assert document.title not in gone.content.decode()
    for user in (bob, charlie):
        assert api(user).get(address).status_code == 404
    assert api(alice).get(DOCUMENTS).json()["results"] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(make_pdf([["Secret words."]], password="x"), "password"), (pdf_without_pages(), "page")],
)
def test_a_pdf_that_cannot_be_read_says_why(
    content: bytes, reason: str, api: Api, alice: User, collection: Collection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)
    accepted = post(api(alice), content, filename="x.pdf", collection="research")
    assert (accepted.status_code, accepted.json()["type"]) == (202, "pdf")
    tasks.index_document(accepted.json()["id"])
    body = api(alice).get(accepted["Location"]).json()
    assert body["status"] == "failed"
    assert reason in body["reason"]
