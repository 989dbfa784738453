"""Any human name gives a valid slug and a valid package name."""

from __future__ import annotations

import keyword
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.answers import (
    DEPENDENCIES,
    FOLDERS,
    KEYWORDS,
    NAME_LENGTH,
    STANDARD_LIBRARY,
    human_name,
    package_name,
    package_problem,
    problem,
    slug,
    slug_problem,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Orders", "orders"),
        ("Order Service", "order-service"),
        ("  order__service -- v2! ", "order-service-v2"),
        ("Café Zoë", "cafe-zoe"),
        ("Größe & Maß", "grosse-and-mass"),
        ("Łódź Ærø Þór", "lodz-aero-thor"),
        ("İstanbul ışık", "istanbul-isik"),
        ("Bob's O’Neil", "bobs-oneil"),
        ("Заказы и Счёт", "zakazy-i-schet"),
        ("Παραγγελίες", "paraggelies"),
        ("注文 Orders", "orders"),
        ("注文", "service"),
        ("🚀", "service"),
        ("!!!", "service"),
        ("", "service"),
        ("3D Printing", "service-3d-printing"),
        ("2026", "service-2026"),
        ("𝐁𝐨𝐥𝐝 Ｗｉｄｅ Ⅷ", "bold-wide-viii"),
        ("FastAPI", "fastapi-service"),
        ("pydantic settings", "pydantic-settings-service"),
        ("x" * 90, "x" * NAME_LENGTH),
        (
            "The Quite Remarkably Long Name Of One Small Service",
            "the-quite-remarkably-long-name-of-one",
        ),
    ],
)
def test_a_slug_follows_from_any_human_name(name: str, expected: str) -> None:
    """Accents, other alphabets, leading digits, punctuation and long names give a plain slug."""
    assert slug(name) == expected
    assert not slug_problem(expected)


@pytest.mark.parametrize(
    ("project_slug", "expected"),
    [
        ("orders", "orders"),
        ("order-service", "order_service"),
        ("class", "class_service"),
        ("match", "match_service"),
        ("types", "types_service"),
        ("tests", "tests_service"),
        ("migrations", "migrations_service"),
    ],
)
def test_a_package_name_follows_from_a_slug(project_slug: str, expected: str) -> None:
    """Hyphens become underscores, and a name already in use gets a suffix."""
    assert package_name(project_slug) == expected


@settings(deadline=None)  # a busy machine would exceed the deadline
@given(st.text())
def test_derived_names_are_valid_answers(text: str) -> None:
    """No text gives a name that a question refuses, and deriving again changes nothing."""
    assert not slug_problem(slug(text))
    assert slug(slug(text)) == slug(text)
    assert not package_problem(package_name(text))
    assert not problem(human_name(text), "project_name")


def test_a_name_in_use_is_never_derived() -> None:
    """Keywords and the names of modules, libraries and folders are refused and avoided."""
    taken = KEYWORDS | STANDARD_LIBRARY | FOLDERS | DEPENDENCIES
    assert {name for name in taken if not package_problem(name)} == set()
    assert {name for name in taken if package_problem(package_name(name))} == set()
    assert {name for name in taken if slug_problem(slug(name))} == set()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("orders", "Orders"),
        ("order-service_v2", "Order Service V2"),
        ("..", "Service"),
        ("", "Service"),
    ],
)
def test_a_project_is_named_after_its_folder(folder: str, expected: str) -> None:
    """`copier copy ... ../orders` makes a service called Orders without any answer."""
    assert human_name(folder) == expected


def test_the_reserved_names_cover_this_python() -> None:
    """The extension's lists contain all keywords and modules of the running interpreter."""
    assert {*keyword.kwlist, *keyword.softkwlist} - {"_"} <= KEYWORDS
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert public <= STANDARD_LIBRARY
