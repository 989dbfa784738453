"""What an update did to this service, and how that reads in a terminal, a commit, a request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from development.updating.releases import Course, recorded
from development.updating.repository import ROOT, changes, git, names

MARKER = b"<<<<<<< before updating"
UNMERGED = {"DD", "AU", "UD", "UA", "DU", "AA", "UU"}
LONGEST_BODY = 65_536
"""What GitHub takes as the text of a pull request, in characters."""

CUT = "\n\nThe rest is in the template's changelog.\n"


@dataclass(frozen=True)
class Outcome:
    """What an update left in the working tree."""

    course: Course
    conflicts: tuple[str, ...]
    answers: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def message(self) -> str:
        """The text of its commit: the releases passed, and what each brings."""
        # A line that starts with "#" would be a comment to an editor's `git commit`.
        news = [release.section.removeprefix("## ").rstrip() for release in self.course.passed]
        return "\n\n".join([self.course.title, *news]) + "\n"

    @property
    def findings(self) -> dict[str, tuple[str, ...]]:
        """What has to be known before it is committed, below a title each."""
        lists = {
            "In conflict": self.conflicts,
            "Answers that are new or changed": self.answers,
            "Files that are gone, with what you changed in them": self.gone,
        }
        return {title: found for title, found in lists.items() if found}

    @property
    def report(self) -> list[str]:
        """The findings, in lines for a terminal."""
        return [
            line
            for title, found in self.findings.items()
            for line in (f"{title}:", *(f"  {one}" for one in found))
        ]

    @property
    def body(self) -> str:
        """The text of a pull request in Markdown, no longer than GitHub takes."""
        lists = [
            f"## {title}\n\n" + "".join(f"- {code(one)}\n" for one in found)
            for title, found in self.findings.items()
        ]
        text = "\n".join([*lists, *(release.section for release in self.course.passed)])
        return text if len(text) <= LONGEST_BODY else text[: LONGEST_BODY - len(CUT)] + CUT


def code(text: str) -> str:
    """Show a text in Markdown as it is, with what it holds of Markdown's own signs."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def rejects() -> set[str]:
    """List the files of rejected changes, ignored ones too."""
    return set(names(git("ls-files", "--others", "-z", "--", "*.rej")))


def conflicts(rejected_before: set[str]) -> Iterator[str]:
    """Name each place that two sides changed, and each file that could not be merged."""
    for path, letters in changes().items():
        places = [f"{path}:{line}" for line in marked_lines(path)]
        yield from places or ([f"{path} (unmerged)"] if letters in UNMERGED else [])
    yield from sorted(f"{path} (rejected changes)" for path in rejects() - rejected_before)


def marked_lines(path: str) -> list[int]:
    """Number the lines of a file at which a conflict begins."""
    file = ROOT / path
    if file.is_symlink() or not file.is_file():
        return []
    lines = file.read_bytes().splitlines()
    return [number for number, line in enumerate(lines, start=1) if line.startswith(MARKER)]


def answers_changed(before: dict[str, object], after: dict[str, object]) -> Iterator[str]:
    """Name each answer that is new, changed or dropped; a release is no answer."""
    for name in [*before, *(new for new in after if new not in before)]:
        if name.startswith("_") or before.get(name) == after.get(name):
            continue
        old, new = (
            json.dumps(side[name], ensure_ascii=False, default=str) if name in side else None
            for side in (before, after)
        )
        if old is None:
            yield f"{name}: {new} (new)"
        else:
            yield f"{name}: {old} -> {new or '(dropped)'}"


def observe(course: Course, before: dict[str, object], rejected_before: set[str]) -> Outcome:
    """Look at what an update along `course` left, knowing the answers and rejects before it."""
    return Outcome(
        course,
        conflicts=tuple(conflicts(rejected_before)),
        answers=tuple(answers_changed(before, recorded())),
        gone=tuple(path for path, letters in changes().items() if letters in {" D", "D "}),
    )
