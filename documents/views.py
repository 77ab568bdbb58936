"""Pages about documents: list, upload, one document and its text."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files import File
from django.core.paginator import Paginator
from django.db.models import BooleanField, Count, Exists, F, Func, OuterRef, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from documents import services
from documents.exceptions import DocumentError
from documents.folders import PASSED_OVER
from documents.forms import DocumentEditForm, DocumentFilterForm, UploadForm
from documents.models import Attachment, Collection, Document
from documents.parsing.registry import SUPPORTED
from documents.partial import render_part
from documents.reading import PICTURED_KINDS, open_place, place_from_query
from documents.services.attached import tree_of
from documents.told import told

PER_PAGE = 25


@require_safe
@login_required
def document_list(request: HttpRequest) -> HttpResponse:
    return render_part(
        request, "documents/document_list.html", "documents/_list.html", listing(signed_in(request), request)
    )


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


@require_safe
@login_required
def document_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = visible_document(user, pk)
    reading = open_place(document, place_from_query(request.GET))
    context = {"document": document, "reading": reading, "may_edit": may_edit(user, document)}
    context |= {"pictured_kinds": PICTURED_KINDS, **links_of(document, user)}
    return render_part(request, "documents/document_detail.html", "documents/_page.html", context)


@require_safe
@login_required
def document_facts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the page says about the document itself; asked for again when its reading has ended."""
    user = signed_in(request)
    document = visible_document(user, pk)
    return render(request, "documents/_facts.html", {"document": document, **links_of(document, user)})


@require_POST
@login_required
def document_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = editable_document(signed_in(request), pk)
    form = DocumentEditForm(request.POST)
    if form.is_valid():
        services.document_update(document=document, **form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("A document needs a title of at most 300 characters."))
    return redirect(document)


@require_POST
@login_required
def document_replace(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = editable_document(signed_in(request), pk)
    upload = request.FILES.get("file")
    if upload is None:
        messages.error(request, _("Choose the file that is to take its place."))
        return redirect(document)
    try:
        accepted = services.document_replace_file(document=document, upload=upload)
    except DocumentError as error:
        messages.error(request, f"{upload.name}: {told(str(error))}")
        return redirect(document)
    same = _("This is the same file as before. Nothing was changed.")
    messages.success(request, same if accepted.duplicate else _("Replaced. The new file is read now."))
    return redirect(document)


@require_POST
@login_required
def document_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.document_cancel(document=editable_document(signed_in(request), pk))
    return back(request)


@require_POST
@login_required
def document_retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.document_reindex(document=editable_document(signed_in(request), pk))
    return back(request)


@require_POST
@login_required
def documents_retry(request: HttpRequest) -> HttpResponse:
    """Every failed document that the user may change, in the collection that the list shows."""
    failed = Document.objects.writable_by(signed_in(request)).to_retry()
    if slug := request.POST.get("collection"):
        failed = failed.filter(collection__slug=slug)
    count = services.documents_retry(documents=failed)
    text = ngettext("%(count)s document is tried again.", "%(count)s documents are tried again.", count)
    return back(request, text % {"count": count})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = editable_document(user, pk)
    if request.method != "POST":
        context = {"document": document, "total": total_of(document)}
        return render(request, "documents/document_delete.html", context)
    services.document_delete(document=document, user=user)
    messages.success(request, _("“%(title)s” was deleted.") % {"title": document.title})
    return redirect("document-list")


def listing(user: User, request: HttpRequest) -> dict[str, Any]:
    """What the list shows: five queries, however many documents there are."""
    collections = list(with_rights(Collection.objects.visible_to(user), user))
    documents = Document.objects.visible_to(user)
    form = DocumentFilterForm(request.GET, collections=collections, tags=tags_of(documents))
    criteria = form.criteria()
    found = documents.none() if criteria is None else documents.matching(**criteria)
    rows = found.select_related("collection").defer("metadata", "error_detail")
    failed = documents.writable_by(user).to_retry()
    if criteria and criteria["collection"]:
        failed = failed.filter(collection__slug=criteria["collection"])
    return {
        "supported": told(SUPPORTED),
        "passed_over": PASSED_OVER,
        "failed_count": failed.count(),
        "form": form,
        "collections": collections,
        "writable": {collection.pk for collection in collections if collection.may_write},
        "has_private": any(collection.is_private for collection in collections),
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "filtered": any(request.GET.get(name) for name in form.fields),
    }


def links_of(document: Document, user: User) -> dict[str, Any]:
    """What came with the document and what it came with, as far as the user may see that."""
    visible = Document.objects.visible_to(user).order_by().values("pk")
    links = Attachment.objects.order_by("id")
    return {
        "attachments": links.filter(message=document, document__in=visible).select_related("document"),
        "attached_to": links.filter(document=document, message__in=visible).select_related("message"),
    }


def with_rights(collections: QuerySet[Collection], user: User) -> QuerySet[Any]:
    """Each collection with ``may_write``: whether this user may add and change documents in it."""
    writable = Collection.objects.writable_by(user).filter(pk=OuterRef("pk"))
    return collections.annotate(may_write=Exists(writable, output_field=BooleanField()))


def tags_of(documents: QuerySet[Document], most: int = 200) -> list[str]:
    named = documents.order_by().annotate(tag=Func(F("tags"), function="unnest"))
    return list(named.values_list("tag", flat=True).distinct().order_by("tag")[:most])


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


def back(request: HttpRequest, said: str = "") -> HttpResponse:
    """To the page that the form was on, if it says so and is ours. htmx stays there and renews the list."""
    if "HX-Request" in request.headers:
        news = {"documents:changed": {}, **({"documents:said": {"text": said}} if said else {})}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(news)})
    if said:
        messages.success(request, said)
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return redirect(wanted if ours else "document-list")
