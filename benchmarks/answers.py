"""``python -m benchmarks.answers``: how soon an answer begins and ends, and what of it is the portal itself.

A portal of its own on loopback, with the articles of ``../shared/data/xquad-en`` where they are, else texts
that are written here. Questions are asked over ``POST /api/v1/answers/`` as ``text/event-stream``, one after
the other: with the extractive generator, with a model of known delays (``benchmarks.upstream``),
with the embedded model where it can run here; then many at once with the known model.

*Overhead* is what is left of the time from the request being sent to the first ``token`` event being received
when retrieval (the whole search, ``retrieval`` of the answer's own timings) and the model's delay are taken
off. Writes ``benchmarks/results/answers.json`` and prints Markdown. All stages take several minutes, most of
them for the embedded model, which needs seconds for each answer: ``--stages`` chooses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx

from benchmarks import upstream
from benchmarks.machine import describe
from benchmarks.portal import ROOT, DidNotStart, Portal, running

RESULTS = ROOT / "benchmarks" / "results" / "answers.json"
DATA = ROOT.parent / "shared" / "data" / "xquad-en"
FIRST, FOLLOWING = 0.2, 0.02
GOAL_MS = 30.0
WARMING = 5
#: Few: it takes seconds for each.
EMBEDDED_QUESTIONS = 10
STAGES = ("extractive", "upstream", "parallel", "embedded")
STREAM = {"Accept": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's milliseconds since it was sent; what the portal told of them; or what went wrong."""

    begun: float = 0.0
    sources: float = 0.0
    first_token: float = 0.0
    whole: float = 0.0
    retrieval: float = 0.0
    generator: str = ""
    error: str = ""


