"""Convert the recorded answers of a service before an update reads them.

Copier silently uses the default if a new validator refuses a recorded answer, or if its question
was renamed. A release that changes a validator or a name adds an entry to `CONVERSIONS`. Copier
runs this script before it asks questions, in the service's folder, with the name of the answers
file.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONFIG: Final = Path(__file__).parent.parent / "copier.yml"

Answers: TypeAlias = dict[str, object]
Conversion: TypeAlias = "Callable[[Answers], None]"


def renamed(old: str, new: str) -> Conversion:
    """Move the answer of a renamed question to its new name."""

    def convert(answers: Answers) -> None:
        if old in answers:
            answer = answers.pop(old)
            answers.setdefault(new, answer)

    return convert


def converted(question: str, change: Callable[[object], object]) -> Conversion:
    """Convert an answer to a new format. `change` must return a converted answer unchanged."""

    def convert(answers: Answers) -> None:
        if question in answers:
            answers[question] = change(answers[question])

    return convert


def _with_sign(owner: object) -> object:
    """Add the `@` that a GitHub user or team has in a list of owners."""
    return f"@{owner}" if owner and "@" not in str(owner) else owner


CONVERSIONS: Final[Sequence[Conversion]] = (
    renamed("code_owner", "code_owners"),
    converted("code_owners", _with_sign),
)
"""Conversions of every update, oldest first. Running them again changes nothing."""


def convert_answers(answers: Answers) -> Answers:
    """Convert the answers of any release to the current questions."""
    result = deepcopy(answers)
    for convert in CONVERSIONS:
        convert(result)
    return result


def without_deleted_questions(answers: Answers, config: Answers) -> Answers:
    """Drop answers to questions that the template no longer asks.

    Copier would pass every recorded answer to later renders as if the user had given it.
    """
    questions = {
        name
        for name, question in config.items()
        if not (isinstance(question, dict) and question.get("when") is False)
    }
    return {
        name: answer for name, answer in answers.items() if name[:1] == "_" or name in questions
    }


def main(path: Path) -> None:
    """Convert the answers in a file. Write a new file only if an answer changes."""
    recorded: Answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    config: Answers = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    answers = without_deleted_questions(convert_answers(recorded), config)
    if answers != recorded:
        draft = path.with_name(path.name + ".new")
        draft.write_text(yaml.safe_dump(answers, allow_unicode=True), encoding="utf-8")
        draft.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
