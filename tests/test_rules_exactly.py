"""What each rule promises beyond a right gradient: what it keeps, what it leaves undone, and how it works by hand."""

from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import RULES, Tensor
from tests.cases import CASES, Case

X = np.array([[0.3, 0.9, 0.5], [0.8, 0.2, 0.6]])
T = np.array([[0.1, 1.0, 0.5], [0.9, 0.25, 0.3]])


def tensors(needs: str, **arrays: Any) -> dict[str, Tensor]:
    """Return the arrays as tensors; those whose letters are in `needs` require a gradient."""
    return {name: Tensor(x, requires_grad=name in needs) for name, x in arrays.items()}


# Options, and outputs that are not given

BY_HAND = [
    ("exp", ()),
    ("sqrt", ()),
    ("tanh", ()),
    ("sigmoid", ()),
    ("relu", ()),
    ("leaky_relu", ()),
    ("leaky_relu", (0.5,)),
    ("leaky_relu", (-0.5,)),
    ("gelu", ()),
    ("softmax", ()),
    ("softmax", (0,)),
    ("log_softmax", ()),
    ("log_softmax", (0,)),
    ("sum", ()),
    ("mean", (1,)),
    ("max", ()),
    ("max", (1,)),
    ("max", (0, True)),
    ("min", ()),
    ("min", (1,)),
    ("min", (0, True)),
    ("transpose", ()),
]


@pytest.mark.parametrize(("method", "options"), BY_HAND, ids=str)
def test_a_rule_by_hand_needs_no_output(method: str, options: tuple[Any, ...]) -> None:
    """Where a rule keeps the output and none is given, it computes it; what is left out has the method's default."""
    x = Tensor(X - 0.55 if method == "leaky_relu" else X, requires_grad=True)
    y = getattr(x, method)(*options)
    g = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
    (by_hand,) = RULES[method](x, *options).apply(g)
    (recorded,) = y.grad_fn.apply(g)
    np.testing.assert_array_equal(by_hand, recorded)


def test_a_power_by_hand_needs_no_output() -> None:
    x = tensors("an", a=X, n=T + 2)
    by_hand = RULES["__pow__"](x["a"], x["n"]).apply(np.ones((2, 3)))
    recorded = (x["a"] ** x["n"]).grad_fn.apply(np.ones((2, 3)))
    np.testing.assert_array_equal(by_hand, recorded)


def test_leaky_relu_leaks_a_hundredth_unless_told_otherwise() -> None:
    x = Tensor([-2.0, 3.0], dtype="float64", requires_grad=True)
    y = x.leaky_relu()
    y.backward(np.ones(2))
    assert (y.tolist(), x.grad.tolist()) == ([-0.02, 3.0], [0.01, 1.0])


@pytest.mark.parametrize("shape", [(2, 3), (1, 1)])
@pytest.mark.parametrize("method", ["mse", "bce", "bce_with_logits", "cross_entropy"])
def test_a_loss_is_averaged_unless_told_otherwise(method: str, shape: tuple[int, int]) -> None:
    found = {}
    for reduction in ("left out", "mean", "sum"):
        x = Tensor(X[: shape[0], : shape[1]], requires_grad=True)
        options = {} if reduction == "left out" else {"reduction": reduction}
        getattr(x, method)(T[: shape[0], : shape[1]], **options).backward()
        found[reduction] = x.grad
    count = len(x) if method == "cross_entropy" else x.size
    np.testing.assert_array_equal(found["left out"], found["mean"])
    np.testing.assert_allclose(found["mean"], found["sum"] / count, rtol=1e-12)


def test_pieces_lie_along_the_first_axis_unless_told_otherwise() -> None:
    x = tensors("ab", a=np.ones((2, 3)), b=np.ones((1, 3)))
    g = np.arange(9.0).reshape(3, 3)
    x["a"].concatenate(x["b"]).backward(g)
    assert x["a"].grad.tolist() == g[:2].tolist()
    assert x["b"].grad.tolist() == g[2:].tolist()
    (whole,) = RULES["concatenate"](x["a"]).apply(g[:2])  # of one tensor there is one piece
    assert whole.tolist() == g[:2].tolist()


