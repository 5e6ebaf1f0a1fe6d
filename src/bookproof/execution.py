"""How the build runs a chapter: from the keyed cache if it is there, in a fresh kernel if not."""

from __future__ import annotations

import re
from pathlib import Path

import myst_nb.core.execute as myst_execute
from myst_nb.core.execute.cache import NotebookClientCache
from nbformat import NotebookNode

from bookproof import cache, origins
from bookproof.course import find_root
from bookproof.starting import patiently
from bookproof.streams import merged

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class KeyedClient(NotebookClientCache):  # type: ignore[misc]
    """myst-nb's cached client, with the key in what is looked up and outputs in what is written."""

    _notebook: NotebookNode

    def start_client(self) -> None:
        """Look the chapter up, or run it, under its key; leave the outputs in what is published."""
        source = self._notebook
        with cache.keyed(source, find_root(Path(self.path).parent if self.path else None)):
            patiently(super().start_client)
        if self._notebook is not source:
            # A hit comes back as a copy, but the download is written from the notebook that was
            # read.
            source.cells, source.metadata = self._notebook.cells, self._notebook.metadata
            source.metadata["kernelspec"].pop(cache.FIELD, None)
            self._notebook = source
        publishable(source)
        origins.mark(source)


def publishable(notebook: NotebookNode) -> None:
    """Leave the same bytes from the same chapter: stable cell names, no path of this machine.

    A line that was renewed in place, such as a progress bar, is left as it was at the end.
    """
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if "outputs" in cell:
            cell.outputs = merged(cell.outputs)
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                # The frames of a traceback name files of the machine that built the book, and the
                # code stands right above: the line that Python itself prints last is what the
                # reader needs.
                output.traceback = [_COLOUR.sub("", f"{output.ename}: {output.evalue}")]


def install() -> None:
    """Make myst-nb's `cache` mode use the keyed client."""
    myst_execute.NotebookClientCache = KeyedClient
