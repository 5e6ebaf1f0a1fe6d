"""Operations at their edges: ties, masks, huge numbers, empty arrays, sparse rows, and exact errors."""

import array
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import RowSparse, Tensor, rules
from tests.cases import CASES, Case

HUGE = 3e38  # near the largest float32


def leaf(data: Any, dtype: str = "float32") -> Tensor:
    return Tensor(data, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("method", ["softmax", "log_softmax"])
def test_finite_for_every_finite_input(method: str) -> None:
    """Rows further apart than float32 reaches included; NumPy's warnings are errors here."""
    x = leaf([[HUGE, -HUGE, 0.0], [HUGE, HUGE, HUGE], [-HUGE, -HUGE, -1.0], [1e-45, 0.0, -1e-45]])
    y = getattr(x, method)()
    assert np.isfinite(y.data).all()
    y.backward(np.ones((4, 3)))
    assert np.isfinite(x.grad).all()


def test_a_fully_masked_row() -> None:
    """Softmax gives zeros with a gradient of 0; log_softmax stays -inf; one masked entry changes nothing else."""
    inf = float("inf")
    x = leaf([[-inf, -inf], [0.0, -inf], [1.0, 2.0]])
    y = x.softmax()
    assert y.tolist()[:2] == [[0.0, 0.0], [1.0, 0.0]]
    (y * Tensor([[1.0, 2.0]])).sum().backward()
    assert x.grad.tolist()[:2] == [[0.0, 0.0], [0.0, 0.0]]
    assert np.isfinite(x.grad).all()
    assert x.log_softmax().tolist()[:2] == [[-inf, -inf], [0.0, -inf]]


def test_softmax_of_nothing_and_of_one_number() -> None:
    one = leaf(3.0)
    assert (one.softmax().item(), one.log_softmax().item()) == (1.0, 0.0)
    (one.softmax() + one.log_softmax()).backward()
    assert one.grad.item() == 0.0
    x = leaf(np.ones((2, 0)))
    x.softmax().sum().backward()
    x.log_softmax().sum().backward()
    assert x.grad.shape == (2, 0)


@pytest.mark.parametrize("method", ["max", "min"])
def test_equal_extremes_share_the_gradient(method: str) -> None:
    x = leaf([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [0.0, 1.0, 1.0]])
    getattr(x, method)(axis=1).sum().backward()
    expected = {
        "max": [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]],
        "min": [[0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]],
    }
    np.testing.assert_allclose(x.grad, expected[method])


@pytest.mark.parametrize("method", ["maximum", "minimum"])
def test_ties_of_pairs_share_the_gradient(method: str) -> None:
    a, b = leaf([1.0, 2.0, 3.0]), leaf([1.0, 3.0, 2.0])
    getattr(a, method)(b).sum().backward()
    larger = {"maximum": [0.5, 0.0, 1.0], "minimum": [0.5, 1.0, 0.0]}[method]
    assert a.grad.tolist() == larger
    assert b.grad.tolist() == [1 - share for share in larger]


def test_kinks() -> None:
    """abs'(0) = relu'(0) = 0, and leaky_relu'(0) = its slope; clamp passes on its bounds."""
    x = leaf([0.0])
    (x.abs() + x.relu() + x.leaky_relu(0.25)).sum().backward()
    assert x.grad.tolist() == [0.25]
    y = leaf([-1.0, 0.0, 0.5, 1.0, 2.0])
    y.clamp(0, 1).sum().backward()
    assert y.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_a_masked_infinity_is_no_nan() -> None:
    """log(relu(x)) below 0 has an infinite slope times 0: the mask wins, as in PyTorch."""
    x = leaf([-1.0, 2.0])
    with np.errstate(divide="ignore"):
        x.relu().log().sum().backward()
    assert x.grad.tolist() == [0.0, 0.5]


def test_a_masked_gradient_in_every_width() -> None:
    for dtype in ("float16", "float32", "float64", "longdouble"):
        x = leaf([-2.0, 3.0], dtype)
        (x.relu() * Tensor([5.0, 7.0], dtype=dtype)).sum().backward()
        assert x.grad.tolist() == [0.0, 7.0]
        assert x.grad.dtype == np.dtype(dtype)


