"""Documents over REST: upload, list, change, delete."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents import services
from documents.api_access import (
    Pages,
    caller,
    checked,
    page_of,
    visible_document,
    writable_collection,
    writable_document,
)
from documents.models import Collection, Document, Status
from documents.serializers import (
    AcceptedSerializer,
    DocumentChangeSerializer,
    DocumentQuery,
    DocumentSerializer,
    ReplacementSerializer,
    RetriedSerializer,
    RetrySerializer,
    UploadSerializer,
    attachments_for,
)
from documents.services import Accepted

KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key", str, "header", description="Makes a repeated upload answer as the first one did."
)


class DocumentsView(APIView):
    pagination_class = Pages
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="documents_list",
        parameters=[DocumentQuery],
        responses=DocumentSerializer(many=True),
        tags=["documents"],
    )
    def get(self, request: Request) -> Response:
        """The documents that the caller may see, newest first, in cursor pages."""
        query = checked(DocumentQuery, request.query_params)
        found = Document.objects.visible_to(caller(request)).matching(
            collection=query.get("collection", ""),
            status=query.get("status", ""),
            tag=query.get("tag", ""),
            kind=query.get("type", ""),
            text=query.get("q", ""),
        )
        exact = {name: query[name] for name in ("quality", "language") if query.get(name)}
        rows = found.filter(**exact).select_related("collection", "uploaded_by").defer("error_detail")
        rows = rows.prefetch_related(*attachments_for(caller(request)))
        return page_of(request, rows, DocumentSerializer, ordering=("-created_at", "-id"))

    @extend_schema(
        operation_id="documents_upload",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": UploadSerializer},
        responses={202: AcceptedSerializer, 200: AcceptedSerializer},
        tags=["documents"],
    )
    def post(self, request: Request) -> Response:
        """Upload a file; it is indexed in the background. The same bytes again: 200 and the first one."""
        given = checked(UploadSerializer, request.data)
        accepted = services.document_create(
            user=caller(request),
            collection=target_collection(request, given.get("collection", "")),
            upload=given["file"],
            title=given.get("title", ""),
            tags=given.get("tags", ()),
            source=given.get("path", ""),
            idempotency_key=request.headers.get("Idempotency-Key", ""),
        )
        return accepted_response(request, accepted)


class DocumentView(APIView):
    @extend_schema(operation_id="documents_get", responses=DocumentSerializer, tags=["documents"])
    def get(self, request: Request, pk: UUID) -> Response:
        """One document: where it is on its way, and what is known about it."""
        return Response(described(request, visible_document(request, pk)))

    @extend_schema(request=DocumentChangeSerializer, responses=DocumentSerializer, tags=["documents"])
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change title or tags, or move it to another collection. A new title indexes it again."""
        document = writable_document(request, pk)
        given = checked(DocumentChangeSerializer, request.data)
        if "collection" in given:
            given["collection"] = writable_collection(request, given["collection"])
        changed = services.document_update(document=document, user=caller(request), **given)
        return Response(described(request, changed))

    @extend_schema(responses={204: None}, tags=["documents"])
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete the document, its file, its passages and its vectors."""
        services.document_delete(document=writable_document(request, pk), user=caller(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReindexView(APIView):
    @extend_schema(request=None, responses={202: DocumentSerializer}, tags=["documents"])
    def post(self, request: Request, pk: UUID) -> Response:
        """Read, split and embed again; also the way to retry a failed document."""
        document = services.document_reindex(document=writable_document(request, pk), user=caller(request))
        return Response(described(request, document), status=status.HTTP_202_ACCEPTED)


class RetryView(APIView):
    @extend_schema(request=RetrySerializer, responses={202: RetriedSerializer}, tags=["documents"])
    def post(self, request: Request) -> Response:
        """Queue every failed document again, of one collection or of all that the caller may write to."""
        failed = Document.objects.writable_by(caller(request)).filter(status=Status.FAILED)
        if slug := checked(RetrySerializer, request.data).get("collection"):
            failed = failed.filter(collection=writable_collection(request, slug))
        retried = services.documents_retry(documents=failed, user=caller(request))
        return Response({"retried": retried}, status=status.HTTP_202_ACCEPTED)


class CancelView(APIView):
    @extend_schema(request=None, responses=DocumentSerializer, tags=["documents"])
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop a document that is on its way; one that has ended stays as it is."""
        services.document_cancel(document=writable_document(request, pk), user=caller(request))
        return Response(described(request, visible_document(request, pk)))


def replace_file(request: Request, pk: UUID) -> Response:
    """The PUT of ``api_content.FileView``."""
    document = writable_document(request, pk)
    upload = checked(ReplacementSerializer, request.data)["file"]
    accepted = services.document_replace_file(document=document, upload=upload, user=caller(request))
    return accepted_response(request, accepted)


def target_collection(request: Request, slug: str) -> Collection:
    if slug:
        return writable_collection(request, slug)
    return services.collection_private(user=caller(request))


def described(request: Request, document: Document) -> dict[str, Any]:
    """The document as JSON for this caller."""
    prefetch_related_objects([document], *attachments_for(caller(request)))
    body: dict[str, Any] = DocumentSerializer(document).data
    return body


def accepted_response(request: Request, accepted: Accepted) -> Response:
    body = described(request, accepted.document)
    code = status.HTTP_200_OK if accepted.duplicate else status.HTTP_202_ACCEPTED
    return Response(
        {**body, "duplicate": accepted.duplicate}, status=code, headers={"Location": body["links"]["self"]}
    )
