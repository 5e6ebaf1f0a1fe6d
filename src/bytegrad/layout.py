"""Where the boxes of a graph go: rows from inputs to result, few crossings, long edges led around boxes.

A small layered layout: it knows nothing of Values, Tensors or SVG, and uses no randomness, so that a picture is
the same bits in every run.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

#: A place in the picture: its row, and its number within the row.
Slot: TypeAlias = tuple[int, int]

# A node, or the bend in one row of the lane that a node's long edges share: (node,) or (node, row).
_Cell: TypeAlias = tuple[int, ...]

_SWEEPS = 6

# How strongly a link pulls its two ends into line: the longest chain to each node first, then the lanes, and what else
# arrives gives way.
_LANE, _TRUNK, _SIDE = 0.03, 1.0, 0.001


@dataclass
class Placement:
    """The rows of a layout.

    Attributes:
        rows: for each row, from the inputs down, the nodes in it; None is a bend of a long edge.
        routes: for each edge (input, node) the slots that it passes, both ends included. The long edges of one input
            share their bends.
        links: each stretch between neighbouring rows once, upper slot first, and how strongly it pulls.
    """

    rows: list[list[int | None]] = field(default_factory=list)
    routes: dict[tuple[int, int], list[Slot]] = field(default_factory=dict)
    links: dict[tuple[Slot, Slot], float] = field(default_factory=dict)


def place(inputs: Sequence[Sequence[int]]) -> Placement:
    """Lay out nodes, given the inputs of each; a node's inputs have lower numbers than the node itself.

    >>> place([[], [0], [0, 1]]).rows  # the edge from 0 to 2 passes node 1
    [[0], [1, None], [2]]
    """
    level = levels(inputs)
    paths: dict[tuple[int, int], list[_Cell]] = {}
    for node, sources in enumerate(inputs):
        for source in dict.fromkeys(sources):
            lane: list[_Cell] = [(source, row) for row in range(level[source] + 1, level[node])]
            paths[source, node] = [(source,), *lane, (node,)]
    rows: list[list[_Cell]] = [[] for _ in range(max(level) + 1)]
    for node, row in enumerate(level):
        rows[row].append((node,))
    for bend in dict.fromkeys(cell for path in paths.values() for cell in path if len(cell) == 2):
        rows[bend[1]].append(bend)
    links = list(dict.fromkeys(link for path in paths.values() for link in pairwise(path)))
    rows = _uncross(rows, links)
    depth = _depths(inputs)
    trunks = {(s, n) for s, n in paths if depth[s] == depth[n] - 1}
    slots = {cell: (r, c) for r, row in enumerate(rows) for c, cell in enumerate(row)}
    return Placement(
        [[cell[0] if len(cell) == 1 else None for cell in row] for row in rows],
        {edge: [slots[cell] for cell in path] for edge, path in paths.items()},
        {(slots[a], slots[b]): _pull(a, b, trunks) for a, b in links},
    )


def levels(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Put each node right above its first use, so that the longest chain gives the number of rows."""
    level = _depths(inputs)
    first_use = [len(level)] * len(level)
    for node in reversed(range(len(level))):
        if first_use[node] < len(level):
            level[node] = first_use[node] - 1
        for source in inputs[node]:
            first_use[source] = min(first_use[source], level[node])
    return level