def test_std_of_equal_numbers_has_no_slope() -> None:
    x = leaf([2.0, 2.0, 2.0])
    x.std().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_losses_at_their_ends() -> None:
    p = leaf([0.0, 1.0, 0.0, 1.0])
    loss = p.bce([0.0, 1.0, 1.0, 0.0], "none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    assert np.isfinite(p.grad).all()
    x = leaf([-HUGE, HUGE, 1000.0])
    x.bce_with_logits([0.0, 1.0, 1.0]).backward()
    assert np.isfinite(x.grad).all()
    logits = leaf([[1000.0, 0.0, -1000.0]])
    loss = logits.cross_entropy(np.array([0]))
    loss.backward()
    assert loss.item() == 0.0
    np.testing.assert_allclose(logits.grad, [[0, 0, 0]], atol=1e-30)


def test_ignored_samples_have_no_gradient_and_do_not_count() -> None:
    x = leaf([[1.0, 2.0], [5.0, 1.0], [0.0, 0.0]])
    target = np.array([0, -100, 1])
    x.cross_entropy(target).backward()
    y = leaf(x.data[[0, 2]])
    y.cross_entropy(target[[0, 2]]).backward()
    assert x.grad[1].tolist() == [0.0, 0.0]
    assert x.grad[[0, 2]].tolist() == y.grad.tolist()
    assert x.cross_entropy(np.array([-100] * 3), reduction="sum").item() == 0.0


def test_one_hot_targets_of_any_dtype() -> None:
    x = leaf([[1.0, 2.0], [5.0, 1.0]])
    expected = x.cross_entropy(np.array([0, 1])).item()
    for dtype in (bool, int, "uint8", "float32", "float64"):
        x.zero_grad()
        loss = x.cross_entropy(np.eye(2, dtype=dtype))
        assert loss.item() == expected
        loss.backward()
        np.testing.assert_allclose(x.grad.sum(axis=1), 0, atol=1e-7)


def test_a_list_as_target_takes_the_dtype() -> None:
    x = leaf([[0.2, 0.4]])
    for method in ("mse", "bce", "bce_with_logits", "cross_entropy"):
        loss = getattr(x, method)([[0.5, 0.5]])
        assert loss.dtype == "float32"
        assert {a.dtype for a in loss.grad_fn.saved_tensors} == {np.dtype("float32")}


def test_numbers_in_text() -> None:
    loss = Tensor(0.12345)
    assert f"{loss:.3f}" == "0.123"
    assert f"{loss}" == repr(loss)
    with pytest.raises(bg.ShapeError, match=r"item\(\) of shape \(2,\)"):
        f"{Tensor([1.0, 2.0]):.3f}"
    x = leaf([[1.0, 3.0], [5.0, 2.0]])
    assert x.argmax().item() == 2
    assert x.argmax(axis=0).tolist() == [1, 0]
    with pytest.raises(bg.ShapeError, match="Name axes from -2 to 1, each once"):
        x.argmax(axis=3)


def test_gradcheck_needs_autograd() -> None:
    x = leaf([1.0], "float64")
    bg.disable_autograd()
    with pytest.raises(bg.GraphError) as raised:
        bg.gradcheck(lambda x: x * 2, x)
    assert str(raised.value) == (
        "gradcheck() while autograd is off: operations record nothing now, and there is no gradient to check. "
        "Call bytegrad.enable_autograd() first."
    )


def test_float16_counts_beyond_its_reach() -> None:
    """More samples, or more ties, than float16 can count."""
    n = 70_000
    x = leaf(np.zeros((n, 2)), "float16")
    loss = x.cross_entropy(np.zeros(n, dtype=int))
    np.testing.assert_allclose(loss.item(), np.log(2), rtol=1e-3)
    (x.cross_entropy(np.zeros(n, dtype=int)) * 4096).backward()
    np.testing.assert_allclose(x.grad[:, 0].astype(float), -0.5 * 4096 / n, rtol=1e-2)
    y = leaf(np.ones(n), "float16")
    (y.max() * 4096).backward()
    np.testing.assert_allclose(y.grad.astype(float), 4096 / n, rtol=1e-2)
    assert leaf(np.full(n, 8.0), "float16").mse(np.zeros(n)).item() == 64.0


def test_logsumexp_at_its_ends() -> None:
    inf = float("inf")
    x = leaf([[inf, 0.0], [-inf, -inf], [1000.0, 1000.0]])
    with np.errstate(divide="ignore"):
        y = x.logsumexp()
    np.testing.assert_allclose(y.data, [inf, -inf, 1000 + np.log(2)])
    for dtype in ("uint8", "int8"):
        top = Tensor(np.array([100, 0], dtype=dtype)).logsumexp()
        assert (top.item(), str(top.dtype)) == (100.0, "float32")


def test_the_power_zero_of_tiny_numbers() -> None:
    for dtype, tiny in (("float16", 1e-5), ("float32", 1e-40), ("float64", 1e-320)):
        x = leaf([tiny, 0.0], dtype)
        (x**0).sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]


