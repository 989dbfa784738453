"""Edits of the service's own Python files that keep everything else as its developers wrote it."""

from collections.abc import Callable, Collection, Sequence

import libcst as cst
from libcst import matchers as m

from development.scaffolding.workspace import ScaffoldError

Sized = cst.List | cst.Tuple


def add_import(source: str, statement: str) -> str:
    """Add an import below the ones that a module has."""
    module = cst.parse_module(source)
    body = [*module.body]
    imports = [position for position, node in enumerate(body) if _is_import(node)]
    starts_with_text = bool(body) and m.matches(body[0], DOCSTRING)
    position = imports[-1] + 1 if imports else int(starts_with_text)
    body.insert(position, cst.parse_statement(statement))
    return module.with_changes(body=body).code


def add_to_list(source: str, name: str, element: str, file: str) -> str:
    """Add an element to the end of a list or tuple that a module gives a name to.

    Raises:
        ScaffoldError: the module has no such list.
    """

    def change(elements: Sequence[cst.BaseElement]) -> list[cst.BaseElement]:
        return [*elements, cst.Element(cst.parse_expression(element))]

    changed, found = _change_list(source, name, change)
    if not found:
        raise ScaffoldError(
            f"{file} has no {name} = [...] to which {element} could be added: "
            f"write {name} as a list, then run the same command again."
        )
    return changed


def remove_from_list(source: str, name: str, gone: Collection[str]) -> str:
    """Remove the elements that are, or begin with, a name that is gone: `product.router`."""

    def change(elements: Sequence[cst.BaseElement]) -> list[cst.BaseElement]:
        kept = [one for one in elements if _first_name(one.value) not in gone]
        if kept and len(kept) < len(elements) and elements[-1] not in kept:
            kept[-1] = kept[-1].with_changes(comma=elements[-1].comma)
        return kept

    return _change_list(source, name, change)[0]


def has_list(source: str, name: str) -> bool:
    """Say whether a module gives this name to a list or tuple."""
    return _change_list(source, name, list)[1]


def names_imported_from(source: str, is_gone: Callable[[str, str], bool]) -> set[str]:
    """Return what a module calls the names that it imports and that `is_gone` says yes to."""
    found = set()
    for node in cst.parse_module(source).body:
        for statement in node.body if isinstance(node, cst.SimpleStatementLine) else ():
            if isinstance(statement, cst.ImportFrom) and not isinstance(
                statement.names, cst.ImportStar
            ):
                origin = origin_of(statement)
                found |= {
                    alias.evaluated_alias or alias.evaluated_name
                    for alias in statement.names
                    if is_gone(origin, alias.evaluated_name)
                }
    return found


def without_names(source: str, names: Collection[str]) -> tuple[str, set[str]]:
    """Remove imports of names, and the definitions that use them; return all names that are gone.

    What uses a removed definition is removed as well, until nothing does.
    """
    module = cst.parse_module(source)
    gone = set(names)
    while True:
        kept = [node for node in module.body if not _uses(node, gone)]
        more = {name for node in module.body if node not in kept for name in _defines(node)}
        if more <= gone:
            break
        gone |= more
    body = [node for node in (_without_import(node, names) for node in kept) if node]
    return module.with_changes(body=body).code, gone - set(names)


def is_empty(source: str) -> bool:
    """Say whether a module holds nothing but its docstring and imports."""
    body = cst.parse_module(source).body
    return all(m.matches(node, DOCSTRING) or _is_import(node) for node in body)


def origin_of(statement: cst.ImportFrom) -> str:
    """Return where an import takes names from, as it is written: `..domain.product`."""
    return "." * len(statement.relative) + (_code(statement.module) if statement.module else "")


DOCSTRING = m.SimpleStatementLine(body=[m.Expr(m.SimpleString())])


def _is_import(node: cst.BaseStatement) -> bool:
    return m.matches(node, m.SimpleStatementLine(body=[m.Import() | m.ImportFrom()]))


def _code(node: cst.CSTNode) -> str:
    return cst.Module(body=[]).code_for_node(node)


def _first_name(node: cst.CSTNode) -> str:
    return _code(node).strip("\"'").partition(".")[0]


def _change_list(
    source: str,
    name: str,
    change: Callable[[Sequence[cst.BaseElement]], list[cst.BaseElement]],
) -> tuple[str, bool]:
    """Change the elements of each list called `name` at the top of a module; say if one is."""
    module, found = cst.parse_module(source), False
    body: list[cst.SimpleStatementLine | cst.BaseCompoundStatement] = []
    for node in module.body:
        value = _value_of(node, name)
        if isinstance(node, cst.SimpleStatementLine) and isinstance(value, Sized):
            found = True
            changed = value.with_changes(elements=change(value.elements))
            body.append(node.with_changes(body=[node.body[0].with_changes(value=changed)]))
        else:
            body.append(node)
    return module.with_changes(body=body).code, found


def _value_of(node: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """Return what a statement gives the name `name`."""
    for statement in node.body[:1] if isinstance(node, cst.SimpleStatementLine) else ():
        if isinstance(statement, cst.AnnAssign) and _code(statement.target) == name:
            return statement.value
        if isinstance(statement, cst.Assign) and _code(statement.targets[0].target) == name:
            return statement.value
    return None


def _defines(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return {node.name.value}
    if isinstance(node, cst.SimpleStatementLine):
        targets = [
            target
            for statement in node.body
            if isinstance(statement, cst.Assign | cst.AnnAssign)
            for target in (
                [statement.target]
                if isinstance(statement, cst.AnnAssign)
                else [one.target for one in statement.targets]
            )
        ]
        return {_code(target) for target in targets}
    return set()


def _uses(node: cst.CSTNode, names: Collection[str]) -> bool:
    """Say whether a definition uses one of the names; an import uses none."""
    if _is_import(node) or not _defines(node):  # type: ignore[arg-type]
        return False
    return any(_code(found) in names for found in m.findall(node, m.Name()))


def _without_import(
    node: cst.BaseStatement | cst.SimpleStatementLine, names: Collection[str]
) -> cst.BaseStatement | cst.SimpleStatementLine | None:
    if not isinstance(node, cst.SimpleStatementLine):
        return node
    statement = node.body[0]
    if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
        return node
    kept = [
        alias
        for alias in statement.names
        if (alias.evaluated_alias or alias.evaluated_name) not in names
    ]
    if len(kept) == len(statement.names):
        return node
    if not kept:
        return None
    kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return node.with_changes(body=[statement.with_changes(names=kept)])
