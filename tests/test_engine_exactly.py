"""What a backward pass promises beyond right gradients: when it acts, what it records, whose memory it hands out."""

from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, watch


def leaf(*numbers: float, dtype: str = "float64") -> Tensor:
    return Tensor(list(numbers), dtype=dtype, requires_grad=True)


class Noted(watch.Watcher):
    """Notes which operations ran, and what each rule gave."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.gave: dict[str, list[Any]] = {}

    def called(self, fn: Any, name: str, inputs: Any, output: Any) -> None:
        self.names.append(name)

    def applied(self, fn: Any, grad_output: Any, grads: list[Any]) -> None:
        self.gave[fn.name] = grads


def of_none(x: Tensor) -> Tensor:
    """Return x by an operation whose rule sends no gradient back."""

    class Nowhere(bg.Function):
        def apply(self, g: Any) -> tuple[None]:
            return (None,)

    return bg.tracked(lambda x: Tensor(x.data), Nowhere)(x)  # type: ignore[no-any-return]


# Whose memory a gradient is


def test_a_leaf_takes_what_a_rule_made_for_it_without_a_copy() -> None:
    """A weight's gradient is as large as the weight: it is there once."""
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    noted = Noted()
    with watch.observe(noted):
        (x * y).backward(np.ones(2))
    assert x.grad is noted.gave["Mul"][0]
    assert y.grad is noted.gave["Mul"][1]


def test_what_arrives_at_two_leaves_is_copied() -> None:
    """Addition hands its g on as it is, to both sides and past each other."""
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    (c + (a + b)).backward(np.ones(1))
    for x, y in ((a, b), (b, c), (a, c)):
        assert not np.shares_memory(x.grad, y.grad)


def test_a_gradient_can_be_written_into() -> None:
    """A sum hands down one number, repeated; a leaf has numbers of its own."""
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    x.sum().backward()
    y.reshape(2, 1).backward(np.ones((2, 1)))
    for grad in (x.grad, y.grad):
        assert grad.flags.owndata
        grad += 1
        assert grad.tolist() == [2.0, 2.0]


def test_the_gradient_of_a_number_is_an_array_however_often_it_is_added_to() -> None:
    x = Tensor(2.0, requires_grad=True)
    for times in (1, 2, 3):
        (x * 3).backward()
        assert isinstance(x.grad, np.ndarray)
        assert x.grad == 3 * times


def test_what_a_hook_saw_or_returned_is_not_the_gradient() -> None:
    seen: list[Any] = []
    mine = np.ones(2)
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    x.register_hook(lambda g: mine)
    y.register_hook(lambda g: seen.append(g))
    h = x * y
    h.retain_grad()
    h.register_hook(lambda g: seen.append(g))
    h.backward(np.ones(2))
    assert not np.shares_memory(x.grad, mine)
    assert not any(np.shares_memory(grad, g) for grad in (y.grad, h.grad) for g in seen)


def test_a_sparse_gradient_comes_from_grad_as_a_whole_tensor() -> None:
    table = Tensor(np.ones((3, 2)), requires_grad=True)
    (g,) = bg.grad(table.embedding(np.array([1, 1]), sparse=True).sum(), table)
    assert g.tolist() == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]


# What a pass is begun with


def test_a_given_gradient_takes_the_dtype_of_its_tensor() -> None:
    """So that the pass computes in the tensors' own dtype, whatever the caller typed."""
    x = leaf(1.0, dtype="float32")
    seen: list[Any] = []
    for given in (np.ones(1), [2], [True], np.ones(1, "float16")):
        y = x * 2
        y.register_hook(lambda g: seen.append(g.dtype))
        y.backward(given)
    assert set(seen) == {np.dtype("float32")}
    v = leaf(3.0)  # float64
    y = x * x
    y.register_hook(lambda g: seen.append(g.dtype))
    (g,) = bg.grad(y, x, v, create_graph=True)
    assert set(seen) == {np.dtype("float32")}
    (back,) = bg.grad(g, v, np.ones(1))
    assert (back.dtype, back.tolist()) == (np.float64, [2.0])


def test_one_outputs_gradient_may_stand_in_a_list() -> None:
    x = leaf(2.0, 3.0)
    for given in ([np.ones(2)], (np.ones(2),), np.ones(2), Tensor(np.ones(2))):
        (g,) = bg.grad(x * x, x, given)
        assert g.tolist() == [4.0, 6.0]
    (g,) = bg.grad([x * x, x * 3], x, np.ones((2, 2)))  # an array with a row for each output
    assert g.tolist() == [7.0, 9.0]


def test_hooks_of_the_result_itself_get_tensors_under_create_graph() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    seen: list[type] = []
    y.register_hook(lambda g: seen.append(type(g)))
    bg.grad(y, x, create_graph=True)
    bg.grad((x * x).sum(), x)
    assert seen == [Tensor]


# When things happen


