"""Scopes and roles are found in the claims of common issuers."""

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
def test_scopes_may_be_a_text_or_a_list(claims: dict[str, Any], scopes: set[str]) -> None:
    """All common formats of scopes are read. Other values give no scopes."""
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
def test_roles_are_read_from_the_configured_claim(
    claims: dict[str, Any], name: str, roles: set[str]
) -> None:
    """A claim is found by its name, and a nested one by its path."""
    assert Identity.from_claims({"sub": "ada", **claims}, roles_claim=name).roles == roles
