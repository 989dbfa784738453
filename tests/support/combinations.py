"""The choices of features that are tested, computed from the catalogue in copier.yml.

On every change: no feature, all of them, each alone, the defaults, and whatever else it takes until
every pair of features was seen in all four ways (on and on, on and off, ...). Before a release: the
same for every three features. A feature more needs no edit here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import covertable
import pytest
import yaml

from tests.support.rendering import CATALOGUE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUESTIONS = yaml.safe_load((ROOT / "copier.yml").read_text())
FEATURES: dict[str, bool] = {name: QUESTIONS[name]["default"] for name in CATALOGUE}
"""Every feature of the catalogue, and whether it is chosen by default."""

CHOICES = {name: [True, False] for name in FEATURES}

PAIRS, THREES = 2, 3


@dataclass(frozen=True)
class Combination:
    """One choice of features."""

    features: frozenset[str]

    @classmethod
    def named(cls, name: str) -> Combination:
        """Return the combination that `str` gives this name."""
        features = frozenset(name.split("-") if name != "bare" else ())
        if unknown := sorted(features - FEATURES.keys()):
            raise ValueError(f"{unknown[0]} is not a feature: choose from {', '.join(FEATURES)}")
        return cls(features)

    @property
    def answers(self) -> dict[str, bool]:
        """The answers that choose these features."""
        return {name: name in self.features for name in FEATURES}

    def __contains__(self, feature: str) -> bool:
        """Say whether a feature was chosen."""
        return feature in self.features

    def __str__(self) -> str:
        """The chosen features' names, joined, as pytest shows them."""
        return "-".join(name for name in FEATURES if name in self) or "bare"


Case: TypeAlias = tuple[str, Combination]
"""A release, and the features that a service was made with at it."""

NONE, ALL = Combination(frozenset()), Combination(frozenset(FEATURES))
DEFAULTS = Combination(frozenset(name for name, default in FEATURES.items() if default))
ALONE = [Combination(frozenset({name})) for name in FEATURES]
ALWAYS = [NONE, ALL, DEFAULTS, *ALONE]


def covering(strength: int) -> list[Combination]:
    """Add to ALWAYS until every few features were seen in all ways."""
    rows = covertable.make(
        CHOICES,
        strength=strength,
        presets=[combination.answers for combination in ALWAYS],
    )
    return list(dict.fromkeys([*ALWAYS, *map(chosen, rows)]))


def covering_updates(
    strength: int, releases: Iterable[str], asks: Callable[[str, str], bool]
) -> list[Case]:
    """Choose releases with features that their questions have, every few of them in all ways."""
    rows = covertable.make(
        {"release": list(releases), **CHOICES},
        strength=strength,
        constraints=[_only_what_is_asked(feature, asks) for feature in FEATURES],
    )
    return [(row["release"], chosen(row)) for row in rows]


def _only_what_is_asked(feature: str, asks: Callable[[str, str], bool]) -> dict[str, object]:
    def is_asked(row: dict[str, object]) -> bool:
        return not row[feature] or asks(str(row["release"]), feature)

    return {"operator": "fn", "requires": ["release", feature], "evaluate": is_asked}


def chosen(row: dict[str, object]) -> Combination:
    """Return the combination of a row that the library made."""
    return Combination(frozenset(name for name in FEATURES if row[name]))


COMBINATIONS = covering(PAIRS)
CASES = [
    *(pytest.param(one, id=str(one)) for one in COMBINATIONS),
    *(
        pytest.param(one, id=str(one), marks=pytest.mark.thorough)
        for one in covering(THREES)
        if one not in COMBINATIONS
    ),
]
"""The combinations as parameters of tests; the nox session `release` runs those of threes, too."""
