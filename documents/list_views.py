"""The page with the list of documents, as a table or a grid."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import BooleanField, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from documents import listing
from documents.bulk_views import MOST
from documents.folders import PASSED_OVER
from documents.models import Collection, Document
from documents.parsing.registry import SUPPORTED
from documents.partial import render_part
from documents.saved_views import saved_query, tabs_of
from documents.told import told

#: Table or grid, as it was chosen last.
VIEW_COOKIE = "documents_view"
YEAR_SECONDS = 365 * 24 * 60 * 60


@require_safe
@login_required
def document_list(request: HttpRequest) -> HttpResponse:
    context = shown(cast(User, request.user), request)
    response = render_part(request, "documents/document_list.html", "documents/_list.html", context)
    view: str = context["wanted"].view
    if request.GET.get("view") == view:
        response.set_cookie(VIEW_COOKIE, view, max_age=YEAR_SECONDS, samesite="Lax", httponly=True)
    return response


def shown(user: User, request: HttpRequest) -> dict[str, Any]:
    """What the list shows: four queries, however many documents there are."""
    given = request.GET
    wanted = listing.wanted_by(given, request.COOKIES.get(VIEW_COOKIE, ""))
    collections = list(with_rights(Collection.objects.visible_to(user), user))
    writable = {collection.pk for collection in collections if collection.may_write}
    documents = Document.objects.visible_to(user)
    counts = listing.counts_of(documents, wanted, writable)
    page = listing.page_of(documents, wanted, counts.total, given.get("page"))
    return {
        "supported": told(SUPPORTED),
        "passed_over": PASSED_OVER,
        "wanted": wanted,
        "query": listing.query_of(given),
        "counts": counts,
        "at_once": MOST,
        "collections": collections,
        "writable": writable,
        "selectable": any(document.collection_id in writable for document in page),
        "has_private": any(collection.is_private for collection in collections),
        "page": page,
        "page_links": listing.page_links(page, given),
        "facets": listing.facets_of(counts, given, collections),
        "chips": list(listing.chips_of(wanted, given, collections)),
        "sorts": listing.sorts_of(wanted, given),
        "views": listing.views_of(wanted, given),
        "kept": listing.kept(given),
        **saved(user, given),
    }


def saved(user: User, given: QueryDict) -> dict[str, Any]:
    tabs = tabs_of(user, given)
    query = saved_query(given)
    is_new = bool(query) and not any(tab.current for tab in tabs)
    return {"tabs": tabs, "is_whole": not query, "is_new_view": is_new}


def with_rights(collections: QuerySet[Collection], user: User) -> QuerySet[Any]:
    """Each collection with ``may_write``: whether this user may add and change documents in it."""
    writable = Collection.objects.writable_by(user).filter(pk=OuterRef("pk"))
    return collections.annotate(may_write=Exists(writable, output_field=BooleanField()))
