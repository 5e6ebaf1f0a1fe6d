"""The derivative rules: one small class an operation, then the table that says which method each serves.

Each rule is the vector-Jacobian product of its operation: `g` is d(loss)/d(output), what `apply` returns is
d(loss)/d(input). A rule keeps the least that this needs, and says so in its first line. Sums over broadcast axes and
casts to the input's dtype are the engine's business.
"""

from math import prod
from typing import Any

import numpy as np

from bytegrad.record import Function, needs_grad
from bytegrad.tensor import Axis, Tensor


class AddBackward(Function):
    """z = a + b: both receive g itself. Keeps nothing."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g, g."""
        return g, g


class SubBackward(Function):
    """z = a - b: a receives g, b receives -g. Keeps nothing."""

    __slots__ = ("_needs_b",)

    def __init__(self, a: Any, b: Any, output: Tensor | None = None) -> None:
        super().__init__()
        self._needs_b = needs_grad(b)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g, -g."""
        return g, -g if self._needs_b else None


class MulBackward(Function):
    """z = a * b: g * b and g * a. Keeps an operand only if the other needs a gradient."""

    __slots__ = ()

    def __init__(self, a: Any, b: Any, output: Tensor | None = None) -> None:
        self.save(a if needs_grad(b) else None, b if needs_grad(a) else None)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * b, g * a."""
        a, b = self.saved_tensors
        return None if b is None else g * b, None if a is None else g * a


class DivBackward(Function):
    """z = a / b: g / b and -g * a / b². Keeps b, and a only if b needs a gradient."""

    __slots__ = ("_needs_a",)

    def __init__(self, a: Any, b: Any, output: Tensor | None = None) -> None:
        self._needs_a = needs_grad(a)
        self.save(a if needs_grad(b) else None, b)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / b, -g * a / b²."""
        a, b = self.saved_tensors
        q = g / b
        return q if self._needs_a else None, None if a is None else -q * a / b


class NegBackward(Function):
    """z = -a: receives -g. Keeps nothing."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return -g."""
        return (-g,)


class PowBackward(Function):
    """z = a ** n: g * n * a**(n-1) and g * z * log(a). Keeps a and n, and z only if n needs a gradient."""

    __slots__ = ("_needs_a",)

    def __init__(self, a: Any, n: Any, output: Tensor | None = None) -> None:
        self._needs_a = needs_grad(a)
        z = None
        if needs_grad(n):
            z = output if output is not None else a**n
        self.save(a, n, z)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * n * a**(n-1), g * z * log(a)."""
        a, n, z = self.saved_tensors
        # where n is 0 the slope is 0, whatever a**(n-1) would be; where a is 0, so is z * log(a)
        grad_a = g * (n * a ** (n - 1 + (n == 0))) if self._needs_a else None
        grad_n = None if z is None else g * (z * _log(a + (a == 0)))
        return grad_a, grad_n


class MatmulBackward(Function):
    """z = a @ b: g @ bᵀ and aᵀ @ g. Keeps an operand only if the other needs a gradient."""

    __slots__ = ()

    def __init__(self, a: Any, b: Any, output: Tensor | None = None) -> None:
        self.save(a if needs_grad(b) else None, b if needs_grad(a) else None, a.ndim, b.ndim)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g @ bᵀ, aᵀ @ g."""
        a, b, a_ndim, b_ndim = self.saved_tensors
        # a 1-D operand stands for one row on the left (1, k), one column on the right (k, 1)
        if a_ndim == 1 and b_ndim == 1:
            g = g.reshape(1, 1)
        elif a_ndim == 1:
            g = g.reshape(*g.shape[:-1], 1, g.shape[-1])  # (..., 1, n)
        elif b_ndim == 1:
            g = g.reshape(*g.shape, 1)  # (..., m, 1)
        grad_a = grad_b = None
        if b is not None:
            grad_a = g @ (b.reshape(1, -1) if b_ndim == 1 else b.swapaxes(-1, -2))  # (..., m, k)
            if a_ndim == 1:
                grad_a = grad_a.reshape(*grad_a.shape[:-2], grad_a.shape[-1])  # (..., k)
        if a is not None:
            if a_ndim == 1:
                grad_b = a.reshape(-1, 1) @ g  # (..., k, n)
            elif b_ndim <= 2:  # one matrix for the whole batch: one product, not a sum of products
                rows = a.reshape(prod(a.shape[:-1]), a.shape[-1])  # (batch * m, k)
                grad_b = rows.swapaxes(0, 1) @ g.reshape(rows.shape[0], g.shape[-1])  # (k, n)
            else:
                grad_b = a.swapaxes(-1, -2) @ g  # (..., k, n)
            if b_ndim == 1:
                grad_b = grad_b.reshape(*grad_b.shape[:-2], grad_b.shape[-2])  # (..., k)
        return grad_a, grad_b


