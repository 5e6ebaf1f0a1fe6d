"""The planner against the figures that the course expects, against brute force, and against a ring that is run."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bytegrad import budget, planner


@pytest.mark.parametrize(("layers", "least"), [(12, 7), (24, 10), (96, 20), (100, 20)])
def test_the_least_that_checkpointing_keeps(layers: int, least: int) -> None:
    plan = planner.checkpoint_plan(layers)
    assert plan["bound"] == min(k + math.ceil(layers / k) for k in range(1, layers + 1)) == least
    assert plan["bound"] <= 2 * math.sqrt(layers) + 1
    assert plan["peak"] <= plan["bound"]


def replayed(layers: int, every: int, layer: int, boundary: int, shared: bool) -> int:
    """Return the peak of a step, by doing what it does."""
    lengths = [min(every, layers - start) for start in range(0, layers, every)]
    kept = peak = boundary * len(lengths)
    for length in reversed(lengths):
        peak = max(peak, kept + length * layer - boundary * shared)
        kept -= boundary
    return peak


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("layer", "boundary"), [(1, 1), (2, 1), (34, 2), (3, 3)])
def test_the_peak_is_that_of_the_steps_one_by_one(layer: int, boundary: int, shared: bool) -> None:
    for layers in range(1, 40):
        for every in range(1, layers + 1):
            sizes = layers, every, layer, boundary, shared
            peak = planner.checkpoint_peak(*sizes)
            assert peak == replayed(*sizes) <= planner.checkpoint_bound(*sizes)
            if layers % every == 0:
                assert peak == planner.checkpoint_bound(*sizes)


def test_the_frontier_lists_every_choice() -> None:
    frontier = planner.checkpoint_frontier(12, layer=10, boundary=4, shared=True)
    assert [plan["every"] for plan in frontier] == list(range(13))
    assert frontier[0] == {
        "every": 0,
        "segments": 0,
        "peak": 120,
        "bound": 120,
        "recomputed": 0,
    }
    assert frontier[4] == {
        "every": 4,
        "segments": 3,
        "peak": 48,
        "bound": 48,
        "recomputed": 12,
    }


@pytest.mark.parametrize(("layer", "boundary"), [(1, 1), (2, 1), (17, 1), (100, 7)])
def test_the_plan_has_the_lowest_peak(layer: int, boundary: int) -> None:
    for layers in range(1, 60):
        plans = planner.checkpoint_frontier(layers, layer, boundary)[1:]
        best = planner.checkpoint_plan(layers, None, layer, boundary)
        assert best in plans
        assert best["peak"] == min(plan["peak"] for plan in plans)
        if layer == boundary:
            assert best["bound"] == min(plan["bound"] for plan in plans)


def test_a_plan_for_a_budget() -> None:
    assert planner.checkpoint_plan(100, budget=100)["every"] == 0
    assert planner.checkpoint_plan(100, budget=99)["every"] == 10
    with pytest.raises(ValueError, match=r"the best plan, every 10 layers, still keeps 20\. Give"):
        planner.checkpoint_plan(100, budget=19)


def test_computing_again() -> None:
    assert planner.recomputation() == {"of backward": 1 / 2, "of the step": 1 / 3}
    assert planner.recomputation(share=0.5) == {"of backward": 1 / 4, "of the step": 1 / 6}
    assert planner.recomputation(share=0) == {"of backward": 0, "of the step": 0}


def ring(gradients: list[np.ndarray[Any, Any]]) -> tuple[list[np.ndarray[Any, Any]], list[int]]:
    """Add up gradients around a ring; return each worker's sum, and the bytes that each sent."""
    n = len(gradients)
    held = [np.array_split(g.copy(), n) for g in gradients]
    sent = [0] * n
    for step in range(2 * (n - 1)):
        messages = []
        for worker in range(n):
            part = (worker - step) % n if step < n - 1 else (worker + 1 - (step - n + 1)) % n
            messages.append((worker, part, held[worker][part].copy()))
        for worker, part, chunk in messages:
            sent[worker] += chunk.nbytes
            taker = held[(worker + 1) % n]
            taker[part] = taker[part] + chunk if step < n - 1 else chunk
    return [np.concatenate(parts) for parts in held], sent


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("size", [24, 240, 100])
def test_a_ring_that_is_run_sends_what_the_formula_says(workers: int, size: int) -> None:
    rng = np.random.default_rng(0)
    gradients = [rng.integers(0, 9, size).astype("float32") for _ in range(workers)]
    sums, sent = ring(gradients)
    assert all(np.array_equal(each, sum(gradients)) for each in sums)
    expected = planner.ring_all_reduce_bytes(size, workers)
    assert sum(sent) == expected * workers
    if size % workers == 0:
        assert set(sent) == {expected}


