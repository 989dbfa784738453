"""Each service installs what it uses and no more, passes its own checks, serves, and stops."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.services import smoke
from tests.services.advisories import advisories
from tests.support.combinations import ALL, ALONE, NONE, Combination
from tests.support.git import commit_all
from tests.support.processes import make, serving
from tests.support.rendering import CATALOGUE, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


IN_EVERY_SERVICE = {"httpx"}
"""Packages of features that each service's tests use as well."""


@pytest.fixture(scope="session", name="combination")
def _combination(request: pytest.FixtureRequest) -> Combination:
    """The features of the service."""
    combination: Combination = request.param
    return combination


def packages(features: Iterable[str]) -> set[str]:
    """Name the packages that the catalogue lists for features, tools included."""
    return {
        re.split(r"[^\w.-]", line)[0].lower().replace("_", "-")
        for feature in features
        for kind in ("dependencies", "development_dependencies")
        for line in CATALOGUE[feature].get(kind, ())
    }


@pytest.fixture(scope="session", name="service")
def _service(template: Path, combination: Combination) -> Iterator[Path]:
    """The service, rendered and installed.

    It lies outside pytest's folder, which every other run of pytest, a service's own included,
    closes to the account that a database has when root starts it.
    """
    with TemporaryDirectory(prefix=f"{combination}-") as folder:
        service = render(template, Path(folder) / "orders", **combination.answers)
        make(service, "install")
        yield service


@pytest.mark.usefixtures("service")
def test_it_installs_only_what_it_uses(installed: Path, combination: Combination) -> None:
    """No package of a feature that was left out is in the service's environment."""
    (site_packages,) = installed.glob("lib/python*/site-packages")
    distributions_found = distributions(path=[str(site_packages)])
    names = {package.name.lower().replace("_", "-") for package in distributions_found}
    chosen = packages(combination.features)
    assert chosen <= names
    assert (packages(CATALOGUE) - chosen - IN_EVERY_SERVICE) & names == set()


def test_its_own_lint_passes(service: Path) -> None:
    """`make lint` has nothing to say about a new service."""
    make(service, "lint")


def test_its_own_tests_pass(service: Path) -> None:
    """`make test` is green from the first day."""
    make(service, "test")


@pytest.mark.only(ALL, NONE)
def test_its_coverage_is_that_of_its_own_code(service: Path) -> None:
    """`make coverage` counts the example's statements, and none of the template's."""
    table = re.findall(r"^(orders/\S+|TOTAL) +(\d+) ", make(service, "coverage"), re.MULTILINE)
    assert int(dict(table)["TOTAL"]) > 50
    template_files = ("orders/main.py", "orders/domain/common/", "orders/internal/")
    assert [name for name, _ in table if name.startswith(template_files)] == []


@pytest.mark.only(ALL, NONE)
def test_it_says_what_it_is_made_of(service: Path, combination: Combination) -> None:
    """`make sbom` lists what runs in production: no tool, and no package of another feature."""
    make(service, "sbom")
    bill = json.loads((service / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    names = {component["name"] for component in bill["components"]}
    assert {"fastapi", "starlette"} <= names
    assert names.isdisjoint({"pytest", "ruff"})
    assert ("cryptography" in names) is ("authentication" in combination)


@pytest.mark.only(ALL)
def test_a_known_vulnerability_fails_its_audit(service: Path) -> None:
    """`make audit` asks for all that is installed, and fails when something is known of it."""
    with advisories() as url:
        make(service, "audit", f"options=--service-url={url}")
    for package in ("starlette", "pytest"):
        with advisories(package) as url, pytest.raises(AssertionError, match="make audit failed"):
            make(service, "audit", f"options=--service-url={url}")


def test_it_serves_and_stops(service: Path, combination: Combination) -> None:
    """`make run` answers over HTTP, and Ctrl-C ends it without leaving a process behind."""
    with serving(service) as client:
        smoke.check_docs(client)
        if "authentication" in combination:
            assert client.get("/api/v1/products").status_code == HTTPStatus.UNAUTHORIZED
            client.headers["Authorization"] = f"Bearer {make(service, 'token').split()[-1]}"
        smoke.check_products(client)
        smoke.check_problems(client)
        smoke.check_healthchecks(client, expected="healthcheck" in combination)


FIELDS = (
    "number:str:unique total:money due:date status:enum(open,paid,void) product:ref(product) "
    "note:text? rate:decimal at:datetime? paid:bool serial:uuid lines:int? payer:ref(product)?"
)
"""Each kind of field; two refer to the same domain."""


@pytest.mark.only(ALL, NONE, before_release=ALONE)
def test_domains_are_added_and_removed(service: Path) -> None:
    """Each `make domain` and `make domain-remove` leaves a service whose checks pass.

    Both lint what they leave. The example goes as well, once nothing refers to it.
    """
    make(service, "domain", "name=invoice", f"fields={FIELDS}")
    make(service, "domain", "name=customer")
    make(service, "test")
    commit_all(service)
    with pytest.raises(AssertionError, match="make domain-remove failed"):
        make(service, "domain-remove", "name=product")
    for name in ("invoice", "product", "customer"):
        make(service, "domain-remove", f"name={name}")
        commit_all(service)
    remaining = {
        path.name for path in (service / "orders/domain").iterdir() if any(path.glob("*.py"))
    }
    assert remaining == {"common"}
    make(service, "lint")
    make(service, "test")
