"""Edits of the service's own Python files that keep everything else as its developers wrote it.

`ast` finds the place of an edit. Ruff formats the result afterwards.
"""

import ast
import re
from collections.abc import Callable, Collection

from development.scaffolding.workspace import ScaffoldError

Sized = ast.List | ast.Tuple


def add_import(source: str, statement: str) -> str:
    """Add an import below the ones that a module has."""
    body, lines = ast.parse(source).body, source.splitlines(keepends=True)
    above = [node for node in body if _is_import(node)] or [*filter(_is_text, body[:1])]
    lines.insert(above[-1].end_lineno or 0 if above else 0, f"{statement}\n")
    return "".join(lines)


def add_to_list(source: str, name: str, element: str, file: str) -> str:
    """Add an element to the end of a list or tuple that a module gives a name to.

    Raises:
        ScaffoldError: the module has no such list.
    """
    value = _find_list(source, name)
    if value is None:
        raise ScaffoldError(
            f"{file} has no {name} = [...] to which {element} could be added: "
            f"write {name} as a list, then run the same command again."
        )
    if not value.elts:
        start = _offset(source, value.lineno, value.col_offset) + 1
        comma = "," if isinstance(value, ast.Tuple) else ""
        return f"{source[:start]}{element}{comma}{source[start:]}"
    last = value.elts[-1]
    end = _end(source, last)
    if last.end_lineno == value.end_lineno:
        return f"{source[:end]}, {element}{source[end:]}"
    # On its own line, after a comment behind the last element.
    line, comma = source.index("\n", end), "" if source[end:].lstrip().startswith(",") else ","
    indent = " " * last.col_offset
    return f"{source[:end]}{comma}{source[end:line]}\n{indent}{element},{source[line:]}"


def remove_from_list(source: str, name: str, gone: Collection[str]) -> str:
    """Remove the elements that are, or begin with, a name that is gone: `product.router`."""
    value = _find_list(source, name)
    elements = value.elts if value else []
    if elements and isinstance(value, ast.Tuple):  # one that is left needs its comma
        end = _end(source, elements[-1])
        if not source[end:].lstrip().startswith(","):
            source = f"{source[:end]},{source[end:]}"
    for element in reversed(elements):
        start, end = _offset(source, element.lineno, element.col_offset), _end(source, element)
        if source[start:end].strip("\"'").partition(".")[0] in gone:
            source = _without(source, start, end)
    return source


def _without(source: str, start: int, end: int) -> str:
    """Remove an element and its comma, and the line if nothing but a comment is left on it."""
    before, after = source[:start], source[end:]
    line = before[: before.rfind("\n") + 1]
    if not before.removeprefix(line).strip() and (rest := re.match(r"\s*,?[ \t]*(#.*)?\n", after)):
        return line + after[rest.end() :]
    if after.lstrip().startswith(","):
        return before + after.lstrip()[1:].lstrip(" ")
    return before.rstrip().removesuffix(",") + after


def has_list(source: str, name: str) -> bool:
    """Say whether a module gives this name to a list or tuple."""
    return _find_list(source, name) is not None


def names_imported_from(source: str, is_gone: Callable[[str, str], bool]) -> set[str]:
    """Return what a module calls the names that it imports and that `is_gone` says yes to."""
    return {
        alias.asname or alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if is_gone("." * node.level + (node.module or ""), alias.name)
    }


def without_names(source: str, names: Collection[str]) -> tuple[str, set[str]]:
    """Remove imports of names, and the definitions that use them; return all names that are gone.

    What uses a removed definition is removed as well, until nothing does.
    """
    body, lines = ast.parse(source).body, source.splitlines(keepends=True)
    gone = set(names)
    while more := {name for node in body if _uses(node, gone) for name in _defines(node)} - gone:
        gone |= more
    for node in reversed(body):
        if _uses(node, gone):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
            while lines[first - 2 : first - 1] and lines[first - 2].startswith("#"):
                first -= 1
            del lines[first - 1 : node.end_lineno]
        elif isinstance(node, ast.ImportFrom):
            kept = [one for one in node.names if (one.asname or one.name) not in names]
            if len(kept) < len(node.names):
                text = ast.unparse(ast.ImportFrom(node.module, kept, node.level)) if kept else ""
                comment = lines[(node.end_lineno or 1) - 1].encode()[node.end_col_offset :].decode()
                lines[node.lineno - 1 : node.end_lineno] = [text + comment if kept else "\n"]
    return "".join(lines), gone - set(names)


def is_empty(source: str) -> bool:
    """Say whether a module holds nothing but its docstring and imports."""
    return all(_is_text(node) or _is_import(node) for node in ast.parse(source).body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _find_list(source: str, name: str) -> Sized | None:
    """Return the list or tuple that a module gives a name to, if there is one."""
    for node in ast.parse(source).body:
        value = getattr(node, "value", None)
        if name in _defines(node) and isinstance(value, Sized):
            return value
    return None


def _offset(source: str, line: int, column: int) -> int:
    """Return a position in a text; `ast` counts the bytes of a line."""
    lines = source.splitlines(keepends=True)
    return len("".join(lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())


def _end(source: str, node: ast.expr) -> int:
    return _offset(source, node.end_lineno or 0, node.end_col_offset or 0)


def _defines(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines; an import defines none."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _uses(node: ast.stmt, names: Collection[str]) -> bool:
    """Say whether a statement defines something, and uses one of the names for it."""
    used = {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node)}
    defined = _defines(node)
    return bool(defined) and not (used | defined).isdisjoint(names)
