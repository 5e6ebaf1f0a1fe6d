"""Learners on trial: each self-check meets wrong answers, and its stub filled in with the solution.

After the cells of a chapter have run, in the same kernel: a wrong answer of whatever kind has to get
a verdict that says "Not yet", and no traceback; the solution under the stub's own name has to get
one that says "Right". So it costs no kernel, and what it leaves behind disturbs no comparison.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Any

import pytest

from bookproof.drills import Call, Exercise, exercises, solution_call, stub_call
from bookproof.exercise import RIGHT, WRONG
from bookproof.page import Page

_FUNCTIONS = ("lambda *a, **k: 0", "lambda *a, **k: object()", "lambda *a, **k: 1 / 0")
_VALUES = ("object()", "float('nan')")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is run for one exercise.

    Args:
        label: the exercise's.
        solution: code that binds the stub's name to the solution.
        solved: the check of the stub after that.
        wrong: checks of answers that cannot be right.
    """

    label: str
    solution: str
    solved: str
    wrong: tuple[str, ...]


class RehearsalError(AssertionError):
    """A check that does not answer as a learner needs it to."""


def rehearsals(page: Page) -> Iterator[Rehearsal]:
    """Yield what is to be run for each exercise of ``page`` that has a check and a solution."""
    for exercise in exercises(page):
        stub = stub_call(page, exercise)
        solution = stub and solution_call(page, exercise, stub.check)
        if stub and solution:
            name = ast.unparse(stub.answer)
            yield Rehearsal(
                exercise.label,
                _solution(page, exercise, name, solution),
                f"{stub.check}({name})",
                tuple(f"{stub.check}({answer})" for answer in _answers(page, exercise, name)),
            )


def _answers(page: Page, exercise: Exercise, stub: str) -> tuple[str, ...]:
    sources = [page.cells[number - 1].source for number in exercise.cells]
    called = re.compile(rf"^(?:def|class) {re.escape(stub)}\b", re.MULTILINE)
    return _FUNCTIONS if any(map(called.search, sources)) else _VALUES


def _solution(page: Page, exercise: Exercise, stub: str, call: Call) -> str:
    """Return the solution's cells with its answer renamed to ``stub``; a plain answer is assigned."""
    if not isinstance(call.answer, ast.Name):
        return f"{stub} = {ast.unparse(call.answer)}"
    rename = _Rename(call.answer.id, stub)
    cells = (n for n in exercise.solution or () if n <= call.cell)
    trees = (ast.parse(page.cells[number - 1].source) for number in cells)
    return "\n".join(ast.unparse(rename.visit(tree)) for tree in trees)


class _Rename(ast.NodeTransformer):
    """Gives a function, class or variable another name, wherever it is bound or read."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._defined(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._defined(node)

    def _defined(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        if node.name == self.old:
            node.name = self.new
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == self.old:
            node.id = self.new
        return node


class RehearsalItem(pytest.Item):
    """The test of one exercise in the kernel of its chapter."""

    def __init__(self, *, rehearsal: Rehearsal, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rehearsal = rehearsal

    def runtest(self) -> None:
        """Run the wrong answers, then the solution in the stub's place."""
        trial = self.rehearsal
        for call in trial.wrong:
            self._expect(WRONG, call, "", "a wrong answer")
        self._expect(RIGHT, trial.solved, trial.solution, "the solution in the stub's place")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the message alone: the frames are those of this module."""
        if isinstance(excinfo.value, RehearsalError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Return the chapter and the exercise."""
        return self.path, 0, self.nodeid

    def _expect(self, opening: str, call: str, code: str, what: str) -> None:
        said = self._run(code, f"repr({call})")
        if not said.startswith(opening):
            raise RehearsalError(
                f"the exercise {self.rehearsal.label!r}: {call} says of {what}: {said or 'nothing'}; "
                f"a learner who hands that in has to read \u201c{opening.strip()}\u201d and why; mend "
                "the check, or make it with @self_check, which turns errors into verdicts"
            )

    def _run(self, code: str, expression: str) -> str:
        """Return the value of ``expression`` after ``code``, or the error that came in its place."""
        kernel = self.parent.kernel  # type: ignore[union-attr]
        asked = kernel.kc.execute(
            code, store_history=False, user_expressions={"said": expression}, stop_on_error=False
        )
        timeout = self.config.option.nbval_cell_timeout
        try:
            while (reply := kernel.kc.get_shell_msg(timeout=timeout))["parent_header"].get(
                "msg_id"
            ) != asked:
                continue
            kernel.await_idle(asked, timeout)
        except Empty:
            kernel.interrupt()
            return f"nothing within {timeout:g} seconds"
        content = reply["content"]
        answer = content.get("user_expressions", {}).get("said", content)
        if answer.get("status") != "ok":
            return f"{answer.get('ename')}: {answer.get('evalue')}"
        return str(ast.literal_eval(answer["data"]["text/plain"]))


def items(chapter: Any, page: Page) -> list[pytest.Item]:
    """Return one test for each exercise of ``page``, to be run after the cells of ``chapter``."""
    return [
        RehearsalItem.from_parent(chapter, name=f"Exercise {trial.label}", rehearsal=trial)
        for trial in rehearsals(page)
    ]
