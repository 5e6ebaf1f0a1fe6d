"""What the boxes of a drawn graph say: a live graph of Values or Tensors, folded, and put into lines of text."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np

from bytegrad.arrays import owner
from bytegrad.budget import UNITS, show
from bytegrad.engine import execution_order
from bytegrad.errors import DtypeError
from bytegrad.folding import fold
from bytegrad.kernels import Array
from bytegrad.record import Function, shape_text
from bytegrad.svg import Node
from bytegrad.tensor import Tensor
from bytegrad.value import Value, topological_order

_TINY, _ROOM = 4, 24  # elements and letters, up to which a box shows all numbers
_OPS = 3  # different operations named in a box that stands for many


class Graph(Protocol):
    """A graph as a list of calls and leaves, each after its inputs, the result last.

    Attributes:
        inputs: for each the numbers of its inputs.
        leaf: for each whether it is a leaf.
    """

    inputs: list[tuple[int, ...]]
    leaf: list[bool]

    def op(self, node: int) -> str:
        """Return a call's operation, or a leaf's name."""

    def lines(self, node: int) -> list[str]:
        """Return what the box of one call or leaf says."""

    def slopes(self, node: int) -> Sequence[str]:
        """Return what the edges from a call's inputs say."""

    def nbytes(self, node: int) -> int | None:
        """Return how many bytes a call keeps that no earlier one does; None where bytes are not counted."""


class ValueGraph:
    """The Values behind a result: label or operation, data, grad; on the edges the slopes."""

    def __init__(self, root: Value, names: Mapping[str, Value]) -> None:
        self._values = topological_order(root)
        number = {value: i for i, value in enumerate(self._values)}
        self._names = _named(names, Value, number.get)
        self.inputs = [tuple([number[child] for child in value.children]) for value in self._values]
        self.leaf = [not value.children for value in self._values]

    def op(self, node: int) -> str:
        """Return the operation, or a leaf's label."""
        return self._values[node].op or self._label(node)

    def lines(self, node: int) -> list[str]:
        """Return label and operation, data and grad."""
        value, label = self._values[node], self._label(node)
        head = f"{label} ({value.op})" if label and value.op else label or value.op
        return [*([head] if head else []), f"data {value.data:.4g}", f"grad {value.grad:.4g}"]

    def slopes(self, node: int) -> Sequence[str]:
        """Return d(this)/d(child) for each child."""
        return [f"{slope:.4g}" for slope in self._values[node].slopes]

    def nbytes(self, node: int) -> None:
        """Count no bytes: a Value keeps numbers."""

    def _label(self, node: int) -> str:
        return self._names.get(node, str(self._values[node].label))


