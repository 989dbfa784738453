"""The services that are tested: each choice of three features, and a fourth on top."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations, product


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


# Authentication touches no other feature: it is tested with all of them, and alone.
COMBINATIONS = [
    *(Combination(*chosen) for chosen in product((True, False), repeat=3)),
    Combination(postgres=True, kafka=True, healthcheck=True, authentication=True),
    Combination(postgres=False, kafka=False, healthcheck=False, authentication=True),
]


def covering() -> list[Combination]:
    """Pick few combinations that hold every pair of answers which any of them holds.

    A fault of a single feature, or of two together, shows in one of them.
    """
    chosen: list[Combination] = []
    while missing := set().union(*map(pairs, COMBINATIONS)) - set().union(*map(pairs, chosen)):
        chosen.append(max(COMBINATIONS, key=lambda one: len(pairs(one) & missing)))
    return chosen


def pairs(combination: Combination) -> set[frozenset[tuple[str, bool]]]:
    """List the answers of a combination by twos."""
    return {frozenset(two) for two in combinations(combination.answers.items(), 2)}
