"""Edits of the service's own Python files that keep everything else as its developers wrote it."""

from collections.abc import Callable, Collection

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
    new = cst.Element(cst.parse_expression(element))
    changed, found = _change_list(source, name, lambda value: _appended(value, new))
    if not found:
        raise ScaffoldError(
            f"{file} has no {name} = [...] to which {element} could be added: "
            f"write {name} as a list, then run the same command again."
        )
    return changed


def remove_from_list(source: str, name: str, gone: Collection[str]) -> str:
    """Remove the elements that are, or begin with, a name that is gone: `product.router`."""

    def without(value: cst.List | cst.Tuple) -> cst.List | cst.Tuple:
        kept = [one for one in value.elements if _first_name(one.value) not in gone]
        if value.elements and kept and kept[-1] is not value.elements[-1]:
            value = _with_end(value, kept[-1].comma)
            kept[-1] = kept[-1].with_changes(comma=value.elements[-1].comma)
        elif not kept:
            value = value.with_changes(**_brackets(value, cst.SimpleWhitespace("")))
        return value.with_changes(elements=kept)

    return _change_list(source, name, without)[0]


def _appended(value: cst.List | cst.Tuple, new: cst.Element) -> cst.List | cst.Tuple:
    """Append an element, on its own line if the last one has one."""
    if not value.elements:
        return value.with_changes(elements=[new])
    last, end = value.elements[-1], _end(value)
    if isinstance(end, cst.ParenthesizedWhitespace):
        start = value.lbracket if isinstance(value, cst.List) else value.lpar[0]
        indent = getattr(start.whitespace_after, "last_line", end.last_line)
        last = last.with_changes(
            comma=cst.Comma(whitespace_after=end.with_changes(last_line=indent))
        )
        new = new.with_changes(comma=cst.Comma())
        value = value.with_changes(
            **_brackets(value, end.with_changes(first_line=cst.TrailingWhitespace()))
        )
    return value.with_changes(elements=[*value.elements[:-1], last, new])


def _with_end(
    value: cst.List | cst.Tuple, comma: cst.Comma | cst.MaybeSentinel
) -> cst.List | cst.Tuple:
    """Let a comment after what becomes the last element stay behind it."""
    end, after = _end(value), getattr(comma, "whitespace_after", None)
    if isinstance(end, cst.ParenthesizedWhitespace) and isinstance(after, type(end)):
        return value.with_changes(**_brackets(value, end.with_changes(first_line=after.first_line)))
    return value


def _end(value: cst.List | cst.Tuple) -> cst.BaseParenthesizableWhitespace:
    """Return the space before the closing bracket."""
    if isinstance(value, cst.List):
        return value.rbracket.whitespace_before
    return value.rpar[-1].whitespace_before if value.rpar else cst.SimpleWhitespace("")


def _brackets(
    value: cst.List | cst.Tuple, end: cst.BaseParenthesizableWhitespace
) -> dict[str, object]:
    """Return the change that puts this space before the closing bracket."""
    if isinstance(value, cst.List):
        return {"rbracket": value.rbracket.with_changes(whitespace_before=end)}
    closing = [one.with_changes(whitespace_before=end) for one in value.rpar[-1:]]
    return {"rpar": [*value.rpar[:-1], *closing]}


def has_list(source: str, name: str) -> bool:
    """Say whether a module gives this name to a list or tuple."""
    return _change_list(source, name, lambda value: value)[1]


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
    change: Callable[[cst.List | cst.Tuple], cst.List | cst.Tuple],
) -> tuple[str, bool]:
    """Change each list called `name` at the top of a module; say if one is."""
    module, found = cst.parse_module(source), False
    body: list[cst.SimpleStatementLine | cst.BaseCompoundStatement] = []
    for node in module.body:
        value = _value_of(node, name)
        if isinstance(node, cst.SimpleStatementLine) and isinstance(value, Sized):
            found = True
            body.append(node.with_changes(body=[node.body[0].with_changes(value=change(value))]))
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
