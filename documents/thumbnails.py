"""Small pictures of pages, for lists and results: drawn once for each original, kept beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from documents.api_content import Busy, a_turn, shown_file
from documents.downloads import release_connection
from documents.exceptions import UnreadableDocument
from documents.files import indexed_copy
from documents.models import Document, Page
from documents.parsing.jail import render_page_in_jail
from documents.reading import PICTURED_KINDS, natural
from documents.stored_files import thumbnails_of

WIDTH, HEIGHT = 320, 640
#: A page of pictures asks for many at once: each waits for its turn as long as a person looks.
PATIENCE_SECONDS = 20.0
#: A page that cannot be drawn is not tried again at every look.
UNDRAWN_SECONDS = 60 * 60
NOTHING = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
YEAR_SECONDS = 365 * 24 * 60 * 60


@require_safe
@login_required
def document_thumbnail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The picture of ``page``. With ``v``, the version that it shows, it may be kept for good."""
    found = Document.objects.visible_to(request.user)  # type: ignore[arg-type]
    document = get_object_or_404(
        found.only("file", "kind", "indexed_file", "indexed_kind", "page_count"), pk=pk
    )
    number = natural(request.GET.get("page", "1"))
    if document.shown_kind not in PICTURED_KINDS or number is None:
        raise Http404
    etag = f'"{shown_file(document)}-{number}-small"'
    response = get_conditional_response(request, etag=etag) or pictured(document, number)
    if "Cache-Control" not in response:
        lasting = request.GET.get("v") == version_of(document)
        response["ETag"] = etag
        response["Cache-Control"] = (
            f"private, max-age={YEAR_SECONDS}, immutable" if lasting else "private, no-cache"
        )
        response["X-Content-Type-Options"] = "nosniff"
    return response


def pictured(document: Document, number: int) -> HttpResponse:
    """Nothing to be seen where it cannot be drawn now: the tile below stays, and nothing looks broken."""
    try:
        return HttpResponse(thumbnail(document, number), content_type="image/png")
    except (Busy, UnreadableDocument, OSError):
        return HttpResponse(NOTHING, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def version_of(document: Document) -> str:
    """Of the file that is shown: its name, which is another one with every upload."""
    return shown_file(document)[-8:]


def thumbnail(document: Document, number: int) -> bytes:
    """The kept picture, else drawn now. Raises ``Http404`` for what has none, ``Busy``, and what the jail
    raises."""
    name = kept_name(document, number)
    if kept := read(default_storage, name):
        return kept
    if cache.get(f"undrawn:{name}"):
        raise UnreadableDocument
    page = Page.objects.filter(document=document, number=number).first()
    if page is None and 0 < number <= document.page_count:
        raise UnreadableDocument  # counted, and not stored yet
    scale = scale_of(page)
    release_connection()
    with a_turn(PATIENCE_SECONDS):
        return read(default_storage, name) or drawn(document, number, scale, name)


def scale_of(page: Page | None) -> float:
    if not (page and page.width and page.height):
        raise Http404
    return min(WIDTH / page.width, HEIGHT / page.height)


def kept_name(document: Document, number: int) -> str:
    folder = thumbnails_of(document.indexed_file or str(document.file.name))
    return str(PurePosixPath(folder) / f"{number}.png")


def read(storage: Storage, name: str) -> bytes:
    try:
        with storage.open(name) as file:
            return bytes(file.read())
    except FileNotFoundError:
        return b""


def drawn(document: Document, number: int, scale: float, name: str) -> bytes:
    try:
        with indexed_copy(document) as path:
            png = render_page_in_jail(path, number, scale=scale, kind=document.shown_kind)
    except (UnreadableDocument, OSError):
        cache.set(f"undrawn:{name}", 1, timeout=UNDRAWN_SECONDS)
        raise
    keep(document, name, png)
    return png


def keep(document: Document, name: str, png: bytes) -> None:
    """Not when the document went meanwhile: nothing of it is to stay."""
    with suppress(OSError):  # without room for it, it is drawn again
        default_storage.save(name, ContentFile(png))
    if not Document.objects.filter(pk=document.pk).exists():
        default_storage.delete(name)
