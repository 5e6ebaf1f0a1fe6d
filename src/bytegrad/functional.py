"""Layers, losses and shapes as functions, under PyTorch's names: thin calls of what `Tensor` can do.

Arrays may stand for Tensors everywhere; they are not copied, and get no gradient. What a call keeps
for the backward pass stands in the rule of its method (`bytegrad.RULES`), or here where a function makes several calls.

Raises (all of them):
    DtypeError: an argument is not of real numbers.

>>> relu(Tensor([-1.0, 2.0]))
Tensor([0., 2.], dtype=float32)
"""

import math
from typing import Any

import numpy as np
from numpy.random import Generator

from bytegrad import random
from bytegrad.arrays import array_of
from bytegrad.errors import DtypeError, ShapeError
from bytegrad.joining import concatenate, maximum, minimum, split, stack, tensor_of, where
from bytegrad.kernels import Array
from bytegrad.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "concatenate",
    "cross_entropy",
    "dropout",
    "embedding",
    "gelu",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "maximum",
    "minimum",
    "mse_loss",
    "relu",
    "scaled_dot_product_attention",
    "sigmoid",
    "softmax",
    "softplus",
    "split",
    "stack",
    "tanh",
    "where",
]

# Functions of each element.


def relu(x: Any) -> Tensor:
    """Return max(x, 0).

    >>> relu(Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return tensor_of(x).relu()


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """Return x, times `negative_slope` where it is below 0.

    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]
    """
    return tensor_of(x).leaky_relu(negative_slope)


def sigmoid(x: Any) -> Tensor:
    """Return 1 / (1 + exp(-x)).

    >>> sigmoid(Tensor(0.0)).item()
    0.5
    """
    return tensor_of(x).sigmoid()


def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent.

    >>> tanh(Tensor(0.0)).item()
    0.0
    """
    return tensor_of(x).tanh()


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Return x Φ(x) with the normal distribution function Φ, or with ``approximate="tanh"`` its cheaper form.

    Source: [hendrycks2016].

    Raises:
        ValueError: another form is asked for.

    >>> gelu(Tensor([-9.0, 0.0, 9.0])).tolist()
    [-0.0, 0.0, 9.0]
    """
    return tensor_of(x).gelu(approximate)


def softplus(x: Any) -> Tensor:
    """Return log(1 + exp(x)).

    >>> round(softplus(Tensor(0.0)).item(), 4)  # log 2
    0.6931
    """
    return tensor_of(x).softplus()


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return exp(x) / Σ exp(x) along an axis, without overflow [blanchard2021].

    >>> softmax(Tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    return tensor_of(x).softmax(axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Return x - log Σ exp(x) along an axis, without overflow [blanchard2021].

    >>> log_softmax(Tensor([0.0, -1000.0])).tolist()
    [0.0, -1000.0]
    """
    return tensor_of(x).log_softmax(axis)


# Layers.


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return x @ weight + bias. Shapes: x (..., in), weight (in, out), bias (out,). PyTorch's weight is transposed.

    Raises:
        ShapeError: the shapes do not fit.

    >>> linear(Tensor([1.0, 2.0]), Tensor([[1.0], [10.0]]), Tensor([0.5])).tolist()
    [21.5]
    """
    return tensor_of(x).linear(tensor_of(weight), None if bias is None else tensor_of(bias))


def layer_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Return (x - mean) / √(variance + eps) * weight + bias, with both taken over the last axis.

    Shapes: x (..., d), weight and bias (d,). The arguments are those of `Tensor.layer_norm`. Source: [ba2016].

    Raises:
        ShapeError: the shapes do not fit.

    >>> layer_norm(Tensor([1.0, 3.0]), eps=0.0).tolist()
    [-1.0, 1.0]
    """
    scale = None if weight is None else tensor_of(weight)
    return tensor_of(x).layer_norm(scale, None if bias is None else tensor_of(bias), eps)


def embedding(indices: Any, weight: Any, sparse: bool = False) -> Tensor:
    """Return row i of `weight` for each i in `indices`. Shapes: weight (V, d), result (*indices.shape, d).

    Args:
        indices: integers, of any shape.
        weight: the table.
        sparse: give the table a `RowSparse` gradient, of the rows that were asked for alone.

    Raises:
        DtypeError: the indices are not integers.
        RangeError: an index is not one of 0 … V-1.
        ShapeError: `weight` has not two axes.

    >>> embedding(np.array([1, 1, 0]), Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]
    """
    return tensor_of(weight).embedding(indices, sparse)


def dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Return x with each element set to 0 with probability p, and the others divided by 1 - p: the mean stays.

    Keeps one byte an element, the mask. Without `training`, and with p = 0, it draws nothing and returns x. Source:
    [srivastava2014].

    Args:
        x: any shape.
        p: from 0 to 1; with 1 everything is 0.
        training: whether to drop at all.
        generator: where the mask is drawn from; None for `bytegrad.random.default_generator()`.

    Raises:
        ValueError: p is no probability.

    >>> dropout(np.ones(6), 0.5, generator=np.random.default_rng(0)).tolist()
    [2.0, 2.0, 2.0, 0.0, 0.0, 0.0]
    """
    given: Any = p
    if not (isinstance(given, (int, float, np.integer, np.floating)) and 0 <= p <= 1):
        raise ValueError(
            f"dropout with p={p!r}: it is the probability of a 0. Pass a number from 0 to 1."
        )
    whole = tensor_of(x)
    if not training or p == 0:
        return whole
    kept = random.witnessed(generator).random(whole.shape, dtype=np.float32) >= p
    thinned: Tensor = whole.where(kept, 0.0) * (1 / (1 - p) if p < 1 else 0.0)
    return thinned


# Losses.


def mse_loss(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Return (x - target)², averaged, added up, or each ("mean", "sum", "none").

    Raises:
        ShapeError: the target is not of x's shape.
        ValueError: another reduction.

    >>> mse_loss(Tensor([1.0, 3.0]), np.array([1.0, 1.0])).item()
    2.0
    """
    return tensor_of(x).mse(target, reduction=reduction)


