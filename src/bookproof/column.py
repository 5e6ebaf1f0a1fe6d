"""PyTorch's column on a page: the directive ``{torch} name`` shows a snippet and what came of it.

The listing is the very file that was run, and below it stands what it printed. A snippet that is
shown has to be compared: the last line names the cell that calls ``agrees("name", …)``, and a page
without such a cell is a warning. The body of the directive, if there is one, walks through the
listing by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookproof import cache, recorded

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)


class Column(SphinxDirective):
    """``{torch} name``: the card of one snippet."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the card, or nothing where the record cannot be believed."""
        root, name = Path(self.env.srcdir), self.arguments[0]
        column = recorded.folder(root)
        for path in (column / recorded.RECORD, column / f"{name}.py"):
            self.env.note_dependency(str(path))
        try:
            snippet = recorded.read(column, name).sealed()
        except recorded.RecordError as error:
            self._warn(str(error))
            return []
        listing = _code(snippet.source, "python")
        card = nodes.admonition("", nodes.title("", "PyTorch"), listing, classes=["torch-column"])
        if snippet.shown:
            printed = _code(snippet.shown, "none")
            printed["classes"].append("torch-printed")
            card += printed
        self.set_source_info(card)
        self.state.nested_parse(self.content, self.content_offset, card)
        card += self._proof(snippet, Path(self.env.doc2path(self.env.docname)), root)
        return [card]

    def _proof(self, snippet: recorded.Recorded, page: Path, root: Path) -> nodes.paragraph:
        """Return the line that says where the record is from, and which cell compares it."""
        said = f"Recorded with PyTorch {snippet.version}"
        compared = nodes.paragraph("", classes=["torch-proof"])
        cell = comparing(page, root, snippet.name)
        if cell is None:
            self._warn(
                f"{{torch}} {snippet.name}: no cell that this page shows compares the snippet; what "
                "stands beside the engine would be borne out by nothing; write in a cell of the page, "
                f"a folded one perhaps: agrees({snippet.name!r}, …)"
            )
            compared += nodes.Text(f"{said}.")
        else:
            compared += nodes.Text(f"{said}; compared with this page\u2019s engine in ")
            compared += nodes.reference("", f"cell {cell}", internal=True, refid=f"cell-{cell}")
            compared += nodes.Text(".")
        return compared

    def _warn(self, said: str) -> None:
        logger.warning(said, location=self.get_location(), type="bookproof", subtype="torch")


def _code(text: str, language: str) -> nodes.literal_block:
    # Sphinx takes a block whose text is not its source for one that is marked up already.
    return nodes.literal_block(text, text, language=language)


def comparing(page: Path, root: Path, name: str) -> int | None:
    """Return the number of the first code cell on the ``page`` that compares the snippet, if one does."""
    if not cache.is_notebook(page):
        return None
    cells = [cell for cell in cache.read(page, root).cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, 1):
        shown = "remove-cell" not in cell.metadata.get("tags", ())
        if shown and name in recorded.mentions(cell.source, "agrees"):
            return number
    return None


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("torch", Column)
