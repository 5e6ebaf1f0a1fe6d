"""Pictures of what is really there: the graph behind a Value or a Tensor, as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from bytegrad.engine import execution_order
from bytegrad.errors import GraphError
from bytegrad.layout import Placement, place
from bytegrad.record import Function, shape_text
from bytegrad.tensor import Tensor
from bytegrad.timeline import COLOURS
from bytegrad.value import Value, topological_order

# A label lies on its line and hides it, whatever the ground: the site's, JupyterLab's, or white.
_HALO = (
    "paint-order:stroke;stroke-width:4px;"
    "stroke:var(--pst-color-background,var(--jp-layout-color0,white))"
)

_BOX, _LINE, _GAP_X, _GAP_Y, _BEND = 96, 16, 14, 34, 22


@dataclass(frozen=True)
class Node:
    """One box: its lines of text, whether it is a leaf, and for each input the input's number and the edge's text."""

    lines: tuple[str, ...]
    leaf: bool
    inputs: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG; a notebook shows it by itself.

    Attributes:
        svg: the picture.
        nodes: how many boxes it has.
    """

    svg: str
    nodes: int

    def _repr_html_(self) -> str:
        return f'<div class="bytegrad-drawing" style="overflow-x:auto">{self.svg}</div>'

    def __repr__(self) -> str:
        return f"<Drawing of {self.nodes} nodes>"


def draw(
    root: Value | Tensor, names: Mapping[str, Tensor] | None = None, title: str = ""
) -> Drawing:
    """Draw the graph that `root` was computed from, as it is now: inputs above, result below.

    A Value's box shows its label or operation, data and grad, and an edge the slope along it. For a Tensor each box
    is a recorded call with the shape it made and the arrays it keeps, or a leaf.

    Args:
        root: the result.
        names: names for leaf Tensors.
        title: what the picture shows, for readers who hear it.

    Raises:
        GraphError: a Tensor without a graph, or whose graph was freed.
    """
    nodes = _value_nodes(root) if isinstance(root, Value) else _tensor_nodes(root, names or {})
    return picture(nodes, title)


def picture(nodes: list[Node], title: str = "") -> Drawing:
    """Draw boxes and the edges between them, each box below its inputs, which stand earlier in the list."""
    placement = place([[source for source, _ in node.inputs] for node in nodes])
    return Drawing(_svg(nodes, placement, title or _describe(nodes)), len(nodes))


def _value_nodes(root: Value) -> list[Node]:
    order = topological_order(root)
    number = {id(value): i for i, value in enumerate(order)}
    nodes = []
    for value in order:
        head = (
            f"{value.label} ({value.op})" if value.label and value.op else value.label or value.op
        )
        lines = [head] if head else []
        inputs = tuple(
            (number[id(child)], f"{slope:.4g}")
            for child, slope in zip(value.children, value.slopes, strict=True)
        )
        lines += [f"data {value.data:.4g}", f"grad {value.grad:.4g}"]
        nodes.append(Node(tuple(lines), not value.children, inputs))
    return nodes


def _tensor_nodes(root: Tensor, names: Mapping[str, Tensor]) -> list[Node]:
    if root.grad_fn is None:
        raise GraphError(
            "draw() of a Tensor without a graph: nothing recorded how it was made. Call enable_autograd() and "
            "compute it from a Tensor that requires grad."
        )
    called = {id(tensor): name for name, tensor in names.items()}
    nodes: list[Node] = []
    number: dict[int, int] = {}
    for fn in execution_order(root.grad_fn):
        inputs = []
        for edge in fn.edges or ():
            if isinstance(edge, Tensor) and id(edge) not in number:
                number[id(edge)] = len(nodes)
                grad = "no grad yet" if edge.grad is None else "has grad"
                nodes.append(
                    Node((called.get(id(edge), "leaf"), shape_text(edge.shape), grad), True, ())
                )
            if edge is not None:
                inputs.append((number[id(edge)], ""))
        number[id(fn)] = len(nodes)
        nodes.append(Node((fn.name, shape_text(fn.shape), _keeps(fn)), False, tuple(inputs)))
    return nodes


