"""Boxes and the edges between them as SVG: readable on white and on near-black, and by a screen reader.

Nothing is told by colour alone: a leaf is a pill, a call a box, many calls a stack of boxes, and a leaf that is drawn
once more has a dashed line; the text says it as well.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import TypeAlias
from unicodedata import east_asian_width

from bytegrad.files import replacing
from bytegrad.layout import Placement, Slot, apart, levels, place, spread
from bytegrad.timeline import COLOURS

# A label lies on its line and hides it, whatever the ground: the page's, JupyterLab's, or white.
_HALO = (
    "paint-order:stroke;stroke-width:4px;stroke:var(--bytegrad-ground,"
    "var(--pst-color-background,var(--jp-layout-color0,white)))"
)

# A file has no page around it, so it brings its ground along.
_GROUND = (
    "<style>#{0}{{color:#14181e;background:#fff}}@media(prefers-color-scheme:dark)"
    "{{#{0}{{color:#e6e9ee;background:#14181e;--bytegrad-ground:#14181e}}}}</style>"
)

# in px
_LINE, _PADDING, _LETTER, _NARROWEST = 15, 9, 6.7, 60
_GAP_X, _GAP_Y, _ASIDE, _BEND, _STACK = 12, 30, 120, 14, 4

_BOLD = ' font-weight="600"'

# How much wider a heading is than other text, and letters that are wider than others, in DejaVu Sans: no reader's
# font is likely to be wider.
_BOLDER, _WIDE = 1.2, frozenset("mwMW@%…")

_LONGEST_LINE, _LONGEST_TITLE, _LONGEST_DESCRIPTION = 30, 200, 1500  # letters
_FAR = 7  # rows, beyond which a leaf is drawn again
_TWINS = 3  # edges between the same two boxes, beyond which they are one with a count
_SCROLLS = 640  # px: narrower pictures have no need to be scrolled on a desk

# The middle of a slot, its top and its bottom.
_Point: TypeAlias = tuple[float, float, float]

# Where a label wants its middle, and what it says.
_Label: TypeAlias = tuple[float, float, str]


@dataclass(frozen=True)
class Node:
    """One box: its lines of text, whether it is a leaf, and for each input the input's number and the edge's text.

    Attributes:
        lines: the text; the first line is a heading.
        leaf: whether it stands for leaves.
        inputs: the edges that arrive, each box's own below those that use it.
        many: whether it stands for several calls or leaves.
        again: whether it repeats a leaf that stands far above.

    >>> Node(("x", "2.0"), leaf=True, inputs=()).lines[0]
    'x'
    """

    lines: tuple[str, ...]
    leaf: bool
    inputs: tuple[tuple[int, str], ...]
    many: bool = False
    again: bool = False


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG; a notebook shows it by itself.

    Attributes:
        svg: the picture.
        nodes: how many calls and leaves it shows.
        boxes: how many boxes they stand in.
        nbytes: the bytes that the graph keeps, each buffer once.
        width: in px.

    >>> Drawing("<svg></svg>", nodes=2, boxes=2, nbytes=0, width=100)
    <Drawing of 2 nodes>
    """

    svg: str
    nodes: int
    boxes: int
    nbytes: int
    width: int

    def save(self, path: "str | os.PathLike[str]") -> Path:
        """Write the picture to a file and return its path: all of it or, on an error, nothing.

        The file brings a ground for light and dark along, since no page lends it one.

        Raises:
            ValueError: the name does not end in ``.svg``.
            FileNotFoundError: there is no such folder.
        """
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise ValueError(
                f"save({str(path)!r}): the picture is SVG, and programs go by the ending of a name. "
                "Use a name that ends in .svg."
            )
        head, end, body = self.svg.partition(">")
        identity = head.partition('id="')[2].partition('"')[0]
        with replacing(target) as file:
            file.write(f"{head}{end}{_GROUND.format(identity)}{body}\n".encode())
        return target

    def _repr_html_(self) -> str:
        # what has focus can be scrolled with a keyboard
        focus = ' tabindex="0"' if self.width > _SCROLLS else ""
        return f'<div class="bytegrad-drawing" style="overflow-x:auto"{focus}>{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Drawing of {self.nodes} nodes>"


