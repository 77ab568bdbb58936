"""How what is kept is found: access and all retrieval SQL, beside the indexes it depends on.

``visible_to(user)`` is the first call on every read path, so access is decided inside the query.
"""

from __future__ import annotations

from collections.abc import Collection as Container
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.contrib.postgres.search import SearchRank
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from pgvector.django import CosineDistance, HalfVectorField

from documents import lexical, lexical_scan, samples, vector_scan
from documents.expressions import Bm25Score, CurrentScore, TextVector, any_of, holding
from documents.phrases import conditions
from documents.scope import Extent, Scope
from documents.statements import Rows, Statement, answers, of
from documents.vector_scan import Near

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

    from documents.filters import DocumentFilters
    from documents.models import EmbeddingSpace

    User = AbstractBaseUser | AnonymousUser


class CollectionQuerySet(models.QuerySet[Any]):
    def but_bins(self) -> Self:
        """Without those in which deleted documents wait for their end."""
        return self.filter(bin_of=None)

    def visible_to(self, user: User) -> Self:
        """Collections that the user owns or is a member of; nothing for the anonymous."""
        if not user.is_authenticated:
            return self.none()
        return self.but_bins().filter(Q(owner=user) | Q(pk__in=memberships_of(user.pk)))

    def writable_by(self, user: User) -> Self:
        """Collections in which the user may upload and change documents."""
        return self._with_role(user, "editor", "manager")

    def manageable_by(self, user: User) -> Self:
        """Collections whose members and settings the user may change."""
        return self._with_role(user, "manager")

    def _with_role(self, user: User, *roles: str) -> Self:
        if not user.is_authenticated:
            return self.none()
        entitled = memberships_of(user.pk).filter(role__in=roles)
        return self.but_bins().filter(Q(owner=user) | Q(pk__in=entitled))


def memberships_of(user_id: Any) -> models.QuerySet[Any]:
    from documents.models import Membership

    return Membership.objects.filter(user_id=user_id).values("collection_id")


class DeletionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Records of documents that the user could have managed."""
        from documents.models import Collection

        return self.filter(collection__in=Collection.objects.manageable_by(user).values("pk"))


#: The reason of a document that somebody stopped on its way.
CANCELLED = "cancelled"


class DocumentQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self._in(lambda collections: collections.visible_to(user))

    def writable_by(self, user: User) -> Self:
        return self._in(lambda collections: collections.writable_by(user))

    def manageable_by(self, user: User) -> Self:
        return self._in(lambda collections: collections.manageable_by(user))

    def but_binned(self) -> Self:
        """Without those that were deleted and are only kept to be brought back."""
        return self.filter(binned_at=None)

    def on_their_way(self) -> Self:
        """A job is to bring them to their end; none is to in the bin."""
        return self.but_binned().filter(status__in=["queued", "processing"])

    def samples_of(self, user: User) -> Self:
        """The sample documents in the user's private collection."""
        return self.filter(
            collection__owner=user.pk, collection__is_private=True, sha256__in=list(samples.digests())
        )

    def without_job(self) -> Self:
        """Those for which nothing waits in the queue or is being done."""
        from procrastinate.contrib.django.models import ProcrastinateJob

        key = Cast(OuterRef("pk"), models.TextField())
        jobs = ProcrastinateJob.objects.annotate(document=KT("args__document_id"))
        jobs = jobs.filter(document=key, status__in=["todo", "doing"])
        return self.exclude(Exists(jobs))

    def to_retry(self) -> Self:
        """Those that failed by themselves: who cancels a document means it to end."""
        return self.filter(status="failed").exclude(reason=CANCELLED)

    def _in(self, choose: Any) -> Self:
        from documents.models import Collection

        return self.filter(collection__in=choose(Collection.objects).values("pk"))

    def matching(
        self,
        *,
        collection: str = "",
        status: str = "",
        tag: str = "",
        kind: str = "",
        text: str = "",
    ) -> Self:
        """The filters of the document list; empty ones do not filter."""
        found = self
        if collection:
            found = found.filter(collection__slug=collection)
        if status:
            found = found.filter(status=status)
        if tag:
            found = found.filter(tags__contains=[tag.casefold()])
        if kind:
            found = found.filter(kind=kind)
        if text:
            found = found.filter(Q(title__icontains=text) | Q(filename__icontains=text))
        return found

    def described(self, filters: DocumentFilters) -> Self:
        """The filters of a search; empty ones do not filter."""
        found = self
        if filters.documents:
            found = found.filter(pk__in=filters.documents)
        if filters.tags:
            found = found.filter(tags__overlap=filters.tags)
        if filters.kinds:
            found = found.filter(kind__in=filters.kinds)
        if filters.titles:
            found = found.filter(reduce(or_, (Q(title__icontains=title) for title in filters.titles)))
        if filters.since:
            found = found.filter(dated__gte=filters.since)
        if filters.before:
            found = found.filter(dated__lt=filters.before)
        return found


