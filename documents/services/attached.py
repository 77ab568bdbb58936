"""Which documents are there only because a mail has them attached."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F

from documents.models import Attachment, Document


def tree_of(message: UUID) -> set[UUID]:
    """The document and all that came with it alone: attachments that nobody asked for by themselves, that
    no other mail has, and that lie in the same collection; and what came with these."""
    tree = {message}
    while found := brought_by(tree):
        tree |= found
    return tree


def brought_by(messages: Iterable[UUID]) -> set[UUID]:
    tree = set(messages)
    links = Attachment.objects.filter(message__in=tree, document__only_attached=True)
    links = links.filter(message__collection=F("document__collection"))
    candidates = set(links.values_list("document", flat=True)) - tree
    others = Attachment.objects.filter(document__in=candidates).exclude(message__in=tree)
    return candidates - set(others.values_list("document", flat=True))


def locked_tree(document: UUID) -> list[Document]:
    """``tree_of`` the document, locked in one order for all, the document itself first in the list.

    Empty when it is gone. Asked once more under the locks: another mail may have got one of them since.
    """
    rows = Document.objects.select_for_update(of=("self",)).filter(pk__in=tree_of(document)).order_by("pk")
    locked = {row.pk: row for row in rows}
    if document not in locked:
        return []
    still = tree_of(document)
    return [locked[document], *(row for pk, row in locked.items() if pk in still and pk != document)]
