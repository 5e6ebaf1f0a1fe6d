"""Keeping gradients within bounds, between `backward` and `step`."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bytegrad.admission import gradient, is_number
from bytegrad.kernels import Array
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor

#: Elements that are worked on at once: a scratch array of 64 KiB in float32, whatever the size of the parameter.
PIECE = 2**14


def clip_grad_norm_(
    params: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor, so that √(Σ g²) over all of them is at most `max_norm`; return what it was.

    In place. The squares are added in float64, so that many float32 elements neither overflow nor get lost. As in
    PyTorch, the factor is max_norm / (norm + 1e-6), and a norm that is no finite number is passed on into the
    gradients unless `error_if_nonfinite`. The norm is always this one: PyTorch's ``norm_type`` is 2 here. Source:
    [pascanu2013].

    Args:
        params: one Tensor or several; those without gradient count as 0.
        max_norm: the bound, 0 or more.
        error_if_nonfinite: raise instead if the norm is infinite or NaN; no gradient is changed then.

    Raises:
        ValueError: a bound below 0, or a norm that is no finite number.
        TypeError: something that is no Tensor.
        ShapeError, DtypeError: a `grad` that was assigned by hand, and is no array of floats of its Tensor's shape.

    >>> from bytegrad import zeros
    >>> x = zeros(2, requires_grad=True)
    >>> x.grad = np.array([3.0, 4.0], dtype=np.float32)
    >>> clip_grad_norm_([x], 1.0)
    5.0
    >>> x.grad.round(3).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    _check_bound(max_norm, "max_norm")
    grads = _grads(params, "clip_grad_norm_()")
    norm = math.sqrt(sum(map(_sum_of_squares, grads)))
    if error_if_nonfinite and not math.isfinite(norm):
        raise ValueError(
            f"the norm of the gradients is {norm}: no factor makes it finite. "
            "Look for the first such gradient with bytegrad.detect_anomaly(), or lower the learning rate."
        )
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # NaN, too
        with np.errstate(invalid="ignore"):  # ∞ · 0
            for g in grads:
                g *= factor
    return norm


def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Move every element of every gradient to the nearest number within ±clip_value, in place.

    Args:
        params: one Tensor or several; those without gradient are passed over.
        clip_value: the bound, 0 or more.

    Raises:
        ValueError: a bound below 0.
        TypeError, ShapeError, DtypeError: as for `clip_grad_norm_`.

    >>> from bytegrad import zeros
    >>> x = zeros(2, requires_grad=True)
    >>> x.grad = np.array([3.0, -0.5], dtype=np.float32)
    >>> clip_grad_value_(x, 1.0)
    >>> x.grad.tolist()
    [1.0, -0.5]
    """
    _check_bound(clip_value, "clip_value")
    for g in _grads(params, "clip_grad_value_()"):
        np.clip(g, -clip_value, clip_value, out=g)


def _grads(params: Any, taker: str) -> list[Array]:
    """Return the arrays that hold all gradients, or refuse them all."""
    if isinstance(params, Tensor):
        params = [params]
    given = list(params) if isinstance(params, Iterable) else [params]
    for p in given:
        if not isinstance(p, Tensor):
            raise TypeError(
                f"{taker} of {type(p).__name__}: only a Tensor has a gradient to clip. "
                "Pass module.parameters(), or a list of Tensors."
            )
    found = [(p, gradient(p, taker)) for p in given]
    grads: list[Array] = []
    for p, grad in found:
        if isinstance(grad, RowSparse):
            p.grad = grad.coalesce()  # each row once: its squares are those of the sum
            grads.append(p.grad.values)
        elif grad is not None:
            grads.append(grad)
    return grads


def _sum_of_squares(g: Array) -> float:
    flat = g.reshape(-1)
    pieces = (flat[i : i + PIECE].astype(np.float64) for i in range(0, flat.size, PIECE))
    return math.fsum(float(np.dot(piece, piece)) for piece in pieces)


def _check_bound(bound: float, name: str) -> None:
    if not (is_number(bound) and bound >= 0):
        raise ValueError(
            f"{name} is {bound!r}: nothing is that short. Give a number that is 0 or more."
        )