# --- Passages: the two legs of retrieval ------------------------------------------------------

#: (primary key of the passage, score; higher is better), best first.
Scored = list[tuple[int, float]]


class PassageQuerySet(models.QuerySet[Any]):
    """What passages and their vectors share: who may see them, and which documents are meant.

    Every condition is applied at once, in a form that is evaluated row by row inside the index scan:
    as a plain ``IN`` the planner may turn it into a join, which cannot use an ordered index. The
    plain form is remembered for the exact scan, where a join is the fast way.
    """

    _joinable: Q = Q()
    _collections: CollectionQuerySet | None = None
    _documents: DocumentQuerySet | None = None
    _scope: Scope | None = None

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._joinable = self._joinable
        clone._collections, clone._documents = self._collections, self._documents
        clone._scope = self._scope
        return clone

    def visible_to(self, user: User, *, collections: Container[str] = ()) -> Self:
        """Passages the user may see; with ``collections`` (slugs) only of those among them."""
        from documents.models import Collection

        allowed = Collection.objects.visible_to(user)
        if collections:
            allowed = allowed.filter(slug__in=list(collections))
        found = self._within(Q(collection_id__in=allowed.order_by().values("pk")))
        found._collections = allowed
        return found

    def of_documents(self, filters: DocumentFilters) -> Self:
        """Only passages of the documents that ``filters`` describe."""
        from documents.models import Document

        meant = Document.objects.described(filters)
        found = self._within(Q(document_id__in=meant.order_by().values("pk")))
        found._documents = meant
        return found

    def within(self, scope: Scope) -> Self:
        """The same as the two above, where the scope of a search was looked up before."""
        found = self._within(Q(collection_id__in=scope.collections))
        if scope.documents is not None:
            meant = scope.documents.order_by()
            gathered = Q(document_id__in=meant.values("pk"))
            own = meant.filter(pk=OuterRef("document_id")).values_list(Value(True))
            found = found._within(gathered, Q(Subquery(own)) if scope.is_wide else gathered)
        found._scope = scope
        return found

    def scope(self) -> Scope:
        """What ``visible_to`` and ``of_documents`` allow, with the collections looked up."""
        from documents.models import Collection

        if self._scope is not None:
            return self._scope
        allowed = Collection.objects.all() if self._collections is None else self._collections
        return Scope(tuple(allowed.order_by().values_list("pk", flat=True)), self._documents)

    def _within(self, condition: Q, by_row: Q | None = None) -> Self:
        """``by_row`` is the same condition in words that are cheaper to ask row by row."""
        row_by_row = Case(
            When(by_row or condition, then=Value(True)),
            default=Value(False),
            output_field=models.BooleanField(),
        )
        found = self.filter(row_by_row)
        found._joinable = self._joinable & condition
        return found


