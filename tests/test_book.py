"""The book itself, chapter by chapter: its prose is clean, its figures are as last accepted."""

from collections.abc import Mapping
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode

import bookproof
import bytegrad
from bookproof import book, cache, lint, lock

ROOT = Path(__file__).parents[1]
CHAPTERS = {book.name(path, ROOT): path for path in book.chapters(ROOT)}
NOTEBOOKS = [name for name, path in CHAPTERS.items() if cache.is_notebook(path)]


@pytest.fixture(scope="module")
def findings() -> Mapping[str, list[lint.Finding]]:
    return lint.by_chapter(ROOT)


@pytest.fixture(scope="module")
def locked() -> lock.Figures:
    return lock.read(ROOT)


def test_what_runs_is_what_is_read() -> None:
    """A copy of the engine elsewhere would answer in the place of src/, and the key would not know."""
    for package in (bytegrad, bookproof):
        assert Path(package.__file__ or "").is_relative_to(ROOT / "src")


def test_a_page_that_no_lint_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "extra.rst").write_text("Adam needs 64 KB.\n", encoding="utf-8")
    (tmp_path / "_toc.yml").write_text("root: book/extra\n", encoding="utf-8")
    with pytest.raises(book.BookError, match=r"extra\.rst: only pages in MyST Markdown"):
        book.chapters(tmp_path)


def test_lock_names_no_chapter_that_is_gone(locked: lock.Figures) -> None:
    assert set(locked) <= set(CHAPTERS), "a chapter left: accept it with make lock"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_prose_states_nothing_that_no_build_checks(
    chapter: str, findings: Mapping[str, list[lint.Finding]]
) -> None:
    found = findings[chapter]
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_jupyterlab_opens_the_very_cells_that_the_build_runs(chapter: str) -> None:
    """Without `extension: .md` in its front matter jupytext reads a chapter as one long text."""
    opened, built = jupytext.read(CHAPTERS[chapter]), cache.read(CHAPTERS[chapter], ROOT)
    assert _code(opened) == _code(built)


def _code(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_figures_are_as_they_were_accepted(chapter: str, locked: lock.Figures) -> None:
    try:
        built = lock.entries(CHAPTERS[chapter])
    except cache.NotBuilt as missing:
        pytest.fail(str(missing), pytrace=False)
    changed = lock.differences({chapter: locked.get(chapter, {})}, {chapter: built})
    if changed:
        told = "If this is what the book should state, accept it: make lock"
        pytest.fail("\n".join([*map(str, changed), told]), pytrace=False)
