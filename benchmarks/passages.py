"""Real passages for the benchmark of scale: of a portal that there is, or of text corpora.

``python -m benchmarks.passages DATA_DIR FILE.npz`` writes those of a portal, with their vectors.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.synthetic import NOTHING_REAL, Passages, unit

CORPORA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
WORDS = 110
SUFFIXES = {".md", ".txt"}


def open_portal(data_dir: Path) -> None:
    """Django on the embedded servers of ``data_dir``, migrated. Once per process."""
    os.environ |= {"DATA_DIR": str(data_dir.resolve()), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    import django
    from django.conf import settings
    from django.core.management import call_command

    from portal.embedded import use

    use(settings.EMBEDDED_LAYOUT)
    django.setup()
    call_command("migrate", verbosity=0)


def load(file: Path) -> Passages:
    kept = np.load(file)
    texts = kept["texts"].tobytes().decode()
    return Passages(kept["vectors"], texts.split("\0") if texts else (), kept["documents"])


def save(file: Path, passages: Passages) -> None:
    texts = np.frombuffer("\0".join(passages.texts).encode(), np.uint8)
    np.savez(file, vectors=passages.vectors, texts=texts, documents=passages.documents)


def of_corpora(folder: Path = CORPORA) -> Passages:
    """The texts of the evaluation folders, cut by words and embedded here; nothing where there are none."""
    from django.conf import settings

    from documents.embedding.registry import get_embedder

    cut = list(windows(folder))
    if not cut:
        return NOTHING_REAL
    texts = [text for _, text in cut]
    vectors = get_embedder(settings.EMBEDDING_MODEL).embed(texts)
    return Passages(unit(vectors), texts, np.array([number for number, _ in cut]))


def windows(folder: Path) -> Iterator[tuple[int, str]]:
    """(number of the document, its title and some of its words)."""
    files = sorted(each for each in folder.glob("*/corpus/**/*") if each.suffix in SUFFIXES)
    for number, file in enumerate(files):
        words = file.read_text(errors="replace").split()
        for start in range(0, len(words), WORDS):
            yield number, f"{file.stem}\n{' '.join(words[start : start + WORDS])}"


def of_portal() -> Passages:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.vector::text, c.context, c.document_id FROM documents_chunk c "
            "JOIN documents_embedding e ON e.chunk_id = c.id "
            "JOIN documents_embeddingspace s ON s.id = e.space_id AND s.state = 'active' "
            "ORDER BY c.document_id, c.ordinal"
        )
        rows = cursor.fetchall()
    numbers: dict[object, int] = {}
    documents = [numbers.setdefault(document, len(numbers)) for _, _, document in rows]
    vectors = np.array([json.loads(vector) for vector, *_ in rows], np.float32)
    return Passages(unit(vectors), [context for _, context, _ in rows], np.array(documents))


def main() -> None:
    data_dir, file = Path(sys.argv[1]), Path(sys.argv[2])
    open_portal(data_dir)
    save(file, of_portal())


if __name__ == "__main__":
    main()
