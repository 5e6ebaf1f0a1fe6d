"""Every operation: its value, its gradient, its second derivative, its dtype, its errors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bytegrad as bg
from bytegrad import Tensor
from tests.cases import CASES, ELEMENTWISE, Case

EXACT = {"rtol": 1e-6, "atol": 1e-6}


def leaf(shape: tuple[int, ...], seed: int, low: float = -2.0, high: float = 2.0) -> Tensor:
    """Return a float64 leaf with seeded values in a range."""
    return Tensor(np.random.default_rng(seed).uniform(low, high, shape), requires_grad=True)


def leaves_of(arrays: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(x, requires_grad=True) for x in arrays]


def test_every_rule_has_a_case() -> None:
    """An operation without a case cannot land."""
    assert {case.method for case in CASES} == set(bg.RULES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradients(case: Case) -> None:
    """The value is NumPy's, the first and second derivative those of finite differences."""
    arrays = case.arrays()
    leaves = leaves_of(arrays)
    np.testing.assert_allclose(case.call(*leaves).data, case.numpy(*arrays), rtol=1e-11, atol=1e-14)
    assert bg.gradcheck(case.call, *leaves, **EXACT)
    assert bg.gradgradcheck(case.call, *leaves, **EXACT)
    for i in range(len(arrays)):  # and with one input at a time
        some = [Tensor(x, requires_grad=j == i) for j, x in enumerate(arrays)]
        assert bg.gradcheck(case.call, *some, **EXACT)


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_elementwise_shapes(case: Case, data: st.DataObject) -> None:
    """Shapes that broadcast, 0-d and empty ones among them."""
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=case.arity, max_dims=3, min_side=0, max_side=3)
    ).input_shapes
    arrays = case.arrays(shapes)
    leaves = leaves_of(arrays)
    np.testing.assert_allclose(case.call(*leaves).data, case.numpy(*arrays), rtol=1e-11, atol=1e-14)
    assert bg.gradcheck(case.call, *leaves, **EXACT)
    case.call(*leaves).sum().backward()
    for x in leaves:
        assert x.grad is not None
        assert x.grad.shape == x.shape
        assert x.grad.dtype == x.dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_ways_give_the_same_bits(case: Case, dtype: str) -> None:
    """A gradient on arrays equals the one on Tensors, bit for bit."""
    fast, slow = leaves_of(case.arrays(dtype=dtype)), leaves_of(case.arrays(dtype=dtype))
    y, z = case.call(*fast), case.call(*slow)
    g = np.random.default_rng(9).uniform(0.5, 1.5, y.shape).astype(y.dtype)
    y.backward(g)
    recorded = bg.grad(z, slow, g, create_graph=True, allow_unused=True)
    for x, other in zip(fast, recorded, strict=True):
        assert other is not None
        assert x.grad.dtype == other.dtype == x.dtype
        np.testing.assert_array_equal(x.grad, other.data)
        assert x.grad.tobytes() == other.data.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_memory_order_does_not_matter(case: Case) -> None:
    """Inputs that are views, reversed or in Fortran's order, give the same value and gradients."""
    arrays = case.arrays()
    plain = leaves_of(arrays)
    odd = []
    for x in arrays:
        wide = np.zeros((*x.shape, 2))[..., 0].T.copy(order="F").T if x.ndim else np.zeros(())
        wide[...] = x
        tensor = Tensor(0.0, dtype="float64", requires_grad=True)
        tensor.data = wide[::-1][::-1] if x.ndim else wide
        odd.append(tensor)
    y, z = case.call(*plain), case.call(*odd)
    np.testing.assert_allclose(z.data, y.data, rtol=1e-12)
    g = np.random.default_rng(9).uniform(0.5, 1.5, (*y.shape, 2))[..., 0]
    y.backward(g)
    z.backward(g)
    for x, other in zip(plain, odd, strict=True):
        np.testing.assert_allclose(other.grad, x.grad, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal_to_pytorch(case: Case, dtype: str) -> None:
    """Values and gradients are PyTorch's."""
    torch = pytest.importorskip("torch")
    arrays = case.arrays(dtype=dtype)
    mine = leaves_of(arrays)
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    y = case.call(*mine)
    z = case.call(*theirs) if case.torch is None else case.torch(torch, *theirs)
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}
    assert y.shape == tuple(z.shape)
    assert str(y.dtype) == str(z.dtype).removeprefix("torch.")
    np.testing.assert_allclose(y.data, z.detach().numpy(), **close)
    g = np.random.default_rng(9).uniform(0.5, 1.5, y.shape).astype(y.dtype)
    y.backward(g)
    z.backward(torch.tensor(g))
    for x, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(x.grad, other.grad.numpy(), **close)