def main() -> None:
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    try:
        report = {
            "machine": describe(),
            "load_before": round(os.getloadavg()[0], 1),
            **measure(folder, options),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report["load_after"] = round(os.getloadavg()[0], 1)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(table(report)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--questions", type=int, default=60, help="asked one after the other, in each stage")
    parser.add_argument("--parallel", type=int, default=100, help="streams at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    return parser.parse_args()


# --- Stages ---------------------------------------------------------------------------------


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    corpus, questions = material(folder / "corpus", options)
    found: dict[str, Any] = {"corpus": corpus.name}
    with running(folder) as portal:
        portal.manage("ingest", str(corpus), "--collection", "answers", "--wait").check_returncode()
        if "extractive" in options.stages:
            found["extractive"] = one_by_one(portal, questions)
    if {"upstream", "parallel"} & {*options.stages}:
        with upstream.running(FIRST, FOLLOWING) as url, running(folder, **remote(url)) as portal:
            if "upstream" in options.stages:
                found["upstream"] = one_by_one(portal, questions, FIRST * 1000)
            if "parallel" in options.stages:
                found["parallel"] = at_once(portal, questions, options.parallel)
    if "embedded" in options.stages:
        found["embedded"] = embedded(folder, questions)
    return found


def remote(url: str) -> dict[str, str]:
    return {"LLM_BASE_URL": url, "LLM_MODEL": "known", "CACHE_TTL_SECONDS": "0"}


def embedded(folder: Path, questions: Sequence[str]) -> dict[str, Any]:
    """With the packaged model; why not, where it cannot run here."""
    try:
        with running(folder, LLM_MODEL="embedded") as portal:
            found = one_by_one(portal, questions[: WARMING + EMBEDDED_QUESTIONS])
    except DidNotStart as error:
        return {"skipped": str(error).strip().splitlines()[-1]}
    if found["generators"] == ["extractive"]:
        return {"skipped": "there is no such setting, or its packages are not installed"}
    return found


def material(folder: Path, options: argparse.Namespace) -> tuple[Path, list[str]]:
    """A folder of documents, and as many questions as are asked one by one."""
    chosen = random.Random(options.seed)
    if DATA.exists():
        lines = (DATA / "questions.jsonl").read_text().splitlines()
        known = [one["question"] for one in map(json.loads, lines) if one["answerable"]]
        return DATA / "corpus", chosen.sample(known, options.questions + WARMING)
    folder.mkdir(parents=True)
    count = options.questions + WARMING
    for number in range(count):
        text = (
            f"Pump P-{number} was built in {1900 + number}. It stands in hall {number % 7} beside the boiler."
        )
        (folder / f"pump-{number}.md").write_text(f"# Pump P-{number}\n\n{text}\n")
    return folder, [f"When was pump P-{number} built?" for number in range(count)]


def one_by_one(portal: Portal, questions: Sequence[str], delay: float | None = None) -> dict[str, Any]:
    async def ask_all() -> list[Asked]:
        async with client_of(portal, bearer(portal)) as client:
            return [await asked(client, question) for question in questions]

    answers = asyncio.run(ask_all())[WARMING:]
    return figures(answers, delay)


def at_once(portal: Portal, questions: Sequence[str], count: int) -> dict[str, Any]:
    async def ask_all() -> list[Asked]:
        async with client_of(portal, bearer(portal)) as client:
            wanted = (questions[number % len(questions)] for number in range(count))
            return list(await asyncio.gather(*(asked(client, question) for question in wanted)))

    with Counting(portal) as counting:
        answers = asyncio.run(ask_all())
    return {**figures(answers, None), "streams": count, "connections": counting.most}


class Counting(threading.Thread):
    """The most connections that the web process had at a time."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(daemon=True)
        self.portal, self.most, self.stopping = portal, 0, threading.Event()

    def run(self) -> None:
        with self.portal.database() as session:
            while not self.stopping.wait(0.1):
                row = session.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portal web'"
                ).fetchone()
                self.most = max(self.most, row[0] if row else 0)

    def __enter__(self) -> Counting:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join()


# --- Asking ---------------------------------------------------------------------------------


def bearer(portal: Portal) -> dict[str, str]:
    token = portal.manage("create_token", "--user", "admin").stdout.strip()
    return {"Authorization": f"Bearer {token}"}


def client_of(portal: Portal, headers: dict[str, str]) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=portal.address, headers=headers, timeout=120, limits=limits)


async def asked(client: httpx.AsyncClient, question: str) -> Asked:
    sent, seen = time.perf_counter(), dict[str, float]()
    end: dict[str, Any] = {}
    try:
        async with client.stream(
            "POST", "/api/v1/answers/", json={"question": question}, headers=STREAM
        ) as stream:
            if stream.status_code != 200:
                return Asked(error=f"{stream.status_code}")
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    end = json.loads(line[5:])
                    seen.setdefault(end["type"], (time.perf_counter() - sent) * 1000)
    except httpx.HTTPError as error:
        return Asked(error=type(error).__name__)
    if end.get("type") != "done":
        return Asked(error=end.get("code", "cut off"))
    return Asked(
        begun=seen["started"],
        sources=seen.get("sources", 0.0),
        first_token=seen.get("token", 0.0),
        whole=seen["done"],
        retrieval=end["timings"]["retrieval"],
        generator=end["settings"]["generator"],
    )


# --- Figures --------------------------------------------------------------------------------


def figures(answers: Sequence[Asked], delay: float | None) -> dict[str, Any]:
    """``delay``: the model's, in ms, where the portal's own time can be told apart from it."""
    whole = [one for one in answers if not one.error]
    spoken = [one for one in whole if one.first_token]
    errors: dict[str, int] = {}
    for one in answers:
        if one.error:
            errors[one.error] = errors.get(one.error, 0) + 1
    found: dict[str, Any] = {"asked": len(answers), "with_text": len(spoken), "errors": errors}
    found["generators"] = sorted({one.generator for one in whole})
    for name in ("begun", "sources", "retrieval", "first_token"):
        found[name] = spread([getattr(one, name) for one in spoken])
    found["whole"] = spread([one.whole for one in whole])
    if delay is not None:
        found["overhead"] = spread([one.first_token - one.retrieval - delay for one in spoken])
    return found


def spread(values: Sequence[float]) -> dict[str, float] | None:
    if len(values) < 2:
        return None
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1)}


def table(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['machine']}; load {report['load_before']} before, {report['load_after']} after", ""]
    lines += [
        "| generator | answers | errors | first token, ms (p50, p95) | whole answer, ms | retrieval, ms |"
    ]
    lines += ["|---|---|---|---|---|---|"]
    for name, found in ((name, report[name]) for name in STAGES if name in report):
        if "skipped" in found:
            lines.append(f"| {name} | not measured: {found['skipped']} | | | | |")
            continue
        cells = [name, found["asked"], sum(found["errors"].values())]
        cells += [shown(found[key]) for key in ("first_token", "whole", "retrieval")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    if upstreamed := report.get("upstream"):
        overhead = shown(upstreamed["overhead"])
        lines += ["", f"Overhead to the first token: {overhead} ms (goal: p50 at most {GOAL_MS:.0f})."]
    if parallel := report.get("parallel"):
        lines += [f"{parallel['streams']} streams at once: at most {parallel['connections']} connections."]
    return lines


def shown(found: dict[str, float] | None) -> str:
    return "–" if found is None else f"{found['p50']}, {found['p95']}"


if __name__ == "__main__":
    main()