def test_masked_logits_do_not_spoil_cross_entropy() -> None:
    """A class of logit -inf without weight counts nothing: 0 * -inf is not allowed to be NaN."""
    x = leaf([[0.0, -float("inf"), 0.0]])
    loss = x.cross_entropy(np.array([2]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(x.grad, [[0.5, 0.0, -0.5]])


@pytest.mark.parametrize("case", [c for c in CASES if c.shapes is None], ids=str)
def test_integers_become_float32(case: Case) -> None:
    """Functions of integers give float32, arithmetic on integers stays NumPy's."""
    whole = [Tensor(np.array([1, 2, 3])) for _ in range(case.arity)]
    y = case.call(*whole)
    arithmetic = case.method in (
        *(
            "__add__",
            "__sub__",
            "__mul__",
            "__pow__",
            "__neg__",
            "abs",
            "relu",
            "maximum",
            "minimum",
        ),
    )
    assert y.dtype == ("int64" if arithmetic else "float32")


def test_a_sparse_gradient_holds_the_rows_alone() -> None:
    """10,000 × 64 of float32, two rows: two rows of numbers and two row numbers."""
    table = Tensor(np.ones((10_000, 64), dtype="f4"), requires_grad=True)
    table.embedding(np.array([3, 7]), sparse=True).sum().backward()
    assert isinstance(table.grad, RowSparse)
    assert table.grad.nbytes == 2 * 64 * 4 + 2 * 8
    assert table.grad.dense().nbytes == 10_000 * 64 * 4
    assert repr(table.grad) == "RowSparse(2 of 10000 rows, 528 bytes)"


def test_a_sparse_gradient_equals_the_dense_one() -> None:
    rows = np.array([[0, 2], [2, 1]])
    weights = np.random.default_rng(0).normal(size=(2, 2, 3))
    data = np.ones((4, 3))
    dense, sparse = Tensor(data, requires_grad=True), Tensor(data, requires_grad=True)
    for _ in range(2):  # and so they add up
        (dense.embedding(rows) * weights).sum().backward()
        (sparse.embedding(rows, sparse=True) * weights).sum().backward()
    np.testing.assert_allclose(np.asarray(sparse.grad), dense.grad)
    merged = sparse.grad.coalesce()
    assert merged.rows.tolist() == [0, 1, 2]
    np.testing.assert_allclose(merged.dense(), dense.grad)
    (sparse * weights[0, 0]).sum().backward()  # a dense part makes it dense
    (dense * weights[0, 0]).sum().backward()
    assert isinstance(sparse.grad, np.ndarray)
    np.testing.assert_allclose(sparse.grad, dense.grad)


def test_a_sparse_gradient_is_dense_where_it_must_be() -> None:
    """On its way to an intermediate result, for a hook, under create_graph and in grad()."""
    table = Tensor(np.ones((4, 3)), requires_grad=True)
    (table * 2).embedding([1], sparse=True).sum().backward()
    assert isinstance(table.grad, np.ndarray)
    table.zero_grad()
    kinds: list[type] = []
    with table.register_hook(lambda g: kinds.append(type(g))):
        table.embedding([1], sparse=True).sum().backward()
    assert kinds == [np.ndarray]
    for create_graph in (False, True):
        y = table.embedding([1, 1], sparse=True).square().sum()
        (g,) = bg.grad(y, table, create_graph=create_graph)
        assert g.tolist()[1] == [4.0] * 3


def test_indexing_takes_tensors_and_lists() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert x[Tensor(np.array([1, 0]))].tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert x[x > 2].tolist() == [3.0, 4.0]
    assert x[[1]].tolist() == [[3.0, 4.0]]
    assert x[[]].shape == (0, 2)
    assert x[:, Tensor(np.array(1))].tolist() == [2.0, 4.0]
    assert [row.tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    a, b = x
    (a * b).sum().backward()
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_composites_of_shape() -> None:
    x = leaf([[[1.0], [2.0]]])
    assert x.squeeze().shape == (2,)
    assert x.squeeze(0).shape == x.squeeze(-3).shape == (2, 1)
    assert x.unsqueeze(-1).shape == (1, 2, 1, 1)
    assert x.flatten().shape == (2,)
    assert x.flatten(1).shape == (1, 2)
    assert (+x) is x
    copied = x.clone()
    assert copied.tolist() == x.tolist()
    assert not np.shares_memory(copied.data, x.data)
    copied.sum().backward()
    assert x.grad.tolist() == [[[1.0], [1.0]]]


@pytest.mark.parametrize("name", ["Max", "Min", "Sqrt", "Exp", "Softmax"])
def test_a_rule_that_needs_its_output_computes_it_by_hand(name: str) -> None:
    x = leaf([1.0, 4.0])
    rule = getattr(rules, f"{name}Backward")
    method = next(method for method, other in bg.RULES.items() if other is rule)
    y = getattr(x, method)()
    g = np.ones(y.shape, dtype="f4")
    y.backward(g)
    (by_hand,) = rule(x).apply(g)
    np.testing.assert_array_equal(by_hand, x.grad)


def test_a_rule_without_apply_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Function has no apply\(grad_output\)"):
        bg.Function().apply(1.0)


def test_what_a_tensor_is_in_python() -> None:
    x = leaf([2.0])
    assert (float(x), int(x), bool(x)) == (2.0, 2, True)
    assert repr(x) == "Tensor([2.], dtype=float32, requires_grad=True)"
    assert bg.ones(2, 3).shape == bg.zeros((2, 3)).shape == bg.randn([2, 3]).shape == (2, 3)
    assert (300 - Tensor(np.array([1], dtype="int8"))).tolist() == [299]
    with pytest.raises(TypeError):
        x @ 3
    with pytest.raises(TypeError):
        x & "a"


def test_a_sparse_gradient_can_be_scaled() -> None:
    """What clipping and averaging do to dense ones."""
    table = Tensor(np.ones((4, 3)), requires_grad=True)
    table.embedding([1], sparse=True).sum().backward()
    table.grad *= 3
    assert (2 * table.grad / 4).astype("float32").dense()[1].tolist() == [1.5] * 3


class Index:
    """A number by its protocol alone."""

    def __index__(self) -> int:
        return 1


def test_every_way_to_name_places_adds_repeated_ones() -> None:
    """Lists, tuples inside a tuple, buffers: what repeats an index adds its gradients."""
    for key in ([1, 1], ((1, 1),), array.array("q", [1, 1]), np.array([1, 1]), range(1, 2)):
        x = leaf([1.0, 2.0, 3.0])
        y = x[key]
        y.sum().backward()
        assert x.grad.tolist() == [0.0, float(y.size), 0.0]
    assert leaf([1.0, 2.0])[Index()].item() == 2.0
    x = leaf([[1.0, 2.0, 3.0]])
    x[0, (1, 1)].sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0, 0.0]]
    x.zero_grad()
    start, end = Tensor(np.array(0)), Tensor(np.array(2))
    x[:, start:end].sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0, 0.0]]


