"""Measure a copy of the template against a copy of the same number of plain files.

Run it with `uv run --group test python -m benchmarks.bench_copy`.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import claim, figure, in_turn, seconds

from tests.support.files import files
from tests.support.rendering import render, snapshot

ROUNDS = 9
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
        series_by_name = in_turn(
            {name: partial(copy, source, target) for name, source in contestants.items()}, ROUNDS
        )
        count = len(files(root / "model"))
    for name, series in series_by_name.items():
        figure(f"copy of {count} files, {name}", series, "s")
    ratio = series_by_name["template"].over(series_by_name["plain"])
    comparison = f"a copy of {count} plain files"
    claim("copier copy", ratio, against=comparison, goal=f"<= {GOAL}", holds=ratio.median <= GOAL)


def copy(source: Path, target: Path, **answers: object) -> float:
    """Copy into a new folder, and return the seconds that it takes."""
    shutil.rmtree(target, ignore_errors=True)
    return seconds(lambda: render(source, target, **answers))


def make_plain(folder: Path, model: Path) -> None:
    """Create a template without questions from the files of a rendered service."""
    shutil.copytree(model, folder / "template")
    (folder / "template/.copier-answers.yml").unlink()
    (folder / "template/answers.txt").write_text("as many files as the service has\n")
    (folder / "copier.yml").write_text("_subdirectory: template\n")


if __name__ == "__main__":
    main()