def test_the_order_of_axes_may_be_numbers_or_a_tuple() -> None:
    for axes in ((0,), ((0,),), ([0],)):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.permute(*axes).backward(np.array([3.0, 4.0]))
        assert x.grad.tolist() == [3.0, 4.0]


# What is kept

KEPT = [
    # call, and for each set of inputs that need a gradient the inputs that are kept
    ("a * b", {"a": "b", "b": "a", "ab": "ab"}),
    ("a / b", {"a": "b", "b": "ab", "ab": "ab"}),
    ("a @ b.T", {"a": "b", "b": "a", "ab": "ab"}),
    ("a - b", {"a": "", "b": "", "ab": ""}),
    ("a + b", {"a": "", "b": "", "ab": ""}),
    ("a.linear(w, v)", {"a": "w", "w": "a", "v": "", "aw": "aw", "awv": "aw"}),
    ("a.layer_norm(v, u)", {"a": "av", "v": "a", "u": "", "av": "av", "avu": "av"}),
    ("a.cross_entropy(b)", {"a": "ab", "b": "a", "ab": "ab"}),
]


@pytest.mark.parametrize(
    ("call", "needs", "kept"),
    [(call, needs, kept) for call, table in KEPT for needs, kept in table.items()],
)
def test_what_no_gradient_needs_is_not_kept(call: str, needs: str, kept: str) -> None:
    """An operand is kept for another's gradient, and only where that one is wanted."""
    x = tensors(needs, a=X, b=T, w=np.ones((3, 3)), v=np.ones(3), u=np.ones(3))
    fn = eval(call, dict(x)).grad_fn
    found = "".join(
        name
        for name, tensor in x.items()
        if any(
            isinstance(array, np.ndarray) and np.shares_memory(array, tensor.data)
            for array in fn.saved_tensors
        )
    )
    assert found == kept


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, 2.0, -0.5])
def test_leaky_relu_keeps_its_input_only_where_the_output_hides_the_sign(slope: float) -> None:
    y = Tensor([-1.0, 2.0], requires_grad=True).leaky_relu(slope)
    assert y.grad_fn.output_saved == (slope >= 0)


@pytest.mark.parametrize("method", ["mse", "bce", "bce_with_logits", "cross_entropy"])
def test_a_target_may_be_a_list_and_is_kept_as_an_array(method: str) -> None:
    """So that the ledger counts it, and the numbers stay as they were."""
    target = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    x = Tensor(X, dtype="float32", requires_grad=True)
    y = getattr(x, method)(target)
    assert [type(array) for array in y.grad_fn.saved_tensors] == [np.ndarray, np.ndarray]
    target[0][0] = 7.0
    y.backward()
    again = Tensor(X, dtype="float32", requires_grad=True)
    getattr(again, method)(Tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])).backward()
    np.testing.assert_allclose(x.grad, again.grad, rtol=1e-6)


def test_a_condition_may_be_a_list() -> None:
    a, b = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    a.where([True, False], b).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([1.0, 0.0], [0.0, 1.0])


def test_a_condition_by_hand_is_of_booleans() -> None:
    with pytest.raises(bg.DtypeError) as raised:
        RULES["where"](Tensor([1.0]), np.array([0.5]), 0.0)
    assert str(raised.value) == (
        "where() with a condition of float64: it chooses by True and False. Compare first, as in x > 0."
    )


# What is left undone

NEEDLESS = [
    ("a - b", "b"),
    ("a * b", "ab"),
    ("a / b", "ab"),
    ("a ** b", "ab"),
    ("a @ b.T", "ab"),
    ("a.linear(w)", "aw"),
    ("a.layer_norm(v)", "a"),
    ("a.mse(b)", "b"),
    ("a.bce(b)", "b"),
    ("a.bce_with_logits(b)", "b"),
    ("a.cross_entropy(b)", "ab"),
]