def _depths(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Return for each node the length of the longest chain above it."""
    depth: list[int] = []
    for sources in inputs:
        depth.append(1 + max((depth[s] for s in sources), default=-1))
    return depth


def spread(
    placement: Placement, widths: Sequence[float], bend: float, gap: float
) -> list[list[float]]:
    """Return the centre of each slot: cells stay apart, and as nearly under their neighbours as that allows.

    Args:
        placement: the rows.
        widths: of the nodes, in px.
        bend: the width of a bend, in px.
        gap: the least distance between two cells of a row, in px.
    """
    sizes = [[bend if n is None else widths[n] for n in row] for row in placement.rows]
    centres = [_packed(row, gap) for row in sizes]
    above: dict[Slot, list[tuple[Slot, float]]] = {}
    below: dict[Slot, list[tuple[Slot, float]]] = {}
    for (upper, lower), pull in placement.links.items():
        above.setdefault(lower, []).append((upper, pull))
        below.setdefault(upper, []).append((lower, pull))
    both = {slot: above.get(slot, []) + below.get(slot, []) for slot in (*above, *below)}
    down = range(len(sizes))
    for _ in range(_SWEEPS):
        for neighbours, order in ((below, reversed(down)), (above, iter(down)), (both, iter(down))):
            for r in order:
                pulled = [
                    _pulled(x, neighbours.get((r, c), []), centres)
                    for c, x in enumerate(centres[r])
                ]
                centres[r] = apart(pulled, sizes[r], gap)
    left = min(row[0] - row_sizes[0] / 2 for row, row_sizes in zip(centres, sizes, strict=True))
    return [[x - left for x in row] for row in centres]


def apart(wanted: list[tuple[float, float]], sizes: list[float], gap: float) -> list[float]:
    """Return the places nearest to the wanted ones, in weighted squares, at which no two things come too close.

    Measured from where each would stand in a packed row, the places may not fall from left to right: neighbours
    that want to are pooled at their mean until none do.

    Args:
        wanted: where the middle of each shall be, and the weight of that wish, from left to right.
        sizes: how wide each is.
        gap: the least distance between two.

    >>> apart([(0, 1), (1, 1), (9, 1)], [2, 2, 2], gap=1)
    [-1.0, 2.0, 9.0]
    """
    packed = _packed(sizes, gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, cells
    for (want, weight), start in zip(wanted, packed, strict=True):
        mean, total, cells = want - start, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_cells = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, cells = total + other_weight, cells + other_cells
        pools.append((mean, total, cells))
    moved = [mean for mean, _, cells in pools for _ in range(cells)]
    return [start + move for start, move in zip(packed, moved, strict=True)]


def _pulled(
    x: float, near: list[tuple[Slot, float]], centres: list[list[float]]
) -> tuple[float, float]:
    """Return where its neighbours want a cell that is now at `x`, and how strongly."""
    weight = sum(pull for _, pull in near)
    if not near:
        return x, _SIDE
    return sum(centres[r][c] * pull for (r, c), pull in near) / weight, weight


def _pull(upper: _Cell, lower: _Cell, trunks: set[tuple[int, int]]) -> float:
    if len(upper) == len(lower) == 2:
        return _LANE
    return _TRUNK if (upper[0], lower[0]) in trunks and len(upper) == len(lower) else _SIDE


def _packed(sizes: list[float], gap: float) -> list[float]:
    """Set cells side by side around 0."""
    x = -(sum(sizes) + gap * (len(sizes) - 1)) / 2
    centres = []
    for size in sizes:
        centres.append(x + size / 2)
        x += size + gap
    return centres


def _uncross(rows: list[list[_Cell]], links: Sequence[tuple[_Cell, _Cell]]) -> list[list[_Cell]]:
    """Order each row by the mean position of its neighbours, sweeping down and up; return what crosses least.

    The sweeps start from the order given, and from the one in which a walk down the links meets the cells.
    """
    above: dict[_Cell, list[_Cell]] = {}
    below: dict[_Cell, list[_Cell]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    met = _walk([cell for row in rows for cell in row], below)
    best, fewest = rows, _crossings(rows, below)
    for start in (rows, [sorted(row, key=met.__getitem__) for row in rows]):
        swept = [list(row) for row in start]
        for _ in range(_SWEEPS):
            for neighbours, order in ((below, reversed(swept)), (above, iter(swept))):
                at = _positions(swept)
                for row in order:
                    row.sort(key=_mean_position(neighbours, at))
                    at.update(_positions([row]))
                crossings = _crossings(swept, below)
                if crossings < fewest:
                    best, fewest = [list(row) for row in swept], crossings
    return best


def _walk(cells: list[_Cell], below: dict[_Cell, list[_Cell]]) -> dict[_Cell, int]:
    """Number the cells as a walk down from each meets them, depth first."""
    met: dict[_Cell, int] = {}
    for cell in cells:
        stack = [cell]
        while stack:
            here = stack.pop()
            if here not in met:
                met[here] = len(met)
                stack.extend(below.get(here, ()))
    return met


def _crossings(rows: list[list[_Cell]], below: dict[_Cell, list[_Cell]]) -> int:
    """Count the pairs of links that cross."""
    count = 0
    at = _positions(rows)
    for row in rows:
        ends: list[float] = []  # where the links so far arrive, from left to right
        for cell in row:
            arriving = sorted(at[lower] for lower in below.get(cell, ()))
            count += sum(len(ends) - bisect_right(ends, end) for end in arriving)
            for end in arriving:
                insort(ends, end)
    return count


def _mean_position(
    neighbours: dict[_Cell, list[_Cell]], at: dict[_Cell, float]
) -> Callable[[_Cell], float]:
    def mean(cell: _Cell) -> float:
        near = neighbours.get(cell, [cell])
        return sum(at[n] for n in near) / len(near)

    return mean


def _positions(rows: list[list[_Cell]]) -> dict[_Cell, float]:
    return {cell: i - (len(row) - 1) / 2 for row in rows for i, cell in enumerate(row)}
