"""How long PyTorch takes for an operation and its backward pass: book/torch/times.json.

Times differ from run to run, so this record is renewed only when it is asked for by its name.
"""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

LENGTH = 20
"""How many operations follow each other before `backward` is called."""

PRODUCTS = (1, 10, 100, 1_000, 10_000, 100_000)
MATMULS = (1, 4, 16, 64, 128)
PASSES = 8
ROUNDS = 5
SECONDS = 0.01
"""How long a round takes at least."""


def record(folder: Path) -> dict[str, Any]:
    """Return seconds an operation on one thread, the best of some rounds; it needs nothing of the `folder`."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        products = [_each(_products, PRODUCTS) for _ in range(PASSES)]
        matmuls = [_each(_matmuls, MATMULS) for _ in range(PASSES)]
    finally:
        torch.set_num_threads(threads)
    return {
        "torch": torch.__version__.partition("+")[0],
        "date": date.today().isoformat(),
        "how": f"CPU, 1 thread, float32, {LENGTH} operations and one backward; the best of {PASSES * ROUNDS} rounds",
        "seconds": {"product": _least(products), "matmul": _least(matmuls)},
    }


def _each(chain: Callable[[int], Callable[[], object]], sizes: tuple[int, ...]) -> dict[str, float]:
    """Return the seconds of one operation of a chain for each size."""
    return {str(n): _best(chain(n)) / LENGTH for n in sizes}


def _least(passes: list[dict[str, float]]) -> dict[str, float]:
    """Return the smallest of several answers for each size: another program may have been in the way."""
    return {n: min(each[n] for each in passes) for n in passes[0]}


def _best(run: Callable[[], object]) -> float:
    """Return the seconds of one run, from the fastest of some rounds."""
    count, taken = 1, 0.0
    while taken < SECONDS:
        count, taken = 2 * count, _round(run, 2 * count)
    return min(_round(run, count) for _ in range(ROUNDS)) / count


def _round(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - start


def _products(n: int) -> Callable[[], None]:
    """Return a chain of products of n pairs of numbers."""
    import torch

    x, a = torch.rand(n, requires_grad=True), torch.rand(n) + 0.5

    def run() -> None:
        x.grad, h = None, x
        for _ in range(LENGTH):
            h = h * a
        h.backward(a)

    return run


def _matmuls(n: int) -> Callable[[], None]:
    """Return a chain of products of two n by n matrices."""
    import torch

    x, w = (torch.rand(n, n, requires_grad=True) for _ in range(2))
    w.data /= n
    g = torch.rand(n, n)

    def run() -> None:
        x.grad, w.grad, h = None, None, x
        for _ in range(LENGTH):
            h = h @ w
        h.backward(g)

    return run