@pytest.mark.parametrize("method", sorted(bg.RULES))
def test_a_rule_wrong_by_a_thousandth_is_caught(method: str) -> None:
    """The gradient check itself is tested: each rule, made wrong by 0.1 %, must fail it."""
    right = bg.RULES[method]

    class Wrong(right):  # type: ignore[valid-type, misc]
        def apply(self, g: Any) -> tuple[Any, ...]:
            return tuple(None if grad is None else grad * 1.001 for grad in super().apply(g))

    case = next(case for case in CASES if case.method == method)
    bg.disable_autograd()
    checked = bg.tracked(getattr(Tensor, method), Wrong)
    bg.enable_autograd(quiet=True)
    recording = getattr(Tensor, method)

    def with_wrong_rule(*inputs: Tensor) -> Any:
        # the check's own product and sum must stay right
        setattr(Tensor, method, checked)
        try:
            return case.call(*inputs)
        finally:
            setattr(Tensor, method, recording)

    with pytest.raises(bg.GradcheckError, match="finite differences"):
        bg.gradcheck(with_wrong_rule, *leaves_of(case.arrays()))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shapes=hnp.mutually_broadcastable_shapes(
        signature=str(np.matmul.signature), max_dims=2, min_side=0, max_side=3
    )
)
def test_matmul_of_any_shapes(shapes: hnp.BroadcastableShapes) -> None:
    """Vectors, matrices, batches that broadcast, and lengths of 0."""
    a, b = (leaf(shape, i) for i, shape in enumerate(shapes.input_shapes))
    np.testing.assert_allclose((a @ b).data, np.matmul(a.data, b.data))
    assert bg.gradcheck(lambda a, b: a @ b, a, b, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_reductions_and_views_of_any_shapes(data: st.DataObject) -> None:
    """sum, mean, reshape and transpose: any axes, kept or not, and lengths of 0 where they mean something."""
    x = leaf(data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3)), 0)
    axis = data.draw(st.none() | hnp.valid_tuple_axes(x.ndim, min_size=1))
    keepdims = data.draw(st.booleans())
    assert bg.gradcheck(lambda x: x.sum(axis, keepdims), x, rtol=1e-6, atol=1e-6)
    if x.size:
        assert bg.gradcheck(lambda x: x.mean(axis, keepdims), x, rtol=1e-6, atol=1e-6)
    shape = data.draw(st.permutations(x.shape))
    weights = np.random.default_rng(1).uniform(size=shape)
    assert bg.gradcheck(lambda x: x.reshape(*shape) * weights, x, rtol=1e-6, atol=1e-6)
    if x.ndim > 1:
        i, j = data.draw(st.permutations(range(x.ndim)))[:2]
        swapped = np.random.default_rng(1).uniform(size=x.data.swapaxes(i, j).shape)
        assert bg.gradcheck(lambda x: x.transpose(i, j) * swapped, x, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_extremes_and_softmax_of_any_shapes(data: st.DataObject) -> None:
    """Along any axes, and empty ones where they mean something."""
    x = leaf(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)), 0)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    weights = np.random.default_rng(1).uniform(size=x.shape)
    assert bg.gradcheck(lambda x: x.softmax(axis) * weights, x, **EXACT)
    assert bg.gradcheck(lambda x: x.log_softmax(axis) * weights, x, **EXACT)
    if x.size:
        assert bg.gradcheck(lambda x: x.logsumexp(axis), x, **EXACT)
        axes = data.draw(st.none() | hnp.valid_tuple_axes(x.ndim, min_size=1))
        keepdims = data.draw(st.booleans())
        for method in ("max", "min"):
            assert bg.gradcheck(lambda x, m=method: getattr(x, m)(axes, keepdims), x, **EXACT)
        if x.size > 1:
            assert bg.gradcheck(lambda x: x.var(), x, **EXACT)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_selections_of_any_shapes(data: st.DataObject) -> None:
    """Basic, fancy and boolean indices; permutations, joins and repetitions."""
    x = leaf(data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)), 0)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 10_000)

    def check(function: Any, *inputs: Tensor) -> None:
        def weighted(*xs: Tensor) -> Any:
            y = function(*xs)
            return y * weights[: y.size].reshape(y.shape)

        assert bg.gradcheck(weighted, *inputs, **EXACT)

    basic = data.draw(hnp.basic_indices(x.shape, allow_ellipsis=True, allow_newaxis=True))
    check(lambda x: x[basic], x)
    mask = data.draw(hnp.arrays(bool, x.shape))
    check(lambda x: x[mask], x)
    if 0 not in x.shape:
        fancy = data.draw(hnp.integer_array_indices(x.shape))
        check(lambda x: x[fancy], x)
    order = data.draw(st.permutations(range(x.ndim)))
    check(lambda x: x.permute(*order), x)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    check(lambda a, b: a.concatenate(b, a, axis=axis), x, leaf(x.shape, 1))
    check(lambda x: x.broadcast_to(2, *x.shape), x)
    check(lambda x, y: x.where(mask, y), x, leaf(x.shape, 1))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_layers_and_losses_of_any_shapes(data: st.DataObject) -> None:
    """Any axes before the last, empty ones included where there is something to average."""
    batch = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    n, m = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 3))
    x, w, b = leaf((*batch, n), 0), leaf((n, m), 1), leaf((m,), 2)
    assert bg.gradcheck(lambda x, w, b: x.linear(w, b), x, w, b, **EXACT)
    weights = np.random.default_rng(3).uniform(0.5, 1.5, x.shape)
    affine = leaf((n,), 3), leaf((n,), 4)
    assert bg.gradcheck(lambda x, w, b: x.layer_norm(w, b) * weights, x, *affine, rtol=1e-5)
    reduction = data.draw(st.sampled_from(["none", "sum"] + ["mean"] * bool(x.size)))
    y = leaf(x.shape, 5)
    classes = np.random.default_rng(6).integers(n, size=batch)
    table, rows = leaf((n, 2), 7), classes
    assert bg.gradcheck(lambda t: t.embedding(rows), table, **EXACT)
    assert bg.gradcheck(lambda x, y: x.mse(y, reduction), x, y, **EXACT)
    assert bg.gradcheck(lambda x, y: x.bce_with_logits(y, reduction), x, y, **EXACT)
    assert bg.gradcheck(lambda x: x.sigmoid().bce(y.sigmoid().detach(), reduction), x, **EXACT)
    assert bg.gradcheck(lambda x: x.cross_entropy(classes, reduction=reduction), x, **EXACT)


