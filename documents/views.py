"""Pages about documents: upload, one document and its text."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files import File
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from documents import services, undo
from documents.answering import answer
from documents.exceptions import DocumentError
from documents.forms import UploadForm
from documents.models import Attachment, Collection, Document
from documents.parsing.registry import SUPPORTED
from documents.services.attached import tree_of
from documents.told import told


@require_POST
@login_required
def document_upload(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = UploadForm(request.POST, request.FILES, user=user)
    if not form.is_valid():
        messages.error(request, _("Choose at least one file, and a collection you may add to."))
        return redirect("document-list")
    collection = form.cleaned_data["collection"] or services.collection_private(user=user)
    for upload in form.cleaned_data["file"]:
        take_upload(request, user, collection, upload)
    return redirect("document-list")


@require_POST
@login_required
def document_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    services.document_cancel(document=editable_document(user, pk), user=user)
    return answer(request)


@require_POST
@login_required
def document_retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    services.document_reindex(document=editable_document(user, pk), user=user)
    return answer(request)


@require_POST
@login_required
def documents_retry(request: HttpRequest) -> HttpResponse:
    """Every failed document that the user may change, in the collection that the list shows."""
    user = signed_in(request)
    failed = Document.objects.writable_by(user).to_retry()
    if slug := request.POST.get("collection"):
        failed = failed.filter(collection__slug=slug)
    count = services.documents_retry(documents=failed, user=user)
    text = ngettext("%(count)s document is tried again.", "%(count)s documents are tried again.", count)
    return answer(request, text % {"count": count})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = editable_document(user, pk)
    if request.method != "POST":
        context = {"document": document, "total": total_of(document)}
        return render(request, "documents/document_delete.html", context)
    services.document_bin(document=document, user=user)
    address = undo.remember(request, undo.deletion([document.pk]))
    return answer(request, _("“%(title)s” was deleted.") % {"title": document.title}, undo=address)


def links_of(document: Document, user: User) -> dict[str, Any]:
    """What came with the document and what it came with, as far as the user may see that."""
    visible = Document.objects.visible_to(user).order_by().values("pk")
    links = Attachment.objects.order_by("id")
    return {
        "attachments": links.filter(message=document, document__in=visible).select_related("document"),
        "attached_to": links.filter(document=document, message__in=visible).select_related("message"),
    }


def take_upload(request: HttpRequest, user: User, collection: Collection, upload: File[bytes]) -> None:
    """One file of the plain form: kept or refused, and the page after it says which."""
    tags = request.POST.get("tags", "").split(",")
    try:
        accepted = services.document_create(user=user, collection=collection, upload=upload, tags=tags)
    except DocumentError as error:
        messages.error(request, f"{upload.name}: {in_short(error)}")
        return
    text = _("%(name)s is in this collection already.") if accepted.duplicate else _("%(name)s was added.")
    messages.success(request, text % {"name": accepted.document.title})


def in_short(error: DocumentError) -> str:
    """Without the list of what is supported, which stands on the page already."""
    return told(str(error).replace(SUPPORTED, "").strip())


def total_of(document: Document) -> dict[str, int]:
    """How many documents and pages go when this one is deleted: its own, and what came with it alone."""
    rows = Document.objects.filter(pk__in=tree_of(document.pk))
    return rows.aggregate(documents=Count("pk"), pages=Sum("page_count"))


def visible_document(user: User, pk: UUID) -> Document:
    return get_object_or_404(Document.objects.visible_to(user).select_related("collection"), pk=pk)


def editable_document(user: User, pk: UUID) -> Document:
    """The document, if this user may change it: 404 when it is not theirs to see, else 403."""
    document = visible_document(user, pk)
    if not may_edit(user, document):
        raise PermissionDenied(_("Your role in this collection does not allow that."))
    return document


def may_edit(user: User, document: Document) -> bool:
    return Collection.objects.writable_by(user).filter(pk=document.collection_id).exists()


def signed_in(request: HttpRequest) -> User:
    """The user, once ``login_required`` has let the request through."""
    return cast(User, request.user)
