"""The choices of features that are tested, computed from the catalogue in copier.yml.

On every change: no feature, all features, each alone, the defaults, and enough others to have every
pair of features in all four states (on and on, on and off, ...). For updates, each release is
tested, and each feature stays on, stays off, is turned on and is turned off. Before a release:
every three features, in updates too. A new feature needs no edit here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import covertable
import pytest
import yaml

from tests.support.rendering import CATALOGUE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTIONS = yaml.safe_load((ROOT / "copier.yml").read_text())
FEATURES: dict[str, bool] = {name: QUESTIONS[name]["default"] for name in CATALOGUE}
"""Every feature of the catalogue, and whether it is chosen by default."""

NEEDS: dict[str, list[str]] = {
    name: feature.get("needs", []) for name, feature in CATALOGUE.items()
}
"""The features without which a feature cannot be chosen."""

PAIRS, THREES = 2, 3


@dataclass(frozen=True)
class Combination:
    """One choice of features."""

    features: frozenset[str]

    @classmethod
    def named(cls, name: str) -> Combination:
        """Return the combination with this name."""
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
"""A release, and the features of a service made from it."""

Toggle: TypeAlias = tuple[str, Combination, dict[str, bool]]
"""A case, and the features that its update turns on and off."""

Asks: TypeAlias = "Callable[[str, str], bool]"
"""A function that returns whether a release asks for a feature."""

Row: TypeAlias = dict[str, Any]
"""The states of features by name, before and perhaps after an update; and a release."""

NONE, ALL = Combination(frozenset()), Combination(frozenset(FEATURES))
DEFAULTS = Combination(frozenset(name for name, default in FEATURES.items() if default))
ALONE = [Combination(frozenset({name, *NEEDS[name]})) for name in FEATURES]


def covering(strength: int) -> list[Combination]:
    """Choose none, all, the defaults, each feature alone, and more to cover all states."""
    single_features = [Combination(frozenset({name, *NEEDS[name]})) for name in FEATURES]
    chosen = [NONE, Combination(frozenset(FEATURES)), DEFAULTS, *single_features]
    presets = [{name: (on,) for name, on in one.answers.items()} for one in chosen]
    covered = [before(row) for row in rows(strength, [(True,), (False,)], presets=presets)]
    return list(dict.fromkeys([*chosen, *covered]))


def all_features_of(release: str, asks: Asks) -> Combination:
    """Return all features that a release asks for."""
    return Combination(frozenset(name for name in FEATURES if asks(release, name)))


def covering_updates(strength: int, releases: Sequence[str], asks: Asks) -> list[Case]:
    """Choose releases with features that they ask for, so that every few have all states.

    Args:
        strength: the number of values that are combined with each other.
        releases: the releases to update from.
        asks: returns whether a release asks for a feature.
    """
    chosen = rows(strength, [(True,), (False,)], releases, asks)
    return [(row["release"], before(row)) for row in chosen]


def covering_toggles(releases: Sequence[str], asks: Asks) -> list[Toggle]:
    """Choose updates in which each feature stays on, stays off, is turned on and is turned off."""
    changes = [(True, True), (False, False), (False, True), (True, False)]
    return [
        (
            row["release"],
            before(row),
            {name: row[name][1] for name in FEATURES if row[name][0] != row[name][1]},
        )
        for row in rows(1, changes, releases, asks)
    ]


def before(row: Row) -> Combination:
    """Return the features that a row turns on, before an update if the row describes one."""
    return Combination(frozenset(name for name in FEATURES if row[name][0]))


def rows(
    strength: int,
    states: Sequence[tuple[bool, ...]],
    releases: Sequence[str] = (),
    asks: Asks = lambda _release, _feature: True,
    **options: object,
) -> list[Row]:
    """Let the library choose the states of features, and releases if there are some."""
    factors = {"release": list(releases)} if releases else {}
    needed = [(feature, need) for feature, needs in NEEDS.items() for need in needs]
    constraints = [
        *(_asked(feature, asks) for feature in FEATURES if releases),
        *(_needed(feature, need) for feature, need in needed),
    ]
    covered: list[Row] = covertable.make(
        {**factors, **dict.fromkeys(FEATURES, states)},
        strength=strength,
        constraints=constraints,
        **options,
    )
    return covered


def _asked(feature: str, asks: Asks) -> dict[str, object]:
    def is_kept(row: Row) -> bool:
        return not row[feature][0] or asks(row["release"], feature)

    return {"operator": "fn", "requires": ["release", feature], "evaluate": is_kept}


def _needed(feature: str, need: str) -> dict[str, object]:
    def is_kept(row: Row) -> bool:
        return all(is_on <= needed for is_on, needed in zip(row[feature], row[need], strict=True))

    return {"operator": "fn", "requires": [feature, need], "evaluate": is_kept}


COMBINATIONS = covering(PAIRS)


def case(combination: Combination, *marks: pytest.MarkDecorator) -> pytest.ParameterSet:
    """Return a combination as a parameter of tests. One worker runs all of its tests."""
    name = str(combination)
    return pytest.param(combination, id=name, marks=[*marks, pytest.mark.xdist_group(name)])


CASES = [
    *(case(one) for one in COMBINATIONS),
    *(case(one, pytest.mark.thorough) for one in covering(THREES) if one not in COMBINATIONS),
]
"""The combinations as parameters. The nox session `release` also runs every three features."""
