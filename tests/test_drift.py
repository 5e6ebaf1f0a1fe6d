"""Break the engine's own promises, one at a time, and see in how many places that shows.

Each drift is planted in a copy of `src/`. Then the engine's tests and the chapters that lean on what was broken
run against the copy. A drift that nothing notices is a hole in the proof; one that only a single place notices
hangs by a thread.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from bookproof import cache, lock

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Drift:
    """A change that must not pass.

    Attributes:
        what: the promise that it breaks.
        file: the module of the engine.
        old: the code, which must be there exactly once.
        new: what takes its place.
        tests: where it should show: test files, and modules with examples.
        chapters: and chapters.
        places: in how many of those at least.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    chapters: tuple[str, ...] = ()
    places: int = 2

    def __str__(self) -> str:
        return self.what


DRIFTS = [
    Drift(
        "float32 takes 4 bytes",
        "budget.py",
        '"float32": 4',
        '"float32": 8',
        ("tests/test_budget.py", "tests/test_memory.py", "budget.py"),
        ("budget", "memory"),
        places=5,
    ),
    Drift(
        "Adam keeps two moments",
        "budget.py",
        '"adam": 2',
        '"adam": 3',
        ("tests/test_budget.py", "budget.py"),
        ("budget",),
        places=3,
    ),
    Drift(
        "a matmul keeps an operand only if its partner needs a gradient",
        "rules.py",
        "self.save(a if needs_grad(b) else None, b if needs_grad(a) else None, a.ndim, b.ndim)",
        "self.save(a, b, a.ndim, b.ndim)",
        ("tests/test_memory.py",),
        ("memory",),
    ),
    Drift(
        "ReLU keeps its output, which the next layer keeps anyway",
        "element_rules.py",
        "self.save(output=output if output is not None else x.relu())",
        "self.save(x)",
        ("tests/test_memory.py",),
        ("memory",),
    ),
    Drift(
        "gradients add where paths meet",
        "value.py",
        "child.grad += slope * grad",
        "child.grad = slope * grad",
        ("tests/test_value.py",),
        ("value",),
    ),
    Drift(
        "tanh has the slope 1 - y²",
        "element_rules.py",
        "return (g * (1 - y * y),)",
        "return (g * (1 - y),)",
        ("tests/test_ops.py",),
        places=1,
    ),
    Drift(
        "gradients are summed over broadcast axes",
        "fitting.py",
        "grad = grad.sum(axis=stretched, keepdims=True)",
        "grad = grad[tuple(slice(0, 1) if i in stretched else slice(None) for i in range(grad.ndim))]",
        ("tests/test_ops.py",),
        places=1,
    ),
    Drift(
        "a backward pass frees the graph unless asked not to",
        "engine.py",
        "gradient: Any = None, retain_graph: bool = False",
        "gradient: Any = None, retain_graph: bool = True",
        ("tests/test_backward.py", "tests/test_memory.py"),
        ("memory",),
        places=3,
    ),
    Drift(
        "the ledger counts a buffer once",
        "memory.py",
        "        if new:\n",
        "        if True:\n",
        ("tests/test_memory.py", "memory.py"),
        ("memory",),
        places=3,
    ),
    Drift(
        "an operation keeps its name",
        "elements.py",
        'def relu(self: "Tensor")',
        'def rectify(self: "Tensor")',
        ("tests/test_rooms.py", "tests/test_memory.py", "tests/test_ops.py"),
        ("memory",),
        places=4,
    ),
]


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_drift_shows(drift: Drift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    src = tmp_path / "src"
    shutil.copytree(ROOT / "src", src, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    broken = src / "bytegrad" / drift.file
    text = broken.read_text(encoding="utf-8")
    assert text.count(drift.old) == 1, f"the drift no longer fits {drift.file}: renew it"
    broken.write_text(text.replace(drift.old, drift.new), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(src))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    shows = _red_files(drift.tests, src)
    shows |= {chapter for chapter in drift.chapters if _chapter_is_red(chapter)}
    assert len(shows) >= drift.places, f"shows only in {sorted(shows)}"


def test_nothing_shows_without_a_drift() -> None:
    """The chapters that the drifts lean on are green as they stand."""
    chapters = {chapter for drift in DRIFTS for chapter in drift.chapters}
    assert {chapter for chapter in chapters if _chapter_is_red(chapter)} == set()


def _red_files(tests: tuple[str, ...], src: Path) -> set[str]:
    """Return the files with a failing test or example."""
    paths = [
        str(ROOT / name if name.startswith("tests/") else src / "bytegrad" / name) for name in tests
    ]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"),
            *("--tb=no", "-rfE"),
            *("-k", "not million"),  # the long tests add nothing here but time
            *("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), *paths),
        ],
        cwd=src.parent,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1, 2), run.stdout + run.stderr
    return {
        Path(path).name for path in re.findall(r"^(?:FAILED|ERROR) ([^\s:]+)", run.stdout, re.M)
    }


def _chapter_is_red(name: str) -> bool:
    """Run a chapter's cells: does one raise, or a figure differ from the lock?"""
    path = ROOT / "book" / f"{name}.md"
    notebook = cache.read(path, ROOT)
    try:
        NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    except CellExecutionError:
        return True
    return bool(lock.differences({name: lock.read(ROOT)[name]}, {name: lock.figures(notebook)}))
