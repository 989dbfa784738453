"""A new domain: its names, its fields, and all that the templates ask of it."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from development.project import PACKAGE
from development.scaffolding.fields import Field
from development.scaffolding.names import Names, plural_of
from development.scaffolding.workspace import ScaffoldError, load


@dataclass(frozen=True)
class Helper:
    """A function in the tests of another domain that creates one."""

    target: str
    module: str
    function: str
    strings: int
    """How many strings it needs beside the client."""

    def call(self, field: Field) -> str:
        """Return a call that gives the id of a new one, for a field that refers to it."""
        text = field.human.replace(" ", "-").upper()
        arguments = ", ".join(["client", *[f'f"{text}-{{number}}"'] * self.strings])
        return f'(await create_{self.target}({arguments}))["id"]'


@dataclass(frozen=True)
class Domain:
    """A new domain."""

    names: Names
    fields: Sequence[Field]
    helpers: Mapping[str, Helper]

    @property
    def unique(self) -> list[Field]:
        """The fields with a unique constraint."""
        return [field for field in self.fields if field.is_unique]

    @property
    def references(self) -> list[Field]:
        """The fields that refer to other domains."""
        return [field for field in self.fields if field.target]

    @property
    def targets(self) -> list[Names]:
        """The domains that it refers to, each once."""
        return [*dict.fromkeys(field.target for field in self.references if field.target)]

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        """The columns by which lists are filtered and sorted, by the arguments of `ListSchema`."""
        ways = {
            way: [field.name for field in self.fields if field.kind.filters == way]
            for way in ("equal", "one_of", "between")
        }
        return ways | {"sort": [field.name for field in self.fields if field.kind.is_sorted]}

    def context(self) -> dict[str, Any]:
        """Return what the templates see."""
        names, first = self.names, self.fields[0]
        words = re.findall(r"[A-Z][a-z0-9]*", names.cls)
        return {
            "package": PACKAGE,
            "name": names.name,
            "plural": names.plural,
            "cls": names.cls,
            "many": "".join(word.capitalize() for word in names.plural.split("_")),
            "human": names.human,
            "humans": names.humans,
            "a": names.article,
            "slug": names.slug,
            "slugs": names.slugs,
            "problem_slug": "-".join(words).lower(),
            "fields": self.fields,
            "unique": self.unique,
            "references": self.references,
            "optional": [field for field in self.fields if field.is_optional],
            "enums": [field for field in self.fields if field.values],
            "checks": [field for field in self.fields if field.type_name == "money"],
            "lists": self.lists,
            "targets": self.targets,
            "helpers": self.helpers,
            "other": f", {first.name}={first.second}" if first.has_few_values else "",
        }


def domain_of(service: Path, names: Names, fields: Sequence[Field]) -> Domain:
    """Return a domain, after looking up the domains that its fields refer to.

    Raises:
        ScaffoldError: one does not exist, or the tests have no function that creates one.
    """
    resolved = [_resolve(service, field) if field.target else field for field in fields]
    targets = {field.target.name: field.target for field in resolved if field.target}
    helpers = {name: _helper(service, target) for name, target in targets.items()}
    return Domain(names, resolved, helpers)


def _resolve(service: Path, field: Field) -> Field:
    """Give a reference the names of its target."""
    if field.target is None:
        return field
    name = field.target.name
    if not (service / PACKAGE / "domain" / name / "model.py").is_file():
        raise ScaffoldError(f"{field.name}: there is no domain {name} to refer to: make it first.")
    model = getattr(load(f"{PACKAGE}.domain.{name}.model"), field.target.cls, None)
    if model is None:
        raise ScaffoldError(
            f"{field.name}: {PACKAGE}/domain/{name}/model.py has no class {field.target.cls}."
        )
    plural = getattr(model, "__tablename__", "") or _plural_in_routes(name) or plural_of(name)
    return replace(field, target=Names(name, plural))


def names_in_use(name: str) -> Names:
    """Return the names of a domain that the service already has."""
    table = _attribute(f"{PACKAGE}.domain.{name}.model", f"{Names(name, '').cls}.__tablename__")
    return Names(name, _plural_in_routes(name) or table or plural_of(name))


def _plural_in_routes(name: str) -> str:
    prefix = _attribute(f"{PACKAGE}.routers.{name}", "router.prefix")
    match = re.fullmatch(r"/api/v1/([\w-]+)", prefix)
    return match[1].replace("-", "_") if match else ""


def _attribute(module: str, path: str) -> str:
    """Return a text in a module of the service, or an empty one if it has none."""
    try:
        return str(attrgetter(path)(import_module(module)))
    except (ImportError, AttributeError):
        return ""


def _helper(service: Path, target: Names) -> Helper:
    for stem in (target.plural, plural_of(target.name), target.name):
        file = service / f"tests/integration/test_{stem}.py"
        for node in ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else ():
            if isinstance(node, ast.AsyncFunctionDef) and node.name in {
                "create",
                f"create_{target.name}",
            }:
                required = node.args.args[1 : len(node.args.args) - len(node.args.defaults)]
                types = {
                    ast.unparse(argument.annotation) for argument in required if argument.annotation
                }
                if types <= {"str"}:
                    return Helper(target.name, file.stem, node.name, len(required))
    raise ScaffoldError(
        f"The tests need {target.article} {target.human} to refer to: write a function "
        f"`async def create(client: AsyncClient) -> dict[str, Any]` in "
        f"tests/integration/test_{target.plural}.py that creates one and returns it."
    )
