"""The closed forms against the figures that the course expects."""

import math
from typing import Any

import pytest

from bytegrad import budget


def test_a_billion_parameters_with_adam() -> None:
    parts = budget.training_states(10**9)
    assert list(parts.values()) == [4 * 10**9, 4 * 10**9, 8 * 10**9]
    total = sum(parts.values())
    assert budget.show(total, "GB") == "16 GB"
    assert budget.show(total, "GiB", 1) == "14.9 GiB"
    assert budget.to_bytes(16, "GB") == total
    left = budget.to_bytes(16, "GiB") - total
    assert budget.show(left, "GB") == "1.18 GB"


@pytest.mark.parametrize(
    ("optimizer", "each"), [("sgd", 8), ("momentum", 12), ("adam", 16), ("adamw", 16)]
)
def test_bytes_a_parameter(optimizer: str, each: int) -> None:
    assert sum(budget.training_states(1000, optimizer=optimizer).values()) == each * 1000


def test_mixed_precision_does_not_shrink_the_states() -> None:
    mixed = budget.training_states(1000, dtype="float16", mixed=True)
    assert mixed == {
        "parameters": 2000,
        "gradients": 2000,
        "master copy": 4000,
        "optimizer state": 8000,
    }
    assert sum(mixed.values()) == sum(budget.training_states(1000).values())


def test_gpts_from_their_published_shapes() -> None:
    assert budget.transformer_parameters(12, 768, 50257, 1024) == 124_439_808
    large = budget.transformer_parameters(96, 12288, 50257, 2048)
    assert round(large / 1e9, 2) == 174.60
    assert round(large * 4 / 1e9, 1) == 698.4

    def ratio(batch: int, shape: tuple[int, ...], parameters: int) -> float:
        return budget.transformer_activations(*shape, batch) / (2 * parameters)

    small = budget.transformer_parameters(12, 768, 50257, 1024)
    assert round(ratio(1, (96, 12288, 96, 2048), large), 2) == 0.79
    assert round(ratio(1, (12, 768, 12, 1024), small), 1) == 4.3
    assert round(ratio(8, (12, 768, 12, 1024), small), 1) == 34.6


def test_units() -> None:
    assert [budget.UNITS[u] for u in ("kB", "MB", "GB", "TB")] == [1000**i for i in (1, 2, 3, 4)]
    assert [budget.UNITS[u] for u in ("KiB", "MiB", "GiB", "TiB")] == [
        1024**i for i in (1, 2, 3, 4)
    ]
    assert math.isclose(budget.in_unit(budget.to_bytes(7, "GiB"), "GiB"), 7)


@pytest.mark.parametrize(
    ("compute", "part"),
    [
        (lambda: budget.to_bytes(16, "Gb"), "'Gb'"),
        (lambda: budget.training_states(10, dtype="float17"), "'float17'"),
        (lambda: budget.training_states(10, optimizer="lion"), "'lion'"),
        (lambda: budget.training_states(0), "parameters is 0"),
        (lambda: budget.mlp_activations([784], 64), "at least two widths"),
        (lambda: budget.mlp_activations([784, 10.5], 64), "width is 10.5"),
        (lambda: budget.mlp_activations([784, 10], True), "batch is True"),
        (lambda: budget.training_states(float("inf")), "parameters is inf"),
        (lambda: budget.training_states(float("nan")), "parameters is nan"),
        (lambda: budget.training_states("7"), "parameters is '7'"),
        (lambda: budget.to_bytes(-1, "GB"), "size is -1"),
    ],
)
def test_impossible_values_are_named(compute: Any, part: str) -> None:
    with pytest.raises(ValueError, match=r"Give|Use one of") as raised:
        compute()
    assert part in str(raised.value)
