"""Exercises: what is wrong with one is found on the page, in its outputs, and on trial."""

import ast
from typing import Any

import pytest
from nbformat import NotebookNode, v4

from bookproof import drills, prose, rehearsals
from bookproof.drills import Exercise

TEXT = """\
# Title

```{code-cell} python3
from bookproof import right, self_check, wrong
```

```{exercise-start} Double
:label: ex-double
```
Write `double(x)`.

```{code-cell} python3
def double(x):
    ...
```

```{code-cell} python3
@self_check
def check_double(attempt):
    if attempt(3) == 6:
        return right("it doubles.")
    return wrong("it does not double.")


check_double(double)
```
```{exercise-end}
```

```{solution-start} ex-double
:class: dropdown
```
```{code-cell} python3
def double_solution(x):
    result = 2 * x
    return result


verdict = check_double(double_solution)
verdict
```
```{solution-end}
```
"""

CHECK = TEXT[TEXT.index("@self_check") : TEXT.index("\n\ncheck_double(double)")]
SOLUTION = TEXT[TEXT.index("```{solution-start}") :]

# what is planted: (old, new), the rule, the line, what is said
PLANTED: dict[str, tuple[tuple[str, str], str, int, str]] = {
    "no check": ((f"{CHECK}\n\ncheck_double(double)", "double"), "exercise-check", 7, "no cell that"),
    "no stub": (("(double)\n```\n```{ex", "(len)\n```\n```{ex"), "exercise-check", 7, "no cell that"),
    "a check that is not asked": (("(double)\n```\n```{ex", "\n```\n```{ex"), "exercise-check", 7, "no cell"),
    "a check that lets errors out": (("@self_check\n", ""), "exercise-check", 17, "not made by @self_check"),
    "an exercise on paper": (("{exercise-start} Double", "{exercise} Double"), "exercise-check", 7, "no cell"),
    "a stub that passes": (("    ...", "    return 6"), "exercise-stub", 17, "Right: it doubles."),
    "a check that says nothing": (("(double)\n```\n```{ex", "(double);\n```\n```{ex"), "exercise-stub", 17, "nothing"),
    "no solution": ((SOLUTION, ""), "exercise-solution", 7, "has no solution"),
    "a solution of another label": (("} ex-double", "} ex-dubble"), "exercise-solution", 7, "has no solution"),
    "a solution that is not checked": (
        ("verdict = check_double(double_solution)\nverdict", "double_solution"),
        "exercise-solution",
        7,
        "check_double is never called with",
    ),
    "a solution that fails": (("2 * x", "3 * x"), "exercise-solution", 33, "Not yet: it does not double."),
    "a solution whose verdict is hidden": (("\nverdict\n", "\n"), "exercise-solution", 33, "nothing"),
    "a check that throws": (
        ("@self_check\ndef check_double(attempt):", "@self_check\ndef check_double(attempt):\n    return 1"),
        "exercise-error",
        34,
        "shows a traceback",
    ),
    "a solution in a comment": (
        ("    ...", "    ...\n    # result = 2*x\n    #return result"),
        "exercise-leak",
        12,
        "holds every line of double_solution",
    ),
}  # fmt: skip


