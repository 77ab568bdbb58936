"""The words that the documents of a collection hold, and how many documents hold each.

They are counted from the stored passages, so that what is taken back is what was counted. Every change of
a document's passages exchanges its words in the same transaction::

    before = words_of(document.pk)
    …                                   # the passages change
    exchange(document.collection_id, before, words_of(document.pk))

``exchange`` locks the collection's row until the transaction ends, as ``touch_corpus`` does: who changes
documents of several collections touches these first (``corpora_touch``), all in one order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection as Container
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection, transaction

from documents import lexical

if TYPE_CHECKING:
    from documents.querysets import User

SHORTEST, LONGEST = 4, 40
#: Codes and numbers are exact or wrong; scripts without blanks between words have no words to correct.
NO_WORD = r"[\d_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
#: Each passage's words, folded. Asked for what they are once only, when each is there once.
SPLIT = f"""
    regexp_split_to_table(public.unaccent('public.unaccent', c.context), '[^[:alnum:]]+') AS found
    WHERE length(found) BETWEEN {SHORTEST} AND {LONGEST}"""
OF_DOCUMENT = f"""
    SELECT word FROM (SELECT DISTINCT lower(found) AS word FROM documents_chunk c, {SPLIT}
    AND c.document_id = %s OFFSET 0) held WHERE word !~ '{NO_WORD}' AND length(word) <= {LONGEST}"""
#: What the vocabularies should be. ``{{which}}`` narrows it to some passages ``c``.
HELD = f"""
    SELECT collection_id, word, count(*) AS documents FROM (
    SELECT DISTINCT c.collection_id, c.document_id, lower(found) AS word FROM documents_chunk c, {SPLIT}
    {{which}} OFFSET 0) held WHERE word !~ '{NO_WORD}' AND length(word) <= {LONGEST} GROUP BY 1, 2"""
FILL = "INSERT INTO documents_word (collection_id, word, documents) " + HELD.format(which="")

LOCK = "SELECT 1 FROM documents_collection WHERE id = %s FOR NO KEY UPDATE"
LAST = "DELETE FROM documents_word WHERE collection_id = %s AND word = ANY(%s) AND documents = 1"
FEWER = "UPDATE documents_word SET documents = documents - 1 WHERE collection_id = %s AND word = ANY(%s)"
MORE = """
    INSERT INTO documents_word (collection_id, word, documents)
    SELECT %s, word, 1 FROM unnest(%s::text[]) AS word
    ON CONFLICT (collection_id, word) DO UPDATE SET documents = documents_word.documents + 1"""


def words_of(document_id: UUID) -> frozenset[str]:
    """The words of a document's passages, folded; none of one that has no passages (any more)."""
    with connection.cursor() as cursor:
        cursor.execute(OF_DOCUMENT, [document_id])
        return frozenset(word for (word,) in cursor.fetchall())


def exchange(collection_id: int, before: Container[str], after: Container[str] = frozenset()) -> None:
    """A document of the collection held the words ``before``, and holds those ``after`` now."""
    gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    if not gone and not new:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, [collection_id])
        if gone:
            cursor.execute(LAST, [collection_id, gone])
            cursor.execute(FEWER, [collection_id, gone])
        if new:
            cursor.execute(MORE, [collection_id, new])


def count_again(collection_id: int) -> None:
    """Make a collection's vocabulary anew, from its passages."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, [collection_id])
        cursor.execute("DELETE FROM documents_word WHERE collection_id = %s", [collection_id])
        cursor.execute(
            "INSERT INTO documents_word (collection_id, word, documents) "
            + HELD.format(which="AND c.collection_id = %s"),
            [collection_id],
        )


# --- Words that are near to others --------------------------------------------------------------

#: How alike two words have to be to be compared at all: trigrams they share, of all they have. One wrong,
#: missing or superfluous letter leaves so much of any word of four; two that changed places do not.
ALIKE = 0.25
NEIGHBOURS = 20
#: ```{allowed}`` selects the keys of the collections whose words may be shown. A word that these hold, in
#: whatever form, is right, and so is one that a language passes over. ``+ 0``: else the planner compares all
#: words of a collection, which takes four times as long as the trigram index does.
NEAR = """
    WITH allowed AS MATERIALIZED ({allowed}), languages AS MATERIALIZED (
        SELECT text_config(language)::regconfig AS config FROM unnest(%s::text[]) AS language
    ), given AS (
        SELECT number, lower(public.unaccent('public.unaccent', written)) AS word,
        string_to_array(lower(public.unaccent('public.unaccent', swaps)), ' ') AS swaps
        FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked(written, swaps, number)
    ), unheld AS MATERIALIZED (
        SELECT * FROM given WHERE NOT EXISTS (SELECT FROM documents_word w
            WHERE w.word = given.word AND w.collection_id IN (SELECT id FROM allowed))
        AND NOT EXISTS (SELECT FROM languages WHERE to_tsvector(config, given.word) = '')
    )
    SELECT unheld.number, unheld.word, near.word, near.documents, EXISTS (SELECT FROM languages
        WHERE to_tsvector(config, near.word) = to_tsvector(config, unheld.word))
    FROM unheld CROSS JOIN LATERAL (
        SELECT w.word, sum(w.documents) AS documents FROM documents_word w
        WHERE (w.word %% unheld.word OR w.word = ANY(unheld.swaps))
        AND w.collection_id + 0 IN (SELECT id FROM allowed)
        GROUP BY w.word ORDER BY similarity(w.word, unheld.word) DESC, documents DESC LIMIT %s
    ) AS near ORDER BY unheld.number"""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A word that is written much like another one, and how many documents hold it."""

    word: str
    documents: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that no document holds, folded, and the words near to it: at least one."""

    word: str
    neighbours: tuple[Neighbour, ...]


def unknown(words: Sequence[str], *, user: User, collections: Container[str] = ()) -> Mapping[str, Unknown]:
    """Of ``words`` those that no document holds which the user may see, where something is near to them.

    ``collections`` (slugs) narrows it.
    """
    if not words or not user.is_authenticated:
        return {}
    found: dict[int, list[tuple[str, Neighbour, bool]]] = defaultdict(list)
    for number, folded, word, documents, one_stem in near(words, user, collections):
        found[number].append((folded, Neighbour(word, int(documents)), one_stem))
    return {
        words[number - 1]: Unknown(rows[0][0], tuple(neighbour for _, neighbour, _ in rows))
        for number, rows in found.items()
        if not any(one_stem for _, _, one_stem in rows)
    }


def near(
    words: Sequence[str], user: User, collections: Container[str]
) -> list[tuple[int, str, str, int, bool]]:
    sql, parameters = near_query(words, user, collections)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pg_trgm.similarity_threshold', %s, true)", [str(ALIKE)])
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def near_query(words: Sequence[str], user: User, collections: Container[str]) -> tuple[str, list[Any]]:
    from documents.models import Collection

    allowed = Collection.objects.visible_to(user).order_by()
    if collections:
        allowed = allowed.filter(slug__in=list(collections))
    sql, keys = allowed.values("id").query.sql_with_params()
    swaps = [" ".join(swapped(word)) for word in words]
    return NEAR.format(allowed=sql), [*keys, lexical.languages(), list(words), swaps, NEIGHBOURS]


def swapped(word: str) -> list[str]:
    """The word with two letters beside each other in each other's place, for each such pair."""
    return [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
