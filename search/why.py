"""Why a search does not find a document: it is followed through every stage, to where it is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from documents import lexical
from documents.exceptions import NotAllowed
from documents.models import Chunk, Collection, Document, Embedding
from documents.standing import rank_by_meaning
from search.browsing import NEWEST, asks_for_documents
from search.exceptions import BadRequest
from search.gates import Step, gates, sayable
from search.metrics import Stopwatch
from search.pipeline import Stages, staged
from search.query import understood
from search.retrieval import MEANT, depth, scope_of
from search.types import Query, SearchRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from documents.querysets import ChunkQuerySet

#: Lexical ranks are looked for up to here.
WORDED = 1000
#: Passages of the document that are shown.
PASSAGES = 5


@dataclass(frozen=True, slots=True)
class TracedPassage:
    """A passage of the document, with its rank in each stage that it came to."""

    chunk_id: int
    page: int
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trace:
    """``lost_at`` is the name of a step, or None for a document that is found. ``sentence`` says it all."""

    document: Document
    steps: tuple[Step, ...]
    lost_at: str | None
    sentence: str
    passages: tuple[TracedPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """One search and the passages of the document that may be found by it."""

    document: Document
    user: User
    stages: Stages
    own: frozenset[int]

    @property
    def query(self) -> Query:
        return self.stages.asked.query

    @property
    def limit(self) -> int:
        return self.stages.asked.request.limit

    def best(self, passages: Iterable[int]) -> int | None:
        """The rank of the document's first one among ``passages``, best first."""
        return next((rank for rank, pk in enumerate(passages, 1) if pk in self.own), None)


def searcher(user: User, document: Document, name: str) -> User:
    """Whose search it is: one's own, or for a curator who manages the document's collection anybody's.

    Raises ``NotAllowed``, and ``BadRequest`` for a name that nobody has.
    """
    if not name or name == user.get_username():
        return user
    if not (user.is_staff and Document.objects.manageable_by(user).filter(pk=document.pk).exists()):
        raise NotAllowed
    found: User | None = get_user_model().objects.filter(username=name).first()
    if found is None:
        raise BadRequest(_("There is no user of that name."))
    return found


def why(*, request: SearchRequest, document: Document, user: User, asked_by: User) -> Trace:
    """``document`` on its way through the search that ``user`` would make. Raises ``BadRequest``.

    ``asked_by`` must be allowed to see the document (and ``searcher``): the trace quotes it. Where that is
    somebody else, only collections that both may see are searched: ranks would tell what lies in the others.
    """
    query = understood(request.query, request.filters)
    if not query.text and not asks_for_documents(query):
        raise BadRequest(_("There is nothing in the query to look for."))
    steps = tuple(until_lost(gates(document, query, user)))
    if not steps[-1].passed:
        return Trace(document, steps, steps[-1].name, steps[-1].detail)
    own = frozenset(sayable(document, query).values_list("pk", flat=True))
    if asked_by != user:
        request = shared(request, document, (user, asked_by))
    found = Search(document, user, staged(request, user, Stopwatch()), own)
    steps += tuple(weighed(found))
    lost = next((step for step in steps if not step.passed and step.name in decisive(found)), None)
    sentence = (lost or steps[-1]).detail
    return Trace(document, steps, lost.name if lost else None, sentence, tuple(traced(found)))


def shared(request: SearchRequest, document: Document, users: Sequence[User]) -> SearchRequest:
    """The request within the collections that all of ``users`` may see.

    The document's own is always among them, as it passed the gates: none at all would mean every collection.
    """
    seen = Collection.objects.all()
    for user in users:
        seen = seen & Collection.objects.visible_to(user)
    if wanted := request.filters.collections:
        seen = seen.filter(slug__in=wanted)
    slugs = {document.collection.slug, *seen.values_list("slug", flat=True)}
    return replace(request, filters=replace(request.filters, collections=tuple(sorted(slugs))))


