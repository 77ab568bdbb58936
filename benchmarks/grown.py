"""``python -m benchmarks.grown N FOLDER REAL``: one size of ``benchmarks.growth``, in a process of its own.

Builds N passages in ``FOLDER`` as ``benchmarks.scale`` does (``--reuse`` takes what lies there), asks each
leg and the hybrid search one question after the other, looks at the memory, and prints one JSON object.
``REAL``: the file of real passages, made when it is not there. Nothing is kept of results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import passages, scale
from benchmarks.memory import memory
from benchmarks.portal import ROOT, processes
from benchmarks.processor import descendants
from benchmarks.synthetic import Corpus
from portal.embedded.layout import Layout

QUESTIONS = 200
#: What a web process is asked before its memory is looked at.
ASKED = 20
USER = "all-100"


def main() -> None:
    options = arguments()
    os.environ["CACHE_TTL_SECONDS"] = "0"
    if options.memory:
        print(json.dumps(memory_of_searching(options.folder, json.load(sys.stdin))))
        return
    if not options.reuse:
        shutil.rmtree(options.folder, ignore_errors=True)
    passages.open_portal(options.folder)
    if not options.real.exists():
        passages.save(options.real, passages.of_corpora())
    if not options.reuse:
        shutil.copy(options.real, options.folder / "real.npz")
    corpus = Corpus(options.passages, passages.load(options.folder / "real.npz"))
    if not options.reuse:
        scale.build(corpus, options.folder)
    print(json.dumps(measure(corpus, options.folder)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("passages", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("real", type=Path)
    parser.add_argument("--reuse", action="store_true", help="ask what lies in the folder")
    parser.add_argument("--memory", action="store_true", help="only search, and tell this process' memory")
    return parser.parse_args()


def measure(corpus: Corpus, folder: Path) -> dict[str, Any]:
    from benchmarks.peers import timings
    from documents import lexical

    lexical.repair_after_restart()
    scale.prewarm()
    everything = np.arange(corpus.size)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    asked = scale.questions(corpus, vectors, scale.TextsOfPortal(), everything, QUESTIONS, "unfiltered")
    calls = scale.calls(scale.Cell(USER, "", everything, asked))
    build = json.loads((folder / "build.json").read_text())
    return {
        "passages": corpus.size,
        **{name: timings(call, QUESTIONS) for name, call in calls.items()},
        "build_seconds": round(sum(build["seconds"].values()), 1),
        **index_megabytes(build["bytes"]),
        "postgres_mb": postgres_megabytes(folder),
        "web_mb": another(folder, [backwards(question.text) for question in asked[:ASKED]])["rss_mb"],
    }


def index_megabytes(sizes: dict[str, int]) -> dict[str, float]:
    """Of the vectors' index, of the words', and of all tables and indexes of passages."""
    hnsw = sum(size for name, size in sizes.items() if "hnsw" in name)
    bm25 = sum(size for name, size in sizes.items() if "bm25" in name)
    named = {"hnsw_mb": hnsw, "bm25_mb": bm25, "tables_and_indexes_mb": sum(sizes.values())}
    return {name: round(size / 2**20, 1) for name, size in named.items()}


def postgres_megabytes(folder: Path) -> float:
    """Resident memory of all its processes, what they share counted once."""
    postmaster = int((Layout(folder).postgres / "postmaster.pid").read_text().split("\n", 1)[0])
    return round(sum(memory(pid)["pss_mb"] for pid in descendants(processes(), postmaster)), 1)


def backwards(text: str) -> str:
    """Other words to the model: the vector of a question that was asked is kept, and would load none."""
    return " ".join(reversed(text.split()))


def another(folder: Path, texts: Sequence[str]) -> dict[str, float]:
    """The memory of a process that has loaded what a web process has, and searched."""
    command = [sys.executable, "-m", "benchmarks.grown", "0", str(folder), "-", "--memory"]
    told = subprocess.run(
        command, cwd=ROOT, input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(told.stdout)
    return found


def memory_of_searching(folder: Path, texts: Sequence[str]) -> dict[str, float]:
    passages.open_portal(folder)
    from django.contrib.auth.models import User

    from search.pipeline import search
    from search.types import SearchRequest

    user = User.objects.get(username=USER)
    for text in texts:
        search(request=SearchRequest(text, rerank="off"), user=user)
    return {name: round(size, 1) for name, size in memory(os.getpid()).items()}


if __name__ == "__main__":
    main()
