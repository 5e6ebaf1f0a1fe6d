"""Claims in the text and in the cells: each names the other, once, and held when the chapter ran."""

import ast
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from bookproof.page import Page
from bookproof.printed import parsed
from bookproof.rules import told

_Found = tuple[int, str, str]


def claims(page: Page, ran: Collection[str] | None) -> Iterator[_Found]:
    """Yield what is wrong with the claims of ``page``.

    Args:
        page: the chapter.
        ran: the claims that held in the last build; None if that is unknown.
    """
    made: dict[str, int] = {}
    for name, line in _made(page):
        if name is None:
            seen = "claim() has no name that can be read without running it, or no second argument"
        elif name in made:
            seen = f"{name!r} is claimed at line {made[name]} and again here"
        else:
            made[name] = line
            continue
        yield line, "claim-form", told("claim-form", seen)
    for claimed in page.claims:
        if not claimed.name:
            seen = f"\u201c{claimed.words}\u201d is marked and names no claim"
            yield claimed.line, "claim-form", told("claim-form", seen)
        elif claimed.name not in made:
            near = get_close_matches(claimed.name, made, n=1)
            seen = f"no cell of this chapter claims {claimed.name!r}"
            seen += f" (it does claim {near[0]!r})" if near else ""
            yield claimed.line, "undefined-claim", told("undefined-claim", seen)
    said = {claimed.name for claimed in page.claims}
    for name, line in made.items():
        if name not in said:
            seen = f"no text says what {name!r} claims"
            yield line, "unused-claim", told("unused-claim", seen)
        if ran is not None and name not in ran:
            seen = f"{name!r} was not claimed when the chapter ran"
            yield line, "idle-claim", told("idle-claim", seen)


def _made(page: Page) -> Iterator[tuple[str | None, int]]:
    """Yield the name of each claim that a cell makes, and its line; None for one without."""
    for cell in page.cells:
        tree = parsed(cell.source)
        for call in ast.walk(tree) if tree else ():
            if isinstance(call, ast.Call) and _is_claim(call.func):
                first = call.args[0] if len(call.args) == 2 else None
                literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
                name = str(first.value) if literal else None  # type: ignore[union-attr]
                yield name, cell.source_line + call.lineno - 1


def _is_claim(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "claim"