@pytest.mark.parametrize(
    ("call", "name"), [(call, name) for call, names in NEEDLESS for name in names]
)
def test_a_gradient_that_nobody_needs_is_not_computed(call: str, name: str) -> None:
    """The rule gives None in its place: the price of a gradient is paid only where it is wanted."""
    inputs = [n for n in "abwv" if n in call]
    x = tensors("abwv".replace(name, ""), a=X, b=T, w=np.ones((3, 3)), v=np.ones(3))
    y = eval(call, dict(x))
    grads = y.grad_fn.apply(np.ones_like(y.data))
    for n, grad in zip(inputs, grads, strict=False):
        assert (grad is None) == (n == name)


def test_a_weights_gradient_is_one_product_and_not_one_a_sample() -> None:
    """Neither (5, 3, 4) nor a sum over it is ever made: the rows of all samples stand in one matrix."""
    x = tensors("aw", a=np.ones((5, 2, 3)), w=np.ones((3, 4)))
    _, grad = RULES["__matmul__"](x["a"], x["w"]).apply(np.ones((5, 2, 4)))
    assert grad.shape == (3, 4)


# Dtypes


@pytest.mark.parametrize("case", [case for case in CASES if case.method != "astype"], ids=str)
def test_a_rule_stays_in_the_dtype_of_its_inputs(case: Case) -> None:
    """No rule widens float32 on the way and leaves it to the engine to narrow the result again."""
    inputs = [Tensor(x, requires_grad=True) for x in case.arrays(dtype="float32")]
    y = case.call(*inputs)
    grads = y.grad_fn.apply(np.ones_like(y.data))
    assert {grad.dtype for grad in grads if grad is not None} == {np.dtype("float32")}


def test_a_power_by_a_numpy_number_stays_in_the_dtype_of_its_base() -> None:
    """np.float64(3) is a number like 3, and widens nothing."""
    y = Tensor([2.0, 3.0], dtype="float32", requires_grad=True) ** np.float64(3)
    (grad, _) = y.grad_fn.apply(np.ones(2, "float32"))
    assert (y.dtype, grad.dtype, grad.tolist()) == (np.float32, np.float32, [12.0, 27.0])


# Numbers at their ends


def test_a_certain_and_wrong_probability_has_the_steepest_slope() -> None:
    """The divisor p (1-p) is held at 1e-12, and log p at -100, as in PyTorch."""
    x = tensors("pt", p=np.array([0.0, 1.0, 0.0, 1.0, 2e-44]), t=np.array([0.0, 1, 1, 0, 0]))
    x["p"].bce(x["t"], "sum").backward()
    np.testing.assert_allclose(x["p"].grad, [0.0, 0.0, -1e12, 1e12, 2e-32])
    assert x["t"].grad.tolist() == [100.0, -100.0, 100.0, -100.0, 100.0]


def test_the_mixed_derivative_of_a_power_at_its_ends() -> None:
    """d²(aⁿ)/da dn is aⁿ⁻¹ (1 + n log a): 1/a where n is 0, and a finite number at 0⁰, too."""
    x = tensors("an", a=np.array([0.0, 0.0, 2.0]), n=np.array([0.0, 2.0, 0.0]))
    (slope,) = bg.grad((x["a"] ** x["n"]).sum(), x["a"], create_graph=True)
    (mixed,) = bg.grad(slope.sum(), x["n"])
    assert (slope.tolist(), mixed.tolist()) == ([0.0, 0.0, 0.0], [1.0, 0.0, 0.5])


def test_probabilities_as_targets_along_any_leading_axes() -> None:
    """Cross-entropy averages over all samples, however their axes are cut."""
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(2, 3, 4)), rng.dirichlet(np.ones(4), size=(2, 3))
    x, flat = Tensor(scores, requires_grad=True), Tensor(scores.reshape(6, 4), requires_grad=True)
    x.cross_entropy(target).backward()
    flat.cross_entropy(target.reshape(6, 4)).backward()
    np.testing.assert_allclose(x.grad.reshape(6, 4), flat.grad)
    np.testing.assert_allclose(x.grad.sum(axis=-1), 0, atol=1e-15)
    assert bg.gradcheck(lambda x: x.cross_entropy(target), x)
