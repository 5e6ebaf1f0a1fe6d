"""PyTorch's column on a page: the directive ``{torch} name`` and the cell below it become two tabs.

The first tab is the cell, with what it gave; the second is the snippet, the very file that was run, with
what it printed. A snippet that is shown has to be compared: the cell ends with ``agrees("name", …)``,
and a directive without such a cell directly below is a warning. The body of the directive, if there is
one, walks through the listing by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx_design.shared import create_component

from bookproof import cache, origins, recorded, settings

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)


class Column(SphinxDirective):
    """``{torch} name``: the tab of one snippet, beside that of the cell below."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the snippet's tab, or nothing where the record cannot be believed."""
        root, name = Path(self.env.srcdir), self.arguments[0]
        column = recorded.folder(root)
        for path in (column / recorded.RECORD, column / f"{name}.py"):
            self.env.note_dependency(str(path))
        try:
            snippet = recorded.read(column, name).sealed()
        except recorded.RecordError as error:
            logger.warning(
                str(error), location=self.get_location(), type="bookproof", subtype="torch"
            )
            return []
        content: list[nodes.Node] = [_code(snippet.source, "python")]
        if snippet.shown:
            printed = _code(snippet.shown, "none")
            printed["classes"].append("torch-printed")
            content.append(printed)
        walk = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, walk)
        content += [*walk.children, nodes.paragraph("", classes=["torch-proof"])]
        tabs = create_component("tab-set", ["sd-tab-set", "torch-column"], snippet=name)
        tabs["version"] = snippet.version
        tabs += _tab("PyTorch", content)
        self.set_source_info(tabs)
        return [tabs]


def _tab(label: str, content: list[nodes.Node]) -> nodes.container:
    """Return one tab; whoever chooses a label chooses it in each pair of the site."""
    words = nodes.rubric("", label, classes=["sd-tab-label"])
    words["sync_group"], words["sync_id"] = "column", label
    inside = create_component("tab-content", ["sd-tab-content"], children=content)
    return create_component("tab-item", ["sd-tab-item"], children=[words, inside])


def _code(text: str, language: str) -> nodes.literal_block:
    # Sphinx takes a block whose text is not its source for one that is marked up already.
    return nodes.literal_block(text, text, language=language)


def _pair(app: Sphinx, doctree: nodes.document) -> None:
    """Give each snippet its other tab: the cell below it, if that is the one that compares."""
    page, root = Path(app.env.doc2path(app.env.docname)), Path(app.srcdir)
    columns = [box for box in doctree.findall(nodes.container) if "snippet" in box]
    if not columns:
        return
    notebook = cache.read(page, root) if cache.is_notebook(page) else None
    for tabs in columns:
        name, version = tabs["snippet"], tabs["version"]
        proof = next(
            line for line in tabs.findall(nodes.paragraph) if "torch-proof" in line["classes"]
        )
        proof += nodes.Text(f"Recorded with PyTorch {version}")
        below = tabs.next_node(descend=False, siblings=True)
        index = below.get("cell_index") if isinstance(below, nodes.container) else None
        if (
            notebook is None
            or index is None
            or name not in recorded.mentions(notebook.cells[index].source, "agrees")
        ):
            logger.warning(
                f"{{torch}} {name}: the cell directly below does not compare the snippet; what stands "
                "beside the engine would be borne out by nothing; write the same program for the engine "
                f"there, in a cell that ends with agrees({name!r}, …)",
                location=tabs,
                type="bookproof",
                subtype="torch",
            )
            continue
        proof += nodes.Text("; compared with the other tab while the page was built, in ")
        number = origins.numbers(notebook)[index]
        proof += nodes.reference("", f"cell {number}", internal=True, refid=f"cell-{number}")
        proof += nodes.Text(".")
        assert below is not None
        below.parent.remove(below)
        engine = next(iter(settings.load(root).packages), "Here")
        tabs.insert(0, _tab(engine, [below]))


def setup(app: Sphinx) -> None:
    """Register the directive, and connect what completes it."""
    app.add_directive("torch", Column)
    app.connect("doctree-read", _pair)
