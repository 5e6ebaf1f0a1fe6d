"""Where the boxes of a graph go: rows from inputs to result, few crossings, long edges led around boxes.

A small layered layout: it knows nothing of Values, Tensors or SVG, and uses no randomness, so that a picture is
the same bits in every run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: A place in the picture: its row, and its number within the row.
Slot = tuple[int, int]


@dataclass
class Placement:
    """The rows of a layout.

    Attributes:
        rows: for each row, from the inputs down, the nodes in it; None is a bend of a long edge.
        routes: for each edge (input, node) the slots that it passes, both ends included.
    """

    rows: list[list[int | None]] = field(default_factory=list)
    routes: dict[tuple[int, int], list[Slot]] = field(default_factory=dict)


def place(inputs: Sequence[Sequence[int]]) -> Placement:
    """Lay out nodes, given the inputs of each; a node's inputs have lower numbers than the node itself."""
    level = _levels(inputs)
    chains = {
        (source, node): [source, *([None] * (level[node] - level[source] - 1)), node]
        for node, sources in enumerate(inputs)
        for source in dict.fromkeys(sources)
    }
    # a cell is a node or one bend of one edge: (node,) or (source, node, row)
    rows: list[list[tuple[int, ...]]] = [[] for _ in range(max(level) + 1)]
    for node, row in enumerate(level):
        rows[row].append((node,))
    paths: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for (source, node), chain in chains.items():
        path: list[tuple[int, ...]] = [(source,)]
        for step in range(1, len(chain) - 1):
            cell = (source, node, level[source] + step)
            rows[cell[2]].append(cell)
            path.append(cell)
        paths[source, node] = [*path, (node,)]
    _uncross(rows, list(paths.values()))
    slots = {cell: (r, c) for r, row in enumerate(rows) for c, cell in enumerate(row)}
    return Placement(
        [[cell[0] if len(cell) == 1 else None for cell in row] for row in rows],
        {edge: [slots[cell] for cell in path] for edge, path in paths.items()},
    )


def _levels(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Put each node one row below its lowest input, and each node without inputs right above its first use."""
    level: list[int] = []
    for sources in inputs:
        level.append(1 + max((level[s] for s in sources), default=-1))
    first_use: dict[int, int] = {}
    for user, sources in enumerate(inputs):
        for source in sources:
            first_use[source] = min(level[user], first_use.get(source, level[user]))
    for node, row in first_use.items():
        if not inputs[node]:
            level[node] = row - 1
    return level


def _uncross(rows: list[list[tuple[int, ...]]], paths: list[list[tuple[int, ...]]]) -> None:
    """Order each row by the mean position of its neighbours, sweeping down and up a few times."""
    above: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    below: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for path in paths:
        for upper, lower in pairwise(path):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for _ in range(4):
        for neighbours, order in ((below, reversed(rows)), (above, iter(rows))):
            at = _positions(rows)
            for row in order:
                row.sort(key=lambda cell: _mean([at[n] for n in neighbours.get(cell, [cell])]))
                at.update(_positions([row]))


def _positions(rows: list[list[tuple[int, ...]]]) -> dict[tuple[int, ...], float]:
    return {cell: i - (len(row) - 1) / 2 for row in rows for i, cell in enumerate(row)}


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
