"""Questions asked, asked once more, stopped, rated: what the doors call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext

from documents.models import Collection, Document
from search import recording
from search.aside import step_aside
from search.conversations import (
    HISTORY_TURNS,
    carried,
    conversation_for,
    conversation_touch,
    earlier,
    told,
    versions_of,
)
from search.exceptions import BadRequest, NotFound
from search.models import Answer, Conversation, Feedback
from search.runner import runner
from search.types import Filters, Turn
from search.words import clean

if TYPE_CHECKING:
    from django.contrib.auth.models import User

QUESTION_LENGTH = 4000
ANSWER_LENGTH = 8000
WAIT_SECONDS = 120.0


def ask(
    *,
    user: User,
    question: str,
    conversation: UUID | None = None,
    collections: Sequence[str] = (),
    documents: Sequence[UUID] = (),
    told_before: Sequence[Turn] = (),
) -> Answer:
    """Begin to answer. The row and the first event are there when this returns.

    ``told_before`` are turns that the caller tells of, oldest first; those of a stored conversation win.
    Raises ``NotFound`` for what the user may not see, ``BadRequest``, ``TooManyAnswers``.
    """
    question = checked_question(question)
    filters = checked_filters(user, collections, documents)
    runner.check_room()
    scope = {"collections": list(collections), "documents": [str(pk) for pk in documents]}
    with transaction.atomic():
        thread = conversation_for(user, conversation, question)
        answer = Answer(conversation=thread, asked_by=user, question=question, scope=scope)
        return begun(answer, filters, earlier(thread, user) if conversation else (), given_turns(told_before))


def regenerate(*, answer: Answer, user: User) -> Answer:
    """Ask once more in the same conversation and scope: the new answer replaces the newest of this question.

    Raises as ``ask`` does, and ``BadRequest`` while one is being written.
    """
    filters = scope_of(answer)
    checked_filters(user, filters.collections, filters.documents)
    runner.check_room()
    with transaction.atomic():
        # One after the other: versions are a line, each replaces the one before.
        Conversation.objects.select_for_update().get(pk=answer.conversation_id)
        newest = versions_of(answer)[-1]
        if newest.state == Answer.State.RUNNING:
            raise BadRequest(gettext("This question is being answered at the moment."))
        conversation_touch(conversation=answer.conversation)
        again = Answer(
            conversation=answer.conversation,
            asked_by=user,
            question=answer.question,
            scope=answer.scope,
            replaces=newest,
        )
        return begun(again, filters, earlier(answer.conversation, user, before=answer))


def begun(answer: Answer, filters: Filters, history: Sequence[Answer], given: Sequence[Turn] = ()) -> Answer:
    """``answer`` stored, with the first event of its log; it is written once that is committed.

    One that ``replaces`` another is asked for to be written anew, whatever is kept of the same question.
    """
    user = answer.asked_by
    answer.seen = carried(history, user)
    answer.save(force_insert=True)
    recording.event_append(
        answer=answer.pk,
        seq=1,
        type="started",
        payload={"conversation": str(answer.conversation_id), "question": answer.question},
    )
    turns = told(history, user) or tuple(given)
    transaction.on_commit(lambda: runner.start(answer, user, filters, turns))
    return answer


def wait(answer: Answer, timeout: float = WAIT_SECONDS) -> Answer:
    """The answer in its end state, or as it is when the time is up. Holds no connection meanwhile."""
    if not connection.in_atomic_block:
        connection.close()
    step_aside.get()()
    runner.wait(answer.pk, timeout)
    return Answer.objects.get(pk=answer.pk)


def settled(answer: Answer) -> Answer:
    """The answer, ended as interrupted when the process that wrote it is gone."""
    if answer.state == Answer.State.RUNNING and recording.answer_interrupt(answer=answer.pk):
        answer.refresh_from_db()
    return answer


def stop(*, answer: Answer) -> None:
    """Ask for the end, in whichever process the answer is written. What was written stays."""
    Answer.objects.filter(pk=answer.pk, state=Answer.State.RUNNING).update(stop_requested=True)
    runner.stop(answer.pk)


def give_feedback(*, answer: Answer, rating: int, reason: str = "", category: str = "") -> Feedback:
    """Rate an answer; a second rating replaces the first. ``category`` says what was wrong with it."""
    if rating not in (-1, 1):
        raise BadRequest("A rating is 1 or -1.")
    if category and (rating == 1 or category not in Feedback.Category.values):
        known = ", ".join(Feedback.Category.values)
        raise BadRequest(f"A category says what was wrong, with a rating of -1. There are: {known}.")
    given, _ = Feedback.objects.update_or_create(
        answer=answer,
        defaults={"rating": rating, "reason": reason.replace("\x00", "")[:2000], "category": category},
    )
    return given


def given_turns(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The last of the turns that a caller tells of, each cut to what a stored one may hold at most."""
    return tuple(
        Turn(clean(turn.question[:QUESTION_LENGTH]), clean(turn.answer[:ANSWER_LENGTH]))
        for turn in turns[-HISTORY_TURNS:]
    )


# --- What was asked for, checked --------------------------------------------------------------


def checked_question(question: str) -> str:
    cleaned = question.replace("\x00", " ").encode("utf-8", "ignore").decode().strip()
    if not cleaned:
        raise BadRequest(gettext("The question is empty."))
    if len(cleaned) > QUESTION_LENGTH:
        raise BadRequest(gettext("The question is longer than %s characters.") % QUESTION_LENGTH)
    return cleaned


def checked_filters(user: User, collections: Sequence[str], documents: Sequence[UUID]) -> Filters:
    """The scope of a question. What the user may not see is refused like what does not exist."""
    slugs, ids = set(collections), set(documents)
    if slugs and Collection.objects.visible_to(user).filter(slug__in=slugs).count() < len(slugs):
        raise NotFound(gettext("There is no such collection."))
    if ids and Document.objects.visible_to(user).filter(pk__in=ids).count() < len(ids):
        raise NotFound(gettext("There is no such document."))
    return Filters(collections=tuple(collections), documents=tuple(documents))


def scope_of(answer: Answer) -> Filters:
    """What a stored answer was narrowed to."""
    documents = tuple(UUID(pk) for pk in answer.scope.get("documents", []))
    return Filters(collections=tuple(answer.scope.get("collections", [])), documents=documents)
