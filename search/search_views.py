"""Pages of a search: its results, what every stage did, and why a document is not among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from documents.exceptions import DocumentError
from documents.models import Collection, Document
from documents.partial import render_part
from documents.told import told
from documents.views import signed_in
from search import pipeline
from search.exceptions import SearchError
from search.facets import facets_of
from search.forms import SearchForm, WhyForm
from search.hits import shown_hits
from search.navigation import address, chips, facet_groups, kept_fields, ways_out
from search.presentation import out_of_service, shown_trace
from search.recent import recent_of
from search.serializers import LARGEST_LIMIT
from search.stages import shown_stages
from search.why import searcher, why

#: Documents to choose from, when one is asked about.
CHOICES = 12
#: More results that one click brings.
MORE = 20


@require_safe
@login_required
def search(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = SearchForm(request.GET, collections=Collection.objects.visible_to(user))
    context = {"form": form, **found(form, user, request.GET)}
    response = render_part(request, "search/search.html", "search/_results.html", context)
    response["HX-Replace-Url"] = address_of(request.GET)
    return response


@require_safe
@login_required
def search_explain(request: HttpRequest) -> HttpResponse:
    """What every stage of a search did, with the legs' own scores. For curators."""
    user = signed_in(request)
    if not user.is_staff:
        raise Http404
    form = SearchForm(request.GET, collections=Collection.objects.visible_to(user))
    context = {"form": form, **stages_of(form, user), **addresses(request.GET)}
    return render(request, "search/explain.html", context)


@require_safe
@login_required
def search_why(request: HttpRequest) -> HttpResponse:
    """Why a search does not find one document: a form to choose it, and its way through the stages."""
    user = signed_in(request)
    form = WhyForm(request.GET, collections=Collection.objects.visible_to(user))
    context = {"form": form, **followed(form, user), **addresses(request.GET, document="")}
    return render(request, "search/why.html", context)


def address_of(given: QueryDict) -> str:
    """Of the page itself, as short as it can be."""
    usual = given.get("mode") == "hybrid"
    return address(given, limit=given.get("limit", ""), **({"mode": ""} if usual else {}))


def found(form: SearchForm, user: User, given: QueryDict) -> dict[str, Any]:
    """The results of what the form asks for; else what to begin with, or the error in words."""
    wanted = form.request()
    if wanted is None:
        return {"error": said_wrong(form), "recent": [] if form.errors else begun_with(user)}
    try:
        result = pipeline.search(request=wanted, user=user)
        facets = facets_of(wanted, user)
    except SearchError as error:
        return {"error": told(str(error))}
    is_full = len(result.hits) == wanted.limit < LARGEST_LIMIT
    return {
        "result": result,
        "hits": shown_hits(result, user, given),
        "out_of_service": out_of_service(result.degraded),
        "facets": facet_groups(facets, given),
        "chips": chips(given, user),
        "suggested": address(given, q=result.suggestion) if result.suggestion else "",
        "ways_out": [] if result.hits else ways_out(given),
        "more_url": address(given, limit=min(wanted.limit + MORE, LARGEST_LIMIT)) if is_full else "",
        "kept_fields": kept_fields(given),
        **addresses(given),
    }


def begun_with(user: User) -> list[tuple[str, str]]:
    """What the user looked for last, with addresses."""
    return [(text, address(QueryDict(), q=text)) for text in recent_of(user)]


def stages_of(form: SearchForm, user: User) -> dict[str, Any]:
    wanted = form.request()
    if wanted is None:
        return {"error": said_wrong(form)}
    try:
        explained = pipeline.search(request=replace(wanted, explain=True), user=user)
        return {"explained": shown_stages(explained, user)}
    except SearchError as error:
        return {"error": told(str(error))}


def followed(form: WhyForm, user: User) -> dict[str, Any]:
    """The trace of the document that was chosen; else those to choose from."""
    wanted = form.request()
    if form.errors:
        return {"error": said_wrong(form)}
    chosen, title = form.cleaned_data["document"], form.cleaned_data["find"]
    if chosen is None:
        if wanted is None:
            return {"error": ""}
        choices = titled(title, user)
        if len(choices) != 1 or not title:
            return {"choices": choices}
        chosen = choices[0].pk
    visible = Document.objects.visible_to(user).select_related("collection")
    document = get_object_or_404(visible, pk=chosen)
    if wanted is None:
        return {"error": _("Which query should have found it?"), "document": document}
    try:
        person = searcher(user, document, form.cleaned_data["as"])
        trace = why(request=wanted, document=document, user=person, asked_by=user)
    except (SearchError, DocumentError) as error:
        return {"error": told(str(error)), "document": document}
    return {"document": document, **shown_trace(trace)}


def titled(text: str, user: User) -> list[Document]:
    """Documents to choose from, the newest first."""
    return list(Document.objects.visible_to(user).select_related("collection").matching(text=text)[:CHOICES])


def addresses(given: QueryDict, **changes: Any) -> dict[str, str]:
    """Of the same search on its three pages."""
    return {
        "search_url": address(given, **changes),
        "explain_url": address(given, "search-explain", **changes),
        "why_url": address(given, "search-why", document=""),
    }


def said_wrong(form: SearchForm) -> str:
    """The first thing that is wrong with what was filled in, if anything is."""
    return next((f"{form.fields[name].label}: {errors[0]}" for name, errors in form.errors.items()), "")
