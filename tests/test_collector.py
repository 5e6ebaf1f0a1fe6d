"""`pytest --nbval` is green on a book as it was built, and red on every drift planted in one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_book import (
    CHANCE,
    DRAWN,
    DRILL,
    FALSE,
    LENIENT,
    RAISES,
    REPO,
    THROWS,
    UNSEEN,
    UNTAGGED,
    TinyBook,
    environment,
)

CELLS = 3
PUBLISHED = "_build/html/_sources/book"


def _tamper(book: TinyBook, old: str, new: str, chapter: str = "one") -> None:
    """Change the published notebook of a chapter."""
    book.replace(f"{PUBLISHED}/{chapter}.ipynb", old, new)
    json.loads((book.root / PUBLISHED / f"{chapter}.ipynb").read_text(encoding="utf-8"))


def _edit(book: TinyBook, edit: Callable[[list[Any]], None]) -> None:
    """Change the list of code cells of the published chapter one, the first cell among them."""
    path = book.root / PUBLISHED / "one.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    edit(code)
    notebook["cells"] = code
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _unpublish(book: TinyBook) -> None:
    (book.root / PUBLISHED / "one.ipynb").unlink()


def _nothing_built(book: TinyBook) -> None:
    (book.root / "_build/.jupyter_cache/global.db").unlink()


def _nothing(book: TinyBook) -> None:
    """Leave the book as it was built."""


NOT_THE_CHAPTERS = "cell {}: it is not the one of _build/html/_sources/book/one.ipynb"
NOT_BUILT = "no built outputs match this text, engine and settings"
SPACE = "\N{NO-BREAK SPACE}"

# name: what is done to a built book, the chapter run, what must be said
DRIFTS: dict[str, tuple[Callable[[TinyBook], None], str, str]] = {
    "changed glue value": (
        lambda book: _tamper(book, f"42{SPACE}KiB", f"41{SPACE}KiB"),
        "one",
        "mismatch 'application/papermill.record/text/plain'",
    ),
    "changed printed output": (
        lambda book: _tamper(book, "the answer is 42", "the answer is 41"),
        "one",
        "mismatch 'stdout'",
    ),
    "changed error message": (
        lambda book: _tamper(book, '"division by zero"', '"division by nought"'),
        "one",
        "mismatch 'evalue'",
    ),
    "measured figure gone": (
        lambda book: _tamper(book, '"measured": true', '"measured": false'),
        "one",
        "Outputs differ|fields from running code",
    ),
    "raising cell": (_nothing, "raises", "ValueError"),
    "nondeterministic cell": (_nothing, "chance", "mismatch 'stdout'"),
    "cell kept from comparison": (_nothing, "unseen", "keep it from being run and compared"),
    "claim whose failure is let pass": (_nothing, "false", "the claim that it stands for is false"),
    "engine changed without rebuild": (
        lambda book: book.replace("src/tiny/one.py", "42", "6 * 7"),
        "one",
        NOT_BUILT,
    ),
    "text changed without rebuild": (
        lambda book: book.replace("book/one.md", "the answer is", "my answer is"),
        "one",
        NOT_BUILT,
    ),
    "nothing built": (_nothing_built, "one", NOT_BUILT),
    "changed picture": (
        lambda book: _tamper(book, 'rect width=\\"40\\"', 'rect width=\\"44\\"', "drawn"),
        "drawn",
        r"the picture changed: \d+ of 64 parts differ \(up to 2 may\)",
    ),
    "missing picture": (
        _nothing,
        "drawn",
        r"the pictures are others: image/svg\+xml in the built book, none in this run",
    ),
    "changed count beside a timing": (
        lambda book: _tamper(book, "2 walks took", "3 walks took", "drawn"),
        "drawn",
        "3 walks took a time",
    ),
    "timing without its tag": (_nothing, "untagged", "mismatch 'stdout'"),
    "check that a wrong answer passes": (
        _nothing,
        "lenient",
        r"'ex-lenient': check_double\(lambda \*a, \*\*k: 0\) says of a wrong answer: Right: it",
    ),
    "check that throws": (
        _nothing,
        "throws",
        "says of a wrong answer: TypeError: the check check_do",
    ),
    "nothing published": (_unpublish, "one", NOT_BUILT),
    "published under another key": (
        lambda book: _tamper(book, '"key": "', '"key": "0'),
        "one",
        NOT_BUILT,
    ),
    "published with a first cell of its own": (
        lambda book: _tamper(book, "os.chdir(folder)", "pass"),
        "one",
        NOT_BUILT,
    ),
    "published with an engine that has changed where the chapter does not use it": (
        lambda book: book.replace("src/tiny/two.py", "2 * x", "x + x"),
        "one",
        NOT_BUILT,
    ),
    "published with other code": (
        lambda book: _edit(book, lambda cells: cells[1].update(source="print('the answer is 42')")),
        "one",
        NOT_THE_CHAPTERS.format(1),
    ),
    "published with other tags": (
        lambda book: _edit(book, lambda cells: cells[2]["metadata"].update(tags=["nbval-skip"])),
        "one",
        NOT_THE_CHAPTERS.format(2),
    ),
    "published in another order": (
        lambda book: _edit(book, lambda cells: cells.insert(1, cells.pop(2))),
        "one",
        NOT_THE_CHAPTERS.format(1),
    ),
    "published without its last cell": (
        lambda book: _edit(book, lambda cells: cells.pop()),
        "one",
        NOT_THE_CHAPTERS.format(3),
    ),
    "published with a cell more": (
        lambda book: _edit(book, lambda cells: cells.append(cells[-1] | {"id": "cell-4"})),
        "one",
        NOT_THE_CHAPTERS.format(4),
    ),
    "published without a cell": (
        lambda book: _edit(book, lambda cells: cells.clear()),
        "one",
        NOT_BUILT,
    ),
}


def _pytest(folder: Path, books: list[TinyBook], *paths: str) -> str:
    """Run nbval in one process over chapters of several books, each with its own engine."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    sources = [str(book.root / "src") for book in books]
    path = os.pathsep.join([*sources[:1], str(REPO / "src")])
    # Warnings are errors, and the real book's own plugin registration may or may not be installed.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-rA"]
    if not _registered():
        command += ["-p", "bookproof.collector"]
    done = subprocess.run(
        [*command, "--nbval", "--continue-on-collection-errors", *paths],
        cwd=folder,
        env=environment(folder) | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout) + f"\nstatus {done.returncode}"


