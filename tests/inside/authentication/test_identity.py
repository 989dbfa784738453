"""Scopes and roles are found where issuers put them."""

from typing import Any

import pytest

from orders.internal.authentication import Identity

ODD = "https://shop.example/roles"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": "a b"}, {"a", "b"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b", 7]}, {"a", "b"}),
        ({"scope": {"a": True}}, set()),
    ],
)
def test_scopes_are_words_or_a_list(claims: dict[str, Any], scopes: set[str]) -> None:
    """Each spelling of scopes that issuers use is read, and what is none gives none."""
    assert Identity.from_claims({"sub": "ada", **claims}, roles_claim="roles").scopes == scopes


@pytest.mark.parametrize(
    ("claims", "name", "roles"),
    [
        ({"roles": ["a", "b"]}, "roles", {"a", "b"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({ODD: ["a"]}, ODD, {"a"}),
        ({}, "realm_access.roles", set()),
        ({"realm_access": ["roles"]}, "realm_access.roles", set()),
        ({"scope": "a"}, "roles", set()),
    ],
)
def test_roles_are_where_the_setting_says(
    claims: dict[str, Any], name: str, roles: set[str]
) -> None:
    """A claim is found by its name, a nested one by the path to it."""
    assert Identity.from_claims({"sub": "ada", **claims}, roles_claim=name).roles == roles
