"""Pictures of what is really there: the graph behind a Value or a Tensor, as it is now."""

from collections.abc import Mapping
from typing import Any

from bytegrad.errors import DtypeError, GraphError
from bytegrad.nodes import Graph, TensorGraph, ValueGraph, boxes, totals
from bytegrad.svg import Drawing, Node, picture
from bytegrad.tensor import Tensor
from bytegrad.value import Value

__all__ = ["Drawing", "Node", "draw", "picture"]

_LEAST = 4


def draw(
    root: Value | Tensor,
    names: Mapping[str, Any] | None = None,
    title: str = "",
    *,
    limit: int = 60,
) -> Drawing:
    """Draw the graph that `root` was computed from, as it is now: inputs above, result below.

    A Value's box shows its label or operation, data and grad, and an edge the slope along it. For a Tensor a box is a
    leaf or a recorded call: shape and dtype; data, where they are few and still known; grad, or its norm; and the bytes
    that the call keeps, each buffer at the first call that keeps it.

    A graph with more calls and leaves than `limit` is folded: first the middles of chains, then whole regions far from
    the result. A stack of boxes says how many calls it stands for, and what they keep.

    Args:
        root: the result.
        names: names for leaves, or for intermediate results, whose data and grad are then known.
        title: what the picture shows, for readers who hear it.
        limit: the most boxes, at least 4; a leaf that is drawn again where it is used far below counts once.

    Raises:
        GraphError: a Tensor without a graph, or whose graph was freed.
        DtypeError: neither a Value nor a Tensor, or names for something else, or not in a dict.
        ValueError: a name for what is not in the graph, or a limit below 4.

    >>> x = Value(3.0, label="x")
    >>> drawing = draw(x * x, title="A square")
    >>> drawing
    <Drawing of 2 nodes>
    >>> drawing.svg.count("<rect")
    2
    """
    boxes_at_most: Any = limit
    if not isinstance(boxes_at_most, int) or limit < _LEAST:
        raise ValueError(
            f"limit is {limit!r}: a folded graph needs boxes for its result, what comes before, and leaves. "
            f"Give a whole number from {_LEAST}."
        )
    given: Any = {} if names is None else names
    if not isinstance(given, Mapping):
        raise DtypeError(
            f"names is {type(given).__name__}: each name belongs to what it names. "
            'Pass a dict, such as {"x": x, "w": w}.'
        )
    graph = _graph(root, given)
    words, nbytes = totals(graph)
    return picture(
        boxes(graph, limit),
        title or f"Computation graph: {words}",
        stands_for=len(graph.leaf),
        nbytes=nbytes,
    )


def _graph(root: Any, names: Mapping[str, Any]) -> Graph:
    if isinstance(root, Value):
        return ValueGraph(root, names)
    if not isinstance(root, Tensor):
        raise DtypeError(
            f"draw() of {type(root).__name__}: only a Value or a Tensor remembers how it was made. "
            "Pass the result of a computation."
        )
    if root.grad_fn is None:
        raise GraphError(
            "draw() of a Tensor without a graph: nothing recorded how it was made. Call enable_autograd() and "
            "compute it from a Tensor that requires grad."
        )
    return TensorGraph(root, names)
