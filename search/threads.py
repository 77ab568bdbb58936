"""What the pages show of a conversation: its answers, each with its versions, and what is asked in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from documents.models import Collection, Document
from search.conversations import by_question, versions_of
from search.models import Answer, Conversation, Feedback
from search.presentation import shown_answer

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Documents to choose from.
FOUND = 8
#: Questions of a conversation that are shown at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is narrowed to, as far as its asker sees it; both empty: nothing."""

    collections: Sequence[Collection] = ()
    documents: Sequence[Document] = ()

    def __bool__(self) -> bool:
        return bool(self.collections or self.documents)


@dataclass(frozen=True, slots=True)
class Thread:
    """Answers as they are shown, and how many questions came before them."""

    answers: list[dict[str, Any]]
    before: int = 0


def shown_thread(conversation: Conversation, user: User, current: Answer, *, whole: bool = False) -> Thread:
    """The newest answer to each question; in the place of ``current``'s question that version itself.

    Of a long conversation the last questions, from ``current``'s on at the latest; all of them if ``whole``.
    """
    questions = by_question(conversation.answers.visible_to(user))
    begin = 0 if whole else begin_of(questions, current)
    chosen = [(current if current in versions else versions[-1], versions) for versions in questions[begin:]]
    shown = [with_versions(row, versions, user) for row, versions in chosen]
    if shown:
        shown[-1]["is_last"] = True
    return Thread(shown, begin)


def begin_of(questions: Sequence[Sequence[Answer]], current: Answer) -> int:
    place = next(n for n, versions in enumerate(questions) if current in versions)
    return max(min(place - 1, len(questions) - AT_ONCE), 0)


def shown_alone(answer: Answer, user: User) -> dict[str, Any]:
    newer = answer.conversation.answers.filter(created_at__gt=answer.created_at)
    return {**with_versions(answer, versions_of(answer), user), "is_last": not newer.exists()}


def with_versions(answer: Answer, versions: Sequence[Answer], user: User) -> dict[str, Any]:
    numbered = [
        {"n": n, "id": version.pk, "current": version == answer} for n, version in enumerate(versions, 1)
    ]
    return {
        **shown_answer(answer, user),
        "versions": numbered if len(numbered) > 1 else [],
        "replaced": versions[-1] != answer,
        "reasons": Feedback.Category.choices,
    }


def scope_of_last(conversation: Conversation, user: User) -> Scope:
    """What the last question was narrowed to: the next one is too, unless somebody says otherwise."""
    last = conversation.answers.visible_to(user).last()
    return shown_scope(last.scope, user) if last else Scope()


def shown_scope(scope: dict[str, Any], user: User) -> Scope:
    """As it is kept with an answer: {"collections": [slug], "documents": [id]}."""
    documents = [UUID(pk) for pk in scope.get("documents", [])]
    return scoped(user, scope.get("collections", []), documents)


def scoped(user: User, collections: Iterable[str], documents: Iterable[UUID]) -> Scope:
    return Scope(
        list(Collection.objects.visible_to(user).filter(slug__in=list(collections))),
        list(Document.objects.visible_to(user).filter(pk__in=list(documents))),
    )


def documents_titled(text: str, user: User, without: Iterable[Document] = ()) -> list[Document]:
    """Ready documents to ask about, by a part of their title; none for no text."""
    if not (wanted := " ".join(text.replace("\x00", " ").split())):
        return []
    found = Document.objects.visible_to(user).matching(text=wanted, status="ready")
    return list(found.exclude(pk__in=[each.pk for each in without])[:FOUND])
