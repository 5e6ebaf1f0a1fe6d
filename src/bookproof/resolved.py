"""Resolved notebooks: each chapter as an ``.ipynb`` for download, which runs and reads by itself.

Its text is the page as Sphinx resolved it: figures are values, listings are code, links lead to the
site. Its code cells are the chapter's, in order, with the outputs of the build, below a first cell
that lets them run anywhere (`bookproof.luggage`). `pytest --nbval` runs these very files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode, from_dict
from sphinx.util import logging

from bookproof import cache, luggage
from bookproof.blocks import Block, Code, Heading, Line
from bookproof.boxes import Boxes
from bookproof.execution import publishable
from bookproof.spans import Links

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

SITE = Path("_build", "html")
FIELD = "bookproof"
"""Where the notebook's metadata holds its ``key`` (see `bookproof.cache`) and its ``page``."""

# Tags of the chapter, and what they fold in a notebook.
_SOURCE = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
_OUTPUTS = {"hide-output", "hide-cell", "remove-output", "remove-cell"}
_KEPT = ("kernelspec", "language_info")


class ResolvedError(LookupError):
    """A published notebook that is not the chapter's."""


def place(root: Path, page: str) -> Path:
    """Return where the notebook of a page (book/value) of the course at ``root`` is published."""
    return root / SITE / "_sources" / f"{page}.ipynb"


def publish(app: Sphinx, page: str, doctree: nodes.document) -> Path:
    """Write the notebook of a resolved page that was run, and return where."""
    root = Path(app.srcdir)
    # What myst-nb leaves in _build/jupyter_execute has lost its figures' records.
    notebook = cache.executed(app.env.doc2path(page))
    publishable(notebook)
    made = compose(notebook, page_blocks(app, page, doctree))
    made.cells.insert(0, first_cell(notebook, root, page))
    made.metadata[FIELD] = {"key": cache.key(notebook, root), "page": page}
    target = Path(app.outdir, "_sources", f"{page}.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(made)
    nbformat.write(made, target)  # type: ignore[no-untyped-call]
    return target


def page_blocks(app: Sphinx, page: str, doctree: nodes.document) -> list[Block]:
    """Return a resolved page as blocks of Markdown and marks for its code cells."""
    env = app.env
    numbers = env.toc_fignumbers.get(page, {})

    def number(kind: str, node: nodes.Element) -> str:
        known = numbers.get(kind, {})
        found = next((known[name] for name in node["ids"] if name in known), ())
        return ".".join(map(str, found))

    def warn(said: str, node: nodes.Node) -> None:
        logger.warning(said, location=node, type="bookproof", subtype="notebook")

    address = app.builder.get_target_uri(page)
    links = Links(app.config.html_baseurl, address, Path(app.srcdir))
    return Boxes(links, number, warn).of(doctree)


def first_cell(chapter: NotebookNode, root: Path, page: str) -> NotebookNode:
    """Return the cell that lets the notebook of a chapter run anywhere, folded."""
    metadata = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["setup"]}
    source = luggage.setup_cell(chapter, root, page)
    return _cell("code", "cell-0", source, metadata, execution_count=None, outputs=[])


def compose(notebook: NotebookNode, text: Iterable[Block]) -> NotebookNode:
    """Return the chapter's code cells, as executed, with the ``text`` of the page between them."""
    code = {index: cell for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    numbers = {index: number for number, index in enumerate(code, 1)}
    cells: list[NotebookNode] = []
    for block in _complete(text, list(code), notebook.metadata.get("source_map", [])):
        if isinstance(block, Code):
            cells.append(_code(code[block.index], numbers[block.index], block.folded))
        elif isinstance(block, Heading) or not cells or cells[-1].cell_type == "code":
            words = block.text if isinstance(block, Heading) else str(block)
            cells.append(_cell("markdown", "", words, {}))
        else:
            cells[-1].source += f"\n\n{block}"
    texts = (cell for cell in cells if cell.cell_type == "markdown")
    for number, cell in enumerate(texts, 1):
        cell.id = f"text-{number}"
    metadata = {name: notebook.metadata[name] for name in _KEPT if name in notebook.metadata}
    made: NotebookNode = from_dict(  # type: ignore[no-untyped-call]
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )
    return made


def _complete(
    text: Iterable[Block], indices: list[int], lines: list[int]
) -> Iterator[str | Heading | Code]:
    """Yield the blocks of the page, and each cell that the page leaves out where its line stands."""
    waiting = list(indices)
    blocks = list(text)
    shown = {block.index for block in blocks if isinstance(block, Code)}
    for block in blocks:
        if isinstance(block, Line):
            while waiting and waiting[0] not in shown and lines[waiting[0]] < block.number:
                yield Code(waiting.pop(0))
            continue
        if isinstance(block, Code):
            while waiting and waiting[0] < block.index:
                yield Code(waiting.pop(0))
            waiting.remove(block.index)
        yield block
    yield from map(Code, waiting)


def _code(cell: NotebookNode, number: int, solution: bool) -> NotebookNode:
    """Return a cell of the chapter as executed, folded as its tags or its place ask for."""
    metadata = dict(cell.metadata)
    tags = set(metadata.get("tags", ()))
    folded = {}
    if solution or tags & _SOURCE:
        folded["source_hidden"] = True
    if tags & _OUTPUTS and cell.outputs:
        folded["outputs_hidden"] = True
    if folded:
        metadata["jupyter"] = {**metadata.get("jupyter", {}), **folded}
    count = cell.execution_count
    return _cell(
        "code", f"cell-{number}", cell.source, metadata, execution_count=count, outputs=cell.outputs
    )


def _cell(kind: str, name: str, source: str, metadata: dict[str, Any], **more: Any) -> NotebookNode:
    fields = {"cell_type": kind, "id": name, "metadata": metadata, "source": source, **more}
    cell: NotebookNode = from_dict(fields)  # type: ignore[no-untyped-call]
    return cell


def published(chapter: Path, root: Path) -> NotebookNode:
    """Return the published notebook of a chapter, once it is shown to be the chapter's.

    Raises:
        cache.NotBuilt: there is none, or it was made from other code, another engine or other settings.
        ResolvedError: its cells are not the chapter's, in order.
    """
    chapter, root = chapter.resolve(), root.resolve()
    page = chapter.relative_to(root).with_suffix("").as_posix()
    path = place(root, page)
    source = cache.executed(chapter)
    if not path.is_file():
        raise cache.not_built(chapter, root)
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    made = notebook.metadata.get(FIELD, {})
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # The key covers what the outputs depend on, the first cell all that the notebook carries.
    current = made.get("key") == cache.key(source, root)
    if not current or not code or code[0].source != luggage.setup_cell(source, root, page):
        raise cache.not_built(chapter, root)
    own = [cell for cell in source.cells if cell.cell_type == "code"]
    for number, (mine, given) in enumerate(zip_longest(own, code[1:]), 1):
        if mine is None or given is None or _what_runs(mine) != _what_runs(given):
            raise ResolvedError(
                f"{chapter.name}, cell {number}: it is not the one of {path.relative_to(root)}: the "
                "notebook that is published would prove something else; build the book again (make book)"
            )
    return notebook


def _what_runs(cell: NotebookNode) -> tuple[str, list[str]]:
    return cell.source, list(cell.metadata.get("tags", ()))
