"""Checkpoints: the same bits for less memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, memory, random


def weights(n: int, width: int = 8, dtype: str = "float32") -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [
        Tensor((rng.normal(size=(width, width)) / width**0.5).astype(dtype), requires_grad=True)
        for _ in range(n)
    ]


def layer(w: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x + (x @ w).tanh()


def dropped(x: Tensor) -> Tensor:
    mask = random.witnessed(None).random(x.shape) < 0.5
    return x.where(mask, 0)


def gradients(run: Callable[[Tensor], Tensor], ws: list[Tensor]) -> list[bytes]:
    bg.manual_seed(5)
    x = Tensor(np.random.default_rng(1).normal(size=(4, 8)).astype("f4"), requires_grad=True)
    run(x).sum().backward()
    found = [leaf.grad.tobytes() for leaf in (x, *ws)]
    for w in ws:
        w.zero_grad()
    return found


@pytest.mark.parametrize("segments", [1, 2, 3, 5, 6])
def test_the_same_bits_as_without(segments: int) -> None:
    ws = weights(6)
    functions: list[Any] = [layer(w) for w in ws]
    functions.insert(3, layer(ws[0]))  # shared across segments: contributions add in the same order

    def plain(x: Tensor) -> Tensor:
        for function in functions:
            x = function(x)
        return x

    expected = gradients(plain, ws)
    assert gradients(lambda x: bg.checkpoint_sequential(functions, segments, x), ws) == expected
    nested = gradients(
        lambda x: bg.checkpoint(
            lambda y: bg.checkpoint_sequential(functions[1:], segments, functions[0](y)), x
        ),
        ws,
    )
    assert nested == expected


def test_random_numbers_are_drawn_again() -> None:
    """Dropout inside a checkpoint has one mask, and the draws after it are as if nothing had been repeated."""
    ws = weights(2)

    def run(wrapped: Callable[..., Any]) -> Callable[[Tensor], Tensor]:
        return lambda x: dropped(wrapped(lambda y: dropped(layer(ws[0])(y)), x))

    expected = gradients(run(lambda f, x: f(x)), ws[:1])
    after = random.default_generator().random()
    assert gradients(run(bg.checkpoint), ws[:1]) == expected
    assert random.default_generator().random() == after


def test_generators_of_ones_own_are_wound_back_too() -> None:
    rng = np.random.default_rng(3)
    x = Tensor(np.ones(100), requires_grad=True)
    y = bg.checkpoint(lambda v: v * v.where(random.witnessed(rng).random(100) < 0.5, 0), x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, 2 * y.data)


def test_what_it_keeps_is_its_inputs() -> None:
    ws = weights(4)
    x = Tensor(np.ones((4, 8), dtype="f4"), requires_grad=True)
    with memory.ledger() as led:
        y = bg.checkpoint_sequential([layer(w) for w in ws[:3]] + [lambda v: v + 0], 2, x)
    rows = [(row.op, row.kind) for row in led.rows]
    assert rows[0] == ("Checkpoint", "parameter")  # x itself, a leaf
    assert {row.op for row in led.rows} == {"Checkpoint", "Matmul", "Tanh"}
    assert y.grad_fn is not None


def test_functions_may_read_intermediate_results_from_outside() -> None:
    x = Tensor([2.0], requires_grad=True)
    h = x * x
    y = bg.checkpoint(lambda v: v * h, x)
    (y * h).sum().backward()
    assert x.grad.tolist() == [5 * 2.0**4]


def test_second_derivatives_pass_through() -> None:
    x = Tensor([2.0], dtype="float64", requires_grad=True)
    y = bg.checkpoint(lambda v: v * v * v, x)
    (g,) = bg.grad(y.sum(), x, create_graph=True)
    (h,) = bg.grad(g.sum(), x)
    assert (g.item(), h.item()) == (12.0, 12.0)
    assert bg.gradgradcheck(lambda v: bg.checkpoint(lambda u: u.exp() * u, v), x)


def test_second_derivatives_reach_what_lies_before() -> None:
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    y = bg.checkpoint(lambda h: h.sin(), x * 2).sum()
    (g,) = bg.grad(y, x, create_graph=True)
    (h,) = bg.grad(g.sum(), x)
    np.testing.assert_allclose(h.data, -4 * np.sin(2 * x.data))


def test_hooks_set_inside_run_once() -> None:
    calls = []

    def function(x: Tensor) -> Tensor:
        h = x * 2
        h.register_hook(lambda g: calls.append(type(g)))
        return h.sin()

    x = Tensor(1.0, requires_grad=True)
    bg.checkpoint(function, x).backward()
    assert calls == [np.ndarray]


def test_grad_passes_through_to_an_intermediate() -> None:
    x, w = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    h = x * x
    y = bg.checkpoint(lambda v: v * w, h)
    dh, dw = bg.grad(y.sum(), [h, w])
    assert (dh.tolist(), dw.tolist()) == ([3.0], [4.0])


def test_a_retained_graph_unfolds_again() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = bg.checkpoint(lambda v: v * v, x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(bg.GraphError, match="retain_graph=True"):
        y.sum().backward()


def test_where_no_gradient_flows_there_is_no_checkpoint() -> None:
    x = Tensor([2.0])
    assert not bg.checkpoint(lambda v: v * 2, x).requires_grad
    w = Tensor([2.0], requires_grad=True)
    with bg.no_grad():
        assert not bg.checkpoint(lambda v: v * 2, w).requires_grad
    assert bg.checkpoint(lambda v: v, w) is w
    assert not bg.checkpoint(lambda v: v.detach() * 2, w).requires_grad
    bg.disable_autograd()
    assert not bg.checkpoint(lambda v: v * 2, w).requires_grad


def test_other_arguments_are_handed_on() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = bg.checkpoint(lambda a, n, b, nothing: a * n + (b if nothing is None else 0), x, 3, x, None)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([8.0], [4.0])


def test_arrays_among_the_arguments_are_counted() -> None:
    w = weights(1, 100)[0]
    with memory.ledger() as led:
        y = bg.checkpoint(lambda x, w: Tensor(x) @ w, np.ones((100, 100), dtype="f4"), w)
    assert led.kept("input") == 40_000
    y.sum().backward()
    np.testing.assert_allclose(w.grad, np.full((100, 100), 100.0))


def test_an_error_inside_leaves_the_engine_as_it_was() -> None:
    x = Tensor([2.0], requires_grad=True)
    with pytest.raises(ZeroDivisionError):
        bg.checkpoint(lambda v: v * (1 / 0), x)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0]


def test_named_arguments() -> None:
    x, w = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    y = bg.checkpoint(lambda v, *, w, n: v * w * n, x, w=w, n=2)
    y.sum().backward()
    assert (y.item(), x.grad.item(), w.grad.item()) == (12.0, 6.0, 4.0)


def test_an_array_stays_an_array() -> None:
    x, a = Tensor([2.0], dtype="float64", requires_grad=True), np.array([9.0])
    kinds = []

    def function(x: Tensor, a: Any) -> Tensor:
        kinds.append(type(a))
        return x * x * np.sqrt(a)

    (g,) = bg.grad(bg.checkpoint(function, x, a).sum(), x, create_graph=True)
    (h,) = bg.grad(g.sum(), x)
    assert h.item() == 6.0
    assert kinds == [np.ndarray, np.ndarray]


def test_a_constant_that_was_edited_is_caught() -> None:
    """It would change the second run, and no rule has saved it."""
    x, c = Tensor([1.0], requires_grad=True), Tensor([2.0])
    y = bg.checkpoint(lambda v: (v * c).exp(), x)
    c.mul_(5)
    with pytest.raises(bg.GraphError) as raised:
        y.sum().backward()
    assert str(raised.value) == (
        "checkpoint: the function reads a tensor that was at version 0 when it ran first, and is at version 1 now: it "
        "would compute something else. Edit after backward(), or edit a copy."
    )


def test_a_function_that_reads_something_else_the_second_time_is_caught() -> None:
    """The loop variable of a lambda has moved on by then."""
    ws = weights(3)
    x = Tensor(np.ones((4, 8), dtype="f4"), requires_grad=True)
    h = x
    for i in range(3):
        h = bg.checkpoint(lambda v: v @ ws[i], h)  # noqa: B023 - the mistake in question
    with pytest.raises(bg.GraphError) as raised:
        h.sum().backward()
    assert str(raised.value) == (
        "checkpoint: when the function ran again, it read other tensors than at first: the gradient would go astray. "
        "Bind what it reads when you make it, as in `lambda x, w=w: x @ w`."
    )
    turns = iter([True, False])
    y = bg.checkpoint(lambda v: v * 2 if next(turns) else v.detach() * 2, x)
    with pytest.raises(bg.GraphError, match="read other tensors"):
        y.sum().backward()


def test_what_is_made_inside_cannot_be_differentiated_outside() -> None:
    x = Tensor([1.0], requires_grad=True)
    kept: list[Tensor] = []
    bg.checkpoint(lambda v: kept.append(v * 2) or v * 3, x)  # type: ignore[func-returns-value]
    with pytest.raises(bg.GraphError) as raised:
        kept[0].sum().backward()
    assert str(raised.value) == (
        "a gradient through a tensor that was made inside a checkpoint, in its first run: that run records nothing, to "
        "keep nothing. Differentiate the checkpoint's output instead, or leave the checkpoint out."
    )


def test_leaves_made_inside_are_made_again() -> None:
    x = Tensor([3.0], requires_grad=True)

    def function(v: Tensor) -> Tensor:
        fresh = v.detach().requires_grad_()
        return v * fresh * fresh

    for wrapped in (function, lambda v: bg.checkpoint(function, v)):
        x.zero_grad()
        bg.checkpoint(wrapped, x).sum().backward()
        assert x.grad.tolist() == [9.0]


def test_a_leaf_frozen_since_is_left_out() -> None:
    w, x = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    y, z = bg.checkpoint(lambda a: a.sin(), w), bg.checkpoint(lambda a: a * w, x)
    w.requires_grad = False
    (y + z).sum().backward()
    assert (w.grad, x.grad.item()) == (None, 1.0)


def test_side_results_may_be_computed() -> None:
    """What is read for nothing is read for nothing both times; unused arguments are none of its business."""
    x, w, v = (Tensor([n], requires_grad=True) for n in (2.0, 3.0, 4.0))

    def function(x: Tensor, unused: Tensor) -> Tensor:
        (w * 5).detach()
        return x * x

    bg.checkpoint(lambda x: bg.checkpoint(function, x, v) * v, x).sum().backward()
    assert (x.grad.item(), w.grad, v.grad.item()) == (16.0, None, 4.0)


def test_a_retained_graph_keeps_no_second_run() -> None:
    ws = weights(4, 100)
    functions: list[Any] = [layer(w) for w in ws for _ in range(10)]
    x = Tensor(np.ones((100, 100), dtype="f4"), requires_grad=True)
    with memory.ledger() as led:
        y = bg.checkpoint_sequential(functions, 20, x).sum()
        kept = led.current
        y.backward(retain_graph=True)
        assert led.current == kept
        peak = led.peak
    assert peak < kept + 10 * 40_000


def test_thousands_of_segments() -> None:
    """Each is put into the order by itself; grad() and a leaf used throughout see them all."""
    w = Tensor(np.ones(1), requires_grad=True)
    x = Tensor(np.ones(1), requires_grad=True)
    y = bg.checkpoint_sequential([lambda v: v * w] * 4000, 2000, x)
    (g,) = bg.grad(y.sum(), w, retain_graph=True)
    y.sum().backward()
    assert w.grad.tolist() == g.tolist() == [4000.0]


def test_errors() -> None:
    x = Tensor([2.0, 3.0], requires_grad=True)
    with pytest.raises(bg.DtypeError) as raised:
        bg.checkpoint(lambda v: (v, v), x)  # type: ignore[arg-type, return-value]
    assert str(raised.value) == (
        "checkpoint: the function returned tuple: a checkpoint stands for one Tensor. Return one, or use a checkpoint "
        "for each."
    )
    turns = iter([2, 1])
    y = bg.checkpoint(lambda v: v[: next(turns)] * 2, x)
    with pytest.raises(bg.GraphError) as changed:
        y.sum().backward()
    assert str(changed.value) == (
        "checkpoint: the function gave float32 of shape (2,) at first, and float32 of shape (1,) when it ran again: "
        "the gradient would be that of another function. Let it depend on its inputs alone."
    )
    with pytest.raises(ValueError, match="segments") as many:
        bg.checkpoint_sequential([lambda v: v], 2, x)
    assert str(many.value) == (
        "checkpoint_sequential of 1 functions in 2 segments: each segment holds at least one function. "
        "Use 1 to 1 segments."
    )
