"""The closed forms against the figures that the course expects."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, budget, memory, nn, optim, planner


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
    assert budget.show(-1.5e9, "GB") == "-1.50 GB"  # what is missing
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
        (lambda: budget.to_bytes(math.nan, "GB"), "size is nan"),
        (lambda: budget.show(math.inf, "GB"), "size is inf"),
        (lambda: budget.show(-math.inf, "GB"), "size is -inf"),
        (lambda: budget.show(math.nan, "GB"), "size is nan"),
        (lambda: budget.transformer_block_activations(10, 3, 4, 1), "hidden is 10 for 3 heads"),
        (lambda: budget.transformer_block_activations(9, 3, 4, 1, inner=0), "inner is 0"),
        (lambda: budget.transformer_block_activations(9, 3, 4, 1.5), "batch is 1.5"),
        (lambda: budget.attention_share(9, 3, 0), "sequence is 0"),
    ],
)
def test_impossible_values_are_named(compute: Any, part: str) -> None:
    with pytest.raises(ValueError, match=r"Give|Use one of") as raised:
        compute()
    assert part in str(raised.value)


# Against the ledger, on networks that run.


def kept_by(layer: Any, x: Tensor, **options: Any) -> int:
    """Return the bytes that a forward pass keeps, parameters aside."""
    with memory.ledger(layer) as led:
        y = layer(x, **options)
        kept = led.kept("activation", "input")
    assert y.requires_grad
    return kept


def some(*shape: int, dtype: str = "float32") -> Tensor:
    """Return data of a shape."""
    return Tensor(np.random.default_rng(0).standard_normal(shape).astype(dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_mlp_in_every_dtype(dtype: str) -> None:
    widths = [20, 30, 10, 5]
    layers = [nn.Linear(m, n, dtype=dtype) for m, n in itertools.pairwise(widths)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    assert kept_by(model, some(7, 20, dtype=dtype)) == budget.mlp_activations(widths, 7, dtype)
    assert sum(p.size for p in model.parameters()) == budget.mlp_parameters(widths)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(
    ("hidden", "heads", "sequence", "batch", "inner"),
    [(32, 4, 10, 2, None), (12, 1, 5, 3, 20), (8, 8, 3, 1, 1), (16, 2, 1, 4, None)],
)
def test_a_transformer_block_to_the_byte(
    dtype: str, dropout: float, hidden: int, heads: int, sequence: int, batch: int, inner: int
) -> None:
    block = nn.TransformerBlock(hidden, heads, inner, dropout, dtype=dtype)
    x = some(batch, sequence, hidden, dtype=dtype)
    expected = budget.transformer_block_activations(
        hidden, heads, sequence, batch, inner, dtype, dropout > 0
    )
    assert kept_by(block, x) == kept_by(block, x, is_causal=True) == expected
    block.eval()
    assert kept_by(block, x) == budget.transformer_block_activations(
        hidden, heads, sequence, batch, inner, dtype, dropout=False
    )


def test_in_16_bits_and_with_dropout_it_is_the_published_formula() -> None:
    for hidden, heads, sequence, batch in [(768, 12, 1024, 8), (12288, 96, 2048, 1), (8, 2, 3, 5)]:
        ours = budget.transformer_block_activations(hidden, heads, sequence, batch, dtype="float16")
        assert ours == budget.transformer_activations(1, hidden, heads, sequence, batch)
    share = budget.attention_share(768, 12, 1024, dtype="float16")
    assert share == pytest.approx(80 / (34 + 80))
    s = round(planner.crossover_sequence(1280, 8))
    assert budget.attention_share(1280, 8, s, dtype="float16") == pytest.approx(0.5)


def test_the_weights_of_attention_by_the_ledger() -> None:
    block = nn.TransformerBlock(16, 4, dropout=0.1)
    with memory.ledger() as led:
        y = block(some(2, 9, 16))
    scores = sum(row.nbytes for row in led.rows if row.new and row.shape[-2:] == (9, 9))
    assert scores / led.kept("activation", "input") == budget.attention_share(16, 4, 9)
    assert y.shape == (2, 9, 16)


@pytest.mark.parametrize("shape", [(2, 16, 30, 8), (3, 24, 11, 5)])
def test_the_parameters_of_a_gpt(shape: tuple[int, int, int, int]) -> None:
    layers, hidden, vocabulary, positions = shape
    parts = [
        nn.Embedding(vocabulary, hidden),
        nn.Embedding(positions, hidden),
        *(nn.TransformerBlock(hidden, 2) for _ in range(layers)),
        nn.LayerNorm(hidden),
    ]
    counted = sum(p.size for part in parts for p in part.parameters())
    assert counted == budget.transformer_parameters(layers, hidden, vocabulary, positions)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "adam": lambda params: optim.Adam(params, lr=0.1),
    "adamw": lambda params: optim.AdamW(params, lr=0.1),
}


def test_every_optimizer_is_compared() -> None:
    assert set(OPTIMIZERS) == set(budget.OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_states_of_a_step(name: str, dtype: str) -> None:
    model = nn.Sequential(nn.Linear(12, 20, dtype=dtype), nn.Tanh(), nn.Linear(20, 3, dtype=dtype))
    optimizer = OPTIMIZERS[name](model.parameters())
    states = budget.training_states(sum(p.size for p in model.parameters()), dtype, name)
    with memory.ledger(model, optimizer) as led:
        assert led.kept("parameter") == led.current == states["parameters"]
        model(some(4, 12, dtype=dtype)).sum().backward()
        optimizer.step()
        assert led.kept("gradient") == states["gradients"]
        assert led.kept("optimizer") == states["optimizer state"]
        assert led.current == sum(states.values())
        optimizer.zero_grad()
        assert led.kept("gradient") == 0


def test_mixed_precision_with_a_master_copy() -> None:
    model = nn.Sequential(
        nn.Linear(12, 20, dtype="float16"), nn.Tanh(), nn.Linear(20, 3, dtype="float16")
    )
    master = [nn.Parameter(p.detach().astype("float32")) for p in model.parameters()]
    optimizer = optim.Adam(master, lr=0.1)
    states = budget.training_states(
        sum(p.size for p in model.parameters()), "float16", "adam", mixed=True
    )
    with memory.ledger(model, optimizer) as led:
        assert led.current == states["parameters"] + states["master copy"]
        model(some(4, 12, dtype="float16")).sum().backward()
        for p, copy in zip(model.parameters(), master, strict=True):
            copy.grad = p.grad.astype("float32")
        optimizer.step()
        optimizer.zero_grad()
        with bg.no_grad():
            for p, copy in zip(model.parameters(), master, strict=True):
                p.copy_(copy)
        assert led.kept("gradient") == states["gradients"]
        assert led.kept("optimizer") == states["optimizer state"]
        assert led.current == sum(states.values())


class Residual(nn.Module):
    """x + relu(linear(x)): keeps its input and what relu gives, and so two arrays of its width."""

    def __init__(self, width: int) -> None:
        self.linear = nn.Linear(width, width)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.linear(x).relu()


def peak_of_a_step(layers: list[Any], x: Tensor, every: int) -> int:
    """Return the peak of a step with a checkpoint around each `every` layers; 0 for none."""

    def run(first: int, last: int) -> Callable[[Tensor], Tensor]:
        def segment(y: Tensor) -> Tensor:
            for layer in layers[first:last]:
                y = layer(y)
            return y

        return segment

    with memory.ledger() as led:
        y = x
        for first in range(0, len(layers), every or len(layers)):
            segment = run(first, first + (every or len(layers)))
            y = bg.checkpoint(segment, y) if every else segment(y)
        y.sum().backward()
    assert led.kept("activation", "input") == 0
    return led.peak_of("activation", "input")


@pytest.mark.parametrize("every", [0, 1, 5, 8, 10, 11, 12, 40, 95, 96])
def test_checkpoints_around_every_k_of_96_layers(every: int) -> None:
    """To the byte for every k, also where the last segment is shorter."""
    width, batch = 8, 16
    nbytes = batch * width * 4
    layers = [Residual(width) for _ in range(96)]
    plans = planner.checkpoint_frontier(96, layer=2 * nbytes, boundary=nbytes, shared=True)
    assert peak_of_a_step(layers, some(batch, width), every) == plans[every]["peak"]
    assert sum(layer.calls for layer in layers) == 96 + plans[every]["recomputed"]


def test_checkpoints_around_transformer_blocks() -> None:
    layers = [nn.TransformerBlock(16, 2, dropout=0.1) for _ in range(7)]
    block = budget.transformer_block_activations(16, 2, 5, 3)
    for every in (1, 3, 7):
        peak = peak_of_a_step(layers, some(3, 5, 16), every)
        boundary = 3 * 5 * 16 * 4
        assert peak == planner.checkpoint_peak(7, every, block, boundary, shared=True)


def test_where_the_last_stretch_is_kept_as_it_is() -> None:
    """`checkpoint_sequential` records the last of m equal stretches at once: the same peak, less to compute again."""
    layers = [Residual(8) for _ in range(24)]
    x = some(16, 8)
    with memory.ledger() as led:
        bg.checkpoint_sequential(layers, 6, x).sum().backward()
    peak = planner.checkpoint_peak(24, 4, layer=2 * x.nbytes, boundary=x.nbytes, shared=True)
    assert led.peak_of("activation", "input") == peak
    calls = sum(layer.calls for layer in layers)
    assert planner.recomputation(share=(calls - 24) / 24)["of the step"] == 20 / 24 / 3


def test_a_data_parallel_worker() -> None:
    """What one of four workers keeps, and what a ring of them would send."""
    widths, batch, workers = [20, 30, 5], 32, 4
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    optimizer = optim.Adam(model.parameters())
    parts = planner.data_parallel(
        budget.mlp_parameters(widths), budget.mlp_activations(widths, 1), batch, workers
    )
    with memory.ledger(model, optimizer) as led:
        loss = model(some(batch // workers, 20)).sum()
        assert led.kept("activation", "input") == parts["activations"]
        loss.backward()
        optimizer.step()
        assert led.kept("parameter") == parts["parameters"]
        assert led.kept("gradient") == parts["gradients"]
        assert led.kept("optimizer") == parts["optimizer state"]
    gradients = sum(p.grad.nbytes for p in model.parameters())
    assert parts["traffic"] == 2 * 3 / 4 * gradients


def test_the_batch_at_which_activations_rule() -> None:
    widths = [20, 30, 5]
    states = sum(budget.training_states(budget.mlp_parameters(widths)).values())
    batch = planner.crossover_batch(states, budget.mlp_activations(widths, 1))
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    assert kept_by(model, some(batch - 1, 20)) <= states < kept_by(model, some(batch, 20))
