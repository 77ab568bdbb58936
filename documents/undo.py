"""Taking back what was just done to documents. What that was is kept in the session of who did it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from documents import services
from documents.answering import answer
from documents.models import Collection, Document
from documents.services import Outcome
from documents.told import told as reasoned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

KEY = "undo"
#: Deeds that one session remembers.
MOST = 5


def remember(request: HttpRequest, deed: Mapping[str, Any]) -> str:
    """The address that takes ``deed`` back."""
    token = secrets.token_urlsafe(9)
    kept = list(request.session.get(KEY, {}).items())[-MOST + 1 :]
    request.session[KEY] = {**dict(kept), token: deed}
    return reverse("documents-undo", args=[token])


def deletion(documents: Iterable[UUID]) -> dict[str, Any]:
    return {"act": "delete", "documents": [str(pk) for pk in documents]}


def tagging(documents: Iterable[UUID], tag: str, on: bool) -> dict[str, Any]:
    return {"act": "tag", "documents": [str(pk) for pk in documents], "tag": tag, "on": on}


def moving(homes: Mapping[int, Iterable[UUID]]) -> dict[str, Any]:
    """``homes``: collection → the documents that were in it."""
    return {"act": "move", "homes": [[home, [str(pk) for pk in found]] for home, found in homes.items()]}


@require_POST
@login_required
def documents_undo(request: HttpRequest, token: str) -> HttpResponse:
    deeds = request.session.get(KEY, {})
    deed = deeds.pop(token, None)
    request.session.modified = True
    if deed is None:
        return answer(request, _("That can no longer be undone."), tone="bad")
    outcome = TAKEN_BACK[deed["act"]](deed, cast(User, request.user))
    return answer(request, told(outcome), tone="bad" if outcome.refused else "good")


def told(outcome: Outcome) -> str:
    count = len(outcome.done)
    said = [ngettext("Undone for %(n)s document.", "Undone for %(n)s documents.", count) % {"n": count}]
    return " ".join([*(said if count else []), *refusals(outcome)]) or _("That can no longer be undone.")


def refusals(outcome: Outcome) -> list[str]:
    return [
        _("%(n)s not: %(reason)s") % {"n": count, "reason": reasoned(reason)}
        for reason, count in outcome.refused.items()
    ]


def brought_back(deed: Mapping[str, Any], user: User) -> Outcome:
    homes = Collection.objects.writable_by(user)
    binned = Document.objects.filter(pk__in=deed["documents"], collection__bin_of__in=homes.values("pk"))
    outcome = services.documents_unbin(documents=binned)
    late = len(deed["documents"]) - len(outcome.done) - sum(outcome.refused.values())
    # What came with a mail came back with it.
    late -= (
        Document.objects.writable_by(user)
        .filter(pk__in=deed["documents"])
        .exclude(pk__in=outcome.done)
        .count()
    )
    if late > 0:
        outcome.refused[_("It is too late, they are deleted for good.")] = late
    return outcome


def moved_back(deed: Mapping[str, Any], user: User) -> Outcome:
    total = Outcome()
    for home, found in deed["homes"]:
        collection = Collection.objects.writable_by(user).filter(pk=home).first()
        if collection is None:
            total.refused[_("You may not add to that collection any more.")] = len(found)
            continue
        documents = Document.objects.writable_by(user).filter(pk__in=found)
        total = total.with_(services.documents_move(documents=documents, collection=collection, user=user))
    return total


def tagged_back(deed: Mapping[str, Any], user: User) -> Outcome:
    documents = Document.objects.writable_by(user).filter(pk__in=deed["documents"])
    return services.documents_tag(documents=documents, tag=deed["tag"], on=not deed["on"], user=user)


TAKEN_BACK = {"delete": brought_back, "move": moved_back, "tag": tagged_back}
