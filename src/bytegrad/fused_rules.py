"""The rules of layers and losses: several steps of the chain rule written as one.

A rule saves nothing that it can compute again from its inputs at a small price: the two numbers that layer norm needs
for each row, the probabilities that cross-entropy needs.
"""

from math import exp, prod
from typing import Any

import numpy as np

from bytegrad.arrays import array_of, target_of
from bytegrad.either import log, log_softmax, scatter, sigmoid, softmax, where
from bytegrad.kernels import distribution, statistics
from bytegrad.record import Function, needs_grad
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor


class EmbeddingBackward(Function):
    """y = table[indices]: row i of the table receives the sum of the g that stand where i was asked for.

    Keeps the indices. With ``sparse=True`` the gradient is a `RowSparse`: those rows alone.
    """

    __slots__ = ("_shape", "_sparse")
    arity = 1

    def __init__(
        self, table: Any, indices: Any, sparse: bool = False, output: Tensor | None = None
    ) -> None:
        self._shape, self._sparse = table.shape, sparse
        self.save(array_of(indices))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return zeros with g added in the rows asked for, or those rows alone."""
        (rows,) = self.saved_tensors
        if self._sparse and isinstance(g, np.ndarray):
            return (RowSparse(rows.ravel(), g.reshape(rows.size, self._shape[1]), self._shape),)
        return (scatter(g, rows, self._shape),)


class LinearBackward(Function):
    """y = x @ W + b: g @ Wᵀ, xᵀ @ g, and g, which the engine sums over the rows. Keeps x and W, each for the other."""

    __slots__ = ()
    arity = 3

    def __init__(self, x: Any, weight: Any, bias: Any = None, output: Tensor | None = None) -> None:
        self.save(x if needs_grad(weight) else None, weight if needs_grad(x) else None)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g @ Wᵀ, xᵀ @ g, g."""
        x, weight = self.saved_tensors
        grad_x = None if weight is None else g @ weight.swapaxes(0, 1)  # (..., in)
        grad_weight = None
        if x is not None:
            rows = prod(x.shape[:-1])
            flat = x.reshape(rows, x.shape[-1])  # (rows, in)
            grad_weight = flat.swapaxes(0, 1) @ g.reshape(rows, g.shape[-1])  # (in, out)
        return grad_x, grad_weight, g


class LayerNormBackward(Function):
    """y = x̂ w + b with x̂ = (x - mean) / √(variance + eps). Keeps x and w, and computes x̂ again.

    With h = g w, x receives (h - mean(h) - x̂ mean(h x̂)) / √(variance + eps).
    """

    __slots__ = ("_eps", "_needs_x")
    arity = 3

    def __init__(
        self,
        x: Any,
        weight: Any = None,
        bias: Any = None,
        eps: float = 1e-5,
        output: Tensor | None = None,
    ) -> None:
        self._eps, self._needs_x = eps, needs_grad(x)
        needed = self._needs_x or needs_grad(weight)
        self.save(x if needed else None, weight if self._needs_x else None)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return the gradients of x, weight and bias."""
        x, weight = self.saved_tensors
        if x is None:
            return None, None, g
        mean, scale = statistics(x, self._eps)
        normal = (x - mean) * scale
        grad_x = None
        if self._needs_x:
            h = g if weight is None else g * weight
            across = (h * normal).mean(axis=-1, keepdims=True)  # (..., 1)
            grad_x = (h - h.mean(axis=-1, keepdims=True) - normal * across) * scale
        return grad_x, g * normal, g


class _LossBackward(Function):
    """What losses of each element share: x and the target are kept, the average is a factor."""

    __slots__ = ("_needs_target", "_scale")
    arity = 2

    def __init__(
        self, x: Any, target: Any, reduction: str = "mean", output: Tensor | None = None
    ) -> None:
        self._needs_target = needs_grad(target)
        self._scale = 1 / max(x.size, 1) if reduction == "mean" else 1.0
        self.save(x, target if isinstance(target, Tensor) else target_of(target, x))


class MSEBackward(_LossBackward):
    """y = (x - t)², averaged or added up: 2 g (x - t), and the opposite. Keeps x and t."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return 2 g (x - t) / n, and its opposite."""
        x, t = self.saved_tensors
        grad = (x - t) * (g * (2 * self._scale))
        return grad, -grad if self._needs_target else None


class BCEBackward(_LossBackward):
    """y = -t log p - (1-t) log(1-p): g (p - t) / (p (1-p)), the divisor not below 1e-12. Keeps p and t."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g (p - t) / (p (1 - p)) / n, and g (log(1-p) - log p) / n."""
        p, t = self.saved_tensors
        g = g * self._scale
        divisor = p * (1 - p)
        grad_t = None
        if self._needs_target:
            grad_t = g * (_log_above(1 - p) - _log_above(p))
        return (p - t) / where(divisor < 1e-12, 1e-12, divisor) * g, grad_t


class BCEWithLogitsBackward(_LossBackward):
    """y = the binary cross-entropy of sigmoid(x): g (sigmoid(x) - t), and -g x. Keeps x and t."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g (sigmoid(x) - t) / n, and -g x / n."""
        x, t = self.saved_tensors
        g = g * self._scale
        return (sigmoid(x) - t) * g, -x * g if self._needs_target else None


class CrossEntropyBackward(Function):
    """y = -Σ t log softmax(x), averaged over the samples that count: g (softmax(x) Σ t - t). Keeps x and the target."""

    __slots__ = ("_ignore", "_needs_target", "_reduction")
    arity = 2

    def __init__(
        self,
        x: Any,
        target: Any,
        ignore_index: int = -100,
        reduction: str = "mean",
        output: Tensor | None = None,
    ) -> None:
        self._ignore, self._reduction = ignore_index, reduction
        self._needs_target = needs_grad(target)
        kept = target if isinstance(target, Tensor) else target_of(target, x)
        self.save(x, kept if needs_grad(x) else None)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g (softmax(x) Σ t - t) / n, and -g log softmax(x) / n where the target is of probabilities."""
        x, target = self.saved_tensors
        t, count = target, prod(x.shape[:-1])
        if target is not None and target.dtype.kind != "f":
            numbers = array_of(target)
            t = distribution(numbers, x.shape, x.dtype, self._ignore)  # (..., classes)
            if target.shape != x.shape:
                count = int((numbers != self._ignore).sum())
        if self._reduction == "mean":
            g = g * (1 / max(count, 1))  # a count above 65504 is infinite in float16
        elif self._reduction == "none":
            g = g.reshape(*g.shape, 1)
        grad_x = None if t is None else (softmax(x) * t.sum(axis=-1, keepdims=True) - t) * g
        return grad_x, -log_softmax(x) * g if self._needs_target else None


def _log_above(p: Any) -> Any:
    """Return log(p), but not less than -100."""
    small = p < exp(-100)
    return where(small, -100.0, log(where(small, 1.0, p)))
