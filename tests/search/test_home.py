"""The first page, empty, full and while documents are read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from documents.models import Collection, Document, Status
from documents.samples import SAMPLES
from documents.services import collection_private, document_fail
from search.models import Conversation

pytestmark = pytest.mark.django_db


def page(user: User, **headers: str) -> str:
    client = Client()
    client.force_login(user)
    return client.get("/", headers=headers).content.decode()


def test_an_empty_portal_offers_the_samples_and_takes_them_back(alice: User) -> None:
    assert 'data-testid="welcome"' in page(alice)
    client = Client()
    client.force_login(alice)
    shown = client.post("/documents/samples/", follow=True).content.decode()
    assert f"{len(SAMPLES)} sample documents were added." in shown
    assert 'data-testid="busy"' in shown
    assert f"{len(SAMPLES)} in all" in shown
    assert 'data-testid="question"' not in shown, "nothing is suggested before it can be answered"
    assert "are here already" in client.post("/documents/samples/", follow=True).content.decode()
    shown = client.post("/documents/samples/remove/", follow=True).content.decode()
    assert 'data-testid="welcome"' in shown
    assert '<form class="note note-good note-undo" method="post" action="/documents/samples/">' in shown


def test_questions_are_suggested_when_their_sample_is_ready(alice: User, bob: User) -> None:
    client = Client()
    client.force_login(alice)
    client.post("/documents/samples/")
    ready = Document.objects.filter(filename="cloudy-water.eml")
    ready.update(status=Status.READY, chunk_count=1)
    shown = page(alice)
    assert shown.count('data-testid="question"') == 1
    assert "/ask/?go=1&amp;q=Why%20was%20the%20water%20in%20Mill%20Lane%20cloudy%3F" in shown
    assert "sample" not in page(bob).split("samples-add")[-1].split("Only you see them")[-1]


def test_what_could_not_be_read_is_marked_among_the_recent(
    alice: User, collection: Collection, make_document: Any, upload: Any
) -> None:
    make_document(collection, "Read.", title="Read")
    assert "badge" not in page(alice)
    document_fail(document_id=upload(collection, "Not read.").pk, reason="damaged")
    recent = page(alice).split('class="recents"')[1].split("</ul>")[0]
    assert recent.count('<span class="badge" data-status="failed">failed</span>') == 1


def test_the_samples_need_a_person_and_a_post(alice: User) -> None:
    for address in ("/documents/samples/", "/documents/samples/remove/"):
        assert Client().post(address)["Location"].startswith("/login/")
        client = Client()
        client.force_login(alice)
        assert client.get(address).status_code == 405


def test_a_full_disk_is_told(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from documents.exceptions import StorageFull

    def full(*_given: Any) -> None:
        raise StorageFull

    monkeypatch.setattr("documents.services.documents.store_file", full)
    client = Client()
    client.force_login(alice)
    shown = client.post("/documents/samples/", follow=True).content.decode()
    assert "has no room left" in shown
    assert 'data-testid="welcome"' in shown


def test_what_failed_is_pointed_out_and_a_stranger_sees_nothing(
    alice: User, bob: User, charlie: User, collection: Collection, upload: Any
) -> None:
    document = upload(collection, "Words.", title="The torn map")
    document_fail(document_id=document.pk, reason="It is torn.")
    for reader in (alice, bob):
        shown = page(reader)
        assert "1 document could not be read" in shown
        assert "The torn map" in shown
    assert 'data-testid="welcome"' in page(charlie)
    assert "torn" not in page(charlie)


def test_the_part_for_htmx_is_the_same_piece(alice: User, collection: Collection, upload: Any) -> None:
    upload(collection, "Words.", title="The torn map")
    part = page(alice, **{"HX-Request": "true"})
    assert part.strip().startswith('<div id="home"')
    assert part.strip().split("csrf")[0] in page(alice)


@pytest.mark.parametrize("many", [1, 40])
def test_five_queries_however_much_there_is(alice: User, many: int) -> None:
    collection = collection_private(user=alice)
    for n in range(many):
        Document.objects.create(
            collection=collection,
            title=f"{n} " + "long title " * 18,
            filename="a.txt",
            kind="text",
            media_type="text/plain",
            size=1,
            sha256=f"{n:064x}",
            file=f"{n}",
            uploaded_by=alice,
        )
        Conversation.objects.create(owner=alice, title=f"Question {n}")
    client = Client()
    client.force_login(alice)
    client.get("/")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        client.get("/")
    own = [
        q["sql"]
        for q in asked
        if not any(t in q["sql"] for t in ("django_session", '"auth_user"."password"'))
    ]
    assert len(own) <= 5, own
