"""Measure a copy of the template against a copy of the same number of plain files.

Run it with `uv run --group test python -m benchmarks.bench_copy`.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import figure, in_turn, ratio, seconds

from tests.support.files import files
from tests.support.rendering import render, snapshot

GOAL = 1.5


def main() -> None:
    """Measure, and print the ratio."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        template, plain, target = root / "template", root / "plain", root / "copy"
        template.mkdir()
        snapshot(template)
        make_plain(plain, render(template, root / "model"))

        contestants = {"template": template, "plain": plain}
        measured = in_turn(
            {name: partial(copy, source, target) for name, source in contestants.items()}
        )
        count = len(files(root / "model"))
    for name, series in measured.items():
        figure(f"copy of {count} files, {name}", series, "s")
    ratios = measured["template"].over(measured["plain"])
    ratio("copier copy", ratios, f"a copy of {count} plain files", at_most=GOAL)


def copy(source: Path, target: Path, **answers: object) -> float:
    """Copy into a new folder, and return the seconds that it takes."""
    shutil.rmtree(target, ignore_errors=True)
    return seconds(lambda: render(source, target, **answers))


def make_plain(plain: Path, model: Path) -> None:
    """Create a template without questions from the files of a rendered service."""
    shutil.copytree(model, plain / "template")
    (plain / "template/.copier-answers.yml").unlink()
    (plain / "template/answers.txt").write_text("as many files as the service has\n")
    (plain / "copier.yml").write_text("_subdirectory: template\n")


if __name__ == "__main__":
    main()
