"""``python -m benchmarks.embedding``: ONNX Runtime in int8 against torch in float32, speed and what it finds.

Both get the same texts in the same run, in turns, so that both meet the same machine: passages of the
evaluation folders, split as the portal splits them, and their questions one by one. Torch is
sentence-transformers as it comes, at the best of its batch sizes. ``ready-made`` is the packaged int8 file,
``prepared`` what ``make models`` makes for this processor; it is made for the run where it is missing.

nDCG@10 is that of the vectors alone, by an exact scan in numpy; *gathered*: with questions encoded a few at a
time, as those of several threads are. Each set takes ``--questions`` of its questions, drawn by a fixed seed,
and ``--passages`` passages: those of a file or page that answers a drawn question first, then others, drawn
too, of as many files as that takes. Fewer passages are easier, for both engines alike: figures of a whole
folder are those of ``benchmarks.evaluation``.

Writes ``benchmarks/results/embedding.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchmarks.machine import describe
from documents.embedding.queries import MOST_AT_ONCE
from search.questions import Question, parsed
from search.scores import bootstrap_interval, mean, ndcg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Embed = Callable[[Sequence[str]], Vectors]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results" / "embedding.json"
COMMAND = "python -m benchmarks.embedding"
SETS = ("xquad-en", "pubmedqa", "filings")
SUFFIXES = {".md": "markdown", ".txt": "text", ".pdf": "pdf"}
YARDSTICK = "torch fp32"
#: sentence-transformers' own, and what suits two cores; the faster one is the yardstick.
TORCH_BATCHES = (32, 8)
SEED = 0
#: Passages and questions of a round of timing.
TIMED_PASSAGES, TIMED_QUERIES = 64, 32
CUT = 10
GOAL_RATIO, GOAL_NDCG = 2.0, 0.995


@dataclass(frozen=True, slots=True)
class Place:
    """A passage: the words that are embedded, and where it stands."""

    text: str
    document: str
    page: int


@dataclass(frozen=True, slots=True)
class Set:
    """What is asked, and what it is looked for in."""

    name: str
    questions: tuple[Question, ...]
    places: tuple[Place, ...]
    of_questions: int
    files: int
    of_files: int


# --- What is embedded -----------------------------------------------------------------------


def read_set(name: str, most_questions: int, most_places: int) -> Set:
    asked = [each for each in parsed((DATA / name / "questions.jsonl").read_bytes()) if each.relevant]
    drawn = random.Random(SEED).sample(asked, min(most_questions, len(asked)))
    files, places = files_of(name, drawn), list[Place]()
    wanted = {document for each in drawn for document in each.documents}
    for read, file in enumerate(files, 1):
        places += places_of(file)
        if read >= len(wanted) and len(places) >= most_places:
            break
    chosen = chosen_places(places, drawn, most_places)
    return Set(name, tuple(drawn), tuple(chosen), len(asked), read, len(files))


def files_of(name: str, asked: Sequence[Question]) -> list[Path]:
    """Those that answer first, then the others, shuffled."""
    wanted = {document for each in asked for document in each.documents}
    files = sorted(file for file in (DATA / name / "corpus").iterdir() if file.suffix in SUFFIXES)
    others = [file for file in files if file.name not in wanted]
    random.Random(SEED).shuffle(others)
    return [file for file in files if file.name in wanted] + others


def places_of(file: Path) -> list[Place]:
    """Split and put into context as the portal does it."""
    from documents.chunking import chunk
    from documents.embedding import weights
    from documents.embedding.registry import get_token_counter
    from documents.parsing.jail import parse_in_jail

    document = parse_in_jail(str(file), SUFFIXES[file.suffix])
    title = file.stem if file.suffix == ".pdf" else document.title or file.stem
    passages = chunk(document, get_token_counter(weights.PACKAGED_MODEL), title=title)
    return [Place(each.context, file.name, each.page_start) for each in passages]


def chosen_places(places: Sequence[Place], asked: Sequence[Question], most: int) -> list[Place]:
    wanted = [place for place in places if any(item_of(place, each) in relevant(each) for each in asked)]
    rest = set(places) - set(wanted)
    others = [place for place in places if place in rest]
    fill = max(most - len(wanted), 0)
    return wanted + random.Random(SEED).sample(others, min(fill, len(others)))


def relevant(question: Question) -> set[Hashable]:
    """Pages where the question names them, else documents."""
    return {*question.pages} or {*question.documents}


def item_of(place: Place, question: Question) -> Hashable:
    return (place.document, place.page) if question.pages else place.document


# --- Engines --------------------------------------------------------------------------------


def engines() -> dict[str, Embed]:
    """By name, loaded: the ready-made file, the prepared one, and sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    from documents.embedding import prepare, weights
    from documents.embedding.onnx import OnnxEmbedder

    files, card = weights.locate(weights.PACKAGED_MODEL), weights.model_card(weights.PACKAGED_MODEL)
    found: dict[str, Embed] = {}
    if ready := weights.ready_onnx():
        found["ready-made int8"] = OnnxEmbedder(files, card, ready).embed
    found["prepared int8"] = OnnxEmbedder(files, card, prepare.prepare(card.name).path).embed
    model = SentenceTransformer(str(files.folder), device="cpu", local_files_only=True)
    for size in TORCH_BATCHES:
        found[f"{YARDSTICK}, {size} at once"] = torch_embed(model, size)
    for embed in found.values():
        embed(["Loaded at the first call."])
    return found


