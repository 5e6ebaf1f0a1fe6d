"""Functions: PyTorch's values and gradients, and nothing silently wrong."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bytegrad import DtypeError, ShapeError, Tensor, gradcheck, memory, random
from bytegrad import functional as F  # noqa: N812 - the name that PyTorch's users know

RNG = np.random.default_rng(0)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def leaves(*arrays: np.ndarray) -> list[Tensor]:
    return [Tensor(array, requires_grad=True) for array in arrays]


def test_a_reduction_is_no_class_to_ignore() -> None:
    with pytest.raises(TypeError, match="positional"):
        F.cross_entropy(np.ones((1, 2)), np.array([0]), "sum")  # type: ignore[misc]


def test_every_function_is_exported() -> None:
    public = {
        name
        for name, f in vars(F).items()
        if callable(f)
        and getattr(f, "__module__", "") in ("bytegrad.functional", "bytegrad.joining")
        if not name.startswith("_")
    }
    assert public - {"tensor_of"} == set(F.__all__)


# PyTorch's values and gradients.

INDICES = np.array([[2, 0], [2, 1]])
CLASSES = np.array([1, -100, 0])
SOFT = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
BITS = np.array([[0.0, 1.0], [1.0, 0.3]])
MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, True, True]])
BIAS = np.where(MASK, 0.5, -np.inf)

#: name, our call, PyTorch's call (with its functional and the torch module), the inputs.
PARITY: list[tuple[str, Callable[..., Any], Callable[..., Any], list[np.ndarray]]] = [
    ("relu", F.relu, lambda f, t, x: f.relu(x), [normal(3, 4)]),
    ("leaky", F.leaky_relu, lambda f, t, x: f.leaky_relu(x), [normal(3, 4)]),
    ("sigmoid", F.sigmoid, lambda f, t, x: f.sigmoid(x), [normal(3, 4)]),
    ("tanh", F.tanh, lambda f, t, x: f.tanh(x), [normal(3, 4)]),
    ("gelu", F.gelu, lambda f, t, x: f.gelu(x), [normal(3, 4)]),
    (
        "gelu tanh",
        lambda x: F.gelu(x, "tanh"),
        lambda f, t, x: f.gelu(x, approximate="tanh"),
        [normal(3, 4)],
    ),
    ("softplus", F.softplus, lambda f, t, x: f.softplus(x), [normal(3, 4)]),
    ("softmax", lambda x: F.softmax(x, 0), lambda f, t, x: f.softmax(x, 0), [normal(3, 4)]),
    ("log_softmax", F.log_softmax, lambda f, t, x: f.log_softmax(x, -1), [normal(3, 4)]),
    (
        "linear",
        F.linear,
        lambda f, t, x, w, b: f.linear(x, w.T, b),
        [normal(2, 3, 4), normal(4, 5), normal(5)],
    ),
    (
        "layer_norm",
        F.layer_norm,
        lambda f, t, x, w, b: f.layer_norm(x, (4,), w, b),
        [normal(2, 3, 4), normal(4), normal(4)],
    ),
    (
        "embedding",
        lambda w: F.embedding(INDICES, w),
        lambda f, t, w: f.embedding(t.tensor(INDICES), w),
        [normal(3, 4)],
    ),
    ("mse", F.mse_loss, lambda f, t, x, y: f.mse_loss(x, y), [normal(3, 4), normal(3, 4)]),
    (
        "bce",
        lambda x: F.binary_cross_entropy(F.sigmoid(x), BITS, "sum"),
        lambda f, t, x: f.binary_cross_entropy(f.sigmoid(x), t.tensor(BITS), reduction="sum"),
        [normal(2, 2)],
    ),
    (
        "bce logits",
        lambda x: F.binary_cross_entropy_with_logits(x, BITS),
        lambda f, t, x: f.binary_cross_entropy_with_logits(x, t.tensor(BITS)),
        [normal(2, 2)],
    ),
    (
        "cross entropy",
        lambda x: F.cross_entropy(x, CLASSES),
        lambda f, t, x: f.cross_entropy(x, t.tensor(CLASSES)),
        [normal(3, 3)],
    ),
    (
        "soft cross entropy",
        lambda x: F.cross_entropy(x, SOFT, reduction="none"),
        lambda f, t, x: f.cross_entropy(x, t.tensor(SOFT), reduction="none"),
        [normal(3, 3)],
    ),
    (
        "where",
        lambda x, y: F.where(x > 0, x, y),
        lambda f, t, x, y: t.where(x > 0, x, y),
        [normal(3, 4), normal(4)],
    ),
    ("maximum", F.maximum, lambda f, t, x, y: t.maximum(x, y), [normal(3, 4), normal(4)]),
    ("minimum", F.minimum, lambda f, t, x, y: t.minimum(x, y), [normal(3, 4), normal(4)]),
    (
        "concatenate",
        lambda *x: F.concatenate(x, axis=1),
        lambda f, t, *x: t.cat(x, dim=1),
        [normal(2, 3), normal(2, 1), normal(2, 2)],
    ),
    (
        "stack",
        lambda *x: F.stack(x, axis=-1),
        lambda f, t, *x: t.stack(x, dim=-1),
        [normal(2, 3), normal(2, 3)],
    ),
    (
        "split",
        lambda x: F.split(x, [1, 3], axis=-1)[1] * 2,
        lambda f, t, x: t.split(x, [1, 3], dim=-1)[1] * 2,
        [normal(3, 4)],
    ),
    *(
        (
            f"attention {name}",
            lambda q, k, v, name=name, value=value: F.scaled_dot_product_attention(
                q, k, v, **{name: value}
            ),
            lambda f, t, q, k, v, name=name, value=value: f.scaled_dot_product_attention(
                q, k, v, **({"attn_mask": t.tensor(value)} if name == "mask" else {name: value})
            ),
            [normal(2, 3, 5), normal(2, 4, 5), normal(2, 4, 6)],
        )
        for name, value in [
            ("scale", None),
            ("scale", 0.3),
            ("is_causal", True),
            ("mask", MASK),
            ("mask", BIAS),
        ]
    ),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs"), [case[1:] for case in PARITY], ids=[case[0] for case in PARITY]
)
def test_values_and_gradients_are_pytorchs(
    ours: Callable[..., Any], theirs: Callable[..., Any], inputs: list[np.ndarray]
) -> None:
    torch = pytest.importorskip("torch")
    xs = leaves(*inputs)
    ys = [torch.tensor(array, requires_grad=True) for array in inputs]
    a, b = ours(*xs), theirs(torch.nn.functional, torch, *ys)
    np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-9, atol=1e-12)
    g = RNG.standard_normal(a.shape)
    a.backward(g)
    b.backward(torch.tensor(g))
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("ours", "inputs"),
    [(case[1], case[3]) for case in PARITY],
    ids=[case[0] for case in PARITY],
)
def test_gradients_are_borne_out_by_differences(
    ours: Callable[..., Any], inputs: list[np.ndarray]
) -> None:
    gradcheck(ours, *leaves(*inputs))


@pytest.mark.parametrize("case", PARITY, ids=[case[0] for case in PARITY])
def test_arrays_may_stand_for_tensors(case: Any) -> None:
    _, ours, _, inputs = case
    if case[0] == "where":  # it compares, and so needs a Tensor
        inputs = [Tensor(array) for array in inputs]
    a, b = ours(*inputs), ours(*[Tensor(array) for array in inputs])
    assert np.array_equal(a.data, b.data)
    assert not a.requires_grad


# Dropout.


def test_dropout_keeps_the_mean_and_the_rate() -> None:
    x = Tensor(np.ones(100_000, dtype=np.float32))
    y = F.dropout(x, 0.2, generator=np.random.default_rng(0))
    assert y.dtype == np.float32
    assert set(np.unique(y.data)) == {np.float32(0), np.float32(1.25)}
    assert np.mean(y.data == 0) == pytest.approx(0.2, abs=0.005)


def test_dropout_scales_the_gradient_as_the_value() -> None:
    (x,) = leaves(np.ones(50))
    y = F.dropout(x, 0.3, generator=np.random.default_rng(0))
    y.sum().backward()
    assert np.array_equal(x.grad, y.data)
    assert 0 < np.count_nonzero(y.data) < 50


def test_the_mask_costs_one_byte_an_element() -> None:
    (x,) = leaves(np.ones(1000))
    with memory.ledger() as led:
        y = F.dropout(x, 0.5)
    assert y.size == 1000
    assert led.current == 1000


def test_dropout_draws_only_where_it_drops() -> None:
    random.manual_seed(1)
    x = Tensor(np.ones(3))
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert random.default_generator().random() == np.random.default_rng(1).random()


def test_dropout_can_be_replayed() -> None:
    x = Tensor(np.ones(20))
    with random.witness() as states:
        first = F.dropout(x)
    with random.replaying(states):
        assert np.array_equal(F.dropout(x).data, first.data)
    assert not np.array_equal(F.dropout(x).data, first.data)


def test_dropping_everything_gives_zeros() -> None:
    (x,) = leaves(np.array([1.0, math.inf]))
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == [0, 0]
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, None, "0.5"])
def test_p_is_a_probability(p: Any) -> None:
    message = f"dropout with p={p!r}: it is the probability of a 0. Pass a number from 0 to 1."
    with pytest.raises(ValueError, match=exactly(message)):
        F.dropout(np.ones(2), p, training=False)


# Attention.


def qkv(*shape: int) -> list[Tensor]:
    return leaves(normal(*shape), normal(*shape), normal(*shape))


def test_a_query_that_may_attend_to_nothing_gets_zeros() -> None:
    mask = np.array([[True, True], [False, False]])
    for each in (mask, np.where(mask, 0.0, -np.inf)):
        q, k, v = qkv(2, 3)
        y = F.scaled_dot_product_attention(q, k, v, mask=each)
        y.sum().backward()
        assert y.data[1].tolist() == [0, 0, 0]
        assert q.grad[1].tolist() == [0, 0, 0]
        assert all(np.isfinite(x.grad).all() for x in (q, k, v))
        alone = F.scaled_dot_product_attention(q[:1], k, v)
        np.testing.assert_allclose(y.data[:1], alone.data)


def test_causal_attention_and_a_mask_hold_together() -> None:
    q, k, v = qkv(4, 3)
    mask = np.array([False, True, True, True])  # nobody looks at key 0
    both = np.tri(4, dtype=bool) & mask
    a = F.scaled_dot_product_attention(q, k, v, mask=mask, is_causal=True)
    b = F.scaled_dot_product_attention(q, k, v, mask=both)
    assert np.array_equal(a.data, b.data)
    assert a.data[0].tolist() == [0, 0, 0]


def test_a_learned_bias_gets_its_gradient() -> None:
    q, k, v = qkv(2, 3, 4)
    (bias,) = leaves(normal(3, 3))
    gradcheck(lambda b: F.scaled_dot_product_attention(q, k, v, mask=b), bias)


def test_masks_do_not_change_the_dtype() -> None:
    x = Tensor(normal(2, 3), dtype="float32")
    for mask in (np.zeros((2, 2)), Tensor(np.zeros((2, 2))), np.ones((2, 2), dtype=bool)):
        assert F.scaled_dot_product_attention(x, x, x, mask=mask).dtype == np.float32
    assert F.scaled_dot_product_attention(x, x, x, is_causal=True).dtype == np.float32


def test_masks_keep_nothing() -> None:
    q, k, v = qkv(8, 4)
    with memory.ledger() as plain:
        _ = F.scaled_dot_product_attention(q, k, v)
        kept = plain.current
    with memory.ledger() as masked:
        _ = F.scaled_dot_product_attention(q, k, v, mask=np.tri(8, dtype=bool), is_causal=True)
        assert masked.current == kept


def test_attention_drops_weights() -> None:
    q, k, v = qkv(5, 3)
    generator = np.random.default_rng(1)
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4, generator=generator)
    weights = F.softmax((q @ k.T) / math.sqrt(3))
    expected = F.dropout(weights, 0.4, generator=np.random.default_rng(1)) @ v
    np.testing.assert_allclose(y.data, expected.data)


@pytest.mark.parametrize(
    "shapes", [((3, 4), (3, 5), (3, 4)), ((3, 4), (2, 4), (3, 4)), ((4,), (3, 4), (3, 4))]
)
def test_shapes_that_do_not_meet_are_named(shapes: Any) -> None:
    q, k, v = shapes
    message = (
        f"attention with q {q}, k {k} and v {v}: q (..., T, d) meets k (..., S, d), and each key has its value in v "
        "(..., S, e). Make d the same in q and k, and S in k and v."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        F.scaled_dot_product_attention(*map(np.ones, shapes))


def test_pytorchs_order_after_the_mask_is_refused() -> None:
    q, k, v = qkv(2, 3)
    with pytest.raises(TypeError, match="positional"):
        F.scaled_dot_product_attention(q, k, v, None, 0.1, True)  # type: ignore[misc]


def test_scores_of_nothing_have_no_scale() -> None:
    q, k, v = np.ones((2, 0)), np.ones((3, 0)), np.ones((3, 1))
    message = (
        "attention with q (2, 0) and k (3, 0): 1/√d scales the scores, and d is 0. "
        "Give queries and keys a length, or pass a scale."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        F.scaled_dot_product_attention(q, k, v)
    assert F.scaled_dot_product_attention(q, k, v, scale=1.0).tolist() == [[1], [1]]


@pytest.mark.parametrize("shape", [(3,), (5, 4, 4)])
def test_a_mask_that_does_not_fit_is_named(shape: tuple[int, ...]) -> None:
    x = np.ones((4, 2))
    message = (
        f"attention with a mask of shape {shape} for scores of shape (4, 4): each query and key have one entry. "
        "Give the mask a shape that broadcasts to the scores'."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        F.scaled_dot_product_attention(x, x, x, mask=np.ones(shape, dtype=bool))


def test_a_mask_of_integers_is_refused() -> None:
    x = np.ones((4, 2))
    message = (
        "attention with a mask of int64: it could mean where to attend, or what to add. "
        "Pass booleans (mask == 1), or floats."
    )
    with pytest.raises(DtypeError, match=exactly(message)):
        F.scaled_dot_product_attention(x, x, x, mask=np.ones((4, 4), dtype=np.int64))


# Choosing and joining.


def test_numbers_take_the_tensors_dtype() -> None:
    x = Tensor([1.0, -1.0])
    mask = np.array([True, False])
    for y in (F.where(mask, 2, x), F.where(mask, x, 2), F.maximum(0, x), F.minimum(x, 0.5)):
        assert y.dtype == np.float32
    assert F.where(mask, 1.0, 2.0).tolist() == [1, 2]


def test_numbers_choose_with_gradient() -> None:
    (x,) = leaves(np.array([1.0, -1.0]))
    F.where(np.array([True, False]), 5.0, x).sum().backward()
    assert x.grad.tolist() == [0, 1]


@pytest.mark.parametrize("join", [F.concatenate, F.stack])
def test_no_tensors_cannot_be_joined(join: Callable[..., Any]) -> None:
    message = f"{join.__name__} of no tensors: there is no shape for the result. Pass at least one."
    with pytest.raises(ShapeError, match=exactly(message)):
        join([])


@pytest.mark.parametrize("join", [F.concatenate, F.stack])
@pytest.mark.parametrize("given", [Tensor([[1.0], [2.0]]), np.ones((2, 2)), 3])
def test_what_is_joined_comes_as_a_list(join: Callable[..., Any], given: Any) -> None:
    name = join.__name__
    message = (
        f"{name} of {type(given).__name__}: it puts several together, and they come as a list. "
        f"Pass {name}([a, b]), and the axis by name."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        join(given)


@pytest.mark.parametrize("join", [F.concatenate, F.stack])
def test_a_generator_of_tensors_will_do(join: Callable[..., Any]) -> None:
    assert join(Tensor([n]) for n in (1.0, 2.0)).data.ravel().tolist() == [1, 2]
    with pytest.raises(ShapeError, match="of no tensors"):
        join(x for x in ())


def test_only_the_like_are_stacked() -> None:
    message = (
        "stack of shapes (2,), (3,): side by side along a new axis, all must be alike. "
        "Use concatenate for an axis that they have, or pad them."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        F.stack([np.ones(2), np.ones(3), np.ones(2)])


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        *((2, [2, 2, 1]), (5, [5]), (9, [5]), ([0, 5], [0, 5]), ((1, 4), [1, 4])),
        *((np.int64(2), [2, 2, 1]), (np.array([2, 3]), [2, 3])),
    ],
)
def test_split_lengths(sizes: Any, lengths: list[int]) -> None:
    x = Tensor(normal(2, 5))
    pieces = F.split(x, sizes, axis=-1)
    assert [piece.shape for piece in pieces] == [(2, n) for n in lengths]
    assert np.array_equal(F.concatenate(pieces, axis=1).data, x.data)
    assert all(np.shares_memory(piece.data, x.data) for piece in pieces if piece.size)


@pytest.mark.parametrize("sizes", [0, -1, [2, 2], [6, -1], 2.5, None, [2.0, 3.0], "ab"])
def test_pieces_that_do_not_add_up_are_named(sizes: Any) -> None:
    message = (
        f"split of shape (5,) along axis 0 into {sizes}: the pieces must make up 5. "
        "Pass lengths that do, or one length above 0."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        F.split(np.ones(5), sizes)


@pytest.mark.parametrize(
    ("shape", "axis"), [((5,), 1), ((5,), -2), ((), 0), ((5,), 0.0), ((5,), None)]
)
def test_an_axis_that_is_not_there_is_named(shape: tuple[int, ...], axis: Any) -> None:
    n = len(shape)
    message = f"split of shape {shape} along axis {axis}: there is no such axis. Name one from {-n} to {n - 1}."
    with pytest.raises(ShapeError, match=exactly(message)):
        F.split(np.ones(shape), 1, axis)
