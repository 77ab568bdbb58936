"""The page of one document: what is read of it, what is known of it, and its changes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from documents import services
from documents.exceptions import DocumentError
from documents.field_forms import FORMS, FieldForm, applied
from documents.headings import outline_of
from documents.history import history_of
from documents.models import GIVEN, Collection, Document
from documents.partial import render_part, wants_part
from documents.reading import PICTURED_KINDS, natural, open_place, place_from_query
from documents.similar import TookTooLong, similar_documents
from documents.told import told
from documents.views import editable_document, links_of, signed_in, visible_document

#: Pages in one part of the strip.
STRIP = 20
#: Members named on the page; the collection's own page has them all.
MEMBERS = 12
#: Of what the file says of itself.
SAID = 12


@require_safe
@login_required
def document_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = document_with_rights(user, pk)
    reading = open_place(document, place_from_query(request.GET))
    context = {"document": document, "reading": reading, "pictured_kinds": PICTURED_KINDS}
    if not wants_part(request):
        context |= {**known_of(document, user), **beside(document, reading.number)}
    response = render_part(request, "documents/document_detail.html", "documents/_page.html", context)
    if goes_on(request, document):
        response["HX-Push-Url"] = request.get_full_path()
    return response


@require_safe
@login_required
def document_facts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the page says about the document itself; asked for again when something has changed."""
    user = signed_in(request)
    document = document_with_rights(user, pk)
    return render(request, "documents/_facts.html", {"document": document, **known_of(document, user)})


@require_safe
@login_required
def document_strip(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A part of the strip of pages; ``side`` says where it joins what is there already."""
    document = visible_document(signed_in(request), pk)
    number = min(natural(request.GET.get("page")) or 1, max(document.page_count, 1))
    context = {"document": document, "pictured_kinds": PICTURED_KINDS, **strip_of(document, number)}
    joined = {"before": {"strip_after": 0}, "after": {"strip_before": 0}}
    context |= joined.get(request.GET.get("side", ""), {})
    return render(request, "documents/_strip.html", context)


@require_safe
@login_required
def document_history(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = visible_document(user, pk)
    before = natural(request.GET.get("before"), largest=2**63 - 1)
    context = {"document": document, "history": history_of(document, user, before)}
    return render_part(request, "documents/document_history.html", "documents/_history.html", context)


@require_safe
@login_required
def document_similar(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = visible_document(user, pk)
    context: dict[str, Any] = {"document": document}
    try:
        context["similar"] = similar_documents(document, user)
    except TookTooLong:
        context["too_long"] = True
    return render_part(request, "documents/document_similar.html", "documents/_similar.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def document_field(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """The form of one field, in its place on the page; without JavaScript on a page of its own."""
    user = signed_in(request)
    document = editable_document(user, pk)
    if name not in FORMS:
        raise Http404
    form = FORMS[name](request.POST if request.method == "POST" else None, document=document, user=user)
    before = form.initial_of(document)
    if request.method == "POST" and applied(form):
        return field_saved(request, form, before)
    context = {"document": document, "form": form}
    response = render_part(request, "documents/document_field.html", "documents/_field_form.html", context)
    if form.errors and "HX-Request" not in request.headers:
        response.status_code = 400
    return response


def field_saved(request: HttpRequest, form: FieldForm, before: dict[str, Any]) -> HttpResponse:
    """The facts as they are now, with a toast that takes it back."""
    if "HX-Request" not in request.headers:
        messages.success(request, _("Saved."))
        return redirect(form.document)
    if not Document.objects.visible_to(form.user).filter(pk=form.document.pk).exists():
        return HttpResponse(status=204, headers={"HX-Redirect": "/documents/"})
    response = document_facts_after(request, form)
    # To the body: news of the document may have swapped the form away before this answer comes.
    toast = {
        "text": _("Saved."),
        "tone": "good",
        "target": "body",
        "undo": {"url": request.path, "fields": before},
    }
    response["HX-Trigger"] = json.dumps({"toast": toast})
    response["HX-Retarget"], response["HX-Reswap"] = "#document-head", "outerHTML"
    patch_vary_headers(response, ["HX-Request"])
    return response


def document_facts_after(request: HttpRequest, form: FieldForm) -> HttpResponse:
    document = document_with_rights(form.user, form.document.pk)
    return render(request, "documents/_facts.html", {"document": document, **known_of(document, form.user)})


@require_POST
@login_required
def document_replace(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    document = editable_document(user, pk)
    upload = request.FILES.get("file")
    if upload is None:
        messages.error(request, _("Choose the file that is to take its place."))
        return redirect(document)
    try:
        accepted = services.document_replace_file(document=document, upload=upload, user=user)
    except DocumentError as error:
        messages.error(request, f"{upload.name}: {told(str(error))}")
        return redirect(document)
    same = _("This is the same file as before. Nothing was changed.")
    messages.success(request, same if accepted.duplicate else _("Replaced. The new file is read now."))
    return redirect(document)


def document_with_rights(user: User, pk: UUID) -> Any:
    """The document with ``may_edit`` and ``may_manage``: what this user may do with it."""
    visible = Document.objects.visible_to(user).select_related("collection__owner", "uploaded_by")
    own = Collection.objects.filter(pk=OuterRef("collection"))
    rights = {"may_edit": Exists(own.writable_by(user)), "may_manage": Exists(own.manageable_by(user))}
    return get_object_or_404(visible.annotate(**rights), pk=pk)


def known_of(document: Document, user: User) -> dict[str, Any]:
    """What the page says about the document itself."""
    members = document.collection.memberships.select_related("user").order_by("user__username")
    named = list(members[: MEMBERS + 1])
    return {
        **links_of(document, user),
        "members": named[:MEMBERS],
        "more_members": len(named) > MEMBERS,
        "history": history_of(document, user),
        "details": document.metadata.get("details", {}),
        "said": said_by_file(document),
    }


def said_by_file(document: Document) -> list[tuple[str, str]]:
    """What the file says of itself, as far as that is a few words."""
    given = [(name, value) for name, value in document.metadata.items() if name not in GIVEN]
    plain = [(name.replace("_", " "), str(value)) for name, value in given if isinstance(value, (str, int))]
    return [(name, value[:200]) for name, value in plain if value][:SAID]


def beside(document: Document, number: int) -> dict[str, Any]:
    """What stands beside the page: the strip of pages, and the outline."""
    return {"headings": outline_of(document), **strip_of(document, number)}


def strip_of(document: Document, number: int) -> dict[str, Any]:
    """The pages of that part of the strip in which ``number`` is."""
    last = max(document.page_count, 1)
    first = (min(number, last) - 1) // STRIP * STRIP + 1
    end = min(first + STRIP - 1, last)
    return {
        "strip": range(first, end + 1),
        "strip_current": number,
        "strip_before": first - STRIP if first > 1 else 0,
        "strip_after": end + 1 if end < last else 0,
        "strip_last": last,
    }


def goes_on(request: HttpRequest, document: Document) -> bool:
    """Whether htmx asks on the page of this document, and not beside an answer, for another place of it."""
    asked_from = urlsplit(request.headers.get("HX-Current-URL", ""))
    is_other = f"{asked_from.path}?{asked_from.query}" != request.get_full_path()
    return is_other and asked_from.path == document.get_absolute_url()