def picture(
    nodes: Sequence[Node], title: str = "", *, stands_for: int | None = None, nbytes: int = 0
) -> Drawing:
    """Draw boxes and the edges between them, each box below its inputs, which stand earlier in the list.

    Args:
        nodes: the boxes.
        title: what the picture shows, for readers who hear it; a text of all boxes follows it.
        stands_for: how many calls and leaves the boxes show; as many as boxes, if left out.
        nbytes: the bytes that they keep.

    Raises:
        ValueError: there are no boxes.

    >>> x, y = Node(("x",), True, ()), Node(("exp",), False, ((0, "slope"),))
    >>> picture([x, y], "An exponential").boxes
    2
    """
    if not nodes:
        raise ValueError("picture() of no boxes: there is nothing to draw. Pass at least one Node.")
    nodes = [replace(node, lines=tuple(map(_fit, node.lines))) for node in nodes]
    drawn = _repeated(nodes)
    placement = place([[source for source, _ in node.inputs] for node in drawn])
    body, left, width, height = _body(drawn, placement)
    name = escape(_fit(title or "Computation graph", _LONGEST_TITLE))
    told = escape(_description(nodes))
    key = f"bytegrad-{hashlib.sha256((name + told + body).encode()).hexdigest()[:12]}"
    svg = (
        f'<svg id="{key}" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{key}-title" '
        f'aria-describedby="{key}-desc" width="{width}" height="{height}" viewBox="{left} 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f'<title id="{key}-title">{name}</title><desc id="{key}-desc">{told}</desc>{body}</svg>'
    )
    return Drawing(svg, len(nodes) if stands_for is None else stands_for, len(nodes), nbytes, width)


def _repeated(nodes: list[Node]) -> list[Node]:
    """Draw a leaf again above uses that are far below its first one, so that no edge runs down the whole picture."""
    level = levels([[source for source, _ in node.inputs] for node in nodes])
    drawn: list[Node] = []
    number: list[int] = []
    copies: dict[tuple[int, int], int] = {}
    for user, node in enumerate(nodes):
        inputs = []
        for source, text in node.inputs:
            distance = level[user] - level[source] - 1
            copy = source, distance // _FAR if nodes[source].leaf else 0
            if copy[1] and copy not in copies:
                copies[copy] = len(drawn)
                lines = nodes[source].lines[0], "see above"
                drawn.append(replace(nodes[source], lines=lines, again=True))
            inputs.append((copies.get(copy, number[source]), text))
        number.append(len(drawn))
        drawn.append(replace(node, inputs=tuple(inputs)))
    return drawn


def _body(nodes: list[Node], placement: Placement) -> tuple[str, int, int, int]:
    """Return the drawn edges and boxes, where they begin from the left, and their width and height."""
    widths = [
        max(_NARROWEST, _BOLDER * _length(node.lines[0]), *map(_length, node.lines)) + 2 * _PADDING
        for node in nodes
    ]
    heights = [
        max((_LINE * len(nodes[n].lines) + _PADDING for n in row if n is not None), default=0)
        for row in placement.rows
    ]
    centres = spread(placement, widths, _BEND, _GAP_X)
    gaps = [float(_GAP_Y)] * len(heights)
    for (r, c), (
        _,
        below,
    ) in placement.links:  # the farther an edge goes aside, the more room it gets
        aside = abs(centres[r][c] - centres[r + 1][below])
        gaps[r] = max(gaps[r], _GAP_Y + min(_GAP_Y, (aside - _ASIDE) / 6))
    tops = [1.0 + _STACK]
    for height, gap in zip(heights, gaps, strict=True):
        tops.append(tops[-1] + height + gap)

    def at(slot: Slot) -> _Point:
        r, c = slot
        return centres[r][c], tops[r], tops[r] + heights[r]

    lines, labels = _edges(nodes, placement, at)
    boxes = []
    reach = [(x - _length(text) / 2, x + _length(text) / 2) for x, _, text in labels]
    for r, cells in enumerate(placement.rows):
        for c, n in enumerate(cells):
            half = (_BEND if n is None else widths[n]) / 2
            reach.append((centres[r][c] - half, centres[r][c] + half + _STACK))
            if n is not None:
                boxes.append(_box(nodes[n], widths[n], at((r, c))))
    left = floor(min(low for low, _ in reach)) - 1
    right = ceil(max(high for _, high in reach)) + 1
    body = "".join([*lines, *map(_label, labels), *boxes])
    return body, left, right - left, ceil(tops[-1] - _GAP_Y) + 1