class Kernel:
    """Runs cells as a kernel does, in this process."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def run(self, source: str) -> list[NotebookNode]:
        """Run a cell and return its outputs."""
        tree = ast.parse(source)
        shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        try:
            exec(compile(tree, "cell", "exec"), self.names)
            if shown is None or source.rstrip().endswith(";"):
                return []
            value = eval(ast.unparse(shown), self.names)
        except Exception as error:  # noqa: BLE001 - as a kernel shows it
            kind = type(error).__name__
            return [v4.new_output("error", ename=kind, evalue=str(error), traceback=[])]
        return [v4.new_output("execute_result", {"text/plain": repr(value)})]


def findings(text: str) -> list[tuple[str, int, str]]:
    page, kernel = prose.read(text), Kernel()
    cells = [v4.new_code_cell(cell.source, outputs=kernel.run(cell.source)) for cell in page.cells]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("words"), *cells])
    found = drills.findings(page, notebook, "book/x.md")
    return [(finding.rule, finding.line, finding.message) for finding in found]


def test_an_exercise_that_is_in_order_has_no_findings() -> None:
    assert findings(TEXT) == []
    [exercise] = drills.exercises(prose.read(TEXT))
    assert exercise == Exercise("ex-double", 7, (2, 3), (4,))


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_wrong_with_an_exercise_is_found(name: str) -> None:
    (old, new), rule, line, said = PLANTED[name]
    assert old in TEXT
    found = findings(TEXT.replace(old, new, 1))
    assert any(
        (rule, line) == (seen, at) and said in message and "the exercise 'ex-double'" in message
        for seen, at, message in found
    ), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@self_check", "@bookproof.self_check"),
        ("def double(x):\n    ...", "double: object = ..."),
        ("def check_double(attempt):", "def check_double(attempt, often=1):"),
    ],
)
def test_other_ways_to_write_the_same_are_in_order(old: str, new: str) -> None:
    text = TEXT.replace(
        "from bookproof import right", "import bookproof\nfrom bookproof import right"
    )
    assert findings(text.replace(old, new)) == []


def test_cells_outside_exercises_are_left_alone() -> None:
    assert findings(TEXT + "\n```{code-cell} python3\n1 / 0\n```\n") == []


def rehearsed(text: str) -> list[str]:
    """Return what the checks of ``text`` say on trial: of wrong answers, then of the solution."""
    page, kernel = prose.read(text), Kernel()
    for cell in page.cells:
        kernel.run(cell.source)
    [trial] = rehearsals.rehearsals(page)
    said = [kernel.run(call)[0] for call in trial.wrong]
    kernel.run(trial.solution)
    return [output["data"]["text/plain"] for output in (*said, *kernel.run(trial.solved))]


def test_wrong_answers_and_the_solution_under_the_stubs_name() -> None:
    wrong = "Not yet: it does not double."
    raised = "Not yet: your code raised ZeroDivisionError: division by zero"
    assert rehearsed(TEXT) == [wrong, wrong, raised, "Right: it doubles."]


def test_a_solution_that_calls_itself_is_renamed_throughout() -> None:
    recursive = "    return 2 if x == 1 else 2 + double_solution(x - 1)\n"
    text = TEXT.replace("    result = 2 * x\n    return result\n", recursive)
    assert rehearsed(text)[-1] == "Right: it doubles."
    [trial] = rehearsals.rehearsals(prose.read(text))
    assert "double_solution" not in trial.solution


def test_a_solution_that_is_a_class_takes_the_stubs_name() -> None:
    body = "(int):\n    def __new__(cls, x):\n        "
    text = TEXT.replace("def double(x):\n    ...", f"class double{body}...")
    text = text.replace(
        "def double_solution(x):\n    result = 2 * x\n    return result\n",
        f"class double_solution{body}return super().__new__(cls, 2 * x)\n",
    )
    wrong = "Not yet: it does not double."
    raised = "Not yet: your code raised ZeroDivisionError: division by zero"
    assert rehearsed(text) == [wrong, wrong, raised, "Right: it doubles."]


def test_an_answer_that_is_a_number() -> None:
    text = TEXT.replace("def double(x):\n    ...", "double = ...").replace("attempt(3)", "attempt")
    text = text.replace("check_double(double_solution)", "check_double(2 * 3)")
    assert findings(text) == []
    wrong = "Not yet: it does not double."
    assert rehearsed(text) == [wrong, wrong, "Right: it doubles."]


def test_what_is_incomplete_is_not_rehearsed() -> None:
    assert list(rehearsals.rehearsals(prose.read(TEXT.replace(SOLUTION, "")))) == []
