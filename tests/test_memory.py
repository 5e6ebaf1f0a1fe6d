"""The ledger against the closed forms and against the allocator."""

import itertools
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, budget, memory


def mlp(widths: list[int]) -> Callable[[Tensor], Tensor]:
    """Return a chain of linear and ReLU layers."""
    rng = np.random.default_rng(0)
    layers = [
        (
            Tensor(rng.standard_normal((m, n), dtype="float32") / m**0.5, requires_grad=True),
            bg.zeros(n, requires_grad=True),
        )
        for m, n in itertools.pairwise(widths)
    ]

    def forward(x: Tensor) -> Tensor:
        for i, (w, b) in enumerate(layers):
            x = x @ w + b
            if i < len(layers) - 1:
                x = x.relu()
        return x

    return forward


def test_the_mlp_of_the_book() -> None:
    widths = [784, 512, 256, 128, 10]
    model = mlp(widths)
    with memory.ledger() as led:
        logits = model(bg.randn(64, 784))
    assert led.kept("activation", "input") == 430_080
    assert logits.shape == (64, 10)
    assert budget.mlp_activations(widths, 64) == 430_080


@pytest.mark.parametrize(
    "widths", [[512, 1024, 512, 1024], [2048, 2048], [300, 700, 1100, 500, 900]]
)
def test_formula_ledger_and_allocator_agree(widths: list[int]) -> None:
    """Within 1 % above 1 MiB."""
    model, batch = mlp(widths), 512
    model(bg.randn(batch, widths[0]))  # what NumPy allocates once
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with memory.ledger() as led:
            y = model(bg.randn(batch, widths[0]))
        allocated = tracemalloc.get_traced_memory()[0] - before - y.nbytes
    finally:
        tracemalloc.stop()
    kept = led.kept("activation", "input")
    assert kept == budget.mlp_activations(widths, batch) > 2**20
    assert allocated == pytest.approx(kept, rel=0.01)


def test_a_linear_layer_keeps_its_input_and_not_its_output() -> None:
    x = bg.randn(32, 512)
    w, b = bg.randn(512, 768, requires_grad=True), bg.zeros(768, requires_grad=True)
    with memory.ledger() as led:
        y = x @ w + b
    assert [(row.op, row.shape, row.dtype, row.nbytes, row.kind) for row in led.rows] == [
        ("Matmul", (32, 512), "float32", 65_536, "input")
    ]
    x.requires_grad_()
    with memory.ledger() as led:
        y = x @ w + b
    assert [row.nbytes for row in led.rows] == [65_536, 1_572_864]
    assert y.shape == (32, 768)


def test_what_each_rule_keeps() -> None:
    """The least: numbers of arrays of 8 elements, by operation."""
    a = Tensor(np.ones(8), requires_grad=True)
    b = Tensor(np.ones(8), requires_grad=True)
    c = Tensor(np.ones(8))
    for compute, kept in [
        (lambda: a + b, 0),
        (lambda: a - b, 0),
        (lambda: -a, 0),
        (lambda: a.sum() + a.mean(), 0),
        (lambda: a.reshape(2, 4).T, 0),
        (lambda: a * b, 2),
        (lambda: a * c, 1),
        (lambda: a * a, 1),
        (lambda: a * 2, 0),
        (lambda: a / c, 1),
        (lambda: a / b, 2),
        (lambda: a**2, 1),
        (lambda: a @ c, 1),
        (lambda: a.exp(), 1),
        (lambda: a.relu().exp(), 2),
        (lambda: a.tanh() * 2, 1),
        (lambda: (a + 1).sigmoid(), 1),
        (lambda: a.log(), 1),
    ]:
        with memory.ledger() as led:
            y = compute()
            assert led.current == kept * 64
        assert y.requires_grad


def test_a_buffer_counts_once_and_a_view_counts_its_whole_buffer() -> None:
    a = Tensor(np.ones((4, 4)), requires_grad=True)
    with memory.ledger() as led:
        y = a.reshape(16) * a.T.reshape(4, 4).reshape(16)
        assert led.current == 2 * 128  # a itself, and the copy that a transposed reshape makes
        assert [row.new for row in led.rows] == [True, True]
        z = a * a
        assert led.current == 2 * 128
        assert [row.new for row in led.rows] == [True, True, False, False]
        del y
        assert led.current == 128
    assert z.requires_grad


def test_a_view_of_a_leaf_is_what_the_leaf_is() -> None:
    """A transposed weight is a parameter, reshaped data are an input, a reshaped result an activation."""
    w, data = bg.randn(4, 8, requires_grad=True), bg.randn(2, 4, 2)
    with memory.ledger() as led:
        y = data.reshape(2, 8) @ w.T
        z = y.exp().reshape(8) * y.reshape(8)
    assert [(row.op, row.kind, row.new) for row in led.rows] == [
        ("Matmul", "input", True),
        ("Exp", "activation", True),
        ("Mul", "activation", False),
        ("Mul", "activation", True),
    ]
    with memory.ledger() as led:
        loss = (z.reshape(2, 4) @ w.T.T).sum()
    assert [row.kind for row in led.rows] == ["activation", "parameter"]
    assert loss.requires_grad


def test_timeline_climbs_and_descends() -> None:
    model = mlp([64, 64, 64, 64])
    with memory.ledger() as led:
        loss = (model(bg.randn(16, 64)) ** 2).mean()
        forward = len(led.timeline)
        loss.backward()
    heights = [moment.nbytes for moment in led.timeline]
    assert heights[:forward] == sorted(heights[:forward])
    assert heights[forward - 1 :] == sorted(heights[forward - 1 :], reverse=True)
    assert max(heights) == led.peak == heights[forward - 1]
    assert led.current == 0
    assert all(moment.nbytes == sum(moment.kinds.values()) for moment in led.timeline)


def test_a_closed_ledger_stays_as_it_was() -> None:
    x = bg.randn(8, 8, requires_grad=True)
    with memory.ledger() as led:
        y = (x * x).sum()
    y.backward()
    assert led.current == 256
    assert led.table().splitlines()[-1].split() == ["kept", "256"]
    assert "counted above" in led.table()
    with pytest.raises(ValueError, match="gradient"):
        led.kept("gradient")


def test_nothing_is_kept_without_grad() -> None:
    x = bg.randn(8, 8, requires_grad=True)
    with memory.ledger() as led, bg.no_grad():
        y = (x @ x).exp()
    assert (led.peak, y.requires_grad) == (0, False)


def test_the_plot_marks_the_peak() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    model = mlp([64, 64, 64])
    with memory.ledger() as led:
        (model(bg.randn(16, 64)) ** 2).mean().backward()
    ax = led.plot(unit="KiB", kinds=("input", "activation"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["input", "activation"]
    highest = max(m.kinds["input"] + m.kinds["activation"] for m in led.timeline)
    assert ax.texts[0].get_text() == f"peak {highest / 1024:,.0f} KiB"
