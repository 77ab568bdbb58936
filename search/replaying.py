"""A stored answer asked again today, and what is different: documents, ranks, settings, wording, refusal."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from search import pipeline
from search.answers import scope_of
from search.conversations import turns
from search.models import Answer
from search.receipts import passages_json
from search.representation import readable_text
from search.types import Outcome

if TYPE_CHECKING:
    from django.contrib.auth.models import User

JSON = dict[str, Any]
DocumentChange = Literal["added", "lost", "changed", "withdrawn"]

#: The setting that says nothing in a comparison: keys of passages, which are new when they are cut anew.
KEYS = "sources"


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """A document among the passages of one run only, one whose text is another now, or (without its id) one
    that is gone or no longer shared.
    """

    document: UUID | None
    title: str
    change: DocumentChange


@dataclass(frozen=True, slots=True)
class Move:
    """A passage's rank then and now, from 1; None where it was not retrieved. ``chunk`` as it is now."""

    document: UUID
    title: str
    page: int
    chunk: int | None
    start: int
    end: int
    content_hash: str
    before: int | None
    now: int | None


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    name: str
    before: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Words:
    """A run of words that both answers have, or only the one before (``removed``) or now (``added``)."""

    text: str
    change: Literal["same", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored answer, asked again: the fresh outcome and what is different.

    ``documents_added`` and ``documents_removed`` are those that are cited; the rest is of what was retrieved.
    ``compared`` is false for an answer that was stored before receipts were kept.
    """

    answer: Answer
    outcome: Outcome
    documents_added: tuple[UUID, ...]
    documents_removed: tuple[UUID, ...]
    wording_changed: bool
    abstained_changed: bool
    compared: bool
    documents: tuple[ChangedDocument, ...]
    passages: tuple[Move, ...]
    settings: tuple[ChangedSetting, ...]
    wording: tuple[Words, ...]
    refusal: tuple[str | None, str | None]


def replay(*, answer: Answer, user: User) -> Replay:
    """Ask again, with today's documents and settings; the stored answer stays as it is."""
    history = turns(answer.conversation, user, before=answer)
    outcome = pipeline.answer(question=answer.question, user=user, filters=scope_of(answer), history=history)
    cited = set(answer.citations.exclude(document=None).values_list("document_id", flat=True))
    cited_now = {evidence.hit.document_id for evidence in outcome.evidence}
    receipt: JSON = answer.receipt
    before = passages_json(receipt.get("trace", []), user)
    now = passages_json(outcome.receipt.get("trace", []), user)
    return Replay(
        answer=answer,
        outcome=outcome,
        documents_added=tuple(sorted(cited_now - cited)),
        documents_removed=tuple(sorted(cited - cited_now)),
        wording_changed=outcome.text != answer.text,
        abstained_changed=outcome.abstained != answer.abstained,
        compared="trace" in receipt,
        documents=changed_documents(receipt.get("trace", []), before, now) if "trace" in receipt else (),
        passages=moves(before, now) if "trace" in receipt else (),
        settings=changed_settings(
            settings_of(answer.settings, receipt), settings_of(outcome.settings, outcome.receipt)
        ),
        wording=changed_words(readable_text(answer, user), outcome.text),
        refusal=(
            (answer.refusal or {}).get("code"),
            outcome.refusal.code if outcome.refusal else None,
        ),
    )


# --- Documents and passages -------------------------------------------------------------------


def changed_documents(
    kept: Sequence[Mapping[str, Any]], before: Sequence[JSON], now: Sequence[JSON]
) -> tuple[ChangedDocument, ...]:
    """``before`` and ``now`` as their reader sees them, ``kept`` as it was stored."""
    titles = {row["document"]["id"]: row["document"]["title"] for row in (*now, *before) if row["document"]}
    then = [row["document"]["id"] for row in before if row["document"]]
    today = [row["document"]["id"] for row in now if row["document"]]
    changed = [row["document"]["id"] for row in before if row.get("changed")]
    kinds: dict[str, DocumentChange] = {
        **{pk: "added" for pk in today if pk not in then},
        **{pk: "lost" for pk in then if pk not in today},
        **dict.fromkeys(changed, "changed"),
    }
    gone = {row["document"] for row, shown in zip(kept, before, strict=True) if shown.get("withdrawn")}
    seen = [ChangedDocument(UUID(pk), titles[pk], kind) for pk, kind in kinds.items()]
    return (*seen, *(ChangedDocument(None, "", "withdrawn") for _ in gone))


def moves(before: Sequence[JSON], now: Sequence[JSON]) -> tuple[Move, ...]:
    """Every passage of both runs that may be seen, those of today first, by rank."""
    then, today = by_words(before), by_words(now)
    found = [
        move(row, then[key]["rank"] if key in then else None, today[key]["rank"] if key in today else None)
        for key, row in (then | today).items()
    ]
    return tuple(sorted(found, key=lambda each: (each.now is None, each.now or each.before)))


def by_words(rows: Iterable[JSON]) -> dict[tuple[str, str, int], JSON]:
    """Passages by what they say: keys and places change when a document is read again.

    The same words may stand in a document more than once: the first of them is matched with the first.
    """
    times: Counter[tuple[str, str]] = Counter()
    found = {}
    for row in rows:
        if row["document"]:
            said = (row["document"]["id"], row["content_hash"])
            times[said] += 1
            found[(*said, times[said])] = row
    return found


def move(row: JSON, before: int | None, now: int | None) -> Move:
    return Move(
        document=UUID(row["document"]["id"]),
        title=row["document"]["title"],
        page=row["page"],
        chunk=row["chunk"],
        start=row["start"],
        end=row["end"],
        content_hash=row["content_hash"],
        before=before,
        now=now,
    )


# --- Settings and words -----------------------------------------------------------------------


def settings_of(settings: Mapping[str, Any], receipt: Mapping[str, Any]) -> JSON:
    """Models, settings and versions, flat: ``fusion.keyword``, ``corpus.research``."""
    comparable = {name: value for name, value in settings.items() if name != KEYS}
    return flat({**comparable, **receipt.get("versions", {})})


def flat(tree: Mapping[str, Any], prefix: str = "") -> JSON:
    found: JSON = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def changed_settings(before: JSON, now: JSON) -> tuple[ChangedSetting, ...]:
    return tuple(
        ChangedSetting(name, before.get(name), now.get(name))
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name)
    )


def changed_words(before: str, now: str) -> tuple[Words, ...]:
    """The two texts as one, word by word."""
    old, new = before.split(), now.split()
    found: list[Words] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Words(" ".join(old[i1:i2]), "same"))
            continue
        if i2 > i1:
            found.append(Words(" ".join(old[i1:i2]), "removed"))
        if j2 > j1:
            found.append(Words(" ".join(new[j1:j2]), "added"))
    return tuple(found)
