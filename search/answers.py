"""Questions asked, stopped, rated, asked again: what the doors call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from documents.models import Collection, Document
from search import pipeline, recording
from search.exceptions import BadRequest, NotFound
from search.log import hub
from search.models import Answer, Conversation, Feedback
from search.representation import readable_text
from search.runner import runner
from search.types import Filters, Outcome, Turn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

QUESTION_LENGTH = 4000
TITLE_LENGTH = 200
HISTORY_TURNS = 4
WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored answer, asked again: the fresh outcome and what is different."""

    answer: Answer
    outcome: Outcome
    documents_added: tuple[UUID, ...]
    documents_removed: tuple[UUID, ...]
    wording_changed: bool
    abstained_changed: bool


def ask(
    *,
    user: User,
    question: str,
    conversation: UUID | None = None,
    collections: Sequence[str] = (),
    documents: Sequence[UUID] = (),
) -> Answer:
    """Begin to answer. The row and the first event are there when this returns.

    Raises ``NotFound`` for what the user may not see, ``BadRequest``, ``TooManyAnswers``.
    """
    question = checked_question(question)
    filters = checked_filters(user, collections, documents)
    runner.check_room()
    with transaction.atomic():
        thread = conversation_for(user, conversation, question)
        history = turns(thread, user) if conversation else ()
        answer = Answer.objects.create(
            conversation=thread,
            asked_by=user,
            question=question,
            scope={"collections": list(collections), "documents": [str(pk) for pk in documents]},
        )
        recording.event_append(
            answer=answer.pk,
            seq=1,
            type="started",
            payload={"conversation": str(thread.pk), "question": question},
        )
        transaction.on_commit(lambda: runner.start(answer, user, filters, history))
    return answer


def wait(answer: Answer, timeout: float = WAIT_SECONDS) -> Answer:
    """The answer in its end state, or as it is when the time is up. Holds no connection meanwhile."""
    if not connection.in_atomic_block:
        connection.close()
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


def give_feedback(*, answer: Answer, rating: int, reason: str = "") -> Feedback:
    """Rate an answer; a second rating replaces the first."""
    if rating not in (-1, 1):
        raise BadRequest("A rating is 1 or -1.")
    given, _ = Feedback.objects.update_or_create(
        answer=answer, defaults={"rating": rating, "reason": reason.replace("\x00", "")[:2000]}
    )
    return given


def replay(*, answer: Answer, user: User) -> Replay:
    """Ask again, with today's documents and settings; the stored answer stays as it is."""
    collections = answer.scope.get("collections", [])
    documents = [UUID(pk) for pk in answer.scope.get("documents", [])]
    filters = Filters(collections=tuple(collections), documents=tuple(documents))
    history = turns(answer.conversation, user, before=answer)
    outcome = pipeline.answer(question=answer.question, user=user, filters=filters, history=history)
    before = set(answer.citations.exclude(document=None).values_list("document_id", flat=True))
    now = {evidence.hit.document_id for evidence in outcome.evidence}
    return Replay(
        answer=answer,
        outcome=outcome,
        documents_added=tuple(sorted(now - before)),
        documents_removed=tuple(sorted(before - now)),
        wording_changed=outcome.text != answer.text,
        abstained_changed=outcome.abstained != answer.abstained,
    )


# --- Conversations --------------------------------------------------------------------------


def conversation_for(user: User, pk: UUID | None, question: str) -> Conversation:
    """The user's conversation, moved to the top of their list, or a new one named by its question."""
    if pk is None:
        return Conversation.objects.create(owner=user, title=" ".join(question.split())[:TITLE_LENGTH])
    found = Conversation.objects.visible_to(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such conversation.")
    Conversation.objects.filter(pk=pk).update(updated_at=Now())
    return found


def turns(conversation: Conversation, user: User, before: Answer | None = None) -> tuple[Turn, ...]:
    """The last questions of the conversation and what may still be read of their answers, oldest first."""
    earlier = conversation.answers.visible_to(user).exclude(state=Answer.State.RUNNING)
    if before is not None:
        earlier = earlier.filter(created_at__lt=before.created_at)
    rows = earlier.order_by("-created_at").prefetch_related("citations")[:HISTORY_TURNS]
    return tuple(Turn(row.question, readable_text(row, user)) for row in reversed(rows))


def conversation_rename(*, conversation: Conversation, title: str) -> Conversation:
    title = " ".join(title.replace("\x00", " ").split())[:TITLE_LENGTH]
    if not title:
        raise BadRequest("A conversation needs a title.")
    conversation.title = title
    conversation.save(update_fields=["title", "updated_at"])
    return conversation


def conversation_delete(*, conversation: Conversation) -> None:
    """Remove a conversation with its answers and logs; running ones are stopped."""
    running = list(conversation.answers.filter(state=Answer.State.RUNNING).values_list("pk", flat=True))
    conversation.delete()
    for pk in running:
        runner.stop(pk)
        hub.kick(pk)


# --- What was asked for, checked --------------------------------------------------------------


def checked_question(question: str) -> str:
    cleaned = question.replace("\x00", " ").encode("utf-8", "ignore").decode().strip()
    if not cleaned:
        raise BadRequest("The question is empty.")
    if len(cleaned) > QUESTION_LENGTH:
        raise BadRequest(f"The question is longer than {QUESTION_LENGTH} characters.")
    return cleaned


def checked_filters(user: User, collections: Sequence[str], documents: Sequence[UUID]) -> Filters:
    """The scope of a question. What the user may not see is refused like what does not exist."""
    slugs, ids = set(collections), set(documents)
    if slugs and Collection.objects.visible_to(user).filter(slug__in=slugs).count() < len(slugs):
        raise NotFound("There is no such collection.")
    if ids and Document.objects.visible_to(user).filter(pk__in=ids).count() < len(ids):
        raise NotFound("There is no such document.")
    return Filters(collections=tuple(collections), documents=tuple(documents))