def test_one_element_is_a_view_too() -> None:
    x = Tensor([[1.0, 2.0]])
    x[0, 1].fill_(9.0)
    x[0][0].fill_(8.0)
    assert x.tolist() == [[8.0, 9.0]]
    assert x._version == 2


def test_masks() -> None:
    x = leaf([1.0, 2.0, 3.0])
    assert x.masked_fill([True, False, False], 0.0).tolist() == [0.0, 2.0, 3.0]
    mask = (x > 1) & ~(x > 2) | (x == 3)
    assert mask.tolist() == [False, True, True]
    assert (np.array([True, False, False]) | (x > 2)).tolist() == [True, False, True]
    assert abs(-x).tolist() == x.tolist()


def test_numbers_beyond_the_integers() -> None:
    """An int that no integer dtype holds is taken as a float; one that no float holds is refused."""
    whole = Tensor(np.array([1, 2]))
    assert (2**70 - whole).dtype == (whole + 2**70).dtype == "float32"
    assert (leaf([1.0]) * 2**70).item() == 2.0**70
    assert (leaf([2.0], "longdouble") * np.longdouble(2)).dtype == np.longdouble
    for compute in (lambda: whole + 10**400, lambda: 10**400 - whole):
        with pytest.raises(bg.RangeError) as raised:
            compute()
        assert str(raised.value) == (
            "got an integer of 1329 bits beside a Tensor: the largest float is about 1.8e308. Use a smaller number."
        )
    with pytest.raises(bg.RangeError, match="that dtype does not reach so far"):
        Tensor(np.array([1], dtype="int8")) + 300
    small = Tensor(np.array([1], dtype="int8"))
    for edit, seen in [
        (lambda: small.__setitem__(0, 300), "300"),
        (lambda: small.fill_(300), "300"),
        (lambda: small.copy_(np.array([300.0])), "300.0"),
    ]:
        with pytest.raises(bg.RangeError) as too_large:
            edit()
        assert str(too_large.value) == (
            f"numbers from {seen} to {seen} into a Tensor of int8: it reaches from -128 to 127. "
            "Use a wider dtype, or smaller numbers."
        )
    with pytest.raises(bg.RangeError, match="numbers from nan to nan"):
        small.fill_(float("nan"))
    with pytest.raises(bg.RangeError, match="that dtype does not reach so far"):
        Tensor(np.array([1], dtype="uint8")).where([True], 300)


