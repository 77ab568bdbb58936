"""``python -m benchmarks.faults``: documents uploaded in a steady stream while everything is killed.

A portal of its own on loopback takes the documents over REST. Meanwhile its worker is killed, its Postgres
and its Redis crash, and the disk under its originals is full for a while: each at a random place of the
stream. The client repeats what was answered with 5xx or not at all, with the same Idempotency-Key. In the
end every accepted document has to be ready, with the bytes that were sent last, once, and whole.

Writes ``benchmarks/results/faults.json`` and prints Markdown; ends with 1 when anything is not as promised.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.corpus import Author
from benchmarks.machine import describe
from benchmarks.portal import ROOT, Portal, running, wait_for
from benchmarks.stream import STREAM_SECONDS, Disk, Fault, Run, Uploader, schedule
from benchmarks.watching import Watch

RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
FINISH_SECONDS = 4 * 60.0
GOAL_SECONDS = 60.0
#: A full disk is a 507, an absent database a 503: anything else is a fault of the portal.
FORBIDDEN_ANSWERS = {"500", "502", "504"}


# --- What came of it ------------------------------------------------------------------------


def account(run: Run) -> dict[str, Any]:
    """Count what is there against what was promised."""
    stored = {row["id"]: row for row in every_document(run.uploader.client)}
    sent = run.uploader.sent
    found = {pk: stored[pk] for pk in sent if pk in stored}
    others = [row for pk, row in stored.items() if pk not in sent]
    return {
        "accepted": len(sent),
        "ready": sum(row["status"] == "ready" for row in found.values()),
        "failed": [
            f"{row['filename']}: {row['reason']}" for row in found.values() if row["status"] == "failed"
        ],
        "unfinished": [row["filename"] for row in found.values() if row["status"] not in ("ready", "failed")],
        "lost": [pk for pk in sent if pk not in stored],
        "wrong_bytes": [pk for pk, row in found.items() if row["sha256"] != sent[pk].sha256],
        "duplicates": count_twice(row["sha256"] for row in stored.values()),
        "attachments": sum(row["filename"] == "attached.txt" for row in others),
        "attachments_expected": sum(one.form == "eml with attachment" for one in sent.values()),
        "strangers": [row["filename"] for row in others if row["filename"] != "attached.txt"],
        "replaced": sum(one.replaced for one in sent.values()),
        "refused": run.uploader.refused,
    }


def every_document(client: httpx.Client) -> Iterator[dict[str, Any]]:
    address: str | None = "documents/?limit=100"
    while address:
        page = client.get(address).raise_for_status().json()
        yield from page["results"]
        address = page["next"]


def count_twice(digests: Iterator[str]) -> int:
    return sum(count - 1 for count in Counter(digests).values())


def passages_twice(portal: Portal) -> int:
    with portal.database() as connection:
        row = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM documents_chunk GROUP BY document_id, page_start, start "
            "HAVING count(*) > 1) twice"
        ).fetchone()
    return int(row[0]) if row else -1


def resumes(run: Run) -> dict[str, dict[str, Any]]:
    for fault in run.faults:
        if fault.at is not None:
            fault.resumed = seconds_to_resume(run, fault, fault.at)
            if fault.victim:
                fault.victim_resumed = run.watch.seconds_to_move(fault.at, fault.victim)
    kinds = dict.fromkeys(fault.kind for fault in run.faults)
    return {kind: resume([fault for fault in run.faults if fault.kind == kind]) for kind in kinds}


def seconds_to_resume(run: Run, fault: Fault, at: float) -> float | None:
    if fault.kind != "disk":
        return run.watch.seconds_to_move(at)
    return min((sent.at - at for sent in run.uploader.sent.values() if sent.at > at), default=None)


def resume(faults: list[Fault]) -> dict[str, Any]:
    done = [fault for fault in faults if fault.at is not None and not fault.how.startswith("not injected")]
    return {
        "planned": len(faults),
        "injected": len(done),
        "how": dict(Counter(fault.how for fault in done)),
        "any_document": spread([fault.resumed for fault in done if fault.resumed is not None]),
        "the_document_in_hand": spread([f.victim_resumed for f in done if f.victim_resumed is not None]),
        "never": sum(fault.resumed is None for fault in done),
    }


def one_fault(fault: Fault, began: float) -> dict[str, Any]:
    """Its row of the report: seconds since the beginning, so that faults upon faults can be seen."""
    at = None if fault.at is None else round(fault.at - began, 1)
    return {**asdict(fault), "at": at}


def spread(seconds: list[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {"n": len(seconds), "median": round(median(seconds), 2), "max": round(max(seconds), 2)}


def log_of(portal: Portal) -> dict[str, Any]:
    """How loud the portal was, and its commonest lines with ids and numbers taken out."""
    lines = portal.log.read_text(errors="replace").splitlines()
    levels = Counter(match[1] for line in lines if (match := re.search(r" (WARNING|ERROR|CRITICAL) ", line)))
    plain = (re.sub(r"[0-9a-f-]{36}|\d+", "#", line)[:160] for line in lines if re.match(r"\d{4}-", line))
    tracebacks = sum(line.startswith("Traceback") for line in lines)
    return {
        "lines": len(lines),
        **levels,
        "tracebacks": tracebacks,
        "commonest": Counter(plain).most_common(12),
    }


# --- The command ----------------------------------------------------------------------------


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, interrupt)
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    disk = Disk(folder / "disk")
    ok = False
    try:
        report = carry_out(folder, disk, options)
        ok = good(report)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        print("\n".join(table(report)))
    finally:
        if not ok:
            keep_logs(folder)
        disk.unmount()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if ok else 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--kills", type=int, default=50, help="of the worker")
    parser.add_argument("--postgres", type=int, default=5, help="crashes and restarts of Postgres")
    parser.add_argument("--redis", type=int, default=2, help="kills of Redis")
    parser.add_argument("--disk", type=int, default=1, help="times that the disk is full")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def keep_logs(folder: Path) -> None:
    kept = Path(tempfile.mkdtemp(prefix="portal-bench-logs-"))
    for log in [folder / "portal.log", *(folder / "data" / "logs").glob("*.log")]:
        if log.exists():
            shutil.copy(log, kept)
    print(f"\nThe logs of the portal: {kept}", file=sys.stderr)


def carry_out(folder: Path, disk: Disk, options: argparse.Namespace) -> dict[str, Any]:
    disk.mount(folder / "data")
    counts = {name: getattr(options, name) for name in ("postgres", "redis", "disk")}
    counts = {"worker": options.kills, **counts}
    if not disk.mounted:
        counts["disk"] = 0
    faults = schedule(options.documents, counts, random.Random(options.seed))
    with running(folder) as portal, portal.client() as client:
        stopping = threading.Event()
        uploader, watch = Uploader(client, stopping), Watch(portal)
        run = Run(portal, disk, watch, uploader, faults, Author(options.seed), options.documents, stopping)
        watch.start()
        try:
            return measured(run, options)
        finally:
            stopping.set()
            watch.stopping.set()
            watch.join(10)


def measured(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    clock = threading.Timer(STREAM_SECONDS, run.stopping.set)
    clock.daemon = True
    clock.start()
    injector = threading.Thread(target=run.inject, daemon=True)
    injector.start()
    try:
        run.stream()
        injector.join(STREAM_SECONDS)
    except BaseException:
        run.stopping.set()
        injector.join(FINISH_SECONDS)
        raise
    finally:
        clock.cancel()
    sent_after = time.monotonic() - began
    finished = wait_for(run.everything_ended, FINISH_SECONDS)
    ended = time.monotonic()
    return {
        "machine": describe(),
        "command": f"python -m benchmarks.faults --documents {options.documents} --kills {options.kills}"
        f" --postgres {options.postgres} --redis {options.redis} --disk {options.disk} --seed {options.seed}",
        "seconds": round(ended - began, 1),
        "seconds_after_the_stream": round(ended - began - sent_after, 1),
        "stopped_by_the_clock": run.stopping.is_set() or not finished,
        "disk": "tmpfs under the originals and the uploads under way"
        if run.disk.mounted
        else "not injected: needs root to mount",
        **account(run),
        "passages_twice": passages_twice(run.portal),
        "upload_answers": dict(run.uploader.answers),
        "resume": resumes(run),
        "faults": [one_fault(fault, began) for fault in run.faults],
        "longest_pause_of_a_document": round(run.watch.longest_pause[0], 1),
        "not_injected": run.broken,
        "integrity": integrity(run.portal),
        "log": log_of(run.portal),
    }


def integrity(portal: Portal) -> dict[str, Any]:
    done = portal.manage("check_integrity", "--json")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {"ok": False, "error": done.stderr[-2000:]}
    broken = [check for check in found["checks"] if check["breaches"]]
    return {"ok": found["ok"], "checks": len(found["checks"]), "broken": broken}


def good(report: dict[str, Any]) -> bool:
    nothing = ("failed", "unfinished", "lost", "wrong_bytes", "strangers", "refused", "not_injected")
    return (
        report["accepted"] == report["ready"]
        and not any(report[name] for name in nothing)
        and not set(report["upload_answers"]) & FORBIDDEN_ANSWERS
        and not report["duplicates"]
        and not report["passages_twice"]
        and report["attachments"] == report["attachments_expected"]
        and report["integrity"]["ok"]
        and not report["stopped_by_the_clock"]
        and all(in_time(kind) for kind in report["resume"].values())
    )


def in_time(kind: dict[str, Any]) -> bool:
    return not kind["never"] and (not kind["any_document"] or kind["any_document"]["max"] <= GOAL_SECONDS)


def table(report: dict[str, Any]) -> list[str]:
    rows = [report["machine"], "", "| what | count |", "|---|---|"]
    for name in ("accepted", "ready", "replaced", "attachments", "duplicates", "passages_twice", "seconds"):
        rows.append(f"| {name.replace('_', ' ')} | {report[name]} |")
    for name in ("failed", "lost", "unfinished", "wrong_bytes", "refused", "strangers"):
        rows.append(f"| {name.replace('_', ' ')} | {len(report[name])} |")
    answers = ", ".join(f"{code}: {count}" for code, count in sorted(report["upload_answers"].items()))
    rows.append(f"| answers to uploads | {answers} |")
    verdict = "every invariant holds" if report["integrity"]["ok"] else str(report["integrity"])
    rows.append(f"| check_integrity | {verdict} |")
    rows += ["", "| fault | times | next progress: median, max | of the document in hand: median, max |"]
    rows.append("|---|---|---|---|")
    for kind, found in report["resume"].items():
        how = ", ".join(f"{how} {count}" for how, count in found["how"].items())
        cells = [f"{kind} ({how})", f"{found['injected']} of {found['planned']}"]
        cells += [span(found["any_document"]), span(found["the_document_in_hand"])]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def span(seconds: dict[str, float] | None) -> str:
    return "–" if seconds is None else f"{seconds['median']} s, {seconds['max']} s"


if __name__ == "__main__":
    main()
