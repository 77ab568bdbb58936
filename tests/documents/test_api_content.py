"""A document's file, pages, pictures and passages over REST."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from threading import BoundedSemaphore
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import AsyncClient
from PIL import Image
from rest_framework.test import APIClient

from documents import api_content, downloads, indexing
from documents.models import Collection, Document, Page
from tests.documents.parsing.pdf_factory import make_pdf

Api = Callable[[User | None], APIClient]
TEXT = b"The first words of a note about tides, and its last ones."


@pytest.fixture
def document(collection: Collection, make_document: Callable[..., Document]) -> Document:
    return make_document(collection, TEXT, filename="no\u00efse & <b>.html.txt")


def address(document: Document, tail: str = "file/") -> str:
    return f"/api/v1/documents/{document.pk}/{tail}"


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_the_original_comes_back_and_cannot_act(api: Api, bob: User, document: Document) -> None:
    response = api(bob).get(address(document))
    assert body(response) == TEXT
    assert response["Content-Length"] == str(len(TEXT))
    assert response["ETag"] == f'"{document.sha256}"'
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_any_accept_header_will_do(api: Api, bob: User, document: Document) -> None:
    response = api(bob).get(address(document), headers={"Accept": "application/pdf"})
    assert body(response) == TEXT


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-4", 0, 4), ("bytes=5-", 5, 56), ("bytes=-5", 52, 56), ("bytes=50-999", 50, 56)],
)
def test_ranges(asked: str, first: int, last: int, api: Api, bob: User, document: Document) -> None:
    assert len(TEXT) == 57
    response = api(bob).get(address(document), headers={"Range": asked})
    assert response.status_code == 206
    assert body(response) == TEXT[first : last + 1]
    assert response["Content-Range"] == f"bytes {first}-{last}/57"
    assert response["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=57-", "bytes=9-5", "bytes=-0"])
def test_a_range_beyond_the_end(asked: str, api: Api, bob: User, document: Document) -> None:
    response = api(bob).get(address(document), headers={"Range": asked})
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */57"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=1-2,4-5", "bytes=-", "bytes=x-", "bytes=٣-"])
def test_other_ranges_get_everything(asked: str, api: Api, bob: User, document: Document) -> None:
    response = api(bob).get(address(document), headers={"Range": asked})
    assert (response.status_code, body(response)) == (200, TEXT)


def test_conditions(api: Api, bob: User, document: Document) -> None:
    etag = f'"{document.sha256}"'
    program = api(bob)
    assert program.get(address(document), headers={"If-None-Match": etag}).status_code == 304
    current = program.get(address(document), headers={"Range": "bytes=0-1", "If-Range": etag})
    outdated = program.get(address(document), headers={"Range": "bytes=0-1", "If-Range": '"old"'})
    assert (current.status_code, outdated.status_code) == (206, 200)
    body(current), body(outdated)


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_the_file_streams(bob: User, document: Document) -> None:
    client = AsyncClient()
    await client.aforce_login(bob)
    response = await client.get(address(document))
    assert response.is_async
    assert b"".join([piece async for piece in response.streaming_content]) == TEXT


def test_replacing_the_file(
    api: Api, alice: User, bob: User, charlie: User, document: Document, settings: Any
) -> None:
    def put(user: User | None, content: bytes = b"New words.") -> Any:
        upload = ContentFile(content, name="new.txt")
        return api(user).put(address(document), {"file": upload}, format="multipart")

    assert [put(user).status_code for user in (None, charlie, bob)] == [401, 404, 403]
    same = put(alice, TEXT)
    assert (same.status_code, same.json()["duplicate"]) == (200, True)
    replaced = put(alice)
    assert (replaced.status_code, replaced.json()["status"]) == (202, "queued")
    assert body(api(alice).get(address(document))) == b"New words."


def test_pages_and_passages(api: Api, bob: User, document: Document) -> None:
    page = api(bob).get(address(document, "pages/1/")).json()
    assert page["number"] == 1
    chunk = api(bob).get(address(document, "chunks/"), {"limit": 1}).json()["results"][0]
    assert page["text"][chunk["start"] : chunk["end"]] == chunk["text"]
    for number in ("0", "2", "99999999999999999999", "x"):
        assert api(bob).get(address(document, f"pages/{number}/")).status_code == 404


def test_text_has_no_picture(api: Api, bob: User, document: Document) -> None:
    assert api(bob).get(address(document, "pages/1/image/")).status_code == 404


def test_a_picture_of_a_page(
    api: Api, bob: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, make_pdf([["Words on a page."]]), filename="x.pdf")
    response = api(bob).get(address(document, "pages/1/image/"), headers={"Accept": "image/png"})
    assert response.status_code == 200
    assert response.content.startswith(b"\x89PNG")
    unchanged = api(bob).get(address(document, "pages/1/image/"), headers={"If-None-Match": response["ETag"]})
    assert unchanged.status_code == 304
    assert api(bob).get(address(document, "pages/9/image/")).status_code == 404
    for scale in ("99", "0", "nan", "x"):
        wrong = api(bob).get(address(document, f"pages/1/image/?scale={scale}"))
        assert "scale" in wrong.json()["errors"]
    assert api(bob).get(address(document))["Content-Disposition"].startswith("inline")


def test_a_page_says_what_it_is_called_and_where_its_text_is_from(
    api: Api, bob: User, document: Document
) -> None:
    page = api(bob).get(address(document, "pages/1/")).json()
    assert (page["label"], page["recognised"]) == ("", False)
    Page.objects.filter(document=document).update(label="iv", recognised=True)
    page = api(bob).get(address(document, "pages/1/")).json()
    assert (page["label"], page["recognised"]) == ("iv", True)


def picture_file(colour: str = "white") -> bytes:
    out = BytesIO()
    Image.new("RGB", (120, 80), colour).save(out, "PNG")
    return out.getvalue()


def test_an_image_is_its_own_picture(
    api: Api, bob: User, collection: Collection, upload: Callable[..., Document]
) -> None:
    document = upload(collection, picture_file(), filename="x.png")
    assert api(bob).get(address(document, "pages/1/image/")).status_code == 404, "not read yet"
    Page.objects.create(document=document, number=1, text="", width=90, height=60)
    response = api(bob).get(address(document, "pages/1/image/?scale=1"))
    assert response.status_code == 200
    with Image.open(BytesIO(response.content)) as drawn:
        assert (drawn.format, drawn.getpixel((5, 5))) == ("PNG", (255, 255, 255))


def test_the_picture_is_of_the_file_that_the_pages_were_read_from(
    api: Api, alice: User, collection: Collection, make_document: Callable[..., Document]
) -> None:
    document = make_document(collection, make_pdf([["Old words."]]), filename="x.pdf")
    image = address(document, "pages/1/image/")
    before = api(alice).get(image)
    upload = ContentFile(make_pdf([["Quite other words."]]), name="x.pdf")
    assert api(alice).put(address(document), {"file": upload}, format="multipart").status_code == 202
    meanwhile = api(alice).get(image)
    assert (meanwhile.content, meanwhile["ETag"]) == (before.content, before["ETag"])
    indexing.index(document.pk)
    after = api(alice).get(image)
    assert after["ETag"] != before["ETag"]
    assert after.content != before.content


@pytest.mark.parametrize("tail", ["file/", "pages/1/", "pages/1/image/", "chunks/"])
def test_strangers_see_nothing(tail: str, api: Api, charlie: User, document: Document) -> None:
    assert api(charlie).get(address(document, tail)).status_code == 404
    assert api(None).get(address(document, tail)).status_code == 401


def test_slow_answers_hold_no_connection(
    api: Api, bob: User, collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, make_pdf([["Words on a page."]]), filename="x.pdf")
    closed: list[None] = []
    stand_in = SimpleNamespace(in_atomic_block=False, close=lambda: closed.append(None))
    monkeypatch.setattr(downloads, "connection", stand_in)
    assert body(api(bob).get(address(document)))
    assert len(closed) == 1
    assert api(bob).get(address(document, "pages/1/image/")).status_code == 200
    assert len(closed) == 2


def test_pictures_take_turns(
    api: Api, bob: User, collection: Collection, make_document: Callable[..., Document], monkeypatch: Any
) -> None:
    document = make_document(collection, make_pdf([["Words on a page."]]), filename="x.pdf")
    turns = BoundedSemaphore(1)
    monkeypatch.setattr(api_content, "DRAWING", turns)
    monkeypatch.setattr(api_content, "PATIENCE_SECONDS", 0.01)
    with turns:
        busy = api(bob).get(address(document, "pages/1/image/"))
    assert (busy.status_code, busy["Retry-After"]) == (503, "5")
    assert api(bob).get(address(document, "pages/1/image/")).status_code == 200
    assert turns.acquire(blocking=False)
