"""``manage.py space``: another embedding model, without a moment in which search is away."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from documents import space_building
from documents.exceptions import EmbeddingUnavailable
from documents.models import EmbeddingSpace
from documents.space_building import Built, Progress, SpaceFacts
from documents.space_dropping import space_drop
from documents.spaces import (
    SpaceRefused,
    building_space,
    canonical_name,
    find_space,
    serving_space,
    space_activate,
)
from search import comparison
from search.comparison import Comparison
from search.exceptions import SearchError

#: As a shell counts Ctrl-C.
INTERRUPTED = 130
SAMPLES = 100
FIGURES = ("missing", "embed_p50", "embed_p95", "search_p50", "search_p95")


class Command(BaseCommand):
    help = (
        "Make, fill, compare, switch and drop embedding spaces. Search uses the space that serves until "
        "another one is activated. SPACE is a number of the list, or a model that has one space."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        doors = parser.add_subparsers(dest="action", required=True)
        create = doors.add_parser("create", help="a space for a sentence-transformers name or folder")
        create.add_argument("model", metavar="MODEL")
        doors.add_parser("list", help="every space, and how full it is")
        build = doors.add_parser("build", help="embed what is missing, beside the running portal; resumable")
        build.add_argument("--activate", action="store_true", help="switch as soon as nothing is missing")
        compare = doors.add_parser("compare", help="a space beside the one that serves")
        compare.add_argument("--samples", type=above_zero, default=SAMPLES, help=f"queries ({SAMPLES})")
        compare.add_argument(
            "--questions", type=Path, metavar="FOLDER", help="ask an evaluation folder's, not passages' own"
        )
        activate = doors.add_parser("activate", help="let a full space serve")
        rollback = doors.add_parser("rollback", help="fill the space that served before, and switch to it")
        drop = doors.add_parser("drop", help="delete a space that does not serve, vectors and all")
        for door in (build, compare):
            door.add_argument("space", nargs="?", metavar="SPACE", help="default: the one being built")
        for door in (activate, drop):
            door.add_argument("space", metavar="SPACE")
        for door in (build, rollback):
            door.add_argument(
                "--throttle", type=share, default=space_building.SHARE, metavar="SHARE", help=SLOW
            )
        for door in doors.choices.values():
            door.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report, lines = DOORS[options["action"]](self, options)
        except (SpaceRefused, EmbeddingUnavailable, SearchError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted. What was embedded stays: start again, and it goes on.")
            sys.exit(INTERRUPTED)
        self.stdout.write(json.dumps(report, default=str) if options["json"] else "\n".join(lines))

    # Each door gives the report as a program wants it, and as a person does.

    def create(self, options: dict[str, Any]) -> Told:
        space = space_building.space_prepare(model=named(options["model"]), say=self.stderr.write)
        facts = space_building.facts_of(space)
        return asdict(facts), [line(facts), f"next: manage.py space build {space.pk}"]

    def list(self, options: dict[str, Any]) -> Told:
        rows = space_building.overview()
        return {"spaces": [asdict(row) for row in rows]}, [line(row) for row in rows] or ["no space yet"]

    def build(self, options: dict[str, Any]) -> Told:
        space = chosen(options)
        with Bar() as bar:
            built = space_building.space_build(
                space=space, share=options["throttle"], report=bar, activate=options["activate"]
            )
        ending = (
            serving(space)
            if options["activate"]
            else [f"next: manage.py space compare {space.pk}, manage.py space activate {space.pk}"]
        )
        return asdict(built), [summary(built), *ending]

    def compare(self, options: dict[str, Any]) -> Told:
        present, other = serving_space(), chosen(options)
        if present is None or present == other:
            raise SpaceRefused("Name a space that does not serve: it is compared with the one that does.")
        if folder := options["questions"]:
            samples = comparison.questions_of(folder, options["samples"])
        else:
            samples = comparison.sampled_passages(options["samples"])
        with Bar() as bar:
            compared = comparison.compare(
                present,
                other,
                samples,
                golden=comparison.golden_figures,
                report=lambda done, of: bar(Progress("asking", done, of)),
            )
        return asdict(compared), side_by_side(compared)

    def activate(self, options: dict[str, Any]) -> Told:
        space = space_activate(space=find_space(options["space"]))
        return asdict(space_building.facts_of(space)), serving(space)

    def rollback(self, options: dict[str, Any]) -> Told:
        with Bar() as bar:
            built = space_building.space_rollback(share=options["throttle"], report=bar)
        return asdict(built), [summary(built), *serving(EmbeddingSpace.objects.get(pk=built.space))]

    def drop(self, options: dict[str, Any]) -> Told:
        space = find_space(options["space"])
        number, vectors = space.pk, space_drop(space=space)
        return {"id": number, "vectors": vectors}, [f"space {number} is gone, with {vectors:,} vectors"]


Told = tuple[dict[str, Any], list[str]]
Door = Callable[[Command, dict[str, Any]], Told]
DOORS: dict[str, Door] = {
    "create": Command.create,
    "list": Command.list,
    "build": Command.build,
    "compare": Command.compare,
    "activate": Command.activate,
    "rollback": Command.rollback,
    "drop": Command.drop,
}


class Bar:
    """One bar for each phase, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self.phase = ""
        self.bar: tqdm[Any] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, progress: Progress) -> None:
        if not sys.stderr.isatty():
            return
        if self.bar is None or progress.phase != self.phase:
            self.close()
            self.phase = progress.phase
            self.bar = tqdm(desc=progress.phase, unit="", file=sys.stderr, dynamic_ncols=True)
            self.bar.initial = progress.done
        self.bar.total, self.bar.n = progress.total, progress.done
        self.bar.refresh()


