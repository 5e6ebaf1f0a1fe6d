"""Tables of the book's pages: a row a chapter, each named by a link to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def table(
    heads: Sequence[str], rows: Iterable[tuple[nodes.Node, Sequence[object]]], style: str
) -> nodes.table:
    """Return a table; a row is what stands in its first column, and what is said in the others."""
    made = nodes.table(classes=[style])
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=3 if at == 0 else 1) for at, _ in enumerate(heads)]
    group += nodes.thead("", _row([nodes.paragraph(text=head) for head in heads]))
    body = nodes.tbody()
    for first, said in rows:
        cells = [nodes.paragraph(text=f"{each}") for each in said]
        body += _row([nodes.paragraph("", "", first), *cells])
    group += body
    made += group
    return made


def link(app: Sphinx, page: str, chapter: str) -> nodes.Node:
    """Return a link from ``page`` to ``chapter``, under the chapter's title."""
    words = app.env.titles[chapter].astext()
    address = app.builder.get_relative_uri(page, chapter)
    return nodes.reference("", words, internal=True, refuri=address)


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))
