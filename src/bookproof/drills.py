"""Exercises as the page has them and as the last build ran them: stub, self-check and solution.

An exercise stands between ``{exercise-start}`` and ``{exercise-end}``: a cell that binds a stub, and
one that ends with ``check(stub)``. Its solution stands between ``{solution-start}``, which names the
exercise's label, and ``{solution-end}``, and calls the same check. What is found wrong with one is
a finding of the lint.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from bookproof.exercise import RIGHT, WRONG
from bookproof.page import Block, Page
from bookproof.rules import Finding, told


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise; ``cells`` and ``solution`` are numbers of code cells, from 1."""

    label: str
    line: int
    cells: tuple[int, ...]
    solution: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Call:
    """A check on an answer: the number of the cell, the check's name, and the answer's expression."""

    cell: int
    check: str
    answer: ast.expr


def exercises(page: Page) -> list[Exercise]:
    """Return the exercises of ``page``, in its order."""
    solutions = {block.argument: _within(page, block) for block in _opening(page, "solution")}
    found = []
    for block in _opening(page, "exercise"):
        label = block.options.get("label", "")
        found.append(Exercise(label, block.line, _within(page, block), solutions.get(label)))
    return found


def stub_call(page: Page, exercise: Exercise) -> Call | None:
    """Return the check of the exercise's own stub: a call with a name that its cells bind."""
    bound = {name for tree in _trees(page, exercise.cells) for name in _bound(tree[1])}
    for call in _calls(page, exercise.cells):
        if isinstance(call.answer, ast.Name) and call.answer.id in bound:
            return call
    return None


def solution_call(page: Page, exercise: Exercise, check: str) -> Call | None:
    """Return the call of ``check`` in the exercise's solution."""
    calls = _calls(page, exercise.solution or ())
    return next((call for call in calls if call.check == check), None)


def findings(page: Page, notebook: NotebookNode, path: str) -> Iterator[Finding]:
    """Yield what is to be mended in the exercises of ``page``, which ran as ``notebook``."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells if cell.cell_type == "code"]
    for exercise in exercises(page):
        for line, rule, seen in _findings(page, exercise, outputs):
            yield Finding(path, line, rule, told(rule, f"the exercise {exercise.label!r} {seen}"))


def _findings(
    page: Page, exercise: Exercise, outputs: list[list[NotebookNode]]
) -> Iterator[tuple[int, str, str]]:
    for number in (*exercise.cells, *(exercise.solution or ())):
        if any(output.output_type == "error" for output in outputs[number - 1]):
            yield page.cells[number - 1].line, "exercise-error", "shows a traceback"
    call = stub_call(page, exercise)
    if call is None:
        yield exercise.line, "exercise-check", "has no cell that ends with a check of a stub"
        return
    line = page.cells[call.cell - 1].line
    if _unguarded(page, call.check):
        yield line, "exercise-check", f"has a check, {call.check}, that is not made by @self_check"
    if not _said(outputs[call.cell - 1]).startswith(WRONG):
        said = _said(outputs[call.cell - 1]) or "nothing"
        yield line, "exercise-stub", f"says of the untouched stub: {said}"
    yield from _leaks(page, exercise)
    if exercise.solution is None:
        yield exercise.line, "exercise-solution", "has no solution of that label"
        return
    solved = solution_call(page, exercise, call.check)
    if solved is None:
        seen = f"has a solution that {call.check} is never called with"
        yield exercise.line, "exercise-solution", seen
    elif not _said(outputs[solved.cell - 1]).startswith(RIGHT):
        said = _said(outputs[solved.cell - 1]) or "nothing"
        line = page.cells[solved.cell - 1].line
        yield line, "exercise-solution", f"says of its solution: {said}"


def _opening(page: Page, what: str) -> Iterator[Block]:
    return (block for block in page.blocks if block.name in (what, f"{what}-start"))


def _within(page: Page, block: Block) -> tuple[int, ...]:
    """Return the cells from a ``-start`` to the next ``-end``; a directive of one piece has none."""
    kind = block.name.removesuffix("-start")
    if kind == block.name:
        return ()
    ends = (other.line for other in page.blocks if other.name == f"{kind}-end")
    end = next((line for line in ends if line > block.line), block.line)
    return tuple(n for n, cell in enumerate(page.cells, 1) if block.line < cell.line < end)


def _trees(page: Page, cells: tuple[int, ...]) -> Iterator[tuple[int, ast.Module]]:
    for number in cells:
        try:
            yield number, ast.parse(page.cells[number - 1].source)
        except SyntaxError:  # IPython's own syntax: such a cell is neither stub nor check
            continue


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def _calls(page: Page, cells: tuple[int, ...]) -> Iterator[Call]:
    """Yield every call, at the top of a cell, of a function by name with one answer."""
    for number, tree in _trees(page, cells):
        for node in tree.body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.args:
                yield Call(number, value.func.id, value.args[0])


def _unguarded(page: Page, check: str) -> bool:
    """Return whether the page defines ``check`` without the decorator that catches errors."""
    every = tuple(range(1, len(page.cells) + 1))
    for _, tree in _trees(page, every):
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == check:
                made_by = (ast.unparse(by).rpartition(".")[2] for by in node.decorator_list)
                return "self_check" not in made_by
    return False


def _said(outputs: list[NotebookNode]) -> str:
    """Return the verdict that a cell shows, or the last line that it shows in its place."""
    shown = ""
    for output in outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        for line in str(text).splitlines():
            if line.startswith((RIGHT, WRONG)):
                return line
            shown = line
    return shown


def _leaks(page: Page, exercise: Exercise) -> Iterator[tuple[int, str, str]]:
    """Yield the cells of an exercise in which all the lines of a function of its solution stand."""
    for number in exercise.cells:
        cell = page.cells[number - 1]
        lines = _packed(cell.source.splitlines())
        for solution, tree in _trees(page, exercise.solution or ()):
            source = page.cells[solution - 1].source.splitlines()
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and _packed(_body(node, source)) <= lines:
                    yield cell.line, "exercise-leak", f"holds every line of {node.name}"


def _body(function: ast.FunctionDef, source: list[str]) -> list[str]:
    """Return the lines of the function's body without its docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    return source[body[0].lineno - 1 : function.end_lineno] if body else []


def _packed(lines: list[str]) -> set[str]:
    """Return the lines without spaces, and without what makes them comments."""
    return {packed for line in lines if (packed := "".join(line.split()).lstrip("#"))}
