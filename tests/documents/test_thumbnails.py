"""Small pictures of pages: who gets them, how long they are kept, and that they go with their original."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from PIL import Image

from documents import api_content, stored_files, thumbnails
from documents.exceptions import PoisonedFile
from documents.models import Collection, Document, Page
from documents.services import document_delete, document_replace_file
from tests.documents.parsing.pdf_factory import make_pdf
from tests.indexed import index


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    pdf = make_pdf([["# Tides", "The first page."], ["The second page is about the moon."]])
    return make_document(collection, pdf, filename="tides.pdf")


def get(user: User, document: Document, **given: Any) -> Any:
    client = Client()
    client.force_login(user)
    headers = given.pop("headers", None)
    return client.get(reverse("document-thumbnail", args=[document.pk]), given, headers=headers)


def kept() -> list[str]:
    return list(stored_files.files_in(stored_files.THUMBNAILS))


def test_who_may_see_it(alice: User, bob: User, charlie: User, document: Document, client: Client) -> None:
    assert [get(user, document).status_code for user in (alice, bob, charlie)] == [200, 200, 404]
    assert client.get(reverse("document-thumbnail", args=[document.pk])).status_code == 302
    picture = Image.open(BytesIO(get(bob, document, page=2).content))
    assert (picture.format, picture.size) == ("PNG", (320, 415))


@pytest.mark.parametrize("page", ["3", "0", "-1", "x", "²"])
def test_pages_that_are_not_there(page: str, alice: User, document: Document) -> None:
    assert get(alice, document, page=page).status_code == 404


def test_a_page_that_is_counted_and_not_stored_yet(alice: User, document: Document) -> None:
    """While it is read for the first time: lists show it already."""
    Page.objects.filter(document=document, number=2).delete()
    answer = get(alice, document, page="2")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        200,
        "image/svg+xml",
        "no-store",
    )


def test_kinds_without_pictures(alice: User, collection: Collection, make_document: Any) -> None:
    assert get(alice, make_document(collection, "Words about tides.")).status_code == 404


def test_it_is_drawn_once(alice: User, document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    first = get(alice, document)
    monkeypatch.setattr(thumbnails, "render_page_in_jail", None)
    assert get(alice, document).content == first.content
    assert len(kept()) == 1


def test_caching(alice: User, document: Document) -> None:
    plain = get(alice, document)
    assert plain["Cache-Control"] == "private, no-cache"
    versioned = get(alice, document, v=thumbnails.version_of(document))
    assert versioned["Cache-Control"] == "private, max-age=31536000, immutable"
    assert get(alice, document, v="another")["Cache-Control"] == "private, no-cache"
    unchanged = get(alice, document, headers={"If-None-Match": plain["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_what_cannot_be_drawn_is_not_tried_at_every_look(
    alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def poisoned(*_: Any, **__: Any) -> bytes:
        tried.append(1)
        raise PoisonedFile("The reader died.", exit_code=-9)

    monkeypatch.setattr(thumbnails, "render_page_in_jail", poisoned)
    for _ in range(2):
        response = get(alice, document)
        assert (response.content, response["Cache-Control"]) == (thumbnails.NOTHING, "no-store")
    assert (len(tried), kept()) == (1, [])


def test_too_many_at_once(alice: User, document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_content, "DRAWING", BoundedSemaphore(1))
    monkeypatch.setattr(thumbnails, "PATIENCE_SECONDS", 0.01)
    with api_content.a_turn():
        response = get(alice, document)
    assert (response.content, response["Cache-Control"]) == (thumbnails.NOTHING, "no-store")


def test_a_full_disk_costs_only_the_keeping(
    alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(default_storage._wrapped), "save", full)  # type: ignore[attr-defined]
    assert get(alice, document).status_code == 200


def test_they_go_with_their_original(
    alice: User, document: Document, django_capture_on_commit_callbacks: Any
) -> None:
    get(alice, document, page=1), get(alice, document, page=2)
    assert (len(kept()), stored_files.unowned(kept())) == (2, [])
    with django_capture_on_commit_callbacks(execute=True):
        document_delete(document=document, user=alice)
    assert list(stored_files.stored_files()) == []


def test_a_new_file_has_new_ones(
    alice: User, document: Document, django_capture_on_commit_callbacks: Any
) -> None:
    before = get(alice, document)
    with django_capture_on_commit_callbacks(execute=True):
        new = ContentFile(make_pdf([["Another file altogether."]]), name="new.pdf")
        document_replace_file(document=document, upload=new)
        assert get(alice, document).content == before.content  # the old pages serve until the new are read
        index(document)
    after = get(alice, document)
    assert after.content != before.content
    assert after["ETag"] != before["ETag"]
    assert len(kept()) == 1


def test_one_that_was_drawn_while_its_document_went_stays_nowhere(
    alice: User, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = thumbnails.render_page_in_jail

    def slow(*given: Any, **named: Any) -> bytes:
        png = drawing(*given, **named)
        document_delete(document=document, user=None)
        return png

    monkeypatch.setattr(thumbnails, "render_page_in_jail", slow)
    get(alice, document)
    assert kept() == []


def test_the_tile_names_the_kind_and_has_a_picture_where_there_are_pages(
    document: Document, collection: Collection, upload: Any
) -> None:
    def tile(shown: Document) -> str:
        return Template("{% include 'documents/_thumbnail.html' %}").render(Context({"document": shown}))

    assert f"thumbnail/?page=1&amp;v={thumbnails.version_of(document)}" in tile(document)
    lean = Document.objects.only("kind", "indexed_kind", "page_count").get(pk=document.pk)
    assert "&amp;v=" not in tile(lean)
    assert "<img" not in tile(upload(collection, make_pdf([["Not read yet."]]), filename="new.pdf"))
    assert ">Text<" in tile(upload(collection, "Plain words."))


def test_a_page_without_a_size_has_none(alice: User, document: Document) -> None:
    Page.objects.filter(document=document).update(width=None, height=None)
    assert get(alice, document).status_code == 404