def _edges(
    nodes: list[Node], placement: Placement, at: Callable[[Slot], _Point]
) -> tuple[list[str], list[_Label]]:
    """Draw all edges; return them, and their labels."""
    curves: list[str] = []
    labels: dict[int, list[_Label]] = {}  # by the row below them
    trunks: set[tuple[Slot, Slot]] = set()
    for node, box in enumerate(nodes):
        for source in dict.fromkeys(source for source, _ in box.inputs):
            route = placement.routes[source, node]
            for link in pairwise(route[:-1]):
                if link not in trunks:  # the long edges of one box share their way
                    trunks.add(link)
                    curves.append(_edge(at(link[0]), at(link[1]), through=True))
            texts = [text for other, text in box.inputs if other == source]
            if len(texts) > _TWINS:
                texts = [f"{len(texts)} edges"]
            step = max(20.0, *(0.75 * _length(text) for text in texts))
            start, end = at(route[-2]), at(route[-1])
            for i, text in enumerate(texts):
                bow = step * (2 * i - len(texts) + 1)
                curves.append(_edge(start, end, bow))
                if text:
                    x, y = (start[0] + end[0]) / 2 + 0.75 * bow, (start[2] + end[1]) / 2
                    labels.setdefault(route[-1][0], []).append((x, y, text))
    return curves, [label for row in labels.values() for label in _side_by_side(row)]


def _side_by_side(labels: list[_Label]) -> list[_Label]:
    """Leave the labels between two rows on their edges, or as near to them as no two overlap."""
    labels = sorted(labels)
    places = apart([(x, 1.0) for x, _, _ in labels], [_length(text) for _, _, text in labels], 2)
    return [(x, y, text) for x, (_, y, text) in zip(places, labels, strict=True)]


def _edge(start: _Point, end: _Point, bow: float = 0, through: bool = False) -> str:
    """Draw a curve from the bottom of one slot to the top of another, or `through` it to its bottom.

    Two edges between the same boxes bow apart, by `bow` to the right of the straight way.
    """
    (x1, _, y1), (x2, y2, bottom) = start, end
    middle = (y1 + y2) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bow:.1f} {middle:.1f} {x2 + bow:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    if through:
        path += f"V{bottom:.1f}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".5" stroke-width="1.5"/>'


def _label(label: _Label) -> str:
    x, y, text = label
    return (
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" style="{_HALO}">'
        f"{escape(text)}</text>"
    )


def _box(node: Node, width: float, point: _Point) -> str:
    x, top, bottom = point
    colour = COLOURS["parameter" if node.leaf else "activation"]
    dashes = ' stroke-dasharray="4 3"' if node.again else ""
    left = x - width / 2
    behind = (
        f'<path d="M{left + _STACK:.1f} {top:.1f}v-{_STACK}h{width:.1f}v{bottom - top:.1f}h-{_STACK}" '
        f'fill="none" stroke="{colour}" stroke-width="1.5"/>'
    ) * node.many
    first = (top + bottom - _LINE * len(node.lines)) / 2 + 11.5
    lines = "".join(
        f'<text x="{x:.1f}" y="{first + _LINE * i:.1f}" text-anchor="middle"'
        f"{'' if i else _BOLD}>{escape(line)}</text>"
        for i, line in enumerate(node.lines)
    )
    return (
        f'{behind}<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" '
        f'rx="{14 if node.leaf else 4}" fill="{colour}" fill-opacity=".12" stroke="{colour}" '
        f'stroke-width="1.5"{dashes}/>{lines}'
    )


def _description(nodes: Sequence[Node]) -> str:
    """Put the graph into words, box by box, as far as there is room."""
    parts: list[str] = []
    room = _LONGEST_DESCRIPTION
    for i, node in enumerate(nodes):
        sources = ", ".join(f"{s + 1}" for s in list(dict.fromkeys(s for s, _ in node.inputs)))
        part = f"{i + 1}: {', '.join(node.lines)}" + (f", from {sources}" if sources else "")
        room -= len(part) + 2
        if room < 0:
            parts.append(f"and {len(nodes) - i} more boxes")
            break
        parts.append(part)
    return f"{'; '.join(parts)}."


def _fit(text: str, letters: int = _LONGEST_LINE) -> str:
    """Return a text without what cannot be printed or has no room."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[: letters + 1])
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _length(text: str) -> float:
    """Return about how long a text is, in px."""
    wide = sum(
        1 if east_asian_width(letter) in "WF" else 0.5 * (letter in _WIDE) for letter in text
    )
    return _LETTER * (len(text) + wide)
