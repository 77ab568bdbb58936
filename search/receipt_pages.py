"""What the pages show of receipts and replays: in words, with the addresses of passages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from search.models import Answer
from search.presentation import STAGES, passage_url
from search.receipts import receipt_json
from search.replaying import KEYS, Move, Replay, flat
from search.threads import shown_scope

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: What people call settings and versions, in the order that they are shown in.
NAMES = {
    "generator": _("Written by"),
    "embedding_model": _("Embedding model"),
    "reranker": _("Reranker"),
    "mode": _("Search mode"),
    "fallback": _("Written by another because"),
    "degraded": _("Out of service"),
    "portal": _("Portal"),
    "space.id": _("Embedding space"),
    "space.model": _("Model of the embedding space"),
    "space.revision": _("Revision of the embedding space"),
}
#: Times that are no stage of the search; they are shown after those.
TIMES = {
    "rewrite": _("standing alone"),
    "retrieval": _("until passages were found"),
    "assess": _("weighing sentences"),
    "generate": _("writing"),
    "first_token": _("until the first word"),
    "total": _("altogether"),
}
CHANGES = {
    "added": _("found today, not then"),
    "lost": _("found then, not today"),
    "changed": _("its text has changed"),
    "withdrawn": _("deleted, or no longer shared with you"),
}


def shown_receipt(answer: Answer, user: User) -> dict[str, Any]:
    receipt = receipt_json(answer, user)
    made_with = flat({**receipt["settings"], **without_corpus(receipt["versions"])})
    last = [name for name in TIMES if name in receipt["timings"]]
    timings = {name: receipt["timings"][name] for name in (*sorted({*receipt["timings"]} - {*last}), *last)}
    return {
        **receipt,
        "id": answer.pk,
        "asked_at": answer.created_at,
        "asked_in": shown_scope(answer.scope, user),
        "rewritten": receipt["standalone"] and receipt["standalone"] != answer.question,
        "passages": [shown_passage(row) for row in receipt["trace"]],
        "made_with": [(NAMES[name], said(made_with[name])) for name in NAMES if made_with.get(name)],
        "tuned_by": [(name, said(made_with[name])) for name in made_with if name not in (*NAMES, KEYS)],
        "times": [({**STAGES, **TIMES}.get(name, name), ms) for name, ms in timings.items()],
        "longest": max(timings.values(), default=0),
        "counted": flat(receipt["tokens"] or {}).items(),
    }


def without_corpus(versions: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (versions or {}).items() if name != "corpus"}


def name_of(setting: str) -> Any:
    """What people call a setting or a version; its own name where they have none for it."""
    if setting.startswith("corpus."):
        return _("State of the collection %(slug)s") % {"slug": setting.removeprefix("corpus.")}
    return NAMES.get(setting, setting)


def said(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def shown_passage(row: Mapping[str, Any]) -> dict[str, Any]:
    """A passage of the trace with its address, and its ranks in words."""
    if row.get("withdrawn"):
        return dict(row)
    ranks = [(STAGES.get(leg, leg), rank) for leg, rank in row["ranks"].items()]
    return {**row, "ranked": ranks, "url": address(row["document"]["id"], row)}


def address(document: Any, place: Mapping[str, Any]) -> str:
    """The document at the passage as it stands now, or at the page where it stood."""
    start, end = (place["start"], place["end"]) if place["chunk"] else (0, 0)
    return passage_url(document, page=place["page"], chunk=place["chunk"] or 0, start=start, end=end)


def shown_replay(replay: Replay) -> dict[str, Any]:
    return {
        "replay": replay,
        "documents": [(each, CHANGES[each.change]) for each in replay.documents],
        "passages": [shown_move(each) for each in replay.passages],
        "moved": sum(each.before != each.now for each in replay.passages),
        "settings": [(name_of(each.name), said(each.before), said(each.now)) for each in replay.settings],
        "nothing_changed": not (
            replay.wording_changed
            or replay.abstained_changed
            or replay.settings
            or replay.documents
            or any(each.before != each.now for each in replay.passages)
        ),
    }


def shown_move(move: Move) -> dict[str, Any]:
    place = {"chunk": move.chunk, "page": move.page, "start": move.start, "end": move.end}
    return {"move": move, "kind": kind_of(move), "url": address(move.document, place)}


def kind_of(move: Move) -> str:
    if move.before is None or move.now is None:
        return "gone" if move.now is None else "new"
    return "same" if move.before == move.now else "moved"