def until_lost(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if not step.passed:
            return


# --- Ranks -------------------------------------------------------------------------------------


def weighed(found: Search) -> Iterator[Step]:
    """What each leg made of it, and then the stages that put the legs together."""
    legs = [LEGS[leg](found) for leg in found.stages.legs.candidates]
    yield from legs
    if not is_alone(found):
        yield named(found)
    rank = found.best(entry.chunk_id for entry in found.stages.ranked)
    if rank is None:
        if not is_alone(found):
            said = " ".join(step.detail for step in legs)
            yield Step(
                "fusion", False, f"{_('None of the legs brought it, so it was never weighed.')} {said}"
            )
        return
    yield fused(found, rank)
    if rank <= len(found.stages.reranked):
        yield from finished(found)


def finished(found: Search) -> Iterator[Step]:
    if found.stages.reranking.name:
        yield reread(found)
    if found.stages.asked.request.per_document:
        yield made_diverse(found)
    yield cut(found)


def is_alone(found: Search) -> bool:
    """Whether one leg decides: a search in one mode, or without words."""
    return found.stages.asked.request.mode != "hybrid" or NEWEST in found.stages.legs.candidates


def decisive(found: Search) -> set[str]:
    """The steps at which a document can be lost: a leg only where there is no other."""
    legs = set(found.stages.legs.candidates) if is_alone(found) else set()
    return {"fusion", "cut", *legs}


def by_meaning(found: Search) -> Step:
    most = depth(found.limit)
    rank = leg_rank(found, "vector")
    if rank:
        return Step("vector", True, placed(_("By meaning"), rank, most), rank, most)
    asked = found.stages.asked
    if asked.space is None or asked.encoding is None:
        return Step("vector", False, _("There was no embedding model to ask."), None, most)
    among = Embedding.objects.within(scope_of(found.query.filters, found.user))
    if found.query.phrases or found.query.without:
        among = among.filter(chunk_id__in=sayable_to(found).values("pk"))
    own = Embedding.objects.filter(chunk_id__in=found.own)
    rank = rank_by_meaning(own, among, asked.encoding.vector, asked.space)
    if rank is None:
        return Step(
            "vector", False, _("None of its passages has a vector of the model that serves."), None, most
        )
    if rank <= most:
        detail = _("By meaning it would be number %(rank)s, but the approximate index did not bring it.")
        return Step("vector", False, detail % {"rank": rank}, rank, most)
    return Step("vector", False, placed(_("By meaning"), rank, most), rank, most)


def by_words(found: Search) -> Step:
    most = depth(found.limit)
    rank = leg_rank(found, "keyword")
    if rank:
        return Step("keyword", True, placed(_("By words"), rank, most), rank, most)
    backend, terms = lexical.backend(), found.query.terms
    if not any(Chunk.objects.lexical_scores(terms, found.own, backend).values()):
        return Step("keyword", False, _("No passage of it holds any word of the query."), None, most)
    rank = found.best(pk for pk, score in sayable_to(found).lexical(terms, WORDED, backend))
    if rank is None:
        detail = _("By words it is beyond the first %(most)s.") % {"most": WORDED}
        return Step("keyword", False, detail, None, most)
    return Step("keyword", rank <= most, placed(_("By words"), rank, most), rank, most)


def by_age(found: Search) -> Step:
    most = depth(found.limit)
    rank = leg_rank(found, NEWEST)
    if rank:
        return Step(NEWEST, True, placed(_("By date of upload"), rank, most), rank, most)
    detail = _("The query has no words, and %(most)s documents that fit were uploaded after it.")
    return Step(NEWEST, False, detail % {"most": most}, None, most)


LEGS = {"vector": by_meaning, "keyword": by_words, NEWEST: by_age}


def named(found: Search) -> Step:
    """Which documents the words name; the nearest passages of the first few are looked at in any case."""
    rank = next(
        (each.rank for each in found.stages.legs.documents if each.document_id == found.document.pk), None
    )
    numbers = {"rank": rank, "most": MEANT}
    if rank is None:
        return Step("document", False, _("The words of the query do not name this document."), None, MEANT)
    if rank > MEANT:
        detail = _(
            "Of the documents that the words name it is number %(rank)s; the first %(most)s are meant."
        )
        return Step("document", False, detail % numbers, rank, MEANT)
    detail = _("Of the documents that the words name it is number %(rank)s.") % numbers
    return Step("document", True, detail, rank, MEANT)


def fused(found: Search, rank: int) -> Step:
    fetched = len(found.stages.reranked)
    return Step("fusion", rank <= fetched, placed(_("All signals together"), rank, fetched), rank, fetched)


def reread(found: Search) -> Step:
    reranking = found.stages.reranking
    rank = found.best(hit.chunk_id for hit in found.stages.reranked)
    if reranking.skipped:
        return Step("rerank", True, _("Not reread: the first result was sure enough."), rank)
    if rank and rank > reranking.read:
        detail = _("Not reread: only the first %(read)s are.") % {"read": reranking.read}
        return Step("rerank", True, detail, rank, reranking.read)
    detail = _("Reread together with the query, its best passage is number %(rank)s.") % {"rank": rank}
    return Step("rerank", True, detail, rank, reranking.read)


def made_diverse(found: Search) -> Step:
    """The first passages of a document never give way, so no document is lost here."""
    before = {hit.chunk_id for hit in found.stages.reranked[: found.limit]} & found.own
    after = {hit.chunk_id for hit in found.stages.hits[: found.limit]} & found.own
    rank = found.best(hit.chunk_id for hit in found.stages.hits)
    given = len(before - after)
    if not given:
        return Step("diversity", True, _("None of its passages gave way to other documents."), rank)
    detail = ngettext(
        "%(n)s more passage of it gave way to other documents.",
        "%(n)s more passages of it gave way to other documents.",
        given,
    )
    return Step("diversity", True, detail % {"n": given}, rank)


def cut(found: Search) -> Step:
    rank = found.best(hit.chunk_id for hit in found.stages.hits)
    numbers = {"rank": rank, "limit": found.limit}
    if rank and rank <= found.limit:
        detail = _("Found: its best passage is number %(rank)s of the %(limit)s that are shown.") % numbers
        return Step("cut", True, detail, rank, found.limit)
    detail = _("Its best passage is number %(rank)s, and only the first %(limit)s are shown.") % numbers
    return Step("cut", False, detail, rank, found.limit)


def placed(way: str, rank: int, most: int) -> str:
    numbers = {"way": way, "rank": rank, "most": most}
    if rank <= most:
        return _("%(way)s, its best passage is number %(rank)s.") % numbers
    return _("%(way)s, its best passage is number %(rank)s, and only the first %(most)s go on.") % numbers


def leg_rank(found: Search, leg: str) -> int | None:
    return found.best(each.chunk_id for each in found.stages.legs.candidates[leg])


def sayable_to(found: Search) -> ChunkQuerySet:
    """Every passage that the search may bring."""
    allowed = Chunk.objects.within(scope_of(found.query.filters, found.user))
    return allowed.saying(found.query.phrases, found.query.without)


# --- Passages ----------------------------------------------------------------------------------


def traced(found: Search) -> Iterator[TracedPassage]:
    """The document's best passages, as far as they came; its first one where none came anywhere."""
    ranks = stage_ranks(found.stages)
    came = [pk for pk in ranks if pk in found.own][:PASSAGES] or sorted(found.own)[:1]
    chunks = Chunk.objects.defer("context", "terms").in_bulk(came)
    for pk in came:
        if chunk := chunks.get(pk):
            yield TracedPassage(
                chunk.pk,
                chunk.page_start,
                tuple(chunk.heading),
                chunk.text,
                chunk.start,
                chunk.end,
                ranks.get(pk, {}),
            )


def stage_ranks(stages: Stages) -> dict[int, dict[str, int]]:
    """The ranks of each passage by stage, those first that came furthest."""
    orders: dict[str, Sequence[Any]] = {
        "result": stages.hits,
        "rerank": stages.reranked[: stages.reranking.read],
        "fusion": stages.ranked,
        **stages.legs.candidates,
    }
    ranks: dict[int, dict[str, int]] = {}
    for name, order in orders.items():
        for rank, entry in enumerate(order, 1):
            ranks.setdefault(entry.chunk_id, {})[name] = rank
    return ranks
