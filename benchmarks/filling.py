"""A portal's own tables filled with a corpus: COPY first, then the indexes, each timed."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import User
from django.db import connection
from numpy.typing import NDArray

from benchmarks.synthetic import Corpus, Floats
from documents import lexical, spaces
from documents.models import Collection, EmbeddingSpace, Membership

#: Shares of the passages that a tag keeps and a user may see, in percent.
TAG_SHARES = {"50": 0.5, "10": 0.1, "1": 0.01, "0.1": 0.001}
ACCESS_SHARES = {"100": 1.0, "10": 0.1, "1": 0.01}
#: How what is kept lies among the rest: anywhere, or all about the same.
SPREADS = ("random", "topic")
KINDS = ("pdf", "docx", "markdown", "text")
LANGUAGE = "en"
BUILD_MEMORY_MB = 2048
DOCUMENT_COLUMNS = (
    "id,collection_id,title,filename,file,sha256,size,kind,media_type,page_count,chunk_count,indexed_file,"
    "indexed_kind,only_attached,source,language,dated,quality,notice,tags,metadata,status,stage,percent,"
    "stage_done,stage_total,reason,error_detail,content_version,tries,interruptions,updated_at,indexed_at"
)
CHUNK_COLUMNS = (
    'id,document_id,collection_id,ordinal,text,heading,context,language,page_start,page_end,start,"end",'
    "token_count,boxes,content_hash"
)
EMBEDDING_COLUMNS = "id,chunk_id,space_id,document_id,collection_id,vector,tokens"
#: Of a passage's packed token vectors, which reranking reads: 128 tokens of 16 bytes.
TOKEN_BYTES = 128 * 16
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Placement:
    """Where each document goes: collection (index into ``slugs``) and, by tag, whether it has it.

    ``seen``: user name → the collections that the user is a member of.
    """

    slugs: Sequence[str]
    collection: NDArray[np.int64]
    tags: Masks
    seen: Mapping[str, frozenset[int]]

    def sees(self, user: str) -> NDArray[np.bool_]:
        return np.isin(self.collection, list(self.seen[user]))


def place(corpus: Corpus) -> Placement:
    """Half of the documents lie in collections by topic, half in random ones; tags know nothing of that."""
    rng = corpus.rng("places")
    count = corpus.document_count
    order = {"random": rng.random(count), "topic": quantiles(corpus, corpus.topic_of_document)}
    other = {
        "random": rng.random(count),
        "topic": quantiles(corpus, rng.permutation(corpus.topics)[corpus.topic_of_document]),
    }
    by_topic = rng.random(count) < 0.5
    # Twice the share, of half of the documents.
    edges = np.array([2 * ACCESS_SHARES["1"], 2 * ACCESS_SHARES["10"], *np.linspace(0.3, 1.0, 8)[:-1]])
    place = np.where(by_topic, np.digitize(order["topic"], edges), np.digitize(order["random"], edges))
    width = len(edges) + 1
    slugs = [f"{spread}-{n}" for spread in SPREADS for n in range(width)]
    seen: dict[str, frozenset[int]] = {"all-100": frozenset(range(2 * width))}
    for index, spread in enumerate(SPREADS):
        seen[f"{spread}-1"] = frozenset({index * width})
        seen[f"{spread}-10"] = frozenset({index * width, index * width + 1})
    tags = {f"{s}-{name}": other[s] < share for s in SPREADS for name, share in TAG_SHARES.items()}
    return Placement(slugs, place + by_topic * width, tags, seen)


def quantiles(corpus: Corpus, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """By documents in the order of ``groups``: the share of the passages that come before each."""
    sizes = np.bincount(corpus.documents, minlength=corpus.document_count)
    order = np.argsort(groups, kind="stable")
    before = np.empty(corpus.document_count)
    before[order] = np.cumsum(sizes[order]) - sizes[order]
    return before / corpus.size


class Filling:
    """One portal that is being filled. ``seconds``: how long each step took."""

    def __init__(self, corpus: Corpus, placement: Placement, space: EmbeddingSpace, vectors: Path) -> None:
        self.corpus, self.placement, self.space, self.vectors = corpus, placement, space, vectors
        self.seconds: dict[str, float] = {}
        self.collections: list[int] = []

    def fill(self) -> None:
        """Everything, from empty tables to analysed ones."""
        self.timed("people and collections", self.people)
        with connection.cursor() as cursor:
            lexical.drop_index(cursor)
            cursor.execute(f"DROP INDEX IF EXISTS {spaces.index_name(self.space.pk)}")
            # The rows are right by construction; checking each key would double the time.
            cursor.execute("SET session_replication_role = replica")
            self.timed("documents", lambda: self.documents(cursor))
            self.timed("passages", lambda: self.passages(cursor))
            self.timed("vectors", lambda: self.embeddings(cursor))
            cursor.execute("SET session_replication_role = origin")
            memory_for_building(cursor)
            self.timed("HNSW", lambda: spaces.index_create(space=self.space))
            self.timed("BM25", lambda: lexical.create_index(cursor))
            for table in ("document", "chunk", "embedding", "documentidentity", "collection", "membership"):
                cursor.execute(f"VACUUM ANALYZE documents_{table}")
            cursor.execute("CHECKPOINT")

    def timed(self, name: str, step: Callable[[], object]) -> None:
        started = time.perf_counter()
        step()
        self.seconds[name] = round(time.perf_counter() - started, 1)

    def people(self) -> None:
        owner = User.objects.create_user("owner")
        made = Collection.objects.bulk_create(
            Collection(slug=slug, name=slug, owner=owner) for slug in self.placement.slugs
        )
        self.collections = [collection.pk for collection in made]
        for name, seen in self.placement.seen.items():
            user = User.objects.create_user(name)
            Membership.objects.bulk_create(
                Membership(collection_id=self.collections[n], user=user) for n in sorted(seen)
            )

    def collection_of(self, document: int) -> int:
        return self.collections[self.placement.collection[document]]

    def documents(self, cursor: Any) -> None:
        sizes = np.bincount(self.corpus.documents)
        with cursor.copy(f"COPY documents_document ({DOCUMENT_COLUMNS}) FROM STDIN") as copy:
            for number, size in enumerate(sizes.tolist()):
                copy.write(self.document_row(number, size))
        columns = "document_id,collection_id,language,text"
        with cursor.copy(f"COPY documents_documentidentity ({columns}) FROM STDIN") as copy:
            for number in range(len(sizes)):
                title = self.corpus.title(number)
                copy.write(row(document_id(number), self.collection_of(number), LANGUAGE, title))

    def document_row(self, number: int, size: int) -> str:
        tags = ",".join(tag for tag, given in self.placement.tags.items() if given[number])
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        kind, name, now = KINDS[number % len(KINDS)], f"{number}.txt", "2024-01-01 00:00:00+00"
        dated = f"{2000 + number % 25}-01-01"
        return row(
            *(document_id(number), self.collection_of(number), self.corpus.title(number), name, name, digest),
            *(1000, kind, "text/plain", 1, size, name, kind, "f", "", LANGUAGE, dated, "good", ""),
            *("{" + tags + "}", "{}", "ready", "", 100, 0, 0, "", "", 1, 0, 0, now, now),
        )

    def passages(self, cursor: Any) -> None:
        documents = self.corpus.documents
        ordinals = np.arange(self.corpus.size) - np.searchsorted(documents, documents)
        with cursor.copy(f"COPY documents_chunk ({CHUNK_COLUMNS}) FROM STDIN") as copy:
            for block in self.corpus.blocks():
                texts = zip(block, self.corpus.texts(block), strict=True)
                copy.write("".join(self.passage_row(n, int(ordinals[n]), text) for n, text in texts))
            # Named by the sequences again, as the rows brought their keys.
        cursor.execute("SELECT setval('documents_chunk_id_seq', %s)", [self.corpus.size])

    def passage_row(self, number: int, ordinal: int, context: str) -> str:
        document = int(self.corpus.documents[number])
        text = context.partition("\n")[2] or context
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        return row(
            *(number + 1, document_id(document), self.collection_of(document), ordinal, text, "{}", context),
            *(LANGUAGE, 1, 1, 0, len(text), min(len(text) // 5, 250), "[]", digest),
        )

    def embeddings(self, cursor: Any) -> None:
        """In COPY's binary format: a million vectors as text would take minutes to print and to read."""
        kept = np.lib.format.open_memmap(
            self.vectors, "w+", np.float16, (self.corpus.size, self.space.dimensions)
        )
        with cursor.copy(f"COPY documents_embedding ({EMBEDDING_COLUMNS}) FROM STDIN BINARY") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            for block in self.corpus.blocks():
                vectors = self.corpus.vectors(block)
                kept[block.start : block.stop] = vectors
                copy.write(self.binary_rows(block, vectors))
            copy.write(b"\xff\xff")
        kept.flush()
        cursor.execute("SELECT setval('documents_embedding_id_seq', %s)", [self.corpus.size])

    def binary_rows(self, block: range, vectors: Floats) -> bytes:
        rows = np.zeros(len(block), binary_row(self.space.dimensions))
        documents = self.corpus.documents[block.start : block.stop]
        numbers = np.arange(block.start, block.stop) + 1
        bits = self.corpus.rng("tokens", block.start).bytes(len(block) * TOKEN_BYTES)
        ids = b"".join(document_id(number).bytes for number in documents.tolist())
        values = {
            "id": numbers,
            "chunk": numbers,
            "space": self.space.pk,
            "document": np.frombuffer(ids, "V16"),
            "collection": np.array(self.collections)[self.placement.collection[documents]],
            # Which bits they are changes what is found, not how long it takes.
            "tokens": np.frombuffer(bits, f"V{TOKEN_BYTES}"),
        }
        rows["fields"] = len(values) + 1
        for name, value in values.items():
            rows[name], rows[f"{name}_length"] = value, rows.dtype[name].itemsize
        rows["vector_length"] = 4 + 2 * self.space.dimensions
        rows["dimensions"], rows["vector"] = self.space.dimensions, vectors
        return rows.tobytes()


