"""What a document holds, over REST: its file, its pages, their pictures, its passages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api import replace_file
from documents.api_access import AnyAccept, Pages, checked, page_of, visible_document
from documents.downloads import original_response, release_connection
from documents.files import indexed_copy
from documents.models import Chunk, Document, Page
from documents.parsing.jail import render_page_in_jail
from documents.reading import PICTURED_KINDS
from documents.serializers import (
    AcceptedSerializer,
    ChunkSerializer,
    PageSerializer,
    PictureQuery,
    ReplacementSerializer,
)

RANGE_PARAMETER = OpenApiParameter("Range", str, "header", description="One range of bytes.")
BINARY: dict[Any, Any] = {
    (200, "application/octet-stream"): OpenApiTypes.BINARY,
    (206, "application/octet-stream"): OpenApiTypes.BINARY,
}


#: Pages drawn at the same time: each is a process, which may take a core and a gigabyte.
DRAWING = BoundedSemaphore(2)
PATIENCE_SECONDS = 5.0


class Busy(APIException):
    status_code = 503
    default_detail = "Too many pages are being drawn at the moment. Please try again shortly."
    default_code = "busy"
    #: Seconds, for ``Retry-After``.
    wait = 5


class FileView(APIView):
    parser_classes = [MultiPartParser]
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="documents_file", parameters=[RANGE_PARAMETER], responses=BINARY, tags=["content"]
    )
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """The original file. Takes ``Range``, ``If-None-Match`` and ``If-Range``."""
        return original_response(request._request, visible_document(request, pk))

    @extend_schema(
        operation_id="documents_file_replace",
        request={"multipart/form-data": ReplacementSerializer},
        responses={202: AcceptedSerializer, 200: AcceptedSerializer},
        tags=["content"],
    )
    def put(self, request: Request, pk: UUID) -> Response:
        """Put a new file in the place of the old, and index it."""
        return replace_file(request, pk)


class PageView(APIView):
    @extend_schema(operation_id="documents_page", responses=PageSerializer, tags=["content"])
    def get(self, request: Request, pk: UUID, number: int) -> Response:
        """The text of one page; pages are counted from 1."""
        page = get_object_or_404(Page, document=visible_document(request, pk), number=number)
        return Response(PageSerializer(page).data)


class PageImageView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="documents_page_image",
        parameters=[PictureQuery],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
        tags=["content"],
    )
    def get(self, request: Request, pk: UUID, number: int) -> HttpResponseBase:
        """A picture of one page; 404 for formats whose pages have no picture."""
        scale = checked(PictureQuery, request.query_params)["scale"]
        document = visible_document(request, pk)
        if document.shown_kind not in PICTURED_KINDS or not has_layout(document, number):
            raise Http404
        etag = f'"{shown_file(document)}-{number}-{scale:g}"'
        unchanged = get_conditional_response(request._request, etag=etag)
        return unchanged or picture(document, number, scale, etag)


class ChunksView(APIView):
    pagination_class = Pages

    @extend_schema(
        operation_id="documents_chunks",
        responses=ChunkSerializer(many=True),
        tags=["content"],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """The passages in the order of the document, in cursor pages."""
        chunks = Chunk.objects.filter(document=visible_document(request, pk)).defer("context")
        return page_of(request, chunks, ChunkSerializer, ordering=("ordinal",))


def has_layout(document: Document, number: int) -> bool:
    pages = Page.objects.filter(document=document, number=number)
    return pages.filter(width__isnull=False).exists()


def shown_file(document: Document) -> str:
    """Of the file that the pages shown were read from: the beginning of its digest, which is its name."""
    return PurePath(document.indexed_file or str(document.file.name)).name


def picture(document: Document, number: int, scale: float, etag: str) -> HttpResponse:
    release_connection()
    with a_turn(), indexed_copy(document) as path:
        png = render_page_in_jail(path, number, scale=scale, kind=document.shown_kind)
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(png, content_type="image/png", headers=headers)


@contextmanager
def a_turn(seconds: float | None = None) -> Iterator[None]:
    if not DRAWING.acquire(timeout=PATIENCE_SECONDS if seconds is None else seconds):
        raise Busy
    try:
        yield
    finally:
        DRAWING.release()
