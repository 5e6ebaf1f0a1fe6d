"""The directive ``{chapter-times}``: what each chapter asks for, as its card says, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookproof import card, facts, tables
from bookproof.pace import GRADES

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_HEADS = ("Chapter", "Difficulty", "Minutes", "For exercises", *GRADES)
_KEY = "bookproof-times"


class Times(nodes.General, nodes.Element):
    """The place that is filled when all pages are read."""


class ChapterTimes(SphinxDirective):
    """Put the table of all chapters that have a card here."""

    def run(self) -> list[nodes.Node]:
        """Return the place; note that this page shows other pages' numbers."""
        self.env.metadata[self.env.docname][_KEY] = True
        return [Times()]


def _fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for place in list(doctree.findall(Times)):
        loads = [(name, card.of(app.env, name)) for name in facts.chapters(app.env)]
        known = [(name, load) for name, load in loads if load is not None]
        rows: list[tuple[nodes.Node, tuple[object, ...]]] = [
            (
                tables.link(app, page, name),
                (load.difficulty, load.minutes, load.practice, *map(load.grades.count, GRADES)),
            )
            for name, load in known
        ]
        sums = (
            "",
            sum(load.minutes for _, load in known),
            sum(load.practice for _, load in known),
            *(sum(load.grades.count(grade) for _, load in known) for grade in GRADES),
        )
        rows.append((nodes.strong(text="The book"), sums))
        place.replace_self(tables.table(_HEADS, rows, "chapter-times"))


def _again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write such pages anew whatever else is: their numbers are those of the other pages."""
    return [page for page, known in env.metadata.items() if known.get(_KEY)]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_node(Times)
    app.add_directive("chapter-times", ChapterTimes)
    app.connect("doctree-resolved", _fill)
    app.connect("env-updated", _again)
