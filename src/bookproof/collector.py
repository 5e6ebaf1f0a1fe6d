"""The pytest plugin: `pytest --nbval book` runs every chapter again and compares it with the book.

nbval reads `.ipynb` files and compares nothing where a cell has no stored output. Here each `*.md`
chapter that holds cells stands for the notebook that the build published for it: that file is shown
to hold exactly the chapter's code, made by this engine (`bookproof.resolved.published`), then it is
what runs, first cell included, in a fresh kernel and the chapter's folder. A notebook that is missing
is a failure. So the chapter's sources need no run of their own.

Compared are printed text, results, HTML, error names and messages, the text of each glued figure,
and pictures by what they show (`bookproof.reruns`). Not compared are measured figures (that
there is one is), and the frames of a traceback. After its cells the chapter's exercises are put on
trial (`bookproof.rehearsals`). nbval's own handling of `.ipynb` files stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbFile, find_comment_markers, find_metadata_tags

from bookproof import cache, prose, rehearsals, reruns
from bookproof.course import CourseError, find_root
from bookproof.starting import patiently

# With these a cell would run and prove nothing.
_FALSE = ("AssertionError", "ClaimError")
_SILENT = {"check": False, "skip": True}


class Chapter(IPyNbFile):  # type: ignore[misc]  # nbval has no types
    """A chapter in MyST Markdown; nbval runs its cells."""

    def collect(self) -> Iterable[pytest.Item]:
        """One item a code cell of the published notebook, whose outputs are the reference."""
        # Every run of pytest loads this plugin, and with that module comes Sphinx.
        from bookproof import resolved

        try:
            root = find_root(self.path.parent)
            notebook = (
                resolved.published(self.path, root)
                if self.compare_outputs
                else cache.read(self.path, root)
            )
        except (cache.NotBuilt, resolved.ResolvedError) as error:
            raise self.CollectError(str(error)) from None
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if self.compare_outputs:
            # The first cell is no part of the chapter, and has not run yet.
            for number, cell in enumerate(cells[1:], 1):
                self._comparable(number, cell)
        with mock.patch("nbval.plugin.nbformat.read", return_value=notebook):
            items: list[Any] = list(super().collect())
        for item in items:
            item.compare_outputs = reruns.by_sight(item)
        return [*items, *rehearsals.items(self, prose.read(self.path.read_text("utf-8")))]

    def _comparable(self, number: int, cell: NotebookNode) -> None:
        """Refuse a cell that would be run without being compared, and a claim that fails by design."""
        if any(output.get("ename") in _FALSE for output in cell.outputs):
            raise self.CollectError(
                f"{self.path.name}, cell {number}: an assert fails, and the tag raises-exception lets "
                "it: the claim that it stands for is false; mend the claim (to show an error, catch "
                "and print it)"
            )
        options = dict([*find_metadata_tags(cell.metadata), *find_comment_markers(cell.source)])
        silent = any(options.get(name) is value for name, value in _SILENT.items())
        if silent or (cell.source.strip() and cell.execution_count is None):
            raise self.CollectError(
                f"{self.path.name}, cell {number}: its tags or comments keep it from being run and "
                "compared, so its output could be false unseen; remove them (a timing is a figure "
                "with measured=True, and a cell that prints timings has the tag measured)"
            )

    def setup(self) -> None:
        """Start the chapter's kernel, and have it run cells as the build's kernel does."""
        patiently(super().setup)
        kernel = self.kernel

        def execute(source: str, allow_stdin: bool | None = None) -> str:
            # nbval keeps no history, and without one IPython does not see the `;` that hides a
            # result.
            message: str = kernel.kc.execute(
                source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
            )
            return message

        kernel.execute_cell_input = execute


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a Markdown file of a course when nbval is on and the file holds cells."""
    option = parent.config.option
    if file_path.suffix != ".md" or not (option.nbval or option.nbval_lax):
        return None
    if not cache.is_notebook(file_path):
        return None
    try:
        find_root(file_path.parent)
    except CourseError:
        return None
    chapter: pytest.Collector = Chapter.from_parent(parent, path=file_path)
    return chapter
