"""`grad`: derivatives as results, of any order, for leaves and what lies between."""

from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor


def number(x: float) -> Tensor:
    return Tensor(x, dtype="float64", requires_grad=True)


def test_gradients_come_as_tensors_and_leave_grad_alone() -> None:
    x, y = number(2.0), number(3.0)
    gradients = bg.grad(x * x * y, [x, y])
    assert isinstance(gradients, tuple)
    assert [g.item() for g in gradients if g is not None] == [12.0, 4.0]
    assert x.grad is None
    assert y.grad is None


def test_intermediate_results_have_gradients_too() -> None:
    x = number(2.0)
    h = x * x
    z = h * h
    dh, dx = bg.grad(z, [h, x])
    assert (dh.item(), dx.item()) == (8.0, 32.0)


def test_only_what_leads_to_the_inputs_is_differentiated() -> None:
    """A rule on a side branch does not run."""
    runs = []

    class Noted(bg.Function):
        def apply(self, g: Any) -> tuple[Any, ...]:
            runs.append(g)
            return (g,)

    noted = bg.tracked(lambda x: Tensor(x.data), Noted)
    x, w = number(2.0), number(3.0)
    bg.grad(x * 5 + noted(w), x)
    assert runs == []
    bg.grad(x * 5 + noted(w), [x, w])
    assert len(runs) == 1


def test_several_outputs_add_up() -> None:
    x = number(2.0)
    (g,) = bg.grad([x * x, x * 3], x)
    assert g.item() == 7.0
    (g,) = bg.grad([x * x, x * 3], x, [10.0, 1.0])
    assert g.item() == 43.0


def test_derivatives_of_any_order() -> None:
    """x⁵: 5x⁴, 20x³, 60x², 120x, 120."""
    x = number(2.0)
    y = x * x * x * x * x
    found = []
    for _ in range(5):
        (y,) = bg.grad(y, x, create_graph=True)
        found.append(y.item())
    assert found == [80.0, 160.0, 240.0, 240.0, 120.0]


def test_mixed_derivatives_of_a_power_at_exponent_zero() -> None:
    """d²(aⁿ)/da dn = aⁿ⁻¹ (1 + n log a): 1/a at n = 0, in either order; and no slope at 0⁰."""
    a, n = number(2.0), number(0.0)
    for first, second in [(a, n), (n, a)]:
        (g,) = bg.grad(a**n, first, create_graph=True)
        (mixed,) = bg.grad(g, second)
        assert mixed.item() == 0.5
    for exponent in (0, 0.0, number(0.0), np.float64(0)):
        zero = number(0.0)
        assert bg.grad(zero**exponent, zero)[0].item() == 0.0


def test_a_hessian_vector_product() -> None:
    """H v of xᵀAx is (A + Aᵀ) v."""
    rng = np.random.default_rng(0)
    a, v = rng.normal(size=(4, 4)), rng.normal(size=4)
    x = Tensor(rng.normal(size=4), requires_grad=True)
    (g,) = bg.grad(x @ Tensor(a) @ x, x, create_graph=True)
    (hv,) = bg.grad(g, x, Tensor(v))
    np.testing.assert_allclose(hv.data, (a + a.T) @ v)


def test_the_second_pass_reaches_the_first_ones_seed() -> None:
    """d(J v)/dv = J: the trick that gives forward mode."""
    x, v = number(3.0), number(1.0)
    (g,) = bg.grad(x * x, x, v, create_graph=True)
    (jacobian,) = bg.grad(g, v)
    assert jacobian.item() == 6.0


def test_a_gradient_penalty_trains() -> None:
    """A loss made of gradients has gradients, by backward() as well."""
    w = Tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    x = Tensor([[3.0], [4.0]], dtype="float64", requires_grad=True)
    (g,) = bg.grad((w @ x).tanh().sum(), x, create_graph=True)
    (g * g).sum().backward()
    assert w.grad is not None
    assert np.isfinite(w.grad).all()


def test_the_graph_is_freed_unless_asked_not_to() -> None:
    x = number(2.0)
    y = x * x
    bg.grad(y, x)
    with pytest.raises(bg.GraphError, match="retain_graph=True"):
        bg.grad(y, x)
    y = x * x
    bg.grad(y, x, retain_graph=True)
    bg.grad(y, x, create_graph=True)
    (g,) = bg.grad(y, x)
    assert g.item() == 4.0


def test_results_are_nobody_elses_memory() -> None:
    x, y = Tensor([1.0, 2.0], requires_grad=True), Tensor([1.0, 2.0], requires_grad=True)
    a, b = bg.grad((x + y).sum(), [x, y])
    assert not np.shares_memory(a.data, b.data)
    a.data[:] = 7
    assert b.tolist() == [1.0, 1.0]


def test_backward_can_start_at_a_leaf() -> None:
    x = number(2.0)
    (g,) = bg.grad(x, x)
    assert g.item() == 1.0


@pytest.mark.parametrize(
    ("compute", "error", "text"),
    [
        (
            lambda x, y: bg.grad(x * 2, y),
            bg.GraphError,
            (
                "grad(): input 0 was not used: no path leads from it to the outputs. Compute the outputs from it, or "
                "pass allow_unused=True to get None for it."
            ),
        ),
        (
            lambda x, y: bg.grad(x * 2, Tensor(1.0)),
            bg.GraphError,
            (
                "grad(): input 0 requires no gradient: no graph leads through it. Set requires_grad=True on a leaf, "
                "and compute the outputs from it again."
            ),
        ),
        (
            lambda x, y: bg.grad(Tensor(1.0), x),
            bg.GraphError,
            (
                "grad(): output 0 requires no gradient: no graph leads through it. Set requires_grad=True on a leaf, "
                "and compute the outputs from it again."
            ),
        ),
        (
            lambda x, y: bg.grad([x * 2, y * 2], x, [1.0]),
            bg.ShapeError,
            "grad() of 2 outputs with 1 grad_outputs: each output has its own. Pass one, or None, an output.",
        ),
        (
            lambda x, y: bg.grad(x * np.ones(3), x),
            bg.ShapeError,
            (
                "backward() on shape (3,) without a gradient: 3 elements have no single derivative. Reduce first, for "
                "example .sum().backward(), or pass gradient= of the same shape."
            ),
        ),
    ],
)
def test_errors(compute: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        compute(number(2.0), number(3.0))
    assert str(raised.value) == text


def test_unused_inputs_may_be_allowed() -> None:
    x, y = number(2.0), number(3.0)
    assert bg.grad(x * 2, [x, y], allow_unused=True)[1] is None


def test_a_rule_that_bypasses_save_is_refused() -> None:
    """Its second derivative would be wrong without a word."""

    class Bypass(bg.Function):
        def __init__(self, x: Any, output: Any = None) -> None:
            self.saved_tensors = (x.data,)

        def apply(self, g: Any) -> tuple[Any, ...]:
            (x,) = self.saved_tensors
            return (2 * x * g,)

    square = bg.tracked(lambda x: Tensor(x.data**2), Bypass)
    x = number(3.0)
    assert bg.grad(square(x), x)[0].item() == 6.0
    with pytest.raises(bg.GraphError) as raised:
        bg.grad(square(x), x, create_graph=True)
    assert str(raised.value) == (
        "create_graph=True through Bypass, which filled saved_tensors by itself: what it saved has no history, and "
        "the second derivative would miss it. Keep arrays with self.save(...)."
    )