class TensorGraph:
    """The recorded calls behind a result, and the leaves: shape, dtype, data, grad, and the bytes kept.

    A call's data are known where a rule saved them, or where its Tensor is the root or has a name.
    """

    def __init__(self, root: Tensor, names: Mapping[str, Tensor]) -> None:
        self._items: list[Function | Tensor] = []
        self.inputs: list[tuple[int, ...]] = []
        self.leaf: list[bool] = []
        number: dict[int, int] = {}
        for fn in execution_order(root.grad_fn):
            edges = [edge for edge in fn.edges or () if edge is not None]
            items: list[Function | Tensor] = [*edges, fn]
            for item in items:
                if id(item) not in number:
                    number[id(item)] = len(self._items)
                    self._items.append(item)
                    self.leaf.append(isinstance(item, Tensor))
                    self.inputs.append(())
            self.inputs[-1] = tuple([number[id(edge)] for edge in edges])
        find = _finder(number)
        self._names = _named(names, Tensor, find)
        self._tensors = {find(tensor): tensor for tensor in (root, *names.values())}
        nameless = [i for i, leaf in enumerate(self.leaf) if leaf and i not in self._names]
        for i, node in enumerate(nameless, start=1):
            self._names[node] = f"leaf {i}" if len(nameless) > 1 else "leaf"
        self._data = _data_known(self._items, number)
        self._data |= {find(tensor): tensor.data for tensor in (root, *names.values())}
        counted: set[int] = set()
        self._nbytes = [_newly_kept(item, counted) for item in self._items]

    def op(self, node: int) -> str:
        """Return the operation, or a leaf's name."""
        item = self._items[node]
        return self._names[node] if isinstance(item, Tensor) else item.name

    def lines(self, node: int) -> list[str]:
        """Return name and operation, shape and dtype, data if they are known and few, bytes kept, and grad."""
        item = self._items[node]
        lines = [f"{shape_text(item.shape)} {item.dtype}"]
        if isinstance(item, Tensor):
            grad = "no grad yet" if item.grad is None else f"grad {_summary(item.grad)}"
            return [self._names[node], *lines, *_data(item.data), grad]
        if node in self._data:
            lines += _data(self._data[node])
        lines.append(_keeps(item, self._nbytes[node]))
        tensor = self._tensors.get(node)
        if tensor is not None and tensor.grad is not None:
            lines.append(f"grad {_summary(tensor.grad)}")
        name = self._names.get(node)
        return [f"{name} ({item.name})" if name else item.name, *lines]

    def slopes(self, node: int) -> Sequence[str]:
        """Return no text for each edge: a Tensor's slopes are whole matrices."""
        return [""] * len(self.inputs[node])

    def nbytes(self, node: int) -> int:
        """Return how many bytes a call keeps that no earlier one does."""
        return self._nbytes[node]


def boxes(graph: Graph, limit: int) -> list[Node]:
    """Return at most `limit` boxes for a graph, some of which stand for many calls."""
    groups = fold(graph.inputs, graph.leaf, limit)
    box_of = [0] * len(graph.inputs)
    for box, group in enumerate(groups):
        for node in group:
            box_of[node] = box
    made = []
    for box, group in enumerate(groups):
        if len(group) > 1:
            lines = _summed_up(graph, group)
            sources = {box_of[s]: None for node in group for s in graph.inputs[node]}
            edges = [(source, "") for source in sources if source != box]
        else:
            lines = graph.lines(group[0])
            edges = []
            arriving = Counter(box_of[s] for s in graph.inputs[group[0]])
            for s, text in zip(graph.inputs[group[0]], graph.slopes(group[0]), strict=True):
                source = box_of[s]
                if arriving[source] == 1 or len(groups[source]) == 1:
                    edges.append((source, text))
                elif (source, "") not in edges:
                    edges.append((source, ""))
        leaf = all(graph.leaf[node] for node in group)
        made.append(Node(tuple(lines), leaf, tuple(edges), many=len(group) > 1))
    return made


def totals(graph: Graph) -> tuple[str, int]:
    """Return in words how many calls and leaves a graph has and what it keeps, and the bytes kept."""
    calls = range(len(graph.leaf))
    kept = [graph.nbytes(node) for node in calls]
    nbytes = sum(each or 0 for each in kept)
    leaves = sum(graph.leaf)
    text = f"{_count(len(graph.leaf) - leaves, 'call')}, {_count(leaves, 'leaf', 'leaves')}"
    if any(each is not None for each in kept):
        text += f", {_kept(nbytes)}"
    return text, nbytes


def _summed_up(graph: Graph, group: list[int]) -> list[str]:
    """Return what a box says that stands for many."""
    leaves = [node for node in group if graph.leaf[node]]
    calls = [node for node in group if not graph.leaf[node]]
    many = _count(len(leaves), "leaf", "leaves")
    if not calls:
        return [many, *_listed(graph, leaves)]
    kept = [graph.nbytes(node) for node in calls]
    lines = [
        _count(len(calls), "call"),
        *_listed(graph, calls),
        *([f"and {many}"] if leaves else []),
    ]
    return lines if kept[0] is None else [*lines, _kept(sum(each or 0 for each in kept))]


