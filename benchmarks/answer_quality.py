"""``python -m benchmarks.answer_quality FOLDER…``: what is answered, what is refused, and how right that is.

Asks the questions of each evaluation folder, and ``--near N`` near-miss questions made of them
(``benchmarks.near_misses``), which have no answer. Writes the tables between the marks in
``docs/evaluation.md``, the risk–coverage curves as ``docs/images/risk-coverage.svg`` and everything to
``benchmarks/results/answer-quality.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evaluation import DOCUMENT, ROOT, begin, between_marks, short
from benchmarks.machine import describe
from benchmarks.near_misses import near_misses, written

RESULTS = ROOT / "benchmarks" / "results" / "answer-quality.json"
PICTURE = ROOT / "docs" / "images" / "risk-coverage.svg"
MARKS = ("<!-- answers: begin -->", "<!-- answers: end -->")
MEASURES = (
    *("refusal_precision", "refusal_recall", "citation_precision", "right_page", "supported_sentences"),
    *("token_f1", "exact_match", "text_f1"),
)
NEAR = 100
SEED = 7
#: The plot within the picture's 640 × 360, and the colours of its lines.
LEFT, RIGHT, TOP, BOTTOM = 56, 470, 24, 312
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" font-family="sans-serif"
  font-size="13" fill="#444">
<rect width="640" height="360" fill="#fff"/>"""
COLOURS = ("#2f6fde", "#c2571a", "#2b8a3e", "#8e44ad")


def progress(done: int, of: int) -> None:
    if done % 100 == 0 or done == of:
        print(f"{done} of {of} questions", file=sys.stderr, flush=True)


def measured(folder: Path, near: int) -> dict[str, Any]:
    from search.evaluation import evaluate
    from search.management.commands.evaluate import EVALUATOR, evaluator

    user = evaluator(EVALUATOR)
    report = evaluate(folder, user=user, report=progress)
    swaps = near_misses(folder, near, SEED)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "near-misses.jsonl"
        written(swaps, path)
        asked = evaluate(folder, user=user, asking=path, report=progress) if swaps else None
    return {
        "folder": folder.name,
        "report": report,
        "near": asked["answers"] if asked else None,
        "near_kinds": dict(Counter(swap.kind for swap in swaps)),
    }


# --- What is written ----------------------------------------------------------------------------


def told(results: Mapping[str, Any]) -> str:
    head = ["set", "answered", "abstained", *(name.replace("_", " ") for name in MEASURES), "answer p50"]
    lines = [f"On {results['machine']}.", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for each in results["sets"]:
        scores = each["report"]["answers"]
        cells = [each["folder"], str(scores["answered"]), str(scores["abstained"])]
        cells += ["–" if scores[name] is None else short(scores[name]) for name in MEASURES]
        cells.append(f"{each['report']['latency_ms']['answer_p50']:.0f} ms")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| near-misses of | questions | refused |", "|---|---|---|"]
    lines += [near_row(each) for each in results["sets"] if each["near"]]
    return "\n".join([*lines, "", "![Risk against coverage](images/risk-coverage.svg)"])


def near_row(each: Mapping[str, Any]) -> str:
    refused = each["near"]["abstained"]
    asked = refused + each["near"]["answered"]
    kinds = ", ".join(f"{count} by {kind}" for kind, count in sorted(each["near_kinds"].items()))
    return f"| {each['folder']} | {asked} ({kinds}) | {short(refused / asked)} |"


def picture(sets: Sequence[Mapping[str, Any]]) -> str:
    """Risk (the share of what is answered that is wrong) against coverage, a line for each set.

    A tick on the axis shows where the set was answered.
    """
    lines = [line for number, each in enumerate(sets) for line in curve(number, each)]
    return "\n".join([HEAD, *grid(), *lines, "</svg>", ""])


def grid() -> list[str]:
    lines = []
    for at in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines += [
            f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y(at)}" y2="{y(at)}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y(at) + 4}" text-anchor="end">{at:.2f}</text>',
            f'<text x="{x(at)}" y="{BOTTOM + 20}" text-anchor="middle">{at:.2f}</text>',
        ]
    middle = (LEFT + RIGHT) // 2
    return [
        *lines,
        f'<text x="{middle}" y="{BOTTOM + 40}" text-anchor="middle">coverage</text>',
        f'<text x="{LEFT}" y="{TOP - 8}">risk</text>',
    ]


def curve(number: int, each: Mapping[str, Any]) -> list[str]:
    colour, scores = COLOURS[number % len(COLOURS)], each["report"]["answers"]
    points = " ".join(f"{x(coverage)},{y(risk)}" for coverage, risk in scores["risk_coverage"])
    at = x(scores["answered"] / (scores["answered"] + scores["abstained"]))
    tick = f'x1="{at}" x2="{at}" y1="{BOTTOM - 6}" y2="{BOTTOM + 6}"'
    return [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
        f'<line {tick} stroke="{colour}" stroke-width="3"/>',
        f'<text x="{RIGHT + 16}" y="{TOP + 20 + 22 * number}" fill="{colour}">{each["folder"]}</text>',
    ]


def x(coverage: float) -> int:
    return round(LEFT + coverage * (RIGHT - LEFT))


def y(risk: float) -> int:
    return round(BOTTOM - risk * (BOTTOM - TOP))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--near", type=int, default=NEAR, help="near-miss questions of each folder, at most")
    given = parser.parse_args()
    between_marks(DOCUMENT.read_text(), "", MARKS)  # better now than after an hour
    begin()
    sets = [measured(folder.resolve(), given.near) for folder in given.folders]
    results = {"machine": describe(), "sets": sets}
    RESULTS.write_text(json.dumps(results, ensure_ascii=False) + "\n")
    PICTURE.write_text(picture(sets))
    DOCUMENT.write_text(between_marks(DOCUMENT.read_text(), told(results), MARKS))
    print(told(results))


if __name__ == "__main__":
    main()
