"""The directive ``{chapter-card}``: what a chapter asks for, before it begins, with its time computed.

```{chapter-card}
:tier: Foundations

You need [](value.md), and Python's lists.
```

The writer gives the tier and what the reader needs. Difficulty and time follow from the page: its words,
the cells that it shows, and their lines; exercises count by their grades, with which each of them begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookproof import anchors
from bookproof.facts import EXERCISES
from bookproof.pace import GRADES, Load

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = logging.getLogger(__name__)

_KEY = "bookproof-card"
_PRACTICE = {*EXERCISES, "solution_node"}
_NOT_READ = (nodes.literal_block, nodes.raw, nodes.math, nodes.math_block, nodes.comment)


class _Load(nodes.inline):
    """The place that is filled when the page is read."""


class ChapterCard(SphinxDirective):
    """``{chapter-card}``: a box with the option ``tier`` and the text of what one needs."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"tier": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the box."""
        if "tier" not in self.options or not self.content:
            raise self.error(
                "{chapter-card}: it has no tier, or no text; its reader could not tell whom the chapter is for; "
                "write :tier: Foundations, an empty line, and what the reader needs"
            )
        box = nodes.admonition("", nodes.title("", "Before you start"), classes=["chapter-card"])
        self.set_source_info(box)
        self.state.nested_parse(self.content, self.content_offset, box)
        first = next(box.findall(nodes.paragraph))
        opening = [nodes.strong("", self.options["tier"]), nodes.Text(" · "), _Load()]
        first[:0] = [*opening, nodes.Text(" · ")]
        return [box]


def of(env: BuildEnvironment, page: str) -> Load | None:
    """Return what the card of ``page`` counted when it was last read; None if it has no card."""
    found: Load | None = env.metadata[page].get(_KEY)
    return found


def load(doctree: nodes.document) -> Load:
    """Return what the page has to read and to do."""
    shown = [
        box
        for box in anchors.cells(doctree)
        if not anchors.is_folded(box) and not _is_practice(box)
    ]
    exercises = (box for box in doctree.findall(nodes.Element) if type(box).__name__ in EXERCISES)
    return Load(
        sum(len(text.astext().split()) for text in doctree.findall(nodes.Text) if _is_read(text)),
        len(shown),
        sum(_lines(box) for box in shown),
        tuple(filter(None, map(_grade, exercises))),
    )


def _is_practice(node: nodes.Node) -> bool:
    return any(type(above).__name__ in _PRACTICE for above in _above(node))


def _is_read(text: nodes.Text) -> bool:
    return not _is_practice(text) and not any(
        isinstance(node, _NOT_READ)
        or (isinstance(node, nodes.container) and node.get("nb_element") == "cell_code")
        for node in _above(text)
    )


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _lines(box: nodes.container) -> int:
    """Return the lines of a cell's code, which stands before what it printed."""
    source = next(iter(box.findall(nodes.literal_block)), None)
    return len(source.astext().splitlines()) if source is not None else 0


def _grade(exercise: nodes.Element) -> str:
    said = next((word.astext() for word in exercise.findall(nodes.emphasis)), "").strip(".")
    if said in GRADES:
        return said
    logger.warning(
        f"an exercise begins with {said!r}; its card cannot tell how long it takes, nor the reader how hard "
        f"it is; begin its text with one of {', '.join(f'*{grade}.*' for grade in GRADES)}",
        location=exercise,
        type="bookproof",
        subtype="card",
    )
    return ""


def _fill(app: Sphinx, doctree: nodes.document) -> None:
    places = list(doctree.findall(_Load))
    if places:
        found = app.env.metadata[app.env.docname][_KEY] = load(doctree)
        told = str(found)
        for place in places:
            place.replace_self(nodes.Text(told))


def setup(app: Sphinx) -> None:
    """Register the directive, and connect what completes it once the exercises are made."""
    app.add_directive("chapter-card", ChapterCard)
    app.connect("doctree-read", _fill, priority=900)