def _keeps(fn: Function) -> str:
    arrays = sum(hasattr(kept, "nbytes") for kept in fn.saved_tensors)
    return f"keeps {arrays or 'nothing'}"


def _describe(nodes: list[Node]) -> str:
    """Put the graph into words."""
    parts = []
    for i, node in enumerate(nodes):
        sources = ", ".join(nodes[s].lines[0] for s, _ in node.inputs)
        parts.append(f"{i + 1}: {', '.join(node.lines)}" + (f" from {sources}" if sources else ""))
    return "Computation graph. " + "; ".join(parts)


def _svg(nodes: list[Node], placement: Placement, title: str) -> str:
    heights = [
        max((_LINE * len(nodes[n].lines) + 10 for n in row if n is not None), default=20)
        for row in placement.rows
    ]
    widths = [
        sum(_BOX if n is not None else _BEND for n in row) + _GAP_X * (len(row) - 1)
        for row in placement.rows
    ]
    width = max(widths) + 2
    tops = [1.0]
    for height in heights:
        tops.append(tops[-1] + height + _GAP_Y)
    centres: list[list[float]] = []
    for row, row_width in zip(placement.rows, widths, strict=True):
        x = (width - row_width) / 2
        centres.append([])
        for node in row:
            cell = _BOX if node is not None else _BEND
            centres[-1].append(x + cell / 2)
            x += cell + _GAP_X
    parts = []
    for node, box in enumerate(nodes):
        for i, (source, text) in enumerate(box.inputs):
            route = placement.routes[source, node]
            points = [(centres[r][c], tops[r], tops[r] + heights[r]) for r, c in route]
            twins = [j for j, (other, _) in enumerate(box.inputs) if other == source]
            parts.append(_edge(points, text, bow=20.0 * (2 * twins.index(i) - len(twins) + 1)))
    for r, row in enumerate(placement.rows):
        for c, n in enumerate(row):
            if n is not None:
                parts.append(_box(nodes[n], centres[r][c], tops[r], heights[r]))
    total = tops[-1] - _GAP_Y + 1
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{total:.0f}" '
        f'viewBox="0 0 {width:.0f} {total:.0f}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="currentColor" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _edge(points: list[tuple[float, float, float]], text: str, bow: float) -> str:
    """Draw a curve from the bottom of the first cell, past any bends, to the top of the last.

    Two edges between the same boxes bow apart, by `bow` to the right of the straight way.
    """
    (x, _, y), *rest = points
    path = f"M{x:.1f} {y:.1f}"
    for i, (to_x, top, bottom) in enumerate(rest):
        middle = (y + top) / 2
        path += f"C{x + bow:.1f} {middle:.1f} {to_x + bow:.1f} {middle:.1f} {to_x:.1f} {top:.1f}"
        if i < len(rest) - 1:
            path += f"V{bottom:.1f}"
        x, y = to_x, bottom
    curve = f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".5" stroke-width="1.5"/>'
    if not text:
        return curve
    (x1, _, y1), (x2, y2, _) = points[-2], points[-1]
    return curve + (
        f'<text x="{(x1 + x2) / 2 + 0.75 * bow:.1f}" text-anchor="middle" y="{(y1 + y2) / 2 + 4:.1f}" font-size="11" '
        f'style="{_HALO}">{escape(text)}</text>'
    )


def _box(node: Node, x: float, top: float, height: float) -> str:
    colour = COLOURS["parameter" if node.leaf else "activation"]
    lines = "".join(
        f'<text x="{x:.1f}" y="{top + 5 + _LINE * (i + 0.75):.1f}" text-anchor="middle" '
        f'font-weight="{400 if i else 600}">{escape(line)}</text>'
        for i, line in enumerate(node.lines)
    )
    return (
        f'<rect x="{x - _BOX / 2:.1f}" y="{top:.1f}" width="{_BOX}" height="{height}" rx="6" '
        f'fill="{colour}" fill-opacity=".12" stroke="{colour}" stroke-width="1.5"/>{lines}'
    )
