"""A chapter's key changes with every cause of its outputs, and with nothing else."""

from pathlib import Path

import nbformat
import pytest

from bookproof import cache
from bookproof.course import find_root
from tests.tiny_book import REPO, TinyBook

MODULES = {
    "src/engine/__init__.py": (
        "from engine.low import Low\nfrom engine.high import High as Top\nfrom engine import side\n"
        "__version__ = '1'\n"
    ),
    "src/engine/low.py": "import math\nclass Low: ...\n",
    "src/engine/high.py": (
        "from typing import TYPE_CHECKING\nfrom engine.low import Low\n"
        "if TYPE_CHECKING:\n    from engine.side import Side\nclass High(Low): ...\n"
    ),
    "src/engine/side.py": 'from pathlib import Path\nTABLE = Path("side.csv").read_text()\n',
    "src/engine/side.csv": "1,2\n",
    "src/engine/late.py": "def run():\n    from engine import low\n    return low\n",
    "src/engine/door.py": (
        "from engine.low import Low\nfrom engine.side import TABLE\nfrom engine.late import run\n"
        "__all__ = ['Low', 'TABLE', 'more', 'run']\ndef more():\n    return Low()\n"
    ),
    "src/bookproof/__init__.py": "from bookproof.figures import figure\n",
    "src/bookproof/figures.py": "def figure(): ...\n",
    "src/bookproof/course.py": "def load(): ...\n",
    "src/bookproof/collector.py": "",
    "book/course.toml": "[mlp]\nbatch = 64\n",
    "book/points.csv": "3,4\n",
    "_toc.yml": "",
}
EVERYTHING = {"__init__", "low", "high", "side", "side.csv", "late", "door"}


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    book = TinyBook(tmp_path)
    for name, text in MODULES.items():
        book.write(name, text)
    return book


def _notebook(*cells: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
    )


DEPENDS = [
    ("import math, numpy", set()),
    ("from engine.low import Low", {"low"}),
    ("from engine.high import High", {"high", "low"}),
    ("import engine.high", {"high", "low"}),
    ("import engine.high as h\nh.High()", {"high", "low"}),
    ("from engine.late import run", {"late", "low"}),
    ("from engine import low", {"low"}),
    ("from engine import Low", {"__init__", "low"}),
    ("from engine import Top", {"__init__", "high", "low"}),
    ("from engine import side", {"side", "side.csv"}),
    ("from engine.door import more", {"door", "low"}),
    ("from engine.door import Low", {"door", "low"}),
    ("from engine.door import TABLE", {"door", "low", "side", "side.csv"}),
    ("from engine import door\ndoor.run()", {"door", "low", "late"}),
    ("from engine import door as d\nd.run(d.TABLE)", {"door", "low", "late", "side", "side.csv"}),
    ("from engine import door\ndir(door)", {"door", "low", "late", "side", "side.csv"}),
    ("import engine.door", {"door", "low", "late", "side", "side.csv"}),
    ("import engine as e\ne.Low()", {"__init__", "low"}),
    ("import engine as e\ne.side.TABLE", {"side", "side.csv"}),
    ("import engine\nengine.low.Low()", {"low"}),
    ("%time 1\nfrom engine.low import Low", {"low"}),
    ("def later():\n    from engine.low import Low", {"low"}),
    ("from engine import *", EVERYTHING),
    ("from engine import __version__", EVERYTHING),
    ("import engine as e\ndir(e)", EVERYTHING),
    ("import engine as e\ngetattr(e, 'Low')", EVERYTHING),
    ("from bookproof import figure", {"__init__", "figures"}),
    ("from bookproof.course import load", {"course", "course.toml"}),
    ("open('points.csv')", {"points.csv"}),
]


@pytest.mark.parametrize(("cell", "names"), DEPENDS)
def test_a_chapter_depends_on_exactly_these_files(
    book: TinyBook, cell: str, names: set[str]
) -> None:
    found = cache.dependencies(_notebook(cell), book.root)
    assert {path.name.removesuffix(".py") for path in found} == names


@pytest.mark.parametrize("cell", ["import importlib", "__import__('engine')", "this is (no python"])
def test_code_that_could_import_anything_depends_on_everything(book: TinyBook, cell: str) -> None:
    found = cache.dependencies(_notebook(cell), book.root)
    assert {path for path in (book.root / "src").rglob("*") if path.is_file()} <= set(found)


def test_names_are_followed_across_cells(book: TinyBook) -> None:
    found = cache.dependencies(_notebook("import engine as e", "e.Low()"), book.root)
    assert {path.name for path in found} == {"__init__.py", "low.py"}


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("src/engine/low.py", True),
        ("src/engine/high.py", True),
        ("src/engine/__init__.py", False),
        ("src/engine/side.py", False),
        ("book/course.toml", True),
        ("book/points.csv", False),
    ],
)
def test_the_key_changes_with_what_counts(book: TinyBook, file: str, changes: bool) -> None:
    notebook = _notebook("from engine.high import High", "from bookproof.course import load")
    before = cache.key(notebook, book.root)
    book.write(file, MODULES[file] + "\n# changed\n")
    assert (cache.key(notebook, book.root) != before) is changes


def test_the_key_changes_with_the_installed_versions(
    book: TinyBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache.key(_notebook(), book.root)
    assert "numpy" in cache.versions()
    monkeypatch.setattr(cache, "versions", lambda: "numpy 99")
    assert cache.key(_notebook(), book.root) != before


def test_the_key_is_the_same_wherever_the_course_lies(book: TinyBook, tmp_path: Path) -> None:
    copy = book.copy(tmp_path / "elsewhere" / "course")
    notebook = _notebook("from engine.high import High")
    assert cache.key(notebook, book.root) == cache.key(notebook, copy.root)


def test_the_key_is_in_the_notebook_only_while_the_cache_is_asked(book: TinyBook) -> None:
    notebook = _notebook("from engine.low import Low")
    with cache.keyed(notebook, book.root):
        assert notebook.metadata.kernelspec[cache.FIELD] == cache.key(notebook, book.root)
    assert notebook.metadata.kernelspec == {"name": "python3", "display_name": "Python 3"}


def test_a_chapter_that_was_never_built_says_what_to_do(book: TinyBook) -> None:
    book.write("_config.yml", "")
    book.write("book/one.md", "---\nfile_format: mystnb\n---\n# One\n")
    with pytest.raises(cache.NotBuilt, match=r"book/one\.md: no built outputs .*make book"):
        cache.executed(book.root / "book/one.md")
    assert not (book.root / "_build").exists()


def test_this_book_reads_its_chapters_as_the_build_does() -> None:
    chapters = [path for path in (REPO / "book").glob("*.md") if cache.is_notebook(path)]
    for path in chapters:
        assert cache.read(path, find_root(path.parent)).cells
