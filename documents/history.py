"""The history of a document in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from documents.forms import collection_label
from documents.models import Collection, Document, DocumentEvent, EventKind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

STEP = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """``who`` is empty where the portal did it, or somebody whose account is gone."""

    kind: str
    text: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """The newest first. ``older``: where the next part begins, if there is one."""

    entries: list[Entry]
    older: int | None


def history_of(document: Document, user: User, before: int | None = None) -> History:
    events = DocumentEvent.objects.filter(document=document).select_related("user")
    if before is not None:
        events = events.filter(pk__lt=before)
    rows = list(events[: STEP + 1])
    shown = rows[:STEP]
    names = names_of(shown, user)
    entries = [
        Entry(event.kind, sentence(event, names), event.user.get_username() if event.user else "", event.at)
        for event in shown
    ]
    return History(entries, shown[-1].pk if len(rows) > STEP else None)


def names_of(events: list[DocumentEvent], user: User) -> dict[int, str]:
    """Of collections that it was moved from and to, as far as the reader may see them."""
    wanted = {event.details[end] for event in events if event.kind == EventKind.MOVED for end in ENDS}
    if not wanted:
        return {}
    visible = Collection.objects.visible_to(user).filter(pk__in=wanted)
    return {collection.pk: str(collection_label(collection)) for collection in visible}


ENDS = ("former", "now")


def sentence(event: DocumentEvent, names: dict[int, str]) -> str:
    details: dict[str, Any] = event.details
    if event.kind == EventKind.READ:
        return read(details)
    if event.kind == EventKind.FAILED:
        words = _("Could not be read again; what was read before serves on: %(reason)s")
        return (words if details["serves"] else _("Could not be read: %(reason)s")) % details
    if event.kind == EventKind.MOVED:
        return moved(*(names.get(details[end], "") for end in ENDS))
    if event.kind == EventKind.TAGGED:
        return tagged(details)
    if event.kind == EventKind.DESCRIBED:
        return described(details["field"])
    return plain(event.kind) % details


def plain(kind: str) -> str:
    return {
        EventKind.UPLOADED: _("Uploaded as “%(filename)s”"),
        EventKind.REPLACED: _("File replaced by “%(filename)s”"),
        EventKind.RENAMED: _("Renamed from “%(former)s” to “%(now)s”"),
        EventKind.REINDEXED: _("Reading asked for once more"),
        EventKind.CANCELLED: _("Reading cancelled"),
    }[EventKind(kind)]


def read(details: dict[str, Any]) -> str:
    pages = ngettext("%(n)s page", "%(n)s pages", details["pages"]) % {"n": f"{details['pages']:,}"}
    passages = ngettext("%(n)s passage", "%(n)s passages", details["passages"])
    passages %= {"n": f"{details['passages']:,}"}
    return _("Read: %(pages)s, %(passages)s") % {"pages": pages, "passages": passages}


def moved(former: str, now: str) -> str:
    if former and now:
        return _("Moved from “%(former)s” to “%(now)s”") % {"former": former, "now": now}
    return _("Moved to “%(now)s”") % {"now": now} if now else _("Moved to another collection")


def tagged(details: dict[str, Any]) -> str:
    signed = [f"+{tag}" for tag in details["added"]] + [f"−{tag}" for tag in details["removed"]]
    return _("Tags changed: %(tags)s") % {"tags": ", ".join(signed)} if signed else _("Tags put in order")


def described(field: str) -> str:
    return {
        "dated": _("Date changed"),
        "language": _("Language changed"),
        "details": _("Details changed"),
    }[field]
