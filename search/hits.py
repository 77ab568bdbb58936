"""What the page of a search shows of its hits: an excerpt, a picture's place, and why each was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.humanize.templatetags.humanize import ordinal
from django.http import QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from documents.models import Document
from documents.quoting import quoted
from search.navigation import address
from search.presentation import passage_url
from search.rendering import passage
from search.types import Hit, SearchResult

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Characters before the first highlighted word that an excerpt may begin with.
LEAD = 160
#: Words that were found, as far as they are told.
WORDS = 5


@dataclass(frozen=True, slots=True)
class ShownHit:
    """A hit as the page shows it."""

    hit: Hit
    document: Document | None
    text: SafeString
    url: str
    reasons: list[str]
    #: Passages of the same document that gave way to others, told at its last one, and where they all are.
    held_back: int = 0
    more_url: str = ""


def shown_hits(result: SearchResult, user: User, given: QueryDict) -> list[ShownHit]:
    """Hits with their documents, which are fetched in one query."""
    last = {hit.document_id: hit.rank for hit in result.hits}
    documents = Document.objects.visible_to(user).select_related("collection").in_bulk(last)
    return [
        ShownHit(
            hit,
            documents.get(hit.document_id),
            excerpt(hit, documents.get(hit.document_id)),
            hit_url(hit),
            list(reasons(hit)),
            result.held_back.get(hit.document_id, 0) if last[hit.document_id] == hit.rank else 0,
            address(given, document=hit.document_id),
        )
        for hit in result.hits
    ]


def excerpt(hit: Hit, document: Document | None) -> SafeString:
    """The passage from a little before its first highlighted word on, so that a short view shows it."""
    first = min((start for start, _ in hit.highlights), default=0)
    begin = hit.text.rfind(" ", 0, first - LEAD // 2) + 1 if first > LEAD else 0
    spans = [(start - begin, end - begin) for start, end in hit.highlights]
    markdown = document is not None and document.shown_kind == "markdown"
    text = passage(hit.text[begin:], markdown=markdown, spans=spans)
    return SafeString("… ") + text if begin else text


def reasons(hit: Hit) -> Iterator[str]:
    """Why a passage was found, in sentences: its ranks in the legs that brought it."""
    ways = {
        "vector": _("What it means is near to what you wrote: %(rank)s by meaning."),
        "keyword": _("It uses words that you wrote: %(rank)s by words."),
        "newest": _("It begins the %(rank)s of the newest documents that fit."),
    }
    found = [leg for leg in ways if leg in hit.matched]
    for leg in found:
        yield ways[leg] % {"rank": ordinal(hit.matched[leg])}
    if words := found_words(hit):
        yield _("It holds %(words)s.") % {"words": quoted(*words)}
    if rank := hit.matched.get("document"):
        yield (
            _("It stands in the document that your words name.")
            if rank == 1
            else _("It stands in the %(rank)s document that your words name.") % {"rank": ordinal(rank)}
        )
    elif not found:
        yield _("It is near to your words, in a document that they name.")


def found_words(hit: Hit) -> list[str]:
    """The highlighted words, each once, in their order."""
    words = {hit.text[start:end].casefold(): hit.text[start:end] for start, end in reversed(hit.highlights)}
    return list(words.values())[::-1][:WORDS]


def hit_url(hit: Hit) -> str:
    return passage_url(hit.document_id, page=hit.page, chunk=hit.chunk_id, start=hit.start, end=hit.end)
