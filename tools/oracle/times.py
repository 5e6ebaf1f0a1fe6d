"""How long PyTorch takes for a call and its backward pass: book/torch/times.json.

Times differ from run to run, so this record is renewed only when it is asked for by its name.
"""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

SIZES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
WIDTHS = (1, 4, 16, 64, 256, 512)
ROUNDS = 25
SECONDS = 0.01
"""How long a round takes at least."""


def record(folder: Path) -> dict[str, Any]:
    """Return seconds per call on one thread, the best of some rounds; it needs nothing of the `folder`."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        exp = {str(n): best(_exp(torch.rand(n, requires_grad=True))) for n in SIZES}
        matmul = {str(n): best(_matmul(n)) for n in WIDTHS}
    finally:
        torch.set_num_threads(threads)
    return {
        "torch": torch.__version__.partition("+")[0],
        "date": date.today().isoformat(),
        "how": f"CPU, 1 thread, float32, forward and backward; the best of {ROUNDS} rounds",
        "seconds": {"exp": exp, "matmul": matmul},
    }


def best(run: Callable[[], object]) -> float:
    """Return the seconds of one run, from the fastest of some rounds."""
    count, taken = 1, 0.0
    while taken < SECONDS:
        taken, count = _round(run, count), 2 * count
    count //= 2
    return min(_round(run, count) for _ in range(ROUNDS)) / count


def _round(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - start


def _exp(x: Any) -> Callable[[], None]:
    g = x.detach()

    def run() -> None:
        x.grad = None
        x.exp().backward(g)

    return run


def _matmul(n: int) -> Callable[[], None]:
    import torch

    a, b = (torch.rand(n, n, requires_grad=True) for _ in range(2))
    g = torch.rand(n, n)

    def run() -> None:
        a.grad = b.grad = None
        (a @ b).backward(g)

    return run
