"""What a feature of the service adds to each domain, and takes away with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from development.scaffolding.workspace import Workspace

if TYPE_CHECKING:
    from development.scaffolding.domain import Domain
    from development.scaffolding.plan import Removal


@dataclass(frozen=True)
class RouterPart:
    """What a router needs of a feature, as code with the names of `Domain.context` in braces."""

    imports: Sequence[str] = ()
    comments: Sequence[str] = ()
    options: str = ""
    parameters: Sequence[str] = ()
    service: str = ""
    arguments: Sequence[str] = ()
    """The arguments of the service."""
    query_parameters: Sequence[str] = ()
    query_arguments: Sequence[str] = ()
    """The arguments of the queries."""


def _nothing(*_: object) -> None:
    pass


def _no_router_part(_: "Domain") -> RouterPart:
    return RouterPart()


@dataclass(frozen=True)
class Part:
    """What a feature does for the domains.

    Attributes:
        order: its place among the parts; that of the storage comes first.
        lists: the lists that domains are registered in, by the file of each.
        reserved: names that no field can have.
        router: returns what the router of a new domain needs.
        check: raises ScaffoldError if something of the feature stands in a new domain's way.
        add: registers a new domain, whose files have been written.
        complete: writes the files that follow from a new domain's code.
        remove: takes away what belongs to a domain, whose own files are still there.
        complete_removal: writes the files that follow from the domain's absence.
        next_steps: what its developers do next, after a domain was added and after one was removed.
    """

    order: int
    lists: Mapping[str, str] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    router: Callable[["Domain"], RouterPart] = _no_router_part
    check: Callable[["Domain"], None] = _nothing
    add: Callable[[Workspace, "Domain"], None] = _nothing
    complete: Callable[[Workspace, "Domain"], None] = _nothing
    remove: Callable[[Workspace, "Removal"], None] = _nothing
    complete_removal: Callable[[Workspace, "Removal"], None] = _nothing
    next_steps: tuple[Sequence[str], Sequence[str]] = ((), ())


def parts() -> list[Part]:
    """Return the parts of this service's features."""
    modules = sorted(Path(__file__).with_name("parts").glob("[!_]*.py"))
    loaded = [import_module(f"development.scaffolding.parts.{path.stem}").PART for path in modules]
    return sorted(loaded, key=lambda part: part.order)
