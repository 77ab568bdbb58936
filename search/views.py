"""Pages that search and answer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from documents.exceptions import DocumentError
from documents.models import Collection, Document, Status
from documents.partial import render_part
from documents.told import told
from documents.views import signed_in
from search import answers, conversations, pipeline
from search.answers import QUESTION_LENGTH
from search.exceptions import SearchError
from search.facets import facets_of
from search.forms import AskForm, FeedbackForm, SearchForm, WhyForm
from search.models import Answer, Conversation
from search.navigation import address, chips, facet_groups
from search.presentation import shown_hits, shown_trace
from search.stages import shown_stages
from search.threads import documents_titled, scope_of_last, scoped, shown_alone, shown_thread
from search.why import searcher, why

RECENT = 6
CONVERSATIONS = 40
#: Documents to choose from, when one is asked about.
CHOICES = 12


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    documents = Document.objects.visible_to(user).select_related("collection")
    context = {
        "recent": documents[:RECENT],
        "on_the_way": documents.filter(status__in=[Status.QUEUED, Status.PROCESSING])[:RECENT],
        "conversations": Conversation.objects.visible_to(user)[:RECENT],
    }
    return render(request, "home.html", context)


@require_safe
@login_required
def search(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = SearchForm(request.GET, collections=Collection.objects.visible_to(user))
    context = {"form": form, **found(form, user, request.GET)}
    return render_part(request, "search/search.html", "search/_results.html", context)


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


def ask(request: HttpRequest) -> HttpResponse:
    """The empty page to ask on; a POST answers without JavaScript: it waits, then shows the answer."""
    return answer_posted(request) if request.method == "POST" else ask_page(request)


@require_safe
@login_required
def ask_page(request: HttpRequest) -> HttpResponse:
    """``?document=`` narrows the question to a document, which the page of a document links to."""
    user = signed_in(request)
    form = AskForm(initial={"question": request.GET.get("q", "")[:QUESTION_LENGTH]}, user=user)
    wanted = request.GET.getlist("document")
    scope = scoped(user, request.GET.getlist("collection"), uuids(wanted))
    if len(scope.documents) < len(set(wanted)):
        raise Http404
    return render(request, "search/ask.html", {"form": form, "scope": scope, **asking(user)})


@require_POST
@login_required
def answer_posted(request: HttpRequest) -> HttpResponse:
    """Asks; or, by the button beside the titles of documents, looks for some to choose from."""
    user = signed_in(request)
    if "look" in request.POST:
        return render(request, "search/ask.html", {**asked_for(user, request.POST), "looking": True})
    form = AskForm(request.POST, user=user)
    try:
        if form.is_valid():
            answer = answers.wait(answer_begun(user, form))
            return redirect("answer-detail", answer.pk)
    except SearchError as error:
        form.add_error("question", told(str(error)))
    context = {**asked_for(user, request.POST), "form": form}
    return render(request, "search/ask.html", context, status=400)


@require_safe
@login_required
def answer_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The conversation with this answer in it; for htmx the answer alone."""
    user = signed_in(request)
    answer = visible_answer(user, pk)
    context = {
        "conversation": answer.conversation,
        "current": answer.pk,
        "thread": partial(shown_thread, answer.conversation, user, answer),
        "answer": shown_alone(answer, user),
        "form": AskForm(user=user),
        "scope": scope_of_last(answer.conversation, user),
        **asking(user),
    }
    return render_part(request, "search/answer_detail.html", "search/_answer.html", context)


@require_POST
@login_required
def answer_stop(request: HttpRequest, pk: UUID) -> HttpResponse:
    answers.stop(answer=visible_answer(signed_in(request), pk))
    return redirect("answer-detail", pk)


@require_POST
@login_required
def answer_feedback(request: HttpRequest, pk: UUID) -> HttpResponse:
    answer = visible_answer(signed_in(request), pk)
    form = FeedbackForm(request.POST)
    if form.is_valid():
        answers.give_feedback(answer=answer, **form.cleaned_data)
    return redirect("answer-detail", pk)


@require_safe
@login_required
def conversation_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The latest answer of a conversation is where it goes on."""
    user = signed_in(request)
    conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    latest = conversation.answers.visible_to(user).last()
    return redirect("answer-detail", latest.pk) if latest else redirect("ask")


@require_POST
@login_required
def conversation_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    found = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    conversations.conversation_delete(conversation=found)
    return redirect("ask")


def found(form: SearchForm, user: User, given: QueryDict) -> dict[str, Any]:
    """The results of what the form asks for; nothing, or the error in words, when there are none."""
    wanted = form.request()
    if wanted is None:
        return {"error": said_wrong(form)}
    try:
        result = pipeline.search(request=wanted, user=user)
        facets = facets_of(wanted, user)
    except SearchError as error:
        return {"error": told(str(error))}
    return {
        "result": result,
        "hits": shown_hits(result, user, given),
        "facets": facet_groups(facets, given),
        "chips": chips(given, user),
        "suggested": address(given, q=result.suggestion) if result.suggestion else "",
        **addresses(given),
    }


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
    chosen = form.cleaned_data["document"]
    if chosen is None:
        return {"choices": titled(form.cleaned_data["find"], user)} if wanted else {"error": ""}
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


def answer_begun(user: User, form: AskForm) -> Answer:
    given = form.cleaned_data
    return answers.ask(
        user=user,
        question=given["question"],
        conversation=given["conversation"],
        collections=[collection.slug for collection in given["collections"]],
        documents=[document.pk for document in given["documents"]],
    )


def asked_for(user: User, given: QueryDict) -> dict[str, Any]:
    """The page to ask on, as it was filled in; with the documents that were looked for."""
    scope = scoped(user, given.getlist("collections"), uuids(given.getlist("documents")))
    find = given.get("find", "")
    going_on = Conversation.objects.visible_to(user).filter(pk__in=uuids([given.get("conversation", "")]))
    return {
        "form": AskForm(initial={"question": given.get("question", "")}, user=user),
        "scope": scope,
        "find": find,
        "found": documents_titled(find, user, scope.documents),
        "conversation": going_on.first(),
        **asking(user),
    }


def uuids(given: Iterable[str]) -> list[UUID]:
    """Those that are ids at all."""
    found = []
    for text in given:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


def asking(user: User) -> dict[str, Any]:
    """What every page with a question box shows beside it."""
    return {
        "collections": Collection.objects.visible_to(user),
        "conversations": Conversation.objects.visible_to(user)[:CONVERSATIONS],
    }


def visible_answer(user: User, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(user).select_related("conversation", "asked_by")
    return answers.settled(get_object_or_404(found, pk=pk))