def _listed(graph: Graph, nodes: list[int]) -> list[str]:
    """Return one line with the first few different names, or none."""
    names: dict[str, None] = {}
    for node in nodes:
        names.setdefault(graph.op(node))
        if len(names) > _OPS:
            break
    few = [name for name in names if name][:_OPS]
    return [", ".join(few) + (", …" if len(names) > _OPS else "")] if few else []


def _named(
    names: Mapping[str, Any], kind: type, find: Callable[[Any], int | None]
) -> dict[int, str]:
    """Return the names by the numbers of what they name."""
    found: dict[int, str] = {}
    for name, item in names.items():
        if not isinstance(item, kind):
            raise DtypeError(
                f"names has {type(item).__name__} under {name!r}: this graph is made of {kind.__name__}s. "
                f"Give the {kind.__name__} that shall bear the name."
            )
        node = find(item)
        if node is None:
            raise ValueError(
                f"names has {name!r}, which is not in the graph: nothing that the result's gradient flows to is that "
                f"{kind.__name__}. Leave the name out, or check that it requires grad and was used."
            )
        found[node] = f"{found[node]} = {name}" if node in found else str(name)
    return found


def _finder(number: dict[int, int]) -> Callable[[Tensor], int | None]:
    """Return what finds the number of a leaf, or of the call that made a Tensor."""
    return lambda x: number.get(id(x if x.grad_fn is None else x.grad_fn))


def _data_known(
    items: Sequence[Function | Tensor], number: Mapping[int, int]
) -> dict[int | None, Array]:
    """Return the few numbers that rules saved of their own outputs or inputs, by the number of what made them."""
    known: dict[int | None, Array] = {}
    for item in items:
        sources = getattr(item, "sources", ())  # a learner's rule may fill saved_tensors by itself
        if isinstance(item, Function) and len(sources) == len(item.saved_tensors) > 0:
            makers = [*sources[:-1], item] if item.output_saved else sources
            for maker, array in zip(makers, item.saved_tensors, strict=True):
                if isinstance(maker, Function) and getattr(array, "shape", None) == maker.shape:
                    known[number[id(maker)]] = array
    return known


def _newly_kept(item: Function | Tensor, counted: set[int]) -> int:
    """Return the bytes that a call saved in buffers that are not counted yet, and count them."""
    nbytes = 0
    for kept in item.saved_tensors if isinstance(item, Function) else ():
        if isinstance(kept, np.ndarray):
            buffer = owner(kept)
            if id(buffer) not in counted:
                counted.add(id(buffer))
                nbytes += buffer.nbytes
    return nbytes


def _keeps(fn: Function, nbytes: int) -> str:
    shared = any(isinstance(kept, np.ndarray) and kept.size for kept in fn.saved_tensors)
    return f"{_kept(nbytes)}{' new' * (shared and not nbytes)}"


def _kept(nbytes: int) -> str:
    return f"keeps {_size(nbytes)}" if nbytes else "keeps nothing"


def _data(array: Array) -> list[str]:
    numbers = _numbers(array)
    return [f"data {numbers}"] if numbers else []


def _summary(array: Array) -> str:
    """Return all numbers where there is room, else their norm."""
    numbers = _numbers(array)
    if numbers:
        return numbers
    largest = float(np.max(np.abs(array)))
    if largest and isfinite(largest):  # measured by it, no square overflows
        # summed by NumPy: what BLAS gives may depend on the number of threads
        largest *= float(np.sqrt(np.sum(np.square(np.divide(array, largest, dtype=np.float64)))))
    return f"norm {largest:.3g}"


def _numbers(array: Array) -> str:
    """Return all numbers as text, or nothing where they are many or long."""
    if array.ndim == 0:
        return f"{array.item():.4g}"
    if array.size > _TINY:
        return ""
    text = np.array2string(array, separator=", ", formatter={"all": _short}).replace("\n", "")
    return text if len(text) <= _ROOM else ""


def _short(number: Any) -> str:
    return f"{number:.3g}"


def _size(nbytes: int) -> str:
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if nbytes >= UNITS[unit]), "B")
    return show(nbytes, unit, digits=1)


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"