def torch_embed(model: Any, size: int) -> Embed:
    def embed(texts: Sequence[str]) -> Vectors:
        vectors: Vectors = model.encode(
            list(texts), batch_size=size, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    return embed


# --- Speed ----------------------------------------------------------------------------------


def speed(found: Mapping[str, Embed], sets: Sequence[Set], rounds: int) -> dict[str, Any]:
    """Texts a second of each engine, round by round in turns; ratios are taken within a round."""
    drawing = random.Random(SEED)
    passages = drawing.sample([place.text for each in sets for place in each.places], TIMED_PASSAGES)
    queries = drawing.sample([question.text for each in sets for question in each.questions], TIMED_QUERIES)
    seconds: dict[str, dict[str, list[float]]] = {name: {"passages": [], "queries": []} for name in found}
    for _ in range(rounds):
        for name, embed in found.items():
            seconds[name]["passages"].append(timed(lambda embed=embed: embed(passages)))
            seconds[name]["queries"].append(timed(lambda embed=embed: [embed([each]) for each in queries]))
    yardsticks = [name for name in found if name.startswith(YARDSTICK)]
    return {
        name: {
            "passages_per_second": round(len(passages) / median(taken["passages"]), 1),
            "milliseconds_per_query": round(1000 * median(taken["queries"]) / len(queries), 2),
            **{
                f"ratio_{what}": round(
                    median(
                        min(seconds[other][what][number] for other in yardsticks) / own
                        for number, own in enumerate(taken[what])
                    ),
                    2,
                )
                for what in ("passages", "queries")
            },
            "rounds": {what: [round(each, 4) for each in taken[what]] for what in taken},
        }
        for name, taken in seconds.items()
    }


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# --- What is found --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scores:
    """nDCG@10 of each question: encoded alone, and as those of several threads are."""

    alone: list[float]
    gathered: list[float]


def quality(found: Mapping[str, Embed], each: Set) -> dict[str, Any]:
    """nDCG@10 of each engine, and its share of the yardstick's."""
    one_yardstick = next(name for name in found if name.startswith(YARDSTICK))
    compared = {name: embed for name, embed in found.items() if not name.startswith(YARDSTICK)}
    scores = {name: scores_of(embed, each) for name, embed in compared.items()}
    exact = scores_of(found[one_yardstick], each)
    reference = float(np.mean(exact.alone))
    return {
        "questions": len(each.questions),
        "of_questions": each.of_questions,
        "passages": len(each.places),
        "files": each.files,
        "of_files": each.of_files,
        YARDSTICK: mean(exact.alone),
        **{
            name: {
                "ndcg@10": mean(own.alone),
                "share": round(float(np.mean(own.alone)) / reference, 4),
                "share_gathered": round(float(np.mean(own.gathered)) / reference, 4),
                "difference": bootstrap_interval(
                    [one - two for one, two in zip(own.alone, exact.alone, strict=True)]
                ),
            }
            for name, own in scores.items()
        },
    }


def scores_of(embed: Embed, each: Set) -> Scores:
    passages = embed([place.text for place in each.places])
    return Scores(*(found_with(embed, each, passages, size) for size in (1, MOST_AT_ONCE)))


def found_with(embed: Embed, each: Set, passages: Vectors, size: int) -> list[float]:
    """nDCG@10 of each question, so many of which are encoded together."""
    texts = [question.text for question in each.questions]
    asked = [embed(texts[start : start + size]) for start in range(0, len(texts), size)]
    return [
        ndcg(ranked(passages @ vector, each.places, question), relevant(question), CUT)
        for question, vector in zip(each.questions, np.concatenate(asked), strict=True)
    ]


def ranked(scores: NDArray[Any], places: Sequence[Place], question: Question) -> list[Hashable]:
    order = np.argsort(-scores, kind="stable")
    return list(dict.fromkeys(item_of(places[row], question) for row in order))


# --- All of it ------------------------------------------------------------------------------


def measure(
    sets: Sequence[str] = SETS, *, questions: int = 100, passages: int = 600, rounds: int = 5
) -> dict[str, Any]:
    """Needs Django to be set up."""
    read = [noted(f"reading {name}", lambda name=name: read_set(name, questions, passages)) for name in sets]
    found = noted("loading", engines)
    return {
        "command": COMMAND,
        "machine": describe(),
        "avx512": has_avx512(),
        "load_average": os.getloadavg()[0],
        "goals": {"ratio": GOAL_RATIO, "share_of_ndcg": GOAL_NDCG},
        "speed": noted("speed", lambda: speed(found, read, rounds)),
        "ndcg": {
            each.name: noted(f"nDCG of {each.name}", lambda each=each: quality(found, each)) for each in read
        },
    }


def noted(what: str, work: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = work()
    print(f"{what}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return result


def has_avx512() -> bool:
    return "avx512f" in Path("/proc/cpuinfo").read_text()


def table(result: Mapping[str, Any]) -> str:
    wide = "AVX-512" if result["avx512"] else "no AVX-512"
    lines = [
        f"{result['machine']}, {wide}; load before {result['load_average']:.1f}",
        "",
        f"| engine | passages/s | × {YARDSTICK} | ms per query | × {YARDSTICK} |",
        "|---|---|---|---|---|",
    ]
    for name, row in result["speed"].items():
        lines.append(
            f"| {name} | {row['passages_per_second']} | {row['ratio_passages']} "
            f"| {row['milliseconds_per_query']} | {row['ratio_queries']} |"
        )
    lines += ["", "| nDCG@10 of vectors alone | questions, passages | engine | value | share | gathered |"]
    lines.append("|---|---|---|---|---|---|")
    for name, row in result["ndcg"].items():
        size = f"{row['questions']} of {row['of_questions']}, {row['passages']} of {row['files']} files"
        lines.append(f"| {name} | {size} | {YARDSTICK} | {row[YARDSTICK]} | | |")
        for engine in (each for each in row if isinstance(row[each], dict)):
            figures = (row[engine][name] for name in ("ndcg@10", "share", "share_gathered"))
            lines.append(f"| | | {engine} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--questions", type=int, default=100, help="of each set, at most")
    parser.add_argument("--passages", type=int, default=600, help="of each set, at most")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    options = vars(parser.parse_args())
    # Django's settings say where prepared files are. Nothing is stored, and no server is started.
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    import django

    django.setup()
    result = measure(**options)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
