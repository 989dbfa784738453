"""The tested combinations cover all states, and stay few as features and releases grow."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.support import combinations as choices
from tests.support.combinations import (
    COMBINATIONS,
    FEATURES,
    PAIRS,
    THREES,
    Combination,
    covering,
    covering_toggles,
    covering_updates,
)

SIX = {f"feature_{number}": number % 2 == 0 for number in range(6)}
RELEASES = [f"v1.{number}.0" for number in range(6)]


def states(covered: list[Combination], strength: int) -> set[tuple[tuple[str, bool], ...]]:
    """List the states of every few features in some combinations."""
    return {
        states_
        for combination in covered
        for states_ in combinations(combination.answers.items(), strength)
    }


@pytest.mark.parametrize("strength", [PAIRS, THREES])
def test_every_few_features_have_all_states(strength: int) -> None:
    """Every two features, and every three, occur in all combinations of on and off."""
    expected = {
        tuple(zip(names, states_, strict=True))
        for names in combinations(FEATURES, strength)
        for states_ in product((True, False), repeat=strength)
    }
    assert states(covering(strength), strength) == expected


def test_none_all_each_alone_and_the_defaults_are_tested() -> None:
    """These are the most common services."""
    expected = [set(), set(FEATURES), {name for name, default in FEATURES.items() if default}]
    expected += [{name} for name in FEATURES]
    assert [
        features for features in expected if Combination(frozenset(features)) not in COMBINATIONS
    ] == []


def test_six_features_and_six_releases_need_few_combinations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On every change: 9 of 64 services, and 6 of 384 updates besides those of all features."""
    monkeypatch.setattr(choices, "FEATURES", SIX)
    monkeypatch.setattr(choices, "NEEDS", {name: [] for name in SIX})

    def asks(release: str, feature: str) -> bool:
        return release >= "v1.3.0" or feature != "feature_5"

    assert len(covering(PAIRS)) <= 9
    assert len(covering(THREES)) <= 18
    assert len(covering_toggles(RELEASES, asks)) <= 6
    assert len(covering_updates(PAIRS, RELEASES, asks)) <= 15


def test_a_feature_comes_with_the_features_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tested combination is one that the questions refuse."""
    monkeypatch.setattr(choices, "FEATURES", SIX)
    needs: dict[str, list[str]] = {name: [] for name in SIX}
    needs["feature_1"] = ["feature_0"]
    monkeypatch.setattr(choices, "NEEDS", needs)
    covered = covering(PAIRS)
    assert [
        combination
        for combination in covered
        if "feature_1" in combination and "feature_0" not in combination
    ] == []