@pytest.mark.parametrize("n", [0, 1, 2, 3, -1, -2])
def test_whole_powers_of_negative_numbers(n: int) -> None:
    x = leaf((3, 2), 0, -2.0, -0.5)
    assert bg.gradcheck(lambda x: x**n, x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept(case: Case, dtype: str) -> None:
    """Forward and backward stay in the inputs' dtype, with Python numbers beside them too."""
    leaves = [
        Tensor(np.full(3, case.high), dtype=dtype, requires_grad=True) for _ in range(case.arity)
    ]
    y = case.call(*leaves)
    assert y.dtype == dtype
    (y * 2.5 + np.float64(1)).sum().backward()
    assert {x.grad.dtype for x in leaves if x.grad is not None} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("n", "expected"), [(0, 0.0), (1, 1.0), (2, 4.0), (3, 12.0), (-1, -0.25), (0.5, 0.35355339)]
)
def test_power_by_a_number(n: float, expected: float) -> None:
    """d(x**n)/dx at 2."""
    x = Tensor(2.0, dtype="float64", requires_grad=True)
    (x**n).backward()
    np.testing.assert_allclose(x.grad, expected)


def test_power_at_zero() -> None:
    """0 ** n has a slope of 0 in its base for n = 0 and n = 2, and of 0 in its exponent."""
    for n in (0, 2):
        x = Tensor(0.0, requires_grad=True)
        exponent = Tensor(float(n), requires_grad=True)
        (x**exponent).backward()
        assert (x.grad, exponent.grad) == (0.0, 0.0)


