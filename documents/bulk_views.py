"""One form for what is done to several documents at once: those that are ticked, or all that match."""

from __future__ import annotations

from collections import defaultdict
from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from documents import services, undo
from documents.answering import Tone, answer
from documents.forms import collection_label
from documents.listing import wanted_by
from documents.models import Collection, Document
from documents.services import Outcome
from documents.uploads import clean_tags

#: Of all that match so many at a time: each is changed while the browser waits.
MOST = 500


@require_POST
@login_required
def documents_bulk(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    documents, forbidden = chosen(request.POST, user)
    act = ACTS.get(request.POST.get("action", ""))
    if act is None or not (documents or forbidden):
        return answer(request, _("Choose documents first, and what is to be done with them."), tone="bad")
    return act(request, user, documents, forbidden)


def chosen(given: QueryDict, user: User) -> tuple[list[Document], int]:
    """The documents meant, and how many more were meant that the user may see but not change."""
    writable = Document.objects.writable_by(user)
    if given.get("all"):
        wanted = wanted_by(QueryDict(given.get("query", "")))
        return list(wanted.ordered(wanted.found(writable))[:MOST]), 0
    ids = [pk for pk in map(as_uuid, given.getlist("document")[:MOST]) if pk]
    found = list(writable.filter(pk__in=ids))
    return found, Document.objects.visible_to(user).filter(pk__in=ids).count() - len(found)


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def tag(request: HttpRequest, user: User, documents: list[Document], forbidden: int) -> HttpResponse:
    return tagged(request, user, documents, forbidden, on=True)


def untag(request: HttpRequest, user: User, documents: list[Document], forbidden: int) -> HttpResponse:
    return tagged(request, user, documents, forbidden, on=False)


def tagged(
    request: HttpRequest, user: User, documents: list[Document], forbidden: int, *, on: bool
) -> HttpResponse:
    tags = clean_tags([request.POST.get("tag", "")])
    if not tags:
        return answer(request, _("Write the tag first."), tone="bad")
    outcome = services.documents_tag(documents=documents, tag=tags[0], on=on, user=user)
    count = len(outcome.done)
    text = (
        ngettext("%(n)s document tagged “%(tag)s”.", "%(n)s documents tagged “%(tag)s”.", count)
        if on
        else ngettext("“%(tag)s” taken off %(n)s document.", "“%(tag)s” taken off %(n)s documents.", count)
    )
    deed = undo.tagging(outcome.done, tags[0], on)
    return told(request, text % {"n": count, "tag": tags[0]}, outcome, forbidden, deed)


def move(request: HttpRequest, user: User, documents: list[Document], forbidden: int) -> HttpResponse:
    slug = request.POST.get("to", "")
    collection = Collection.objects.writable_by(user).filter(slug=slug).first() if slug else None
    if collection is None:
        return answer(request, _("Choose a collection that you may add to."), tone="bad")
    former = {document.pk: document.collection_id for document in documents}
    outcome = services.documents_move(documents=documents, collection=collection, user=user)
    homes: dict[int, list[UUID]] = defaultdict(list)
    for pk in outcome.done:
        homes[former[pk]].append(pk)
    count = len(outcome.done)
    text = ngettext("%(n)s document moved to “%(to)s”.", "%(n)s documents moved to “%(to)s”.", count)
    text %= {"n": count, "to": collection_label(collection)}
    return told(request, text, outcome, forbidden, undo.moving(homes))


def reindex(request: HttpRequest, user: User, documents: list[Document], forbidden: int) -> HttpResponse:
    outcome = services.documents_reindex(documents=documents, user=user)
    count = len(outcome.done)
    text = ngettext("%(n)s document is read again.", "%(n)s documents are read again.", count)
    return told(request, text % {"n": count}, outcome, forbidden)


def delete(request: HttpRequest, user: User, documents: list[Document], forbidden: int) -> HttpResponse:
    outcome = services.documents_bin(documents=documents, user=user)
    count = len(outcome.done)
    text = ngettext("%(n)s document deleted.", "%(n)s documents deleted.", count) % {"n": count}
    return told(request, text, outcome, forbidden, undo.deletion(outcome.done))


ACTS = {"tag": tag, "untag": untag, "move": move, "reindex": reindex, "delete": delete}


def told(
    request: HttpRequest, text: str, outcome: Outcome, forbidden: int, deed: dict[str, object] | None = None
) -> HttpResponse:
    """What was done, what was not and why, and the way back."""
    if forbidden:
        outcome.refused[_("Your role in that collection does not allow it.")] = forbidden
    sentences = [text, *undo.refusals(outcome)] if outcome.done else undo.refusals(outcome)
    address = undo.remember(request, deed) if deed and outcome.done else ""
    tone: Tone = "good" if outcome.done and not outcome.refused else "bad" if outcome.refused else "plain"
    return answer(request, " ".join(sentences) or _("There was nothing to do."), tone=tone, undo=address)
