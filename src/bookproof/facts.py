"""What was counted on each page while it was read: what ran, and what its text owes to that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference

from bookproof import anchors, cache
from bookproof.ties import Tie, name

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_KEY = "bookproof"
EXERCISES = ("exercise_node", "exercise_enumerable_node")
"""The kinds of nodes that sphinx-exercise makes of an exercise."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The counts of one page, or the sums of many.

    ``cells`` ran, of which ``folded`` are shown folded; ``figures`` stand in ``places`` of the text, and
    ``claims`` count by their names; ``seconds`` is what the cells took when they last ran.
    """

    cells: int = 0
    folded: int = 0
    figures: int = 0
    places: int = 0
    claims: int = 0
    exercises: int = 0
    seconds: float = 0.0

    def __add__(self, other: Facts) -> Facts:
        """Return the sums."""
        return Facts(
            *(getattr(self, part) + getattr(other, part) for part in self.__dataclass_fields__)
        )


def of(env: BuildEnvironment, page: str) -> Facts:
    """Return what was counted on ``page`` when it was last read."""
    found: Facts = env.metadata[page].get(_KEY, Facts())
    return found


def chapters(env: BuildEnvironment) -> list[str]:
    """Return the pages that run, in the order of the table of contents."""
    pages = _below(env, str(env.config.root_doc))
    return [page for page in dict.fromkeys(pages) if "kernelspec" in env.metadata[page]]


def _below(env: BuildEnvironment, page: str) -> Iterator[str]:
    yield page
    for child in env.toctree_includes.get(page, ()):
        yield from _below(env, child)


def _count(app: Sphinx, doctree: nodes.document) -> None:
    env, page = app.env, app.env.docname
    path = Path(env.doc2path(page))
    ran, seconds = 0, 0.0
    if cache.is_notebook(path):
        ran = sum(bool(cell.get("execution_count")) for cell in cache.executed(path).cells)
        done = getattr(env, "nb_metadata", {}).get(page, {}).get("exec_data", {})
        seconds = done.get("runtime") or 0.0
    ties = list(doctree.findall(Tie))
    figures = [name(node, page) for node in ties if node["kind"] == "figure"]
    figures += [
        f"{node.refdoc}::{node.key}"
        for node in doctree.findall(PendingGlueReference)
        if node.gtype == "text"
    ]
    env.metadata[page][_KEY] = Facts(
        ran,
        sum(map(anchors.is_folded, anchors.cells(doctree))),
        len(set(figures)),
        len(figures),
        len({node["key"] for node in ties if node["kind"] == "claim"}),
        sum(type(node).__name__ in EXERCISES for node in doctree.findall(nodes.Element)),
        seconds,
    )


def setup(app: Sphinx) -> None:
    """Connect the hook, after those that complete the page."""
    app.connect("doctree-read", _count, priority=900)
