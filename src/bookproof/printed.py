"""The strings that a cell prints as they stand: the author typed what they say."""

import ast
import re
from collections.abc import Iterator

_PRINTS = frozenset(("print", "display", "Markdown", "HTML"))
_PLACEHOLDER = re.compile(r"%(?!%)[-+ #0\d.]*[a-zA-Z]|\{[^{}]*\}")


def parsed(source: str) -> ast.Module | None:
    """Return a cell's ``source`` as a tree, its lines of IPython left out; None if it is no Python."""
    plain = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError):
        return None  # the build itself reports it


def printed(source: str) -> Iterator[tuple[str, int]]:
    """Yield the constant strings that a cell's ``source`` prints, and their lines (from 0)."""
    tree = parsed(source)
    for call in ast.walk(tree) if tree else ():
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        for argument in call.args if name in _PRINTS else ():
            text = _constant(argument)
            lines = (argument.end_lineno or argument.lineno) - argument.lineno
            if text.count("\n") != lines:
                text = text.replace("\n", " ")  # the lines of the string are not the source's
            yield text, argument.lineno - 1


def _constant(node: ast.expr) -> str:
    """Return the string that ``node`` is, "" if it is none or has a placeholder."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return _whole(node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _whole([node.left, node.right])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _unfilled(node.left)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format":
        return _unfilled(node.func.value)  # type: ignore[attr-defined]
    return ""


def _whole(nodes: list[ast.expr]) -> str:
    """Return the texts of ``nodes`` in one if all are constant."""
    parts = [_constant(part) for part in nodes]
    return "".join(parts) if all(parts) else ""


def _unfilled(template: ast.expr) -> str:
    """Return the text of a template that has no placeholder: what is handed to it goes nowhere."""
    text = _constant(template)
    return "" if _PLACEHOLDER.search(text) else text
