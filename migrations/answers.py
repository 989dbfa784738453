"""Mend the recorded answers of a service before an update reads them.

Copier takes the default, without a word, for an answer that a new validator refuses, and for one
whose question has a new name. A release that changes either adds a mending to `MENDINGS`. Copier
runs this file before it asks anything, in the service's folder, with the answers file's name.
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
Mending: TypeAlias = "Callable[[Answers], None]"


def renamed(old: str, new: str) -> Mending:
    """Carry the answer to a question over to the question's new name."""

    def mend(answers: Answers) -> None:
        if old in answers:
            answer = answers.pop(old)
            answers.setdefault(new, answer)

    return mend


def converted(question: str, convert: Callable[[object], object]) -> Mending:
    """Give an answer its new form; `convert` leaves one alone that has it."""

    def mend(answers: Answers) -> None:
        if question in answers:
            answers[question] = convert(answers[question])

    return mend


def _with_sign(owner: object) -> object:
    """Write the one owner, a user or team of GitHub, as lists of several are written."""
    return f"@{owner}" if owner and "@" not in str(owner) else owner


MENDINGS: Final[Sequence[Mending]] = (
    renamed("code_owner", "code_owners"),
    converted("code_owners", _with_sign),
)
"""What every update does to answers, oldest first; done again, none of them changes anything."""


def mended(answers: Answers) -> Answers:
    """Return answers of any release as today's questions want them."""
    result = deepcopy(answers)
    for mend in MENDINGS:
        mend(result)
    return result


def asked(answers: Answers, config: Answers) -> Answers:
    """Leave out answers to questions that a template no longer asks.

    Copier gives every recorded answer back to its later renders, as if somebody had given it.
    """
    questions = {
        name
        for name, question in config.items()
        if not (isinstance(question, dict) and question.get("when") is False)
    }
    return {name: one for name, one in answers.items() if name[:1] == "_" or name in questions}


def main(path: Path) -> None:
    """Mend the answers in a file, which is replaced whole, and only when something changes."""
    recorded: Answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    config: Answers = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    if (answers := asked(mended(recorded), config)) != recorded:
        draft = path.with_name(path.name + ".new")
        draft.write_text(yaml.safe_dump(answers, allow_unicode=True), encoding="utf-8")
        draft.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