def test_traffic_of_a_billion_parameters() -> None:
    assert planner.ring_all_reduce_bytes(10**9, 2) == 4e9
    assert planner.ring_all_reduce_bytes(10**9, 8) == 7e9
    assert planner.ring_all_reduce_bytes(10**9, 8, "float16") == 3.5e9
    assert planner.ring_all_reduce_bytes(10**9, 1) == 0


def test_workers_share_rows_and_nothing_else() -> None:
    one, eight = (planner.data_parallel(1000, 80, 64, n) for n in (1, 8))
    assert {part for part in one if one[part] != eight[part]} == {"activations", "traffic"}
    assert eight["activations"] * 8 == one["activations"]
    assert planner.data_parallel(1000, 80, 65, 8)["activations"] == 9 * 80  # of the fullest
    mixed = planner.data_parallel(1000, 80, 64, 2, "float16", "adamw", mixed=True)
    assert mixed["master copy"] == mixed["traffic"] * 2 == 4000


def test_where_activations_pass_the_states() -> None:
    states = sum(budget.training_states(567_434).values())
    row = budget.mlp_activations([784, 512, 256, 128, 10], 1)
    batch = planner.crossover_batch(states, row)
    assert (batch - 1) * row <= states < batch * row
    assert planner.crossover_batch(6000, 3000) == 3  # more, not as much


def test_where_scores_are_half() -> None:
    s = planner.crossover_sequence(12288, 96)
    assert 5 * 96 * s / 12288 == pytest.approx(34)


@pytest.mark.parametrize(
    ("compute", "part"),
    [
        (lambda: planner.checkpoint_peak(0, 1), "layers is 0"),
        (lambda: planner.checkpoint_peak(4, 0), "every is 0"),
        (lambda: planner.checkpoint_bound(4, 5), "every is 5 for 4 layers"),
        (lambda: planner.checkpoint_plan(4, budget=math.nan), "budget is nan"),
        (lambda: planner.checkpoint_plan(4, layer=0), "layer is 0"),
        (lambda: planner.checkpoint_plan(4, boundary=-1), "boundary is -1"),
        (lambda: planner.recomputation(1.5), "share is 1.5"),
        (lambda: planner.recomputation(math.nan), "share is nan"),
        (lambda: planner.recomputation(1, 0), "backward is 0"),
        (lambda: planner.ring_all_reduce_bytes(10, 0), "workers is 0"),
        (lambda: planner.ring_all_reduce_bytes(10, 2, "float8"), "'float8'"),
        (lambda: planner.data_parallel(10, 8, 3, 4), "batch is 3 for 4 workers"),
        (lambda: planner.data_parallel(10, math.inf, 4, 4), "row_bytes is inf"),
        (lambda: planner.crossover_batch(100, 0), "row_bytes is 0"),
        (lambda: planner.crossover_batch(-1, 1), "states is -1"),
        (lambda: planner.crossover_sequence(768, 0.5), "heads is 0.5"),
    ],
)
def test_impossible_values_are_named(compute: Callable[[], Any], part: str) -> None:
    with pytest.raises(ValueError, match=r"Give|Use one of") as raised:
        compute()
    assert part in str(raised.value)
