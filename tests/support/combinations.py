"""The services that are tested: each choice of three features, and a fourth on top."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Combination:
    """One choice of features."""

    postgres: bool
    kafka: bool
    healthcheck: bool
    authentication: bool = False

    @property
    def answers(self) -> dict[str, bool]:
        """The answers that choose these features."""
        return asdict(self)

    def __str__(self) -> str:
        """The chosen features' names, joined, as `nox` and pytest show them."""
        return "-".join(name for name, chosen in self.answers.items() if chosen) or "bare"


Case: TypeAlias = tuple[str, Combination]
"""A release, and the features that a service was made with at it."""

# Authentication touches no other feature: it is tested with all of them, and alone.
COMBINATIONS = [
    *(Combination(*chosen) for chosen in product((True, False), repeat=3)),
    Combination(postgres=True, kafka=True, healthcheck=True, authentication=True),
    Combination(postgres=False, kafka=False, healthcheck=False, authentication=True),
]


def covering(cases: Iterable[Case]) -> list[Case]:
    """Pick a few cases that hold every pair of choices (release, features) of all cases.

    A fault of one feature, of two together, or of one in some release shows in one of them.
    """
    cases = list(cases)
    chosen: list[Case] = []
    while missing := set().union(*map(pairs, cases)) - set().union(*map(pairs, chosen)):
        chosen.append(max(cases, key=lambda case: len(pairs(case) & missing)))
    return chosen


def pairs(case: Case) -> set[frozenset[tuple[str, object]]]:
    """List the choices of a case by twos."""
    release, combination = case
    choices = {"release": release, **combination.answers}
    return {frozenset(two) for two in combinations(choices.items(), 2)}
