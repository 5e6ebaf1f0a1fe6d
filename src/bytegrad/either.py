"""Functions that take an array or a Tensor, so that a rule serves the first derivative and every higher one.

In a backward pass rules compute on arrays, which is fast. Under ``create_graph=True`` they compute on Tensors, which
is recorded. A rule cannot tell which.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from bytegrad import kernels
from bytegrad.tensor import Tensor, wrap


def _either(method: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def either(x: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(x, Tensor):
            return getattr(x, method)(*rest, **named)
        return function(x, *rest, **named)

    either.__name__ = either.__qualname__ = method
    either.__doc__ = f"Return `Tensor.{method}` of a Tensor, and the same of an array."
    return either


exp = _either("exp", np.exp)
log = _either("log", np.log)
sin = _either("sin", np.sin)
cos = _either("cos", np.cos)
tanh = _either("tanh", np.tanh)
erf = _either("erf", kernels.erf)
sigmoid = _either("sigmoid", kernels.sigmoid)
softmax = _either("softmax", kernels.softmax)
log_softmax = _either("log_softmax", kernels.log_softmax)
permute = _either("permute", np.transpose)
scatter = _either("scatter", kernels.scatter)
broadcast_to = _either("broadcast_to", np.broadcast_to)


def where(condition: Any, x: Any, y: Any) -> Any:
    """Return x where the condition is True, y elsewhere; x or y may be a number."""
    if isinstance(x, Tensor):
        return x.where(condition, y)
    if isinstance(y, Tensor):
        return wrap(np.asarray(x, dtype=y.dtype)).where(condition, y)
    return np.where(condition, x, y)


def masked(g: Any, keep: Any) -> Any:
    """Return g where `keep` is True, 0 elsewhere; also where g is infinite, and inf * 0 would be NaN.

    On arrays the bits of each number are masked: a choice element by element (`np.where`) takes some twenty times
    as long on a large array.
    """
    if isinstance(g, Tensor):
        return g.where(keep, 0)
    if g.dtype.itemsize > 8:  # no integer is as wide
        return np.where(keep, g, 0)
    bits = np.dtype(f"i{g.dtype.itemsize}")
    mask = np.asarray(keep).astype(bits)
    np.negative(mask, out=mask)  # True becomes 111…1
    return (mask & g.view(bits)).view(g.dtype)


def sign(x: Any) -> Any:
    """Return -1, 0 or 1, the sign of each element: a constant, whose own derivative is 0."""
    return wrap(np.sign(x._data)) if isinstance(x, Tensor) else np.sign(x)
