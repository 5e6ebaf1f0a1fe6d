"""What trading does to the budget, in closed form: checkpointing, data-parallel workers, and where which part rules.

Plain Python over `bytegrad.budget` alone, so that it runs under MicroPython, too. All sizes are bytes.

Args (all of them):
    parameters: how many numbers are learned, P.
    workers: how many compute gradients side by side, N.
    dtype: a key of `bytegrad.budget.DTYPES`.
    states: the bytes of parameters, gradients and optimizer state.
    row_bytes: the activations of one row of the batch.
    hidden: the width of a transformer, h.
    heads: of its attention, a.

Raises (all of them):
    ValueError: a count that is no whole number above 0, a segment of more layers than there are, a layer that keeps
        less than its own input, a share outside 0 … 1, a size that no memory has, or a key that is in no table.
"""

from bytegrad.budget import DTYPES, look_up, training_states, whole


def checkpoint_peak(
    layers: int, every: int, layer: int = 1, boundary: int = 1, shared: bool = False
) -> int:
    """Return the most that a step keeps when only each k-th layer's input is kept, and the rest computed again.

    Backward starts with the m = ⌈L/k⌉ inputs of the segments. It takes the last segment, computes it
    again with all that its layers keep, uses that up, and turns to the segment before. So with j inputs left
    it keeps j inputs and one segment, and the peak is the larger of the last two: m inputs and what is left over
    for the last segment, or m - 1 inputs and k layers. Where k divides L this is `checkpoint_bound`.
    Source: [chen2016].

    Args:
        layers: how many equal layers, L.
        every: the layers of a segment, k; the last one may have fewer.
        layer: the bytes that a layer keeps for its backward pass.
        boundary: the bytes of a segment's input.
        shared: whether a layer keeps its own input; the first one's is the boundary then, and counts once.

    >>> checkpoint_peak(12, 3), checkpoint_peak(12, 12), checkpoint_peak(96, 10)
    (7, 13, 19)
    """
    length, k = _segments(layers, every)
    layer, boundary, twice = _sizes(layer, boundary, shared)
    segments = -(-length // k)
    rest = length - (segments - 1) * k
    last = segments * boundary + rest * layer
    before = (segments - 1) * boundary + k * layer if segments > 1 else 0
    return max(last, before) - twice


def checkpoint_bound(
    layers: int, every: int, layer: int = 1, boundary: int = 1, shared: bool = False
) -> int:
    """Return ⌈L/k⌉ boundaries and k layers: what no order of long and short segments exceeds.

    The arguments are those of `checkpoint_peak`.

    >>> [min(checkpoint_bound(n, k) for k in range(1, n + 1)) for n in (12, 24, 96, 100)]
    [7, 10, 20, 20]
    """
    length, k = _segments(layers, every)
    layer, boundary, twice = _sizes(layer, boundary, shared)
    return -(-length // k) * boundary + k * layer - twice


def checkpoint_frontier(
    layers: int, layer: int = 1, boundary: int = 1, shared: bool = False
) -> "list[dict[str, int]]":
    """Return what each choice costs, from recording everything (every = 0) to one segment of all layers.

    Each entry has `every` (k), `segments`, `peak` (see `checkpoint_peak`), `bound` (see `checkpoint_bound`) and
    `recomputed`, the layers that a step computes twice. The arguments are those of `checkpoint_peak`.

    >>> [(plan["every"], plan["peak"]) for plan in checkpoint_frontier(6)]
    [(0, 6), (1, 7), (2, 5), (3, 5), (4, 5), (5, 6), (6, 7)]
    """
    length = whole(layers, "layers")
    kept = length * whole(layer, "layer")
    everything = {
        "every": 0,
        "segments": 0,
        "peak": kept,
        "bound": kept,
        "recomputed": 0,
    }
    return [everything] + [
        {
            "every": k,
            "segments": -(-length // k),
            "peak": checkpoint_peak(length, k, layer, boundary, shared),
            "bound": checkpoint_bound(length, k, layer, boundary, shared),
            "recomputed": length,
        }
        for k in range(1, length + 1)
    ]


def checkpoint_plan(
    layers: int,
    budget: "float | None" = None,
    layer: int = 1,
    boundary: int = 1,
    shared: bool = False,
) -> "dict[str, int]":
    """Return the entry of `checkpoint_frontier` with the lowest peak; every k computes the same again.

    Where a boundary is as large as a layer, it has the lowest k + ⌈L/k⌉, too: about 2 √L layers, at a k near √L. Of
    several with the same peak it is the one with the lowest bound, and of these the one with the fewest segments.

    Args:
        layers: how many equal layers.
        budget: the bytes to stay within; where everything fits, nothing need be computed again.
        layer: see `checkpoint_peak`, as for `boundary` and `shared`.
        boundary: see there.
        shared: see there.

    Raises:
        ValueError: no plan fits the budget.

    >>> plan = checkpoint_plan(100)
    >>> plan["every"], plan["segments"], plan["bound"]
    (10, 10, 20)
    >>> checkpoint_plan(100, budget=100)["every"]
    0
    """
    plans = checkpoint_frontier(layers, layer, boundary, shared)
    best = min(plans[1:], key=lambda plan: (plan["peak"], plan["bound"], plan["segments"]))
    if budget is None:
        return best
    _amount(budget, "budget")
    k, peak = best["every"], best["peak"]
    if plans[0]["peak"] <= budget:
        return plans[0]
    if peak > budget:
        raise ValueError(
            f"budget is {budget}: the best plan, every {k} layers, still keeps {peak}. Give more, or shrink the layers."
        )
    return best


def recomputation(share: float = 1.0, backward: float = 2.0) -> "dict[str, float]":
    """Return how much longer backward, and the whole step, get by computing again.

    Args:
        share: the part of the forward pass that is computed twice.
        backward: the work of the backward pass, in forward passes; 2 where each product of the forward pass has two.

    >>> [round(part, 3) for part in recomputation().values()]
    [0.5, 0.333]
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}: it is a part of the forward pass. Give 0 to 1.")
    if not 0 < backward < 1e300:
        raise ValueError(f"backward is {backward}: it is an amount of work. Give more than 0.")
    return {"of backward": share / backward, "of the step": share / (1 + backward)}


def ring_all_reduce_bytes(parameters: int, workers: int, dtype: str = "float32") -> float:
    """Return the bytes that each of N workers sends to add up their gradients, and receives: 2 (N - 1) / N · P · size.

    Each cuts its gradients into N chunks. N - 1 rounds hand partial sums on around the ring, N - 1 more the complete
    ones. Where N does not divide P, this is the mean over the workers; together they send N times as much, to the byte.
    Workers alone cannot add them up with less [patarasuk2009].

    >>> [ring_all_reduce_bytes(10**9, n) / 1e9 for n in (1, 2, 8)]
    [0.0, 4.0, 7.0]
    """
    n = whole(workers, "workers")
    return 2 * (n - 1) * whole(parameters, "parameters") * look_up(DTYPES, dtype, "dtype") / n


def data_parallel(
    parameters: int,
    row_bytes: float,
    batch: int,
    workers: int,
    dtype: str = "float32",
    optimizer: str = "adam",
    mixed: bool = False,
) -> "dict[str, float]":
    """Return the bytes that the fullest of N workers keeps, by part, and the `traffic` that it sends each step.

    Each worker holds all parameters, gradients and states, and ⌈batch / N⌉ rows: N workers shrink activations alone.

    Args:
        parameters: how many there are.
        row_bytes: the activations of one row of the batch.
        batch: the rows of all workers together.
        workers: how many share them.
        dtype: of parameters and gradients.
        optimizer: a key of `bytegrad.budget.OPTIMIZERS`.
        mixed: see `bytegrad.budget.training_states`.

    Raises:
        ValueError: fewer rows than workers.

    >>> one, four = data_parallel(1000, 80, 64, 1), data_parallel(1000, 80, 64, 4)
    >>> one["activations"], four["activations"], four["optimizer state"], four["traffic"]
    (5120, 1280, 8000, 6000.0)
    """
    rows, n = whole(batch, "batch"), whole(workers, "workers")
    _amount(row_bytes, "row_bytes")
    if rows < n:
        raise ValueError(
            f"batch is {rows} for {n} workers: some would have nothing to do. Give a row to each."
        )
    parts: dict[str, float] = {}
    parts.update(training_states(parameters, dtype, optimizer, mixed))
    parts["activations"] = -(-rows // n) * row_bytes
    parts["traffic"] = ring_all_reduce_bytes(parameters, n, dtype)
    return parts


def crossover_batch(states: float, row_bytes: float) -> int:
    """Return the smallest batch whose activations take more than parameters, gradients and optimizer state.

    >>> crossover_batch(states=16000, row_bytes=3000)
    6
    """
    _amount(states, "states")
    _amount(row_bytes, "row_bytes")
    return int(states // row_bytes) + 1


def crossover_sequence(hidden: int, heads: int) -> float:
    """Return the sequence length where attention's scores are half of a block's activations: 34 h / 5 a.

    In 16-bit floats with dropout, as `bytegrad.budget.transformer_activations` counts them [korthikanti2023].

    >>> crossover_sequence(768, 12)
    435.2
    """
    return 34 * whole(hidden, "hidden") / (5 * whole(heads, "heads"))


def _segments(layers: int, every: int) -> "tuple[int, int]":
    length, k = whole(layers, "layers"), whole(every, "every")
    if k > length:
        raise ValueError(
            f"every is {k} for {length} layers: a segment has no more layers than the network. Give 1 to {length}."
        )
    return length, k


def _sizes(layer: int, boundary: int, shared: bool) -> "tuple[int, int, int]":
    """Return the sizes of a layer and a boundary, and what a segment's first layer would count twice."""
    inside, between = whole(layer, "layer"), whole(boundary, "boundary")
    if shared and inside < between:
        raise ValueError(
            f"layer is {inside} with a boundary of {between}: a layer that keeps its input keeps no less. Give it all."
        )
    return inside, between, between if shared else 0


def _amount(nbytes: float, name: str) -> None:
    if not 0 < nbytes < 1e300:
        raise ValueError(f"{name} is {nbytes}: it is a number of bytes. Give more than 0.")