class ExpBackward(Function):
    """y = exp(x): g * y. Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output if output is not None else x.exp())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * y."""
        (y,) = self.saved_tensors
        return (g * y,)


class LogBackward(Function):
    """y = log(x): g / x. Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / x."""
        (x,) = self.saved_tensors
        return (g / x,)


class TanhBackward(Function):
    """y = tanh(x): g * (1 - y²). Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output if output is not None else x.tanh())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * (1 - y²)."""
        (y,) = self.saved_tensors
        return (g * (1 - y * y),)


class ReLUBackward(Function):
    """y = max(x, 0): g where y > 0, else 0. Keeps the output, which the next layer keeps anyway."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output if output is not None else x.relu())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * (y > 0)."""
        (y,) = self.saved_tensors
        return (g * (y > 0),)


class SigmoidBackward(Function):
    """y = 1/(1 + exp(-x)): g * y * (1 - y). Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output if output is not None else x.sigmoid())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * y * (1 - y)."""
        (y,) = self.saved_tensors
        return (g * (y * (1 - y)),)


class SumBackward(Function):
    """y = sum of x: every element receives the g of its sum. Keeps a shape."""

    __slots__ = ("_kept_shape", "_shape")
    arity = 1

    def __init__(
        self, x: Any, axis: Axis = None, keepdims: bool = False, output: Tensor | None = None
    ) -> None:
        super().__init__()
        self._shape = x.shape
        self._kept_shape = _shape_with_ones(x.shape, axis)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g, repeated along the summed axes."""
        return (np.broadcast_to(g.reshape(self._kept_shape), self._shape),)


class MeanBackward(SumBackward):
    """y = mean of x: every element receives g / count. Keeps a shape."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / count, repeated along the averaged axes."""
        count = prod(self._shape) // max(prod(self._kept_shape), 1)
        return super().apply(g * (1 / max(count, 1)))  # a count above 65504 is infinite in float16


class ReshapeBackward(Function):
    """y = x under another shape: g under the old one. Keeps a shape."""

    __slots__ = ("_shape",)
    arity = 1

    def __init__(self, x: Any, *shape: Any, output: Tensor | None = None, **metadata: Any) -> None:
        super().__init__()
        self._shape = x.shape

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g in the input's shape."""
        return (g.reshape(self._shape),)


class TransposeBackward(Function):
    """y = x with two axes swapped: g with the same two swapped back. Keeps two axis numbers."""

    __slots__ = ("_axes",)
    arity = 1

    def __init__(
        self, x: Any, axis0: int = -2, axis1: int = -1, output: Tensor | None = None
    ) -> None:
        super().__init__()
        self._axes = axis0, axis1

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g with the axes swapped back."""
        return (g.swapaxes(*self._axes),)


#: What the engine can differentiate: the method of `Tensor`, and its rule.
RULES: dict[str, type[Function]] = {
    "__add__": AddBackward,
    "__sub__": SubBackward,
    "__mul__": MulBackward,
    "__truediv__": DivBackward,
    "__neg__": NegBackward,
    "__pow__": PowBackward,
    "__matmul__": MatmulBackward,
    "exp": ExpBackward,
    "log": LogBackward,
    "tanh": TanhBackward,
    "relu": ReLUBackward,
    "sigmoid": SigmoidBackward,
    "sum": SumBackward,
    "mean": MeanBackward,
    "reshape": ReshapeBackward,
    "transpose": TransposeBackward,
}

for _rule in RULES.values():
    _rule.keeps_no_gradient = True  # so a leaf may take the array as it is


def _log(x: Any) -> Any:
    return x.log() if isinstance(x, Tensor) else np.log(x)


def _shape_with_ones(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return the shape with length 1 along the reduced axes."""
    if axis is None:
        return (1,) * len(shape)
    axes = {a % max(len(shape), 1) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
