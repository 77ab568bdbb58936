"""What the stages of the read way hand each other: frozen, typed, in the field's terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from documents.filters import DocumentFilters
from documents.scope import NOWHERE

if TYPE_CHECKING:
    from concurrent.futures import Future

    from documents.embedding.queries import QueryEncoding
    from documents.lexical import Backend
    from documents.models import EmbeddingSpace
    from documents.scope import Scope

Mode = Literal["hybrid", "vector", "keyword"]
Rerank = Literal["auto", "on", "off"]

#: One rectangle of a passage: [page, x0, y0, x1, y1] in points, origin top left.
PageBox = tuple[int, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Filters(DocumentFilters):
    """Narrows a search: to collections (slugs), and to documents."""

    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was understood: what to look for, and what its operators ask for.

    ``text`` is what is embedded, ``terms`` what the lexical legs look for (``lexical.terms_of``).
    A passage has to hold each of ``phrases`` and none of ``without``, word for word, folded.
    """

    text: str
    terms: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filters: Filters = Filters()


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as it was asked for. ``query`` may hold operators (``query``); ``limit`` is 1 to 100."""

    query: str
    mode: Mode = "hybrid"
    filters: Filters = Filters()
    limit: int = 10
    rerank: Rerank = "auto"
    explain: bool = False
    #: At most so many passages of one document before the others had their turn; None: no limit.
    per_document: int | None = None
    #: A question in plain words: nothing in it is an operator.
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood and, where a model is wanted and there is one, embedded.

    ``space`` is read once: whatever space serves by the end, a search stays in the one it began in.
    ``vector`` is ``encoding``'s as Postgres reads it; both are None and empty until they are ``settled``.
    """

    request: SearchRequest
    query: Query
    scope: Scope = NOWHERE
    backend: Backend = "tsvector"
    space: EmbeddingSpace | None = None
    encoding: QueryEncoding | None = None
    vector: str = ""
    begun: Future[tuple[QueryEncoding, str] | None] | None = None
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage as one leg saw it: rank from 1, score higher is better."""

    chunk_id: int
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a passage that any leg brought, before it is weighed.

    ``vector`` is a cosine, ``keyword`` a BM25 score, None where it was not worth asking; ``document`` says
    from 0 to 1 how well the query names its document. ``ranks`` are its ranks in the legs that brought it.
    """

    chunk_id: int
    vector: float | None
    keyword: float | None
    document: float
    ranks: dict[str, int]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage after fusion: its score from 0 to 1, and its rank in each leg that found it."""

    chunk_id: int
    score: float
    ranks: dict[str, int]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, with what is needed to show and cite it."""

    rank: int
    score: float
    chunk_id: int
    document_id: UUID
    document_title: str
    page: int
    page_end: int
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    content_hash: str
    boxes: tuple[PageBox, ...] = ()
    highlights: tuple[tuple[int, int], ...] = ()
    matched: dict[str, int] = field(default_factory=dict)
    ordinal: int = 0
    #: The passages that were joined into this one (``reading``), in the order of their page.
    parts: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Reranking:
    """What became of the reranker: nothing, skipped, done without, or the number of hits that it read."""

    name: str | None = None
    read: int = 0
    skipped: bool = False
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gave. ``degraded`` names what was missing, or is empty. Timings in milliseconds."""

    request: SearchRequest
    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    took_ms: float
    timings: dict[str, float]
    #: The query as somebody may have meant it, where a word of it is nowhere to be found.
    suggestion: str | None = None
    #: With ``explain``: every stage's candidates, ranks and milliseconds.
    explanation: dict[str, Any] | None = None
    #: Documents whose passages gave way to those of others, and how many did.
    held_back: dict[UUID, int] = field(default_factory=dict)
    #: Whether the query has words, besides operators.
    has_words: bool = True
    #: Found before, and only fetched again.
    cached: bool = False


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document that the words of a query name: rank from 1, score from 0 to 1."""

    document_id: UUID
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Legs:
    """What retrieval brought: each leg's candidates, best first, and what was missing.

    ``signals`` is of a hybrid search: every candidate with the scores of all legs; ``quoted`` is the share of
    the query's words that the first keyword candidate holds.
    """

    candidates: dict[str, list[Candidate]]
    signals: tuple[Signals, ...] = ()
    documents: tuple[NamedDocument, ...] = ()
    quoted: float = 0.0
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A passage given to a generator, under the number it is cited by (from 1)."""

    n: int
    hit: Hit


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A verbatim span of source ``n``: ``hit.text[start:end]``."""

    n: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence of a source. ``coverage`` is of the question's words, by sentence and by passage."""

    quote: Quote
    text: str
    score: float
    similarity: float
    coverage: float
    passage_coverage: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """Sentences, best first, and what is known of the best one.

    ``similarity`` is that of the nearest sentence, None without an engine. ``missing`` is named by the
    question and mentioned by no source, ``apart`` by others than the best one's own.
    """

    sentences: tuple[ScoredSentence, ...]
    similarity: float | None = None
    missing: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    #: Whether it holds a thing of the asked kind.
    holds_kind: bool = False
    #: Whether its passage neither tells the quantity that is asked for nor speaks of it.
    untold: bool = False


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a generator is asked. ``standalone`` is the question as it was looked for (``rewriting``)."""

    question: str
    sources: tuple[Source, ...]
    history: tuple[Turn, ...] = ()
    standalone: str = ""
    assessment: Assessment = Assessment(())


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of answer text as it comes, to be shown at once."""

    text: str


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A finished sentence as the generator wrote it, with the sources it names.

    ``span`` is where in ``text`` the exact answer stands, when the question asks for one.
    """

    text: str
    quotes: tuple[Quote, ...] = ()
    cited: tuple[int, ...] = ()
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """Every quote the answer will cite, in order: from a generator that knows before it writes."""

    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing new from a model: time to send on what there is, and to look whether it is to stop."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """What is sent to a model, before it says anything. Each message has ``role`` and ``content``."""

    messages: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens that a model read and wrote: as it counted them, or estimated."""

    prompt: int
    completion: int
    estimated: bool = False


