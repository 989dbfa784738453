"""The result of an update, as text for a terminal, a commit and a pull request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from development.updating.releases import UpdatePath, recorded_answers
from development.updating.repository import printable
from development.updating.workspace import Result

MARKER = b"<<<<<<< before updating"
MAX_BODY = 65_536
"""GitHub's limit for the text of a pull request, in characters."""

TRUNCATED = "\n\nThe rest is in the template's changelog.\n"


@dataclass(frozen=True)
class Outcome:
    """The changes of an update."""

    update_path: UpdatePath
    conflicts: tuple[str, ...]
    answers: tuple[str, ...]
    deleted: tuple[str, ...]
    notes: tuple[str, ...]
    ignored: tuple[str, ...]
    """New files that git ignores in this service. They are marked for the next `git add`."""

    @property
    def message(self) -> str:
        """The commit message: the releases and their changelog."""
        # Headings without "#": `git commit` in an editor would drop them as comments.
        sections = [
            release.section.removeprefix("## ").rstrip() for release in self.update_path.releases
        ]
        return "\n\n".join([self.update_path.title, *sections]) + "\n"

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """What to review before the commit, by title."""
        lists = {
            "In conflict": self.conflicts,
            "New or changed answers": self.answers,
            "Deleted files": self.deleted,
            "Notes": self.notes,
        }
        return {title: lines for title, lines in lists.items() if lines}

    @property
    def report(self) -> list[str]:
        """The lists as lines for a terminal."""
        return [
            line
            for title, entries in self.lists.items()
            for line in (f"{title}:", *(f"  {entry}" for entry in entries))
        ]

    @property
    def body(self) -> str:
        """The text of a pull request in Markdown, cut at GitHub's limit."""
        lists = [
            f"## {title}\n\n" + "".join(f"- {markdown_code(entry)}\n" for entry in entries)
            for title, entries in self.lists.items()
        ]
        text = "\n".join([*lists, *(release.section for release in self.update_path.releases)])
        return text if len(text) <= MAX_BODY else text[: MAX_BODY - len(TRUNCATED)] + TRUNCATED


def markdown_code(text: str) -> str:
    """Format a text as code in Markdown."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def conflicts(result: Result) -> Iterator[str]:
    """List each conflict with its line, and each file that could not be merged."""
    unmerged = {path for path, *_ in result.unmerged}
    for path in sorted({*result.written} | unmerged):
        places = [f"{path}:{line}" for line in conflict_lines(path, result)]
        yield from places or ([f"{path} (unmerged)"] if path in unmerged else [])
    yield from sorted(
        f"{path} (rejected changes)"
        for path in result.written.keys() - result.before
        if path.endswith(".rej") and path.removesuffix(".rej") in result.before
    )


def conflict_lines(path: str, result: Result) -> list[int]:
    """Return the line numbers of a file at which a conflict starts."""
    if path not in result.written:
        return []
    lines = result.written[path].data.splitlines()
    return [number for number, line in enumerate(lines, start=1) if line.startswith(MARKER)]


def changed_answers(before: dict[str, object], after: dict[str, object]) -> Iterator[str]:
    """List each answer that is new, changed or dropped."""
    for name in [*before, *(new for new in after if new not in before)]:
        if name.startswith("_") or before.get(name) == after.get(name):
            continue
        old, new = (
            json.dumps(answers[name], ensure_ascii=False, default=str) if name in answers else None
            for answers in (before, after)
        )
        if new is None and not before[name]:
            continue  # a dropped answer that was empty
        if old is None:
            yield f"{name}: {new} (new)"
        else:
            yield f"{name}: {old} -> {new or '(dropped)'}"


def describe(
    update_path: UpdatePath,
    before: dict[str, object],
    result: Result,
    *,
    ignored: tuple[str, ...],
    notes: tuple[str, ...],
) -> Outcome:
    """Describe the changes of an update, given the answers before it."""
    return Outcome(
        update_path,
        conflicts=tuple(map(printable, conflicts(result))),
        answers=tuple(changed_answers(before, recorded_answers())),
        deleted=tuple(map(printable, sorted(result.deleted))),
        notes=notes,
        ignored=ignored,
    )
