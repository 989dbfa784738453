"""Domains in the database: their models, and a revision that makes or drops their tables."""

import ast

from development.project import PACKAGE
from development.scaffolding import source
from development.scaffolding.domain import Domain
from development.scaffolding.part import Part, RouterPart
from development.scaffolding.plan import Removal
from development.scaffolding.workspace import ScaffoldError, Workspace, load

MODELS = f"{PACKAGE}/db/__init__.py"
DRAFT = "tests/harness/postgres/draft.py"
LONGEST_NAME = 63
"""PostgreSQL cuts longer names of tables, indexes and constraints."""

DROPS = {
    "op.drop_table(": ("ban-drop-table", "deploy it after the last version that uses the table"),
    "op.drop_index(": ("require-concurrent-index-deletion", "its table goes as well"),
    ".drop(op.get_bind())": ("ban-drop-type", "only the dropped tables use it"),
}
"""What a revision that drops tables does, each with the rule of squawk that it breaks, and why."""


def router(_: Domain) -> RouterPart:
    """Give each request's service its session, and its queries the reader."""
    return RouterPart(
        imports=["from ..internal.database import Reader, Session, repeat_on_conflict"],
        comments=[
            "These endpoints change the database alone: one that lost a conflict of transactions",
            "runs again.",
        ],
        options=", dependencies=[Depends(repeat_on_conflict)]",
        parameters=["session: Session"],
        arguments=["{cls}Repository(session)"],
        query_parameters=["reader: Reader"],
        query_arguments=["reader"],
    )


def check(domain: Domain) -> None:
    """Refuse names of tables, types and constraints that are taken or too long."""
    tables = load(f"{PACKAGE}.db").metadata.tables
    types = {
        getattr(column.type, "name", "") for table in tables.values() for column in table.columns
    }
    plural, name = domain.names.plural, domain.names.name
    enums = {f"{name}_{field.name}" for field in domain.fields if field.values}
    for taken in {plural, *enums} & {*(table.name for table in tables.values()), *types}:
        raise ScaffoldError(
            f"The database has a table or type {taken} already: choose another name."
        )
    for field in domain.fields:
        end = f"_{field.target.plural}" if field.target else "_not_negative"
        if len(f"ck_{plural}_{field.name}{end}") > LONGEST_NAME:
            raise ScaffoldError(
                f"{field.name}: the names of its constraints would be too long for PostgreSQL: "
                "choose a shorter name for the field or for the domain."
            )


def add(copy: Workspace, domain: Domain) -> None:
    """Import the model where migrations look for it."""
    name, cls = domain.names.name, domain.names.cls
    text = copy.read(MODELS)
    if source.has_list(text, "__all__"):
        text = source.add_to_list(text, "__all__", f'"{cls}"', MODELS)
    statement = f"from ..domain.{name}.model import {cls}"
    copy.write(MODELS, source.add_import(text, statement))


def complete(copy: Workspace, domain: Domain) -> None:
    """Write the revision that makes the table."""
    write_revision(copy, f"create {domain.names.humans}", {domain.names.plural})


def remove(_: Workspace, removal: Removal) -> None:
    """Note the tables of the models that go.

    Raises:
        ScaffoldError: another table refers to one of them.
    """
    models = load(f"{PACKAGE}.db").BaseOrmModel.registry.mappers
    tables = {mapper.local_table for mapper in models if removal.holds(mapper.class_.__module__)}
    removal.tables |= {table.name for table in tables}
    for mapper in models:
        keys = getattr(mapper.local_table, "foreign_keys", ())
        users = {key.column.table for key in keys} & tables
        if users and mapper.local_table not in tables:
            raise ScaffoldError(
                f"The table {mapper.local_table} refers to {min(map(str, users))}: remove "
                "that column from its model first, with a revision."
            )


def complete_removal(copy: Workspace, removal: Removal) -> None:
    """Write the revision that drops the tables."""
    if not removal.tables:
        return
    path = write_revision(copy, f"drop {removal.names.humans}", removal.tables)
    copy.write(path, with_reasons(copy.read(path)))


def with_reasons(revision: str) -> str:
    """Say in a revision why it may break the rules that it breaks."""
    upgrade = revision.partition("def upgrade")[2].partition("def downgrade")[0]
    broken = [f'    "{rule}": "{why}",' for drop, (rule, why) in DROPS.items() if drop in upgrade]
    accepted = "\n".join(["squawk_accepted = {", *broken, "}"])
    return revision.replace("\n\n\ndef upgrade", f"\n\n{accepted}\n\n\ndef upgrade", 1)


def write_revision(copy: Workspace, message: str, tables: set[str]) -> str:
    """Write a revision from what changed in the models, and return its path.

    Raises:
        ScaffoldError: it cannot be made, or changes other tables as well.
    """
    before = {*copy.paths("migrations/versions/*.py")}
    copy.run("pytest", "-q", DRAFT, REVISION_MESSAGE=message)
    (path,) = {*copy.paths("migrations/versions/*.py")} - before
    others = other_tables(copy.read(path), tables)
    if others:
        raise ScaffoldError(
            f"The models of other tables differ from the migrations, such as {min(others)}: write "
            'that revision first (make migration m="..."), or take the change back.'
        )
    return path


def other_tables(revision: str, tables: set[str]) -> set[str]:
    """Return a line for each operation of a revision that names none of these tables."""
    calls = [
        node
        for node in ast.walk(ast.parse(revision))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("op.")
    ]
    return {
        ast.unparse(call)
        for call in calls
        if ast.unparse(call.func) not in {"op.f", "op.get_bind", "op.execute"}
        and not tables & {node.value for node in ast.walk(call) if isinstance(node, ast.Constant)}
    }


PART = Part(
    order=1,
    lists={MODELS: "__all__"},
    reserved=frozenset({"metadata", "registry"}),
    router=router,
    check=check,
    add=add,
    complete=complete,
    remove=remove,
    complete_removal=complete_removal,
    next_steps=(
        ["read the new revision in migrations/versions/, then: make migrate"],
        [
            "read the new revision, which drops the tables with all that is in them",
            "deploy that revision after the last version that uses the tables",
        ],
    ),
)
