"""Each code cell of a page has a place that a link can lead to: ``#cell-7`` is its seventh cell.

The place is the code itself and not the box around it, which may hold a fold: a browser opens a fold by
itself when the place that it is sent to lies inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

from bookproof import cache, origins

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def cells(doctree: nodes.document) -> list[nodes.container]:
    """Return the code cells that the page shows, in order."""
    boxes = doctree.findall(nodes.container)
    return [box for box in boxes if box.get("nb_element") == "cell_code"]


def is_folded(box: nodes.container) -> bool:
    """Tell whether the page shows the code of a cell only when it is asked to."""
    return str(box.get("hide_mode", "output")) != "output"


def _number(app: Sphinx, doctree: nodes.document) -> None:
    """Give each cell of a chapter its name."""
    path = Path(app.env.doc2path(app.env.docname))
    shown = cells(doctree)
    if shown and cache.is_notebook(path):
        numbers = origins.numbers(cache.read(path, Path(app.srcdir)))
        for box in shown:
            # Code, or what it printed where the code is taken out: its first part.
            place = next(iter(box.findall(nodes.container, include_self=False)), box)
            place["ids"].append(f"cell-{numbers[box['cell_index']]}")


def setup(app: Sphinx) -> None:
    """Connect the hook."""
    app.connect("doctree-read", _number)
