"""Conversations: begun, gone on with, renamed, deleted; which of an answer's versions counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext

from documents.invisible import visible
from documents.models import Document
from search.exceptions import BadRequest, NotFound
from search.log import hub
from search.models import Answer, Conversation
from search.representation import readable_text
from search.runner import runner
from search.types import Turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TITLE_LENGTH = 200
HISTORY_TURNS = 4

State = Answer.State


def conversation_for(user: User, pk: UUID | None, question: str) -> Conversation:
    """The user's conversation, moved to the top of their list, or a new one named by its question."""
    if pk is None:
        return Conversation.objects.create(owner=user, title=" ".join(question.split())[:TITLE_LENGTH])
    found = Conversation.objects.visible_to(user).filter(pk=pk).first()
    if found is None:
        raise NotFound(gettext("There is no such conversation."))
    conversation_touch(conversation=found)
    return found


def conversation_touch(*, conversation: Conversation) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=Now())


def conversation_rename(*, conversation: Conversation, title: str) -> Conversation:
    title = " ".join(title.replace("\x00", " ").split())[:TITLE_LENGTH]
    if not title:
        raise BadRequest(gettext("A conversation needs a title."))
    conversation.title = title
    conversation.save(update_fields=["title", "updated_at"])
    return conversation


def conversation_delete(*, conversation: Conversation) -> None:
    """Remove a conversation with its answers and logs; running ones are stopped."""
    running = list(conversation.answers.filter(state=State.RUNNING).values_list("pk", flat=True))
    conversation.delete()
    for pk in running:
        runner.stop(pk)
        hub.kick(pk)


def conversations_delete(*, user: User) -> int:
    """All of a user's; how many there were."""
    found = list(Conversation.objects.visible_to(user))
    for conversation in found:
        conversation_delete(conversation=conversation)
    return len(found)


# --- Versions -------------------------------------------------------------------------------


def by_question(rows: Iterable[Answer]) -> list[list[Answer]]:
    """The versions of each question, oldest first, questions as they were first asked.

    ``rows`` in the order of their creation.
    """
    questions: list[list[Answer]] = []
    holder: dict[UUID, list[Answer]] = {}
    for row in rows:
        versions = holder.get(row.replaces_id) if row.replaces_id else None
        if versions is None:
            questions.append(versions := [])
        versions.append(row)
        holder[row.pk] = versions
    return questions


def versions_of(answer: Answer) -> list[Answer]:
    """All answers to the same question of the conversation, oldest first; ``answer`` is one of them."""
    rows = Answer.objects.filter(conversation=answer.conversation_id, asked_by=answer.asked_by_id)
    questions = by_question(rows.only("replaces", "state", "created_at"))
    return next(versions for versions in questions if answer in versions)


def standing(versions: Sequence[Answer]) -> Answer | None:
    """The version that a follow-up rests on: the newest that was written, else the newest that ended."""
    ended = [version for version in versions if version.state != State.RUNNING]
    written = [version for version in ended if version.state in (State.DONE, State.STOPPED)]
    return next(reversed(written or ended), None)


# --- History --------------------------------------------------------------------------------


def earlier(
    conversation: Conversation,
    user: User,
    *,
    before: Answer | None = None,
    as_of: datetime | None = None,
) -> list[Answer]:
    """The answers that a question follows up, oldest first; replaced ones are left out.

    ``before``: those of the questions that came before this answer's. ``as_of``: as it was at that time.
    """
    rows = conversation.answers.visible_to(user).only("pk", "replaces", "state", "created_at")
    questions = by_question(rows if as_of is None else rows.filter(created_at__lte=as_of))
    if before is not None:
        place = next(n for n, versions in enumerate(questions) if before in versions)
        questions = questions[:place]
    chosen = [row.pk for versions in questions if (row := standing(versions))][-HISTORY_TURNS:]
    found = Answer.objects.prefetch_related("citations").in_bulk(chosen)
    return [found[pk] for pk in chosen if pk in found]


def turns(conversation: Conversation, user: User, before: Answer | None = None) -> tuple[Turn, ...]:
    """The last questions and what may still be read of their answers, oldest first.

    With ``before`` those that this answer was written from.
    """
    as_of = before.created_at if before else None
    return told(earlier(conversation, user, before=before, as_of=as_of), user)


def told(rows: Iterable[Answer], user: User) -> tuple[Turn, ...]:
    return tuple(Turn(row.question, visible(readable_text(row, user))) for row in rows)


def carried(rows: Iterable[Answer], user: User) -> list[UUID]:
    """Documents whose text a follow-up to these answers may carry on. Only those that are still readable:
    of others nothing is told.
    """
    saw = {pk for row in rows for pk in row.seen}
    return sorted(Document.objects.visible_to(user).filter(pk__in=saw).values_list("pk", flat=True))