def binary_row(dimensions: int) -> np.dtype[Any]:
    fields: list[Any] = [("fields", ">i2")]
    for name, kind in (
        ("id", ">i8"),
        ("chunk", ">i8"),
        ("space", ">i8"),
        ("document", "V16"),
        ("collection", ">i8"),
    ):
        fields += [(f"{name}_length", ">i4"), (name, kind)]
    # A halfvec: its length, two bytes kept for later, the halves.
    fields += [
        ("vector_length", ">i4"),
        ("dimensions", ">i2"),
        ("unused", ">i2"),
        ("vector", ">f2", dimensions),
        ("tokens_length", ">i4"),
        ("tokens", f"V{TOKEN_BYTES}"),
    ]
    return np.dtype(fields)


def row(*values: object) -> str:
    return "\t".join(str(value).translate(ESCAPES) for value in values) + "\n"


def document_id(number: int) -> UUID:
    return UUID(int=(0x5CA1E << 100) + number)


def memory_for_building(cursor: Any) -> None:
    """A parallel build keeps the graph in shared memory, which a container may have little of."""
    memory = BUILD_MEMORY_MB * 2**20
    roomy = shutil.disk_usage("/dev/shm").free > 2 * memory
    cursor.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY_MB}MB'")
    cursor.execute(f"SET max_parallel_maintenance_workers = {2 if roomy else 0}")


def index_sizes() -> dict[str, int]:
    """Bytes of the tables of passages and of each index of theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind IN ('i', 'r') AND "
            "(relname ~ '^(documents_(chunk|embedding|document)|chunk_|identity_|embedding_|document_)')"
        )
        return {name: size for name, size in cursor.fetchall() if size > 2**20}


def kept_facts(path: Path, facts: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=1) + "\n")


def masks(corpus: Corpus, placement: Placement) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Every combination (user, tag or "", which passages it leaves) that leaves any."""
    for spread in SPREADS:
        for user in ("all-100", f"{spread}-10", f"{spread}-1"):
            for tag in ("", *(t for t in placement.tags if t.startswith(spread))):
                if spread == SPREADS[1] and (user, tag) == ("all-100", ""):
                    continue  # was among the first
                left = placement.sees(user) & (placement.tags[tag] if tag else True)
                if left.any():
                    yield user, tag, left[corpus.documents]