def _registered() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "bookproof.collector" for point in entry_points(group="pytest11"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    root = tmp_path_factory.mktemp("collector") / "built"
    book = TinyBook.create(
        root,
        ("chance", CHANCE),
        ("raises", RAISES),
        ("unseen", UNSEEN),
        ("false", FALSE),
        ("drawn", DRAWN),
        ("untagged", UNTAGGED),
        ("drill", DRILL),
        ("lenient", LENIENT),
        ("throws", THROWS),
    )
    first = book.build()
    assert first.status == 0, first.text
    return book


@pytest.fixture(scope="module")
def report(built: TinyBook) -> dict[str, str]:
    """What one pytest process says of each drift: the sections of its report that name the book."""
    folder = built.root.parent
    books, paths, names = [built], [], {}
    for number, (name, (plant, chapter, _)) in enumerate(DRIFTS.items()):
        book = built.copy(folder / f"drift{number}")
        plant(book)
        books.append(book)
        paths.append(f"drift{number}/book/{chapter}.md")
        names[name] = f"drift{number}/"
    text = _pytest(folder, books, *paths)
    sections = re.split(r"\n(?=_{3,} .* _{3,}\n)", text)
    return {
        name: "\n".join(part for part in sections if place in part.splitlines()[0])
        for name, place in names.items()
    }


@pytest.mark.parametrize("name", DRIFTS)
def test_a_planted_drift_is_red(report: dict[str, str], name: str) -> None:
    said = DRIFTS[name][2]
    assert re.search(said, report[name]), report[name]


def test_a_book_as_built_is_green_and_every_cell_of_it_ran(built: TinyBook) -> None:
    text = _pytest(built.root.parent, [built], "built/book/one.md", "built/book/two.md")
    assert f"{CELLS + 1 + 2} passed" in text, text  # each chapter's first cell runs as well
    assert text.endswith("status 0")
    assert "PASSED built/book/one.md::Cell 2" in text


def test_exercises_are_rehearsed_and_times_of_a_measured_cell_may_differ(built: TinyBook) -> None:
    text = _pytest(built.root.parent, [built], "built/book/drill.md", "built/book/drawn.md")
    assert "PASSED built/book/drill.md::Exercise ex-double" in text, text
    assert "PASSED built/book/drawn.md::Cell 1" in text
    assert "PASSED built/book/drawn.md::Cell 3" in text


def test_a_page_without_cells_is_not_collected(built: TinyBook) -> None:
    text = _pytest(built.root.parent, [built], "built/book/index.md")
    assert "collected 0 items" in text
    assert "no tests ran" in text or "not found" in text