class LexicalQuerySet(PassageQuerySet):
    """What is found by its ``terms``, in an index of its own."""

    _index: lexical.LexicalIndex

    def lexical(self, terms: Sequence[str], k: int, backend: lexical.Backend) -> Scored:
        """The ``k`` rows that match ``terms`` best (of ``lexical.terms_of``).

        ``backend`` is what ``lexical.backend()`` says that there is now.
        """
        if not terms:
            return []
        if backend == "tsvector":
            return self._by_text_search(terms, k)
        scope = self.scope()
        extent = scope.extent(k)
        if lexical_scan.is_small(extent, k):
            return self._by_scan(terms, k, scope)
        found = self.by_index(terms, k, lexical_scan.reach(k, extent.share))
        if len(found) < k and scope.documents is not None and not extent.counted:
            # Statistics do not know which filters have few documents in common.
            counted = Extent(scope.counted, extent.total)
            return self._by_scan(terms, k, scope) if lexical_scan.is_small(counted, k) else found
        return found

    def by_index(self, terms: Sequence[str], k: int, reach: int) -> Scored:
        """The index scan goes on until ``k`` rows pass the conditions, or 100,000 have been looked at."""
        order = Bm25Score(F("terms"), Value(" ".join(terms)), index=self._index.bm25)
        walk = self.annotate(score=CurrentScore()).order_by(order).values_list("pk", "score")
        (found,) = lexical_scan.walked((of(walk[:reach]), k))
        return found

    def walk(self, terms: Sequence[str], k: int, scope: Scope) -> Statement | None:
        """``by_index`` for all of ``scope``, to be asked with other walks; None where another way is shorter.

        Raises ``EmptyResultSet`` when nothing can be meant.
        """
        condition, extent = scope.condition(""), scope.extent(k)
        if scope.documents is not None or lexical_scan.is_small(extent, k):
            return None
        key, reach = self.model._meta.pk.column, lexical_scan.reach(k, extent.share)
        return lexical_scan.ordered(self._index, key, terms, condition, reach)

    def _by_scan(self, terms: Sequence[str], k: int, scope: Scope) -> Scored:
        """The same for few allowed rows: each that may hold a term is scored."""
        few = Q(collection_id__in=scope.collections)
        if scope.documents is not None:
            # Named, as the planner does not know that they are few.
            few = Q(document_id__in=list(scope.documents.filter(few).values_list("pk", flat=True)))
        score = Bm25Score(F("terms"), Value(" ".join(terms)), index=self._index.bm25) + Value(0.0)
        rows = self.filter(few, holding(terms)).annotate(score=score).order_by("score", "pk")
        return [(pk, -score) for pk, score in rows.values_list("pk", "score")[:k] if score < 0]

    def _by_text_search(self, terms: Sequence[str], k: int) -> Scored:
        wanted = any_of(terms)
        matching = self.annotate(vector=TextVector("terms")).filter(vector=wanted)
        ranked = matching.annotate(score=SearchRank(F("vector"), wanted)).order_by("-score", "pk")
        return list(ranked.values_list("pk", "score")[:k])


class ChunkQuerySet(LexicalQuerySet):
    """The lexical leg."""

    _index = lexical.PASSAGES

    def saying(self, phrases: Sequence[str] = (), without: Sequence[str] = ()) -> Self:
        """Passages that hold each phrase and none of ``without``: word for word, folded."""
        found = self
        for condition in conditions(phrases, without):
            found = found._within(condition)
        return found

    def lexical_scores(
        self, terms: Sequence[str], chunk_ids: Iterable[int], backend: lexical.Backend
    ) -> dict[int, float]:
        """How well these passages match ``terms``, whatever their rank; 0 where no term is in them."""
        asked = list(chunk_ids)
        if not terms or not asked:
            return dict.fromkeys(asked, 0.0)
        return self.scores_in(answers(self.scoring(terms, asked, backend))[0], asked, backend)

    def scoring(self, terms: Sequence[str], chunk_ids: Sequence[int], backend: lexical.Backend) -> Statement:
        """What ``scores_in`` reads: for who asks for more at the same time."""
        if backend != "tsvector":
            return lexical_scan.scoring(self._index, terms, chunk_ids)
        holders = self.filter(holding(terms), pk__in=chunk_ids).order_by()
        rank = SearchRank(TextVector("terms"), any_of(terms))
        return of(holders.annotate(score=rank).values_list("pk", "score"))

    @staticmethod
    def scores_in(rows: Rows, chunk_ids: Iterable[int], backend: lexical.Backend) -> dict[int, float]:
        sign = 1.0 if backend == "tsvector" else -1.0
        return dict.fromkeys(chunk_ids, 0.0) | {pk: sign * found for pk, found in rows}