def test_sigmoid_does_not_overflow() -> None:
    """Both ends are finite, and so are their gradients (NumPy's warnings are errors here)."""
    x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
    y = x.sigmoid()
    y.sum().backward()
    assert y.data.tolist() == [0.0, 0.5, 1.0]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.25, 0.0]


def test_relu_on_both_sides_of_its_kink() -> None:
    assert bg.gradcheck(
        lambda x: x.relu(), Tensor(np.array([-2.0, -0.1, 0.1, 2.0]), requires_grad=True)
    )


def test_relu_is_flat_at_zero() -> None:
    """relu'(0) = 0."""
    x = Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    x.relu().sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 1.0]


def test_numbers_on_the_left() -> None:
    """Reflected operators work with Python numbers, NumPy numbers and arrays."""
    for one in (1, 1.0, np.float64(1), np.int32(1), np.ones(2)):
        x = Tensor([2.0, 4.0], requires_grad=True)
        y = (one - x) + (one / x) + (one + x) + one * x + one**x
        np.testing.assert_allclose(y.data, 3 + x.data + 1 / x.data)
        y.sum().backward()
        np.testing.assert_allclose(x.grad, 1 - 1 / x.data**2)
    x = Tensor([2.0, 4.0], requires_grad=True)
    (np.ones((3, 2)) @ x).sum().backward()
    np.testing.assert_allclose(x.grad, [3.0, 3.0])


def test_comparisons_are_boolean_and_carry_no_gradient() -> None:
    """All six compare elements, with tensors and numbers."""
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y, expected in [
        (x > 2, [False, False, True]),
        (x >= 2, [False, True, True]),
        (x < 2, [True, False, False]),
        (x <= 2, [True, True, False]),
        (x == 2, [False, True, False]),
        (x != Tensor(2.0), [True, False, True]),
    ]:
        assert y.dtype == bool
        assert not y.requires_grad
        assert y.data.tolist() == expected
    assert len({x, x}) == 1


@pytest.mark.parametrize(
    ("compute", "error", "parts"),
    [
        (lambda a, b: a + b, bg.ShapeError, ["(2, 3)", "(4,)"]),
        (lambda a, b: a @ b, bg.ShapeError, ["(2, 3)", "(4,)"]),
        (lambda a, b: a.reshape(5), bg.ShapeError, ["(2, 3)", "6 elements"]),
        (lambda a, b: b.T, bg.ShapeError, ["(4,)"]),
        (lambda a, b: a - "x", TypeError, ["str"]),
        (lambda a, b: [1.0] - a, bg.DtypeError, ["list"]),
        (lambda a, b: a + 1j, bg.DtypeError, ["complex"]),
        (lambda a, b: np.sqrt(a), TypeError, ["Tensor"]),
        (lambda a, b: np.multiply(a.data, a), TypeError, ["Tensor"]),
        (lambda a, b: np.asarray(a), bg.GraphError, ["detach"]),
        (lambda a, b: a.numpy(), bg.GraphError, ["detach"]),
        (lambda a, b: a.item(), bg.ShapeError, ["(2, 3)"]),
        (lambda a, b: bool(a), bg.ShapeError, ["(2, 3)"]),
        (lambda a, b: len(a.sum()), bg.DtypeError, ["0-d"]),
        (lambda a, b: Tensor([[1.0], [2.0, 3.0]]), bg.ShapeError, ["ragged"]),
        (lambda a, b: Tensor("abc"), bg.DtypeError, ["<U3"]),
        (lambda a, b: Tensor([1j]), bg.DtypeError, ["complex128"]),
    ],
)
def test_errors_name_what_was_seen(compute: Any, error: type[Exception], parts: list[str]) -> None:
    """Nothing is lost silently: what cannot work raises, and says what was seen."""
    a, b = leaf((2, 3), 0), leaf((4,), 1)
    with pytest.raises(error) as raised:
        compute(a, b)
    for part in parts:
        assert part in str(raised.value)
