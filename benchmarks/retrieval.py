"""``python -m benchmarks.retrieval FOLDER…``: every mode on every evaluation folder, as one table.

Runs ``manage.py evaluate`` for each, so it measures what a user gets. The corpus of a folder is
ingested by the first run. Writes ``benchmarks/results/retrieval.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
MODES = ("vector", "keyword", "hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--answers", action="store_true", help="answer the questions too (hybrid)")
    options = parser.parse_args()
    reports = [
        report(folder, mode, answers=options.answers and mode == "hybrid")
        for folder in options.folders
        for mode in MODES
    ]
    results = {"machine": describe(), "reports": reports}
    target = ROOT / "benchmarks" / "results" / "retrieval.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{describe()}\n")
    print("\n".join(retrieval_table(reports)))
    print()
    print("\n".join(answers_table(reports)))


def report(folder: Path, mode: str, *, answers: bool) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "evaluate", str(folder.resolve()), "--json", "--mode", mode]
    print(" ".join(command[1:]), file=sys.stderr, flush=True)
    done = subprocess.run(
        command if answers else [*command, "--no-answers"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def retrieval_table(reports: list[dict[str, Any]]) -> list[str]:
    rows = [
        "| set, level | mode | recall@1 | recall@5 | recall@10 | MRR@10 | nDCG@10 | search p50 | p95 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in reports:
        for level, scores in entry["retrieval"].items():
            if not scores or scores["recall@1"] is None:
                continue
            figures = [scores[name] for name in ("recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10")]
            latency = entry["latency_ms"]
            cells = [f"{entry['folder']}, {level}", entry["settings"]["mode"]]
            cells += [f"{figure:.3f}".removeprefix("0") for figure in figures]
            cells += [f"{latency['search_p50']:.0f} ms", f"{latency['search_p95']:.0f} ms"]
            rows.append("| " + " | ".join(cells) + " |")
    return rows


def answers_table(reports: list[dict[str, Any]]) -> list[str]:
    names = ("refusal_precision", "refusal_recall", "citation_precision", "supported_sentences", "token_f1")
    rows = [
        "| set | answered | abstained | " + " | ".join(names).replace("_", " ") + " | answer p50 |",
        "|---" * (len(names) + 4) + "|",
    ]
    for entry in reports:
        if scores := entry.get("answers"):
            cells = [entry["folder"], str(scores["answered"]), str(scores["abstained"])]
            cells += ["–" if scores[name] is None else f"{scores[name]:.3f}" for name in names]
            cells.append(f"{entry['latency_ms']['answer_p50']:.0f} ms")
            rows.append("| " + " | ".join(cells) + " |")
    return rows


if __name__ == "__main__":
    main()