class IdentityQuerySet(LexicalQuerySet):
    """The document leg: which documents a query means."""

    _index = lexical.IDENTITIES

    def named_by(self, terms: Sequence[str], k: int, backend: lexical.Backend) -> list[tuple[UUID, float]]:
        """The ``k`` documents that ``terms`` name best, with scores (higher is better)."""
        return [(UUID(str(pk)), score) for pk, score in self.lexical(terms, k, backend)]


class EmbeddingQuerySet(PassageQuerySet):
    """The vector leg."""

    def nearest(self, vector: Any, *, space: EmbeddingSpace, k: int) -> list[Near]:
        """The ``k`` passages nearest to ``vector`` by cosine, or all allowed ones where fewer are.

        Narrowed by ``visible_to`` and ``of_documents`` and by nothing else: raises ``ValueError``.
        """
        return vector_scan.nearest(self._whole_scope(), vector, space=space, k=k)

    def exact(self, vector: Any, *, space: EmbeddingSpace, k: int) -> list[Near]:
        """The same, with every allowed row measured."""
        return vector_scan.exact(self._whole_scope(), vector, space=space, k=k)

    def _whole_scope(self) -> Scope:
        """The graph is asked in SQL of its own: what else narrows these rows would be left out in silence."""
        known = [self._collections, self._documents]
        if len(self.query.where.children) != sum(each is not None for each in known):
            raise ValueError("The graph is narrowed by visible_to and of_documents only, each once.")
        return self.scope()

    def by_index(self, vector: Any, space: EmbeddingSpace, k: int) -> Self:
        """Ordered by the very expression of the space's partial index, its space named."""
        distance = distance_in(space, vector)
        return self.filter(space_id=space.pk).annotate(distance=distance).order_by("distance")[:k]

    def by_scan(self, vector: Any, space: EmbeddingSpace, k: int) -> Self:
        """The same order by an expression that no index has: every allowed row is measured."""
        distance = distance_in(space, vector) + Value(0.0)
        allowed = self.filter(self._joinable, space_id=space.pk)
        return allowed.annotate(distance=distance).order_by("distance")[:k]

    def measured(self, vector: Any, space: EmbeddingSpace, chunk_ids: Iterable[int]) -> list[Near]:
        """Those of these passages that the space holds, in no order."""
        return vector_scan.scored(answers(vector_scan.measuring(vector, space, chunk_ids))[0])

    def token_vectors(self, space: EmbeddingSpace, chunk_ids: Iterable[int]) -> dict[int, bytes]:
        """The packed vectors of the passages' tokens (``embedding.tokens``), where there are any."""
        found = self.filter(space_id=space.pk, chunk_id__in=list(chunk_ids), tokens__isnull=False)
        return {pk: bytes(tokens) for pk, tokens in found.values_list("chunk_id", "tokens")}

    def rows(self) -> list[Near]:
        found = self.values_list("chunk_id", "distance", "document_id")
        return [Near(pk, 1.0 - distance, document) for pk, distance, document in found]


def distance_in(space: EmbeddingSpace, vector: Any) -> CosineDistance:
    return CosineDistance(Cast("vector", HalfVectorField(dimensions=space.dimensions)), vector)
