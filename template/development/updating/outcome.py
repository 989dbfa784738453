"""What an update did to this service, and how that reads in a terminal, a commit, a request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from development.updating.releases import UpdatePath, recorded
from development.updating.repository import shown
from development.updating.workspace import Result

MARKER = b"<<<<<<< before updating"
LONGEST_BODY = 65_536
"""What GitHub takes as the text of a pull request, in characters."""

CUT = "\n\nThe rest is in the template's changelog.\n"


@dataclass(frozen=True)
class Outcome:
    """What an update left in the working tree."""

    update_path: UpdatePath
    conflicts: tuple[str, ...]
    answers: tuple[str, ...]
    gone: tuple[str, ...]
    notes: tuple[str, ...]
    hidden: tuple[str, ...]
    """New files that git ignores here, marked to be added all the same."""

    @property
    def message(self) -> str:
        """The text of its commit: the releases passed, and what each brings."""
        # A line that starts with "#" would be a comment to an editor's `git commit`.
        news = [release.section.removeprefix("## ").rstrip() for release in self.update_path.passed]
        return "\n\n".join([self.update_path.title, *news]) + "\n"

    @property
    def findings(self) -> dict[str, tuple[str, ...]]:
        """What has to be known before it is committed, below a title each."""
        lists = {
            "In conflict": self.conflicts,
            "Answers that are new or changed": self.answers,
            "Files that the release no longer has": self.gone,
            "To know": self.notes,
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
        text = "\n".join([*lists, *(release.section for release in self.update_path.passed)])
        return text if len(text) <= LONGEST_BODY else text[: LONGEST_BODY - len(CUT)] + CUT


def code(text: str) -> str:
    """Show a text in Markdown as it is, with what it holds of Markdown's own signs."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def conflicts(result: Result) -> Iterator[str]:
    """Name each place that two sides changed, and each file that could not be merged."""
    unmerged = {path for path, *_ in result.unmerged}
    for path in sorted({*result.written} | unmerged):
        places = [f"{path}:{line}" for line in marked_lines(path, result)]
        yield from places or ([f"{path} (unmerged)"] if path in unmerged else [])
    yield from sorted(
        f"{path} (rejected changes)"
        for path in result.written.keys() - result.known
        if path.endswith(".rej") and path.removesuffix(".rej") in result.known
    )


def marked_lines(path: str, result: Result) -> list[int]:
    """Number the lines of a file at which a conflict begins."""
    if path not in result.written:
        return []
    lines = result.written[path].data.splitlines()
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
        if new is None and not before[name]:
            continue  # an empty answer says nothing
        if old is None:
            yield f"{name}: {new} (new)"
        else:
            yield f"{name}: {old} -> {new or '(dropped)'}"


def observe(
    update_path: UpdatePath,
    before: dict[str, object],
    result: Result,
    *,
    hidden: tuple[str, ...],
    notes: tuple[str, ...],
) -> Outcome:
    """Put together what an update along `update_path` did, knowing the answers before it."""
    return Outcome(
        update_path,
        conflicts=tuple(map(shown, conflicts(result))),
        answers=tuple(answers_changed(before, recorded())),
        gone=tuple(map(shown, sorted(result.deleted))),
        notes=notes,
        hidden=hidden,
    )
