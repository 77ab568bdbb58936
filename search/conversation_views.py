"""Pages of one answer's way and of conversations: receipt, replay, another version, title, export."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from documents.told import told
from documents.views import signed_in
from search import answers, conversations, export, replaying
from search.exceptions import SearchError
from search.forms import RenameForm
from search.models import Answer, Conversation
from search.receipt_pages import shown_receipt, shown_replay
from search.threads import documents_titled


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


@require_POST
@login_required
def conversation_rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    conversation = visible_conversation(signed_in(request), pk)
    form = RenameForm(request.POST)
    if form.is_valid():
        conversations.conversation_rename(conversation=conversation, **form.cleaned_data)
    else:
        messages.error(request, _("A conversation needs a title of at most 200 characters."))
    return redirect("conversation-detail", pk)


@require_safe
@login_required
def conversation_export(request: HttpRequest, pk: UUID, ending: str) -> HttpResponse:
    """The conversation as a file: ``md`` or ``json``."""
    user = signed_in(request)
    return export.download(request, visible_conversation(user, pk), user, ending)


def visible_answer(user: User, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(user).select_related("conversation", "asked_by")
    return answers.settled(get_object_or_404(found, pk=pk))


def visible_conversation(user: User, pk: UUID) -> Conversation:
    found: Conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    return found
