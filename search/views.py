"""The page to begin on, and the pages that ask and answer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST, require_safe

from documents.models import Collection
from documents.partial import render_part
from documents.told import told
from documents.views import signed_in
from search import answers
from search.answers import QUESTION_LENGTH
from search.exceptions import SearchError
from search.forms import AskForm, FeedbackForm
from search.models import Answer, Conversation
from search.threads import documents_titled, scope_of_last, scoped, shown_alone, shown_thread

CONVERSATIONS = 40
#: So long a browser without JavaScript waits for an answer before it is shown the page of one in the making.
PATIENCE_SECONDS = 3.0


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
    """Asks; or, by the button beside the titles of documents, looks for some to choose from.

    A short answer is there at once; the page of a longer one says that it is being written, and looks again.
    """
    user = signed_in(request)
    if "look" in request.POST:
        return render(request, "search/ask.html", {**asked_for(user, request.POST), "looking": True})
    form = AskForm(request.POST, user=user)
    try:
        if form.is_valid():
            answer = answers.wait(answer_begun(user, form), PATIENCE_SECONDS)
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
    answer, whole = visible_answer(user, pk), "whole" in request.GET
    context = {
        "conversation": answer.conversation,
        "current": answer.pk,
        "thread": SimpleLazyObject(partial(shown_thread, answer.conversation, user, answer, whole=whole)),
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