def test_a_gradient_is_handed_over_as_soon_as_it_is_whole() -> None:
    """Before the layers below are differentiated: an optimizer may use it, and free it, at once."""
    log: list[str] = []

    class Log(watch.Watcher):
        def applied(self, fn: Any, grad_output: Any, grads: list[Any]) -> None:
            log.append(fn.name)

    w, v = leaf(2.0), leaf(3.0)
    w.register_post_accumulate_grad_hook(lambda leaf: log.append("w"))
    v.register_post_accumulate_grad_hook(lambda leaf: log.append("v"))
    y = ((v * 2).exp() * w).tanh() * w
    with watch.observe(Log()):
        y.backward(np.ones(1))
    assert log == ["Mul", "Tanh", "Mul", "w", "Exp", "Mul", "v"]


def test_a_hooked_leaf_may_be_the_result() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * 10)
    x.backward(np.ones(1))
    assert x.grad.tolist() == [10.0]


def test_a_pass_goes_on_where_no_gradient_came() -> None:
    x = leaf(1.0)
    e = x.exp()
    y = e + of_none(x * 2) + of_none(x)
    y.backward(np.ones(1))
    np.testing.assert_allclose(x.grad, np.exp(1.0))


def test_a_retained_graph_is_kept_where_no_gradient_came_too() -> None:
    x = leaf(3.0)
    y = x + of_none(x * 2)
    y.backward(np.ones(1), retain_graph=True)
    y.backward(np.ones(1))
    assert x.grad.tolist() == [2.0]


def test_an_intermediate_that_is_asked_for_does_not_end_the_pass() -> None:
    x, w = leaf(2.0), leaf(3.0)
    u = w * 5
    h = x * x
    dh, dw = bg.grad(h * u, [h, w], np.ones(1))
    assert (dh.tolist(), dw.tolist()) == ([15.0], [20.0])


def test_calls_beside_a_checkpoint_are_differentiated_too() -> None:
    """Those that were recorded before it, too, and wait while it is computed again."""
    x, w = leaf(2.0), leaf(3.0)
    beside = w * 5
    (bg.checkpoint(lambda v: v * v, x) * beside).backward(np.ones(1))
    assert (x.grad.tolist(), w.grad.tolist()) == ([60.0], [20.0])


def test_what_a_checkpoint_shares_with_its_neighbours_waits_for_all_of_them() -> None:
    x = leaf(2.0)
    h = x * x
    beside = h * 3
    (bg.checkpoint(lambda v: v * v, h) * beside).backward(np.ones(1))
    np.testing.assert_allclose(x.grad, [18 * 2.0**5])  # 3 x⁶


def test_a_checkpoint_that_ends_at_a_leaf_hands_the_gradient_on() -> None:
    """Its second run decides: here it returns what it was given, and not what it computed from it."""
    turns = iter([0, 1])
    x, w = leaf(2.0), leaf(3.0)
    beside = w * 5
    seen: list[Any] = []
    y = bg.checkpoint(lambda v: (v * 1, v)[next(turns)], x)
    y.register_hook(lambda g: seen.append(g))
    (y * beside).backward(np.ones(1))
    assert (x.grad.tolist(), w.grad.tolist()) == ([15.0], [10.0])
    assert not np.shares_memory(x.grad, seen[0])


# What a recorded pass records


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3)])
def test_a_recorded_pass_records_no_more_than_it_needs(shape: tuple[int, ...]) -> None:
    """One sum over axes that were stretched, one over those that were added, and no cast of equal dtypes."""
    x = Tensor(np.ones(shape), requires_grad=True)
    seed = Tensor(np.ones((2, 3)), requires_grad=True)
    y = x * np.ones((2, 3))
    noted = Noted()
    with watch.observe(noted):
        bg.grad(y, x, seed, create_graph=True)
    assert noted.names == ["Mul"] + ["Sum"] * (shape != (2, 3))


# Exact errors


@pytest.mark.parametrize(
    ("gradient", "error", "text"),
    [
        (
            [1j, 1],
            bg.DtypeError,
            (
                "gradient of complex128: d(loss)/d(tensor) is a real number for each element. "
                "Pass an array of floats."
            ),
        ),
        (
            np.ones(3),
            bg.ShapeError,
            (
                "gradient of shape (3,) for a Tensor of shape (2,): d(loss)/d(tensor) has one number an element. "
                "Pass a gradient of the tensor's own shape."
            ),
        ),
    ],
)
def test_a_gradient_that_does_not_fit(gradient: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        (leaf(1.0, 2.0) * 2).backward(gradient)
    assert str(raised.value) == text


def test_backward_where_nothing_requires_a_gradient() -> None:
    with pytest.raises(bg.GraphError) as raised:
        Tensor(1.0).backward()
    assert str(raised.value) == (
        "backward() on a Tensor that requires no gradient: nothing it was computed from does, or it was computed "
        "under no_grad() or while autograd was off. Set requires_grad=True on a leaf and compute again."
    )


def test_gradients_lead_from_tensors_to_tensors() -> None:
    x = leaf(1.0)
    for outputs, inputs, what in (
        ([x * 2, 3], x, "output 1 is int"),
        (x, [[1.0]], "input 0 is list"),
    ):
        with pytest.raises(bg.DtypeError) as raised:
            bg.grad(outputs, inputs)  # type: ignore[arg-type]
        assert str(raised.value) == (
            f"grad(): {what}: gradients lead from Tensors to Tensors. Pass the Tensor itself."
        )
