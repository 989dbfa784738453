"""Domains in the memory of the process."""

import ast
from pathlib import Path

from development.project import PACKAGE
from development.scaffolding.domain import Domain
from development.scaffolding.names import Names
from development.scaffolding.part import Part, RouterPart
from development.scaffolding.workspace import ScaffoldError

ROUTERS = Path(__file__).parents[3] / PACKAGE / "routers"


def router(domain: Domain) -> RouterPart:
    """Give each request's service the application's memory, and the domains that it refers to."""
    services = {target.plural: service_dependency(target) for target in domain.targets}
    return RouterPart(
        imports=[
            "from ..internal.memory import ApplicationMemory",
            *(f"from .{module} import {alias}" for module, alias in services.values()),
        ],
        parameters=[
            "memory: ApplicationMemory",
            *(f"{plural}: {alias}" for plural, (_, alias) in services.items()),
        ],
        arguments=[f"{{cls}}Repository({', '.join(['memory', *services])})"],
        query_parameters=["memory: ApplicationMemory"],
        query_arguments=["memory"],
    )


def check(domain: Domain) -> None:
    """Refuse references to domains that no request can look into."""
    router(domain)


def service_dependency(target: Names) -> tuple[str, str]:
    """Return the module of `routers/` and the name in it by which requests get a service.

    Raises:
        ScaffoldError: there is none.
    """
    for path in sorted(ROUTERS.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            wanted = f"Annotated[{target.cls}Service, Depends("
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(wanted):
                return path.stem, ast.unparse(node.targets[0])
    raise ScaffoldError(
        f"No module of {PACKAGE}/routers gives requests {target.article} {target.cls}Service to "
        f"look {target.humans or target.human} up: write "
        f"`Annotated[{target.cls}Service, Depends(...)]` in {PACKAGE}/routers/dependencies.py, "
        "and give it a name."
    )


PART = Part(order=1, reserved=frozenset({"memory"}), router=router, check=check)
