"""Makes a domain: writes its files, registers it, and checks all of it."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from development.project import PACKAGE
from development.scaffolding import source
from development.scaffolding.domain import Domain, domain_of
from development.scaffolding.fields import parse
from development.scaffolding.names import check_free, names_of
from development.scaffolding.part import Part, RouterPart, parts
from development.scaffolding.workspace import Workspace, indented, workspace

TEMPLATES = Path(__file__).with_name("templates")
ROUTERS = f"{PACKAGE}/routers/__init__.py"


def create(service: Path, name: str, fields: str, plural: str) -> str:
    """Make a domain, and return what to look at next.

    Raises:
        ScaffoldError: it cannot be made; nothing was changed.
    """
    names = names_of(name, plural)
    check_free(names, service)
    features = parts()
    reserved = frozenset[str]().union(*(part.reserved for part in features))
    domain = domain_of(service, names, parse(fields, names, reserved))
    for part in features:
        part.check(domain)
    with workspace(service) as copy:
        write(copy, domain, features)
        register(copy, domain)
        for part in features:
            part.add(copy, domain)
        copy.tidy()
        copy.check_style()
        for part in features:
            part.complete(copy, domain)
        copy.tidy()
        copy.lint()
        changed = copy.carry_over()
    return _next_steps(domain, changed, features)


def write(copy: Workspace, domain: Domain, features: list[Part]) -> None:
    """Write the files of a domain."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is Python
    )
    names = domain.names
    places = {"PACKAGE": PACKAGE, "NAME": names.name, "PLURAL": names.plural}
    router = router_of(domain, features)
    for template in environment.list_templates(extensions=["j2"]):
        text = environment.get_template(template).render(domain.context(), router=router)
        path = template.removesuffix(".j2")
        for word, place in places.items():
            path = path.replace(word, place)
        if text.strip():
            copy.write(path, text)


def router_of(domain: Domain, features: list[Part]) -> RouterPart:
    """Return what the router needs of all features."""
    router_parts = [part.router(domain) for part in features]
    context = domain.context()
    service = next(
        (part.service for part in reversed(router_parts) if part.service), "{cls}Service"
    )
    arguments = [argument.format(**context) for part in router_parts for argument in part.arguments]
    return RouterPart(
        imports=[line.format(**context) for part in router_parts for line in part.imports],
        comments=[line for part in router_parts for line in part.comments],
        options="".join(part.options for part in router_parts),
        parameters=[parameter for part in router_parts for parameter in part.parameters],
        query_parameters=[
            parameter for part in router_parts for parameter in part.query_parameters
        ],
        query_arguments=[argument for part in router_parts for argument in part.query_arguments],
        service=f"{service.format(**context)}({', '.join(arguments)})",
    )


def register(copy: Workspace, domain: Domain) -> None:
    """List the domain's router."""
    name = domain.names.name
    text = source.add_import(copy.read(ROUTERS), f"from . import {name}")
    copy.write(ROUTERS, source.add_to_list(text, "ROUTERS", f"{name}.router", ROUTERS))


def _next_steps(domain: Domain, changed: list[str], features: list[Part]) -> str:
    names = domain.names
    steps = [
        *(step for part in features for step in part.next_steps[0]),
        "make test",
        f"write the rules of {names.humans} in {PACKAGE}/domain/{names.name}/service.py",
        f"try it: make run, then POST /api/v1/{names.slugs} at /docs",
    ]
    lines = [f"The domain {names.name} is added, and `make lint` passes:", *indented(changed)]
    return "\n".join([*lines, "", "It is yours from now on. Next:", *indented(steps)])
