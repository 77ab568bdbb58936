"""Questions that go on from an answer: made, without a model, of headings and names near what it cites.

Only those are offered that the portal would answer: each is looked for first, as if it had been asked.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.cache import cache
from django.db.models import Q
from django.utils.translation import gettext as _

from documents.models import Chunk
from documents.sentences import sentences
from search import pipeline
from search.anaphora import resolved
from search.answer_kind import names
from search.answers import scope_of
from search.exceptions import SearchError
from search.models import Answer
from search.representation import readable_text
from search.types import Turn
from search.words import WORD, content_words, stems

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Questions that are offered, and that are tried at most: each costs a search.
OFFERED = 3
TRIED = 6
#: Documents that are looked into, and passages of each on either side of what is cited.
DOCUMENTS = 3
AROUND = 12
KEPT_SECONDS = 60 * 60
LONGEST_SUBJECT = 80
LONGEST_TITLE = 60
#: A heading's number: "3.2", "IV.", "Chapter 7:". Of a heading that is no more than that nothing is left.
NUMBERING = re.compile(
    r"^(?:(?:chapter|section|part|page|appendix|slide|sheet|§|kapitel|abschnitt|teil|seite|anhang|folie|blatt)\s*)?"
    r"(?:\d+(?:\.\d+)*|[IVX]+)(?:[.):]?\s+|[.):]?$)",
    re.IGNORECASE,
)

Place = tuple[UUID, int]


def follow_ups(answer: Answer, reader: User) -> list[str]:
    """Questions to go on with, best first; none where nothing near would be answered."""
    if answer.state == Answer.State.RUNNING:
        return []
    history = (Turn(answer.question, readable_text(answer, reader)),)
    found = (each for each in islice(candidates(answer, reader), TRIED) if is_answered(each, history, answer))
    return list(islice(found, OFFERED))


def is_answered(question: str, history: Sequence[Turn], answer: Answer) -> bool:
    """Whether it would be answered, asked after ``answer`` and in its scope. Kept a while, without words."""
    digest = hashlib.sha256(f"{answer.pk}\0{question}".encode()).hexdigest()
    key = f"follow-up:{digest}"
    if (kept := cache.get(key)) is not None:
        return bool(kept)
    try:
        whole, scope = resolved(question, history), scope_of(answer)
        is_so = pipeline.would_answer(question=whole, user=answer.asked_by, filters=scope)
    except SearchError:
        is_so = False
    cache.set(key, is_so, KEPT_SECONDS)
    return is_so


def candidates(answer: Answer, reader: User) -> Iterator[str]:
    """Questions about subjects that the conversation has not been about, each subject once."""
    asked = stems(" ".join(answer.conversation.answers.values_list("question", flat=True)))
    near = passages_near(places_of(answer), reader)
    once: set[frozenset[str]] = set()
    for chunk, subject in subjects(near, own_too=answer.abstained):
        words = frozenset(stems(subject))
        fits = content_words(subject) and len(subject) <= LONGEST_SUBJECT
        if fits and not any(words <= known for known in (asked, *once)):
            once.add(words)
            yield worded(subject, chunk.document.title)


def places_of(answer: Answer) -> list[Place]:
    """The passages that the answer cites, or those that came closest; of ``DOCUMENTS`` documents at most."""
    cited = answer.citations.filter(withdrawn=False).exclude(document=None).values_list("chunk_id", flat=True)
    keys = list(cited) or [each["chunk"] for each in (answer.refusal or {}).get("closest", [])]
    found = {
        pk: (document, ordinal)
        for pk, document, ordinal in Chunk.objects.filter(pk__in=keys).values_list(
            "pk", "document_id", "ordinal"
        )
    }
    first: dict[UUID, int] = {}
    for document, ordinal in (found[key] for key in keys if key in found):
        first.setdefault(document, ordinal)
    return list(first.items())[:DOCUMENTS]


def passages_near(places: Sequence[Place], reader: User) -> list[tuple[int, Chunk]]:
    """With how far each is from what is cited, the nearest first."""
    if not places:
        return []
    around = Q()
    for document, ordinal in places:
        around |= Q(document=document, ordinal__range=(ordinal - AROUND, ordinal + AROUND))
    rows = Chunk.objects.visible_to(reader).filter(around).select_related("document")
    begun = dict(places)
    only = rows.only("text", "heading", "ordinal", "document__title")
    far = [(abs(chunk.ordinal - begun[chunk.document_id]), chunk) for chunk in only]
    return sorted(far, key=lambda each: (each[0], each[1].ordinal))


def subjects(near: Iterable[tuple[int, Chunk]], *, own_too: bool) -> Iterator[tuple[Chunk, str]]:
    """Headings of passages beside the cited ones (and their own with ``own_too``), then names in them."""
    near = list(near)
    for distance, chunk in near:
        if (distance or own_too) and chunk.heading:
            yield chunk, NUMBERING.sub("", chunk.heading[-1].strip())
    named = Counter((chunk.pk, name) for distance, chunk in near if distance <= 1 for name in named_in(chunk))
    by_key = {chunk.pk: chunk for _, chunk in near}
    for (pk, name), _times in named.most_common():
        yield by_key[pk], name


def named_in(chunk: Chunk) -> Iterator[str]:
    """Its names. A single word that only ever begins sentences has its capital from there."""
    begun = {WORD.search(chunk.text, start, end) for start, end in sentences(chunk.text)}
    begins = {word.start() for word in begun if word}
    found = [(start in begins, chunk.text[start:end]) for start, end in names(chunk.text)]
    within = {name for first, name in found if not first}
    for _first, name in found:
        if (name in within or " " in name) and NUMBERING.sub("", name):
            yield name


def worded(subject: str, title: str) -> str:
    """A heading that is a question already is asked as it stands."""
    if subject.endswith("?"):
        return subject
    if len(title) > LONGEST_TITLE or stems(subject) & stems(title):
        return _("What is said about “%(subject)s”?") % {"subject": subject}
    return _("What does “%(title)s” say about “%(subject)s”?") % {"title": title, "subject": subject}
