"""Pages of one answer's way and of conversations: what follows it, receipt, replay, list, title, export."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from documents.partial import render_part
from documents.told import told
from documents.views import signed_in
from search import answers, conversations, export, replaying
from search.exceptions import SearchError
from search.follow_ups import follow_ups
from search.forms import RenameForm
from search.models import Answer, Conversation
from search.receipt_pages import shown_receipt, shown_replay
from search.threads import documents_titled

PER_PAGE = 25
#: Conversations in the list beside an answer.
BESIDE = 40
FIND_LENGTH = 200


@require_safe
@login_required
def ask_documents(request: HttpRequest) -> HttpResponse:
    """Documents to narrow a question to, by a part of their title: a list for the menu."""
    found = documents_titled(request.GET.get("find", ""), signed_in(request))
    return render(request, "search/_found_documents.html", {"found": found, "find": request.GET.get("find")})


@require_POST
@login_required
def answer_regenerate(request: HttpRequest, pk: UUID) -> HttpResponse:
    user = signed_in(request)
    try:
        return redirect("answer-detail", answers.regenerate(answer=visible_answer(user, pk), user=user).pk)
    except SearchError as error:
        messages.error(request, told(str(error)))
        return redirect("answer-detail", pk)


@require_safe
@login_required
def answer_follow_ups(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Questions to go on with: a part that the page asks for when the answer stands."""
    user = signed_in(request)
    context = {"questions": follow_ups(visible_answer(user, pk), user)}
    return render(request, "search/_follow_ups.html", context)


@require_safe
@login_required
def answer_text(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The answer as Markdown with numbered sources and their addresses, to be copied."""
    user = signed_in(request)
    text = export.answer_as_markdown(visible_answer(user, pk), user, request.build_absolute_uri)
    return HttpResponse(text, content_type=export.MARKDOWN)


@require_safe
@login_required
def answer_receipt(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How an answer came about."""
    user = signed_in(request)
    return render(request, "search/receipt.html", {"receipt": shown_receipt(visible_answer(user, pk), user)})


@require_POST
@login_required
def answer_replay(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The question asked again, and what is different. Nothing of it is stored."""
    user = signed_in(request)
    answer = visible_answer(user, pk)
    try:
        again = replaying.replay(answer=answer, user=user)
    except SearchError as error:
        messages.error(request, told(str(error)))
        return redirect("answer-receipt", pk)
    return render(request, "search/replay.html", {"answer": answer, **shown_replay(again)})


@require_safe
@login_required
def conversation_list(request: HttpRequest) -> HttpResponse:
    """Every conversation of the user, the latest first; those that ``find`` stands in."""
    find = searched(request)
    rows = matching(signed_in(request), find).counted()
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "find": find}
    return render_part(request, "search/conversation_list.html", "search/_conversation_list.html", context)


@require_safe
@login_required
def conversation_links(request: HttpRequest) -> HttpResponse:
    """The same for the narrow list beside an answer; ``current`` is the one that is open."""
    found = matching(signed_in(request), searched(request))[:BESIDE]
    context = {"conversations": found, "current": request.GET.get("current", "")}
    return render(request, "search/_conversation_links.html", context)


@require_POST
@login_required
def conversation_rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    conversation = visible_conversation(signed_in(request), pk)
    form = RenameForm(request.POST)
    if form.is_valid():
        conversations.conversation_rename(conversation=conversation, **form.cleaned_data)
    else:
        messages.error(request, _("A conversation needs a title of at most 200 characters."))
    return redirect("conversation-list") if in_list(request) else redirect("conversation-detail", pk)


@require_POST
@login_required
def conversation_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    conversation = visible_conversation(signed_in(request), pk)
    conversations.conversation_delete(conversation=conversation)
    messages.success(request, _("“%(title)s” was deleted.") % {"title": conversation.title})
    return redirect("conversation-list" if in_list(request) else "ask")


@require_safe
@login_required
def conversation_export(request: HttpRequest, pk: UUID, ending: str) -> HttpResponse:
    """The conversation as a file: ``md`` or ``json``."""
    user = signed_in(request)
    return export.download(request, visible_conversation(user, pk), user, ending)


def searched(request: HttpRequest) -> str:
    return " ".join(request.GET.get("find", "").replace("\x00", " ").split())[:FIND_LENGTH]


def matching(user: User, find: str) -> Any:
    mine = Conversation.objects.visible_to(user)
    return mine.about(find) if find else mine


def in_list(request: HttpRequest) -> bool:
    """Whether the form was on the list of conversations, and leads back to it."""
    return request.POST.get("next") == "list"


def visible_answer(user: User, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(user).select_related("conversation", "asked_by")
    return answers.settled(get_object_or_404(found, pk=pk))


def visible_conversation(user: User, pk: UUID) -> Conversation:
    found: Conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    return found