Piece = Token | DraftSentence | Selected | Waiting | Prompted | Used


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a sentence is not supported; ``text`` is the number, unit, name or word that speaks against it."""

    kind: Literal["nothing", "number", "unit", "name", "negation", "opposite", "meaning"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence after the support check; with doubts where it is not supported."""

    text: str
    citations: tuple[int, ...]
    supported: bool
    quotes: tuple[Quote, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What citation ``n`` points at: ``hit.text[start:end]``."""

    n: int
    hit: Hit
    start: int
    end: int

    @property
    def quote(self) -> str:
        return self.hit.text[self.start : self.end]

    def narrowed(self) -> Evidence:
        """The same words in the passage that holds them, where the hit was joined of several."""
        first, last = self.hit.start + self.start, self.hit.start + self.end
        holders = [part for part in self.hit.parts if part.start <= first and last <= part.end]
        if not holders:
            return self
        return Evidence(self.n, holders[0], first - holders[0].start, last - holders[0].start)


@dataclass(frozen=True, slots=True)
class Sources:
    """The numbered citations, known before the first word. Numbers never change afterwards."""

    evidence: tuple[Evidence, ...]
    #: Words and sentences that came before are void: something else answers from here on.
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer: as assessed, and the passages that came closest."""

    code: Literal["nothing", "missing", "unsure", "unsupported"]
    missing: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    closest: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished answer: its sentences, and the evidence that they cite.

    ``receipt`` is what is kept for a replay: the question as it was looked for, the passages that were
    retrieved with their hashes and ranks, the prompt, the tokens.
    """

    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    timings: dict[str, float]
    settings: dict[str, Any]
    stopped: bool = False
    receipt: dict[str, Any] = field(default_factory=dict)
    refusal: Refusal | None = None

    @property
    def abstained(self) -> bool:
        return not self.sentences and not self.stopped

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)


#: What the answering pipeline yields: sources, words and sentences, and the outcome at last.
Step = Sources | Token | Sentence | Waiting | Outcome