def binary_cross_entropy(probability: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Return -t log p - (1 - t) log(1 - p), averaged, added up, or each ("mean", "sum", "none").

    Raises:
        RangeError: a probability outside 0 … 1.
        ShapeError: the target is not of p's shape.
        ValueError: another reduction.

    >>> round(binary_cross_entropy(Tensor([0.5]), np.array([1.0])).item(), 4)  # log 2
    0.6931
    """
    return tensor_of(probability).bce(target, reduction=reduction)


def binary_cross_entropy_with_logits(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Return the binary cross-entropy of sigmoid(x), computed from x: finite for every finite x.

    Raises:
        ShapeError: the target is not of x's shape.
        ValueError: another reduction than "mean", "sum", "none".

    >>> binary_cross_entropy_with_logits(Tensor([-1000.0]), np.array([1.0])).item()
    1000.0
    """
    return tensor_of(x).bce_with_logits(target, reduction=reduction)


def cross_entropy(
    logits: Any, target: Any, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Return -Σ t log softmax(logits) over the classes, which are on the last axis (PyTorch's: on the second).

    Args:
        logits: shape (..., classes).
        target: class numbers of shape (...), or probabilities of the logits' shape.
        ignore_index: the class number of samples to leave out.
        reduction: "mean" over the samples that count, "sum" or "none".

    Raises:
        ShapeError: the target has neither shape.
        RangeError: a class number that is none; or "mean" where every sample is ignored.
        ValueError: another reduction.

    >>> round(cross_entropy(Tensor([[0.0, 0.0]]), np.array([1])).item(), 4)  # log 2
    0.6931
    """
    return tensor_of(logits).cross_entropy(target, ignore_index=ignore_index, reduction=reduction)


# Attention.


def scaled_dot_product_attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    is_causal: bool = False,
    dropout_p: float = 0.0,
    generator: Generator | None = None,
    scale: float | None = None,
) -> Tensor:
    """Return softmax(scale · q kᵀ + mask) v: for each query a mean of the values, weighted by how keys meet it.

    PyTorch calls the mask ``attn_mask``, and takes what comes after it in another order; here that goes by name.
    A query that may attend to nothing gets zeros, and hands on zero gradients (PyTorch's, too). Keeps q · scale, k,
    v and the weights, S numbers a query; with dropout, the weights once more and the mask. Source: [vaswani2017].

    Args:
        q: queries, shape (..., T, d).
        k: keys, shape (..., S, d).
        v: values, shape (..., S, e).
        mask: booleans, True where a query may attend; or numbers that are added, -inf where it may not. Its shape
            broadcasts to (..., T, S).
        is_causal: query i attends to keys 0 … i only. A mask holds as well.
        dropout_p: how likely a weight is dropped, see `dropout`.
        generator: where the dropout is drawn from.
        scale: 1/√d if left out.

    Raises:
        ShapeError: shapes that do not fit, or queries of length 0 without a `scale`.
        DtypeError: a mask of integers, which says neither where nor how much.
        ValueError: `dropout_p` is no probability.

    >>> x = Tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> scaled_dot_product_attention(x, x, x, is_causal=True)[0].tolist()  # sees itself alone
    [1.0, 0.0]
    """
    q, k, v = tensor_of(q), tensor_of(k), tensor_of(v)
    fits = min(q.ndim, k.ndim, v.ndim) >= 2
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"attention with q {q.shape}, k {k.shape} and v {v.shape}: q (..., T, d) meets k (..., S, d), and each key "
            "has its value in v (..., S, e). Make d the same in q and k, and S in k and v."
        )
    if scale is None:
        if not q.shape[-1]:
            raise ShapeError(
                f"attention with q {q.shape} and k {k.shape}: 1/√d scales the scores, and d is 0. "
                "Give queries and keys a length, or pass a scale."
            )
        scale = 1 / math.sqrt(q.shape[-1])
    scores = (q * scale) @ k.transpose()  # (..., T, S)
    if mask is not None:
        scores = scores + _added(mask, scores)  # (..., T, S)
    if is_causal:
        allowed = np.tri(*scores.shape[-2:], dtype=np.bool_)
        scores = scores + _closed(allowed, scores)  # (..., T, S)
    weights = dropout(scores.softmax(), dropout_p, generator=generator)
    y: Tensor = weights @ v  # (..., T, e)
    return y


def _added(mask: Any, scores: Tensor) -> Any:
    """Return what a mask adds to the scores, in their dtype."""
    array = array_of(mask)
    try:
        fits = np.broadcast_shapes(array.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"attention with a mask of shape {array.shape} for scores of shape {scores.shape}: each query and key have "
            "one entry. Give the mask a shape that broadcasts to the scores'."
        )
    if array.dtype == np.bool_:
        return _closed(array, scores)
    if array.dtype.kind != "f":
        raise DtypeError(
            f"attention with a mask of {array.dtype}: it could mean where to attend, or what to add. "
            "Pass booleans (mask == 1), or floats."
        )
    return tensor_of(mask).astype(scores.dtype)


def _closed(allowed: Array, scores: Tensor) -> Array:
    """Return 0 where attention is allowed, and -inf elsewhere. To add it keeps nothing, unlike `Tensor.where`."""
    zero, closed = scores.dtype.type(0), scores.dtype.type(-np.inf)
    return np.asarray(np.where(allowed, zero, closed))
