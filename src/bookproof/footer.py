"""The proof-of-build line at the foot of a page: how much of it ran, and under which versions."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode

from bookproof import book, cache
from bookproof.units import counted

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def line(notebook: NotebookNode, commit: str = "") -> str:
    """Return what the executed ``notebook`` proves: cells run, figures computed, versions."""
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    figures = len(book.records(notebook))
    at = f", commit {commit}" if commit else ""
    return (
        f"Proof of build: {counted(cells, 'cell')} of this page ran and computed "
        f"{counted(figures, 'figure')} of its text, under CPython {platform.python_version()} "
        f"and NumPy {version('numpy')}{at}."
    )


@lru_cache(maxsize=1)
def _commit(root: Path) -> str:
    """Return the commit that was built, "+" for changes on top of it; nothing outside git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return told.stdout.strip()


def _add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if "kernelspec" in app.env.metadata.get(page, {}):
        notebook = cache.executed(app.env.doc2path(page))
        text = line(notebook, _commit(Path(app.srcdir)))
        context["theme_extra_footer"] = f'<p class="proof-of-build">{escape(text)}</p>'


def setup(app: Sphinx) -> None:
    """Connect the hook."""
    app.connect("html-page-context", _add)
