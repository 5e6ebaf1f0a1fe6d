"""The strings that a cell prints as they stand: the author typed what they say."""

import ast
import re
from collections.abc import Iterator

_PRINTS = frozenset(("print", "display", "Markdown", "HTML"))


def printed(source: str) -> Iterator[tuple[str, int]]:
    """Yield the constant strings that a cell's ``source`` prints, and their lines (from 0)."""
    plain = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source)
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError):
        return  # the build itself reports it
    for call in ast.walk(tree):
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
        parts = [_constant(part) for part in node.values]
        return "".join(parts) if all(parts) else ""
    return ""