@pytest.mark.parametrize("value", [None, 1j, "a", np.ma.masked_array([1.0], [True])])
def test_what_is_no_number_is_not_written(value: Any) -> None:
    x = Tensor([1.0])
    for edit in (lambda: x.fill_(value), lambda: x.__setitem__(0, value), lambda: x * value):
        with pytest.raises((bg.DtypeError, TypeError)):
            edit()
    assert (x.tolist(), x._version) == ([1.0], 0)


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (
        lambda x: x[5],
        bg.IndexingError,
        (
            "x[5] of a Tensor of shape (2, 3): index 5 is out of bounds for axis 0 with size 2. "
            "Use an index inside the shape."
        ),
    ),
    (
        lambda x: x[0.5],
        bg.IndexingError,
        (
            "x[0.5] of a Tensor of shape (2, 3): only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) "
            "and integer or boolean arrays are valid indices. Use an index inside the shape."
        ),
    ),
    (
        lambda x: x.scatter(np.array([9]), (2, 3)),
        bg.IndexingError,
        (
            "scatter of shape (2, 3) to array([9]) in (2, 3): index 9 is out of bounds for axis 0 with size 2. "
            "Use the key that selects this shape."
        ),
    ),
    (
        lambda x: x.sum(axis=2),
        bg.ShapeError,
        (
            "sum of shape (2, 3) along axis 2: axis 2 is out of bounds for array of dimension 2. "
            "Name axes from -2 to 1, each once."
        ),
    ),
    (
        lambda x: x.softmax(4),
        bg.ShapeError,
        (
            "softmax of shape (2, 3) along axis 4: axis 4 is out of bounds for array of dimension 2. Name axes from "
            "-2 to 1, each once."
        ),
    ),
    (
        lambda x: x[:0].max(),
        bg.ShapeError,
        (
            "max of shape (0, 3): no element is the largest or smallest of none. "
            "Leave empty tensors out, or reduce another axis."
        ),
    ),
    (
        lambda x: x.transpose(0, 5),
        bg.ShapeError,
        (
            "transpose(0, 5) of shape (2, 3): axis2: axis 5 is out of bounds for array of dimension 2. "
            "Name two axes from -2 to 1."
        ),
    ),
    (
        lambda x: x.permute(0, 0),
        bg.ShapeError,
        "permute(0, 0) of shape (2, 3): each of the 2 axes must be named once. Name 0 to 1 in the order wanted.",
    ),
    (
        lambda x: x.broadcast_to(4, 3),
        bg.ShapeError,
        (
            "broadcast_to(4, 3) of shape (2, 3): counted from the right, each length must be that of the new "
            "shape, or 1. "
            "Reshape first, so that new axes have length 1."
        ),
    ),
    (
        lambda x: x.concatenate(x, np.ones((2, 2))),
        bg.ShapeError,
        (
            "concatenate of shapes (2, 3), (2, 3), (2, 2) along axis 0: all other axes must have equal lengths. "
            "Reshape, or use stack() for a new axis."
        ),
    ),
    (
        lambda x: x.where(np.ones(3), 0),
        bg.DtypeError,
        "where() with a condition of float64: it chooses by True and False. Compare first, as in x > 0.",
    ),
    (
        lambda x: x.where(np.ones(4, dtype=bool), 0),
        bg.ShapeError,
        (
            "shapes (2, 3) and (4,) do not broadcast: counted from the right, two lengths must be equal or one "
            "of them 1. "
            "Reshape one of the two."
        ),
    ),
    (
        lambda x: x.maximum("a"),
        bg.DtypeError,
        "maximum() with str: it takes a Tensor, an array or a number. Wrap lists with bytegrad.Tensor(...).",
    ),
    (
        lambda x: x.gelu("fast"),
        ValueError,
        "gelu(approximate='fast'): there are two forms. Use 'none' or 'tanh'.",
    ),
    (
        lambda x: x.astype("int64"),
        bg.GraphError,
        (
            "astype(int64) of a Tensor that requires grad: int64 has no derivative, and the gradient would end here "
            "unseen. Use .detach().astype(...) if that is meant."
        ),
    ),
    (
        lambda x: x.embedding([0.5]),
        bg.DtypeError,
        "embedding with indices of float64: rows have numbers. Use integers, as in .astype('int64').",
    ),
    (
        lambda x: x.embedding([0, 2]),
        bg.RangeError,
        (
            "embedding index 2: there are 2, numbered from 0 to 1, and it names no row. "
            "Look at where the numbers come from."
        ),
    ),
    (
        lambda x: x.embedding([-1]),
        bg.RangeError,
        (
            "embedding index -1: there are 2, numbered from 0 to 1, and it names no row. "
            "Look at where the numbers come from."
        ),
    ),
    (
        lambda x: x[0].embedding([0]),
        bg.ShapeError,
        "embedding in a table of shape (3,): it takes rows of a table. Reshape to (V, d).",
    ),
    (
        lambda x: x.linear(np.ones((2, 4))),
        bg.ShapeError,
        (
            "linear of x (2, 3) with weight (2, 4): it computes x @ weight, with x (..., in) and weight (in, out). "
            "Make the last axis of x as long as the first of weight, or transpose the weight."
        ),
    ),
    (
        lambda x: x.linear(np.ones((3, 4)), np.ones(3)),
        bg.ShapeError,
        "linear with weight (3, 4) and bias (3,): each output has one bias. Use a bias of shape (4,).",
    ),
    (
        lambda x: x.layer_norm(np.ones(2)),
        bg.ShapeError,
        "layer_norm of shape (2, 3) with weight (2,): the last axis has one weight an element. Use shape (3,).",
    ),
    (
        lambda x: x.sum().layer_norm(),
        bg.ShapeError,
        "layer_norm of shape (): it needs numbers along the last axis. Reshape to (..., d).",
    ),
    (
        lambda x: x.mse(np.ones(3)),
        bg.ShapeError,
        (
            "mse of shape (2, 3) with a target of shape (3,): each output has its own target, and broadcasting would "
            "compare others. Reshape the one that is wrong."
        ),
    ),
    (
        lambda x: x.mse(x, "avg"),
        ValueError,
        "reduction='avg': a loss knows three. Use 'mean', 'sum' or 'none'.",
    ),
    (
        lambda x: (x * 0 + 2).bce(x),
        bg.RangeError,
        (
            "bce of numbers from 2 to 2: they must be probabilities, from 0 to 1. "
            "Put a sigmoid before, or use bce_with_logits."
        ),
    ),
    (
        lambda x: x.cross_entropy(np.array([0, 3])),
        bg.RangeError,
        (
            "cross_entropy target 3: there are 3, numbered from 0 to 2, and it names no class. "
            "Look at where the numbers come from."
        ),
    ),
    (
        lambda x: x.cross_entropy(np.array([0])),
        bg.ShapeError,
        (
            "cross_entropy of logits (2, 3) with target (1,) of int64: class numbers have shape (2,), probabilities "
            "(2, 3). Put the classes on the last axis."
        ),
    ),
    (
        lambda x: x.cross_entropy(np.array([0.0, 1.0])),
        bg.DtypeError,
        (
            "cross_entropy with class numbers of float64: a class has a whole number. "
            "Use integers, as in .astype('int64')."
        ),
    ),
    (
        lambda x: x.cross_entropy(np.array([-100, -100])),
        bg.RangeError,
        (
            "cross_entropy(reduction='mean') with no sample that counts: a mean of nothing is no number. "
            "Leave such a batch out, or use reduction='sum'."
        ),
    ),
    (
        lambda x: (x > 1) - (x > 2),
        bg.DtypeError,
        "subtract of booleans: True and False are not subtracted. Use ~ & | or !=, or .astype('int64') first.",
    ),
    (
        lambda x: -(x > 1),
        bg.DtypeError,
        "-x of booleans: True and False have no sign. Use ~x for not, or .astype('int64') first.",
    ),
    (
        lambda x: ~x,
        bg.DtypeError,
        "~x with float32: it combines True and False. Compare first, as in x > 0.",
    ),
    (
        lambda x: (x > 1) & 3,
        bg.DtypeError,
        "x & y with bool, int64: it combines True and False. Compare first, as in x > 0.",
    ),
    (
        lambda x: Tensor(np.array([2])) ** -1,
        bg.RangeError,
        "Integers to negative integer powers are not allowed. Make the integers floating, as in .astype('float32').",
    ),
    (
        lambda x: x * np.ma.masked_array(np.ones(3), [True, False, False]),
        bg.DtypeError,
        (
            "got a masked array: a Tensor has no mask, and would compute with what it hides. "
            "Use .filled(number), and keep the mask as a Tensor of its own."
        ),
    ),
    (
        lambda x: np.arange(9)[x[0, 0] :],
        bg.DtypeError,
        "a Tensor of float32 as an index: places are counted in whole numbers. Use .astype('int64').",
    ),
    (
        lambda x: x.concatenate(x, axis=None),
        bg.ShapeError,
        "concatenate along axis None: tensors are joined along one axis. Name it by a whole number.",
    ),
    (
        lambda x: x.detach().broadcast_to(2, 2, 3).add_(1),
        bg.GraphError,
        (
            "x.add_(y) with x over memory that is read-only, such as a broadcast view, whose elements share it: "
            "an edit of "
            "one would be one of others. Edit x.clone(), or what x is a view of."
        ),
    ),
    (
        lambda x: bg.grad(5, x),
        bg.DtypeError,
        "grad(): output 0 is int: gradients lead from Tensors to Tensors. Pass the Tensor itself.",
    ),
    (
        lambda x: bg.gradcheck(lambda x: 3.0, leaf([1.0], "float64")),
        bg.DtypeError,
        "gradcheck: the function returned float: only a Tensor has gradients. Return one.",
    ),
    (
        lambda x: x.clamp(),
        ValueError,
        "clamp() without a bound: there is nothing to clamp to. Pass min=, max= or both.",
    ),
    (
        lambda x: x.sum().var(),
        bg.ShapeError,
        (
            "var() over 1 elements with correction=1: it divides by their difference, 0. "
            "Take more elements, or correction=0."
        ),
    ),
    (
        lambda x: x.squeeze(0),
        bg.ShapeError,
        "squeeze(0) of shape (2, 3): only an axis of length 1 can go. Name one, or leave it out.",
    ),
    (
        lambda x: x.unsqueeze(4),
        bg.ShapeError,
        "unsqueeze(4) of shape (2, 3): it can stand from -3 to 2. Use one of these.",
    ),
    (
        lambda x: x.flatten(1, 0),
        bg.ShapeError,
        (
            "flatten(1, 0) of shape (2, 3): it joins neighbouring axes, from the first named to the last. "
            "Name axes from 0 to 1, the smaller first."
        ),
    ),
    (
        lambda x: Tensor(np.ma.masked_array([1.0, 2.0], [True, False])),
        bg.DtypeError,
        (
            "got a masked array: a Tensor has no mask, and would compute with what it hides. "
            "Use .filled(number), and keep the mask as a Tensor of its own."
        ),
    ),
    (
        lambda x: x.linear(weight=leaf(np.ones((3, 2)))),
        bg.DtypeError,
        "weight= is a Tensor that requires grad: gradients flow to positional inputs only. Pass it by position.",
    ),
]


