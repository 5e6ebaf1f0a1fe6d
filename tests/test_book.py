"""The book itself, chapter by chapter: its prose is clean, its figures are as last accepted."""

from collections.abc import Mapping
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode

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
        built = lock.figures(cache.executed(CHAPTERS[chapter]))
    except cache.NotBuilt as missing:
        pytest.fail(str(missing), pytrace=False)
    changed = lock.differences({chapter: locked.get(chapter, {})}, {chapter: built})
    if changed:
        told = "If these are the numbers that the book should state, accept them: make lock"
        pytest.fail("\n".join([*map(str, changed), told]), pytrace=False)
