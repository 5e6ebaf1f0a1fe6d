"""Holding a rule to its promises: as many gradients as inputs, each of its input's shape and dtype."""

from typing import Any

import numpy as np

from bytegrad.errors import DtypeError, ShapeError
from bytegrad.record import Function
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor


def checked(fn: Function, grads: Any, as_tensors: bool) -> list[Any]:
    """Hold a rule to what rules promise: a tuple with a gradient or None for each input, each of which fits.

    All are fitted to their inputs before any is added anywhere. They are arrays, or Tensors if `as_tensors`.
    """
    edges = fn.edges or ()
    if isinstance(grads, tuple) and len(grads) == fn.arity:
        grads = grads[: len(edges)]  # inputs may be left out at the end
    if not isinstance(grads, tuple) or len(grads) != len(edges):
        seen = f"{len(grads)} gradients" if isinstance(grads, tuple) else type(grads).__name__
        raise ShapeError(
            f"{type(fn).__name__}.apply returned {seen}: the call had {len(edges)} inputs, and each needs its own. "
            "Return a tuple with one gradient, or None, an input."
        )
    return [
        None if edge is None or grad is None else _fit(grad, edge, fn, as_tensors)
        for edge, grad in zip(edges, grads, strict=True)
    ]


def _fit(grad: Any, edge: Function | Tensor, fn: Function, as_tensors: bool) -> Any:
    """Sum a gradient over the axes that broadcasting added or stretched, and give it the input's dtype."""
    shape, dtype = edge.shape, edge.dtype
    if type(grad) is np.ndarray and grad.shape == shape and grad.dtype is dtype:
        return grad  # as nearly always
    if not (as_tensors and isinstance(grad, Tensor)):
        grad = _as_gradient(grad, edge, fn)
    if grad.dtype.kind != "f":
        raise DtypeError(
            f"{type(fn).__name__}.apply returned a gradient of {grad.dtype} for an input of {dtype}: a gradient is of "
            "floating numbers, or it would be rounded. Compute it from grad_output, or use .astype."
        )
    if grad.shape != shape:
        if not _broadcasts(shape, grad.shape):
            raise ShapeError(
                f"{type(fn).__name__}.apply returned a gradient of shape {grad.shape} for an input of shape "
                f"{shape}: summing over broadcast axes cannot make one of the other. "
                "Return it in the input's shape, or in the shape that it was broadcast to."
            )
        added = grad.ndim - len(shape)
        if added > 0:
            grad = grad.sum(axis=tuple(range(added)))
        stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
        if stretched:
            grad = grad.sum(axis=stretched, keepdims=True)
    return grad if grad.dtype == dtype else grad.astype(dtype)


def _as_gradient(grad: Any, edge: Function | Tensor, fn: Function) -> Any:
    """Return what a rule returned in place of an array, if it can serve as a gradient."""
    if isinstance(grad, Tensor):
        return grad._data
    if isinstance(grad, RowSparse):
        for_a_plain_leaf = isinstance(edge, Tensor) and edge._hooks is None
        return grad if for_a_plain_leaf and grad.shape == edge.shape else grad.dense()
    if isinstance(grad, (np.ndarray, np.generic)):
        return np.asarray(grad)
    if isinstance(grad, (int, float)):
        return np.asarray(float(grad))
    raise DtypeError(
        f"{type(fn).__name__}.apply returned {type(grad).__name__} for an input of shape {edge.shape}: "
        "a gradient is an array of floating numbers. Return an array, or None where no gradient flows."
    )


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Tell whether an array of one shape can have been broadcast to another."""
    tail = to[len(to) - len(shape) :]
    return len(to) >= len(shape) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))


def is_fresh(grad: Any, arrived: Any, fn: Function, siblings: list[Any]) -> bool:
    """Tell whether nobody else can hold this array, so that a leaf may keep it without a copy."""
    # Not inherited: a learner's subclass may hand out an array that it keeps.
    if "keeps_no_gradient" not in vars(type(fn)) or not isinstance(grad, np.ndarray):
        return False
    if grad is arrived or grad.base is not None:
        return False
    return not any(grad is other for other in (*siblings, *fn.saved_tensors))
