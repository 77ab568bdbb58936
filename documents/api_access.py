"""What the REST calls of both apps share: finding things as their caller, reading parameters, pages.

What a caller may not see is 404, the same as what does not exist; what they may see but not change is 403.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination

from documents.exceptions import Deleted, NotAllowed
from documents.models import Collection, Deletion, Document

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

PAGE_SIZE = 50
LARGEST_PAGE = 100


def caller(request: Request) -> User:
    """The user, once the permission class has let the request through."""
    return cast("User", request.user)


def visible_document(request: Request, pk: UUID) -> Document:
    return document_for(caller(request), pk)


def document_for(user: User, pk: UUID) -> Document:
    found = Document.objects.visible_to(user).select_related("collection", "uploaded_by")
    document: Document | None = found.filter(pk=pk).first()
    if document is None:
        raise_if_deleted(user, pk)
        raise Http404
    return document


def raise_if_deleted(user: User, pk: UUID) -> None:
    """410 with the record of the deletion, for those who could manage the document."""
    found = Deletion.objects.visible_to(user).select_related("deleted_by").filter(pk=pk).first()
    if found is not None:
        raise Deleted(
            deleted_at=found.deleted_at.isoformat(),
            deleted_by=found.deleted_by.get_username() if found.deleted_by else None,
            pages=found.page_count,
            chunks=found.chunk_count,
        )


def writable_document(request: Request, pk: UUID) -> Document:
    document = visible_document(request, pk)
    if not Document.objects.writable_by(caller(request)).filter(pk=pk).exists():
        raise NotAllowed
    return document


def visible_collection(request: Request, slug: str) -> Collection:
    found: Collection | None = Collection.objects.visible_to(caller(request)).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def writable_collection(request: Request, slug: str) -> Collection:
    collection = visible_collection(request, slug)
    if not Collection.objects.writable_by(caller(request)).filter(pk=collection.pk).exists():
        raise NotAllowed
    return collection


def manageable_collection(request: Request, slug: str) -> Collection:
    collection = visible_collection(request, slug)
    if not Collection.objects.manageable_by(caller(request)).filter(pk=collection.pk).exists():
        raise NotAllowed
    return collection


def checked(serializer: type[serializers.Serializer[Any]], given: Any, **options: Any) -> dict[str, Any]:
    """``given`` as the serializer reads it. Raises DRF's ValidationError, which names each field."""
    reader = serializer(data=given, **options) if options else copy(prepared(serializer))
    reader.initial_data = given
    reader.is_valid(raise_exception=True)
    return cast("dict[str, Any]", reader.validated_data)


@cache
def prepared(serializer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """With its fields made, which each request would copy deeply. They hold nothing of what they read."""
    made = serializer(data={})
    assert made.fields
    return made


class Pages(CursorPagination):
    """Cursor pages: ``limit`` entries, and the addresses of the next and the previous page."""

    page_size = PAGE_SIZE
    page_size_query_param = "limit"
    max_page_size = LARGEST_PAGE

    def get_page_size(self, request: Request) -> int:
        return cast(int, checked(PageQuery, request.query_params).get("limit", PAGE_SIZE))

    def decode_cursor(self, request: Request) -> Any:
        """A cursor that nobody gave out is a wrong parameter, not a missing page."""
        try:
            return super().decode_cursor(request)
        except NotFound:
            raise serializers.ValidationError(
                {"cursor": ["This is no cursor that the portal gave."]}
            ) from None


class PageQuery(serializers.Serializer[Mapping[str, Any]]):
    """The parameters of every list."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_PAGE)
    cursor = serializers.CharField(required=False)


def page_of(
    request: Request,
    rows: QuerySet[Any],
    serializer: type[serializers.BaseSerializer[Any]],
    *,
    ordering: tuple[str, ...],
    context: Mapping[str, Any] | None = None,
) -> Any:
    """One cursor page of ``rows`` as a response. Ties of the first field are told apart by the next ones."""
    pages = Pages()
    pages.ordering = ordering
    page = pages.paginate_queryset(rows, request)
    return pages.get_paginated_response(serializer(page, many=True, context=dict(context or {})).data)


class AnyAccept(DefaultContentNegotiation):
    """For answers that are no JSON: whatever the client would like best, it gets what there is."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
