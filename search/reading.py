"""Small to find, large to read: hits that stand side by side on a page are read as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from documents.models import Page
from search.types import Hit


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, neighbours in one: at the place and under the name of the best of them.

    A sentence that two passages share is read once, and one that runs on from the first is understood. The
    ``parts`` of a joined hit are the passages themselves: each citation names the one that holds its words.
    """
    groups: list[list[Hit]] = []
    for hit in hits:
        beside = [group for group in groups if any(are_neighbours(hit, other) for other in group)]
        for group in beside[1:]:
            beside[0].extend(group)
            groups.remove(group)
        if beside:
            beside[0].append(hit)
        else:
            groups.append([hit])
    texts = page_texts([group[0] for group in groups if len(group) > 1])
    return [one_of(group, texts.get((group[0].document_id, group[0].page), "")) for group in groups]


def are_neighbours(one: Hit, other: Hit) -> bool:
    same_page = (one.document_id, one.page) == (other.document_id, other.page)
    return same_page and abs(one.ordinal - other.ordinal) == 1


def page_texts(hits: Sequence[Hit]) -> dict[tuple[object, int], str]:
    """The texts of the pages on which these hits stand."""
    wanted = {(hit.document_id, hit.page) for hit in hits}
    if not wanted:
        return {}
    rows = Page.objects.filter(
        document_id__in={document for document, _ in wanted}, number__in={page for _, page in wanted}
    ).values_list("document_id", "number", "text")
    return {(document, number): text for document, number, text in rows if (document, number) in wanted}


def one_of(group: Sequence[Hit], page: str) -> Hit:
    best = group[0]
    start, end = min(hit.start for hit in group), max(hit.end for hit in group)
    if len(group) == 1 or page[best.start : best.end] != best.text:
        return best
    parts = tuple(sorted(group, key=lambda hit: hit.ordinal))
    boxes = tuple(dict.fromkeys(box for part in parts for box in part.boxes))
    return replace(best, start=start, end=end, text=page[start:end], boxes=boxes, highlights=(), parts=parts)