@pytest.mark.parametrize(("compute", "error", "text"), ERRORS)
def test_exact_errors(compute: Any, error: type[Exception], text: str) -> None:
    """What was seen, why it cannot work, what to do."""
    with pytest.raises(error) as raised:
        compute(leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    assert str(raised.value) == text


class _Returns(bg.Function):
    """A rule whose `apply` returns what the test says."""

    what: Any = None

    def apply(self, g: Any) -> Any:
        return self.what


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        (
            np.ones(2),
            bg.ShapeError,
            (
                "_Returns.apply returned ndarray: the call had 1 inputs, and each needs its own. Return a tuple "
                "with one "
                "gradient, or None, an input."
            ),
        ),
        (
            (np.ones(2), None),
            bg.ShapeError,
            (
                "_Returns.apply returned 2 gradients: the call had 1 inputs, and each needs its own. Return a "
                "tuple with "
                "one gradient, or None, an input."
            ),
        ),
        (
            (np.ones(3),),
            bg.ShapeError,
            (
                "_Returns.apply returned a gradient of shape (3,) for an input of shape (2,): summing over "
                "broadcast axes "
                "cannot make one of the other. Return it in the input's shape, or in the shape that it was "
                "broadcast to."
            ),
        ),
        (
            (np.ones(2, dtype=int),),
            bg.DtypeError,
            (
                "_Returns.apply returned a gradient of int64 for an input of float32: a gradient is of floating "
                "numbers, "
                "or it would be rounded. Compute it from grad_output, or use .astype."
            ),
        ),
        (
            ("1",),
            bg.DtypeError,
            (
                "_Returns.apply returned str for an input of shape (2,): a gradient is an array of floating numbers. "
                "Return an array, or None where no gradient flows."
            ),
        ),
    ],
)
def test_wrong_returns_of_a_rule_are_refused_by_name(
    what: Any, error: type[Exception], text: str
) -> None:
    x = leaf([1.0, 2.0])
    y = bg.tracked(lambda x: Tensor(x.data), _Returns)(x)
    _Returns.what = what
    with pytest.raises(error) as raised:
        y.sum().backward()
    assert str(raised.value) == text
    assert x.grad is None


@pytest.mark.parametrize(
    ("returned", "seen"),
    [((1, 2), "tuple"), (np.ones(2), "ndarray"), (Tensor([True]), "a Tensor of bool")],
)
def test_wrong_returns_of_a_function_are_refused_by_name(returned: Any, seen: str) -> None:
    def mine(x: Any) -> Any:
        return returned

    with pytest.raises(bg.DtypeError) as raised:
        bg.tracked(mine, _Returns)(leaf([1.0]))
    assert str(raised.value) == (
        f"test_wrong_returns_of_a_function_are_refused_by_name.<locals>.mine returned {seen}, and an input requires "
        "grad: a recorded call makes one Tensor of floating numbers, which the gradient arrives at. "
        "Return bytegrad.Tensor(...)."
    )
