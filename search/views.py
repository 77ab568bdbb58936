"""Pages that search and answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from documents.models import Collection, Document, Status
from documents.partial import render_part
from documents.views import signed_in
from search import answers, pipeline
from search.answers import QUESTION_LENGTH
from search.exceptions import SearchError
from search.forms import AskForm, FeedbackForm, SearchForm
from search.models import Answer, Conversation
from search.presentation import shown_answer, shown_hits

RECENT = 6
CONVERSATIONS = 40


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
    context = {"form": form, **found(form, user)}
    return render_part(request, "search/search.html", "search/_results.html", context)


def ask(request: HttpRequest) -> HttpResponse:
    """The empty page to ask on; a POST answers without JavaScript: it waits, then shows the answer."""
    return answer_posted(request) if request.method == "POST" else ask_page(request)


@require_safe
@login_required
def ask_page(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = AskForm(initial={"question": request.GET.get("q", "")[:QUESTION_LENGTH]}, user=user)
    return render(request, "search/ask.html", {"form": form, **asking(user)})


@require_POST
@login_required
def answer_posted(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = AskForm(request.POST, user=user)
    try:
        if form.is_valid():
            answer = answers.wait(answer_begun(user, form))
            return redirect("answer-detail", answer.pk)
    except SearchError as error:
        form.add_error("question", str(error))
    return render(request, "search/ask.html", {"form": form, **asking(user)}, status=400)


@require_safe
@login_required
def answer_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The conversation with this answer in it; for htmx the answer alone."""
    user = signed_in(request)
    answer = visible_answer(user, pk)
    thread = answer.conversation.answers.visible_to(user)
    if "HX-Request" in request.headers:
        thread = thread.filter(pk=pk)
    context = {
        "conversation": answer.conversation,
        "current": answer.pk,
        "thread": [shown_answer(earlier, user) for earlier in thread],
        "answer": shown_answer(answer, user),
        "form": AskForm(user=user),
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
    answers.conversation_delete(conversation=get_object_or_404(Conversation.objects.visible_to(user), pk=pk))
    return redirect("ask")


def found(form: SearchForm, user: User) -> dict[str, Any]:
    """The results of what the form asks for; nothing, or the error in words, when there are none."""
    wanted = form.request()
    if wanted is None:
        return {}
    try:
        result = pipeline.search(request=wanted, user=user)
    except SearchError as error:
        return {"error": str(error)}
    return {"result": result, "hits": shown_hits(result, user)}


def answer_begun(user: User, form: AskForm) -> Answer:
    given = form.cleaned_data
    return answers.ask(
        user=user,
        question=given["question"],
        conversation=given["conversation"],
        collections=[collection.slug for collection in given["collections"]],
    )


def asking(user: User) -> dict[str, Any]:
    """What every page with a question box shows beside it."""
    return {
        "collections": Collection.objects.visible_to(user),
        "conversations": Conversation.objects.visible_to(user)[:CONVERSATIONS],
    }


def visible_answer(user: User, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(user).select_related("conversation")
    return answers.settled(get_object_or_404(found, pk=pk))