# --- What was given ---------------------------------------------------------------------------

SLOW = (
    "the share of its time that it works, more than 0, at most 1; "
    f"{space_building.SHARE}, the default, sleeps as long as it works"
)


def share(given: str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{given} is not more than 0 and at most 1")
    return value


def above_zero(given: str) -> int:
    if not given.isdecimal() or not int(given):
        raise ArgumentTypeError(f"{given} is not a number from 1")
    return int(given)


def named(model: str) -> str:
    """A folder by its whole path: workers and web processes may stand in another one."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else model


def chosen(options: dict[str, Any]) -> EmbeddingSpace:
    if options["space"]:
        return find_space(options["space"])
    space = building_space()
    if space is None:
        raise SpaceRefused("No space is being built. Name one: manage.py space list")
    return space


# --- What is told -----------------------------------------------------------------------------


def line(facts: SpaceFacts) -> str:
    index = f"index {facts.index_bytes / 1e6:,.1f} MB" if facts.indexed else "no index"
    return (
        f"{facts.id:>4}  {facts.state:8}  {facts.model} ({facts.dimensions})  "
        f"{facts.vectors:,} vectors, {facts.missing:,} missing, {index}"
    )


def summary(built: Built) -> str:
    index = ", made the index" if built.indexed else ""
    return f"space {built.space}: embedded {built.embedded:,} passages{index} in {built.seconds:.1f} s"


def serving(space: EmbeddingSpace) -> list[str]:
    told = [f"space {space.pk} serves: {space.model} ({space.dimensions})"]
    if canonical_name(settings.EMBEDDING_MODEL) != space.model:
        told.append(f"set EMBEDDING_MODEL={space.model}: it says otherwise, and is warned of until then")
    return told


def side_by_side(compared: Comparison) -> list[str]:
    """One line for each figure: the space that serves, then the other."""
    both = (compared.serving, compared.other)
    lines = [
        f"{'queries':28}{compared.queries}",
        f"{'overlap@10':28}{shown(compared.overlap)}",
        f"{'same first':28}{shown(compared.same_first)}",
        f"{'space':28}{both[0].space:>12}{both[1].space:>12}",
        *(row(name, *(getattr(each, name) for each in both)) for name in ("dimensions", *FIGURES)),
    ]
    for collection in sorted({*both[0].golden, *both[1].golden}):
        lines.append(f"golden questions of {collection}")
        lines += golden_rows(*(each.golden.get(collection, {}) for each in both))
    return lines


def golden_rows(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [
        row(f"  {level}, {name}", value, (second.get(level) or {}).get(name))
        for level in ("document", "page")
        for name, value in (first.get(level) or {}).items()
    ]


def row(name: str, first: Any, second: Any) -> str:
    return f"{name:28}{shown(first):>12}{shown(second):>12}"


def shown(value: Any) -> str:
    return "–" if value is None else str(value)
