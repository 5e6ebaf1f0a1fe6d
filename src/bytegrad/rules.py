"""The derivative rules: one small class an operation, then the table that says which method each serves.

The rules of layers and losses stand in `fused_rules.py`. Each rule is the vector-Jacobian product of its operation:
`g` is d(loss)/d(output), what `apply` returns is d(loss)/d(input). A rule keeps the least that this needs, and says so
in its first line. Sums over broadcast axes and casts to the input's dtype are the engine's business.
"""

from itertools import accumulate
from math import pi, prod, sqrt
from typing import Any

import numpy as np

from bytegrad import fused_rules as fused
from bytegrad.arrays import array_key
from bytegrad.either import (
    broadcast_to,
    cos,
    erf,
    exp,
    log,
    masked,
    permute,
    scatter,
    sigmoid,
    sign,
    sin,
    tanh,
    where,
)
from bytegrad.kernels import Axis, gelu_inner
from bytegrad.record import Function, needs_grad
from bytegrad.tensor import Tensor


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
        self.save(a, n, output=z)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * n * a**(n-1), g * z * log(a)."""
        a, n, z = self.saved_tensors
        # where n is 0 the slope is 0, whatever a**(n-1) would be; where a is 0, so is z * log(a)
        grad_a = g * (n * a ** (n - 1 + (n == 0))) if self._needs_a else None
        grad_n = None if z is None else g * (z * log(a + (a == 0)))
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
        self.save(output=output if output is not None else x.exp())

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
        self.save(output=output if output is not None else x.tanh())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * (1 - y²)."""
        (y,) = self.saved_tensors
        return (g * (1 - y * y),)


class ReLUBackward(Function):
    """y = max(x, 0): g where y > 0, else 0. Keeps the output, which the next layer keeps anyway."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.relu())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where y > 0, else 0."""
        (y,) = self.saved_tensors
        return (masked(g, y > 0),)


class SigmoidBackward(Function):
    """y = 1/(1 + exp(-x)): g * y * (1 - y). Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.sigmoid())

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
        return (broadcast_to(g.reshape(self._kept_shape), self._shape),)


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


class SqrtBackward(Function):
    """y = √x: g / (2 y), infinite at 0. Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.sqrt())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / (2 y)."""
        (y,) = self.saved_tensors
        return (g / (2 * y),)


class AbsBackward(Function):
    """y = |x|: g with the sign of x, and 0 at 0. Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * sign(x)."""
        (x,) = self.saved_tensors
        return (g * sign(x),)


class SinBackward(Function):
    """y = sin(x): g * cos(x). Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * cos(x)."""
        (x,) = self.saved_tensors
        return (g * cos(x),)


class CosBackward(Function):
    """y = cos(x): -g * sin(x). Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return -g * sin(x)."""
        (x,) = self.saved_tensors
        return (-g * sin(x),)


class ErfBackward(Function):
    """y = erf(x): g * 2/√π * exp(-x²). Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * 2/√π * exp(-x²)."""
        (x,) = self.saved_tensors
        return (g * (exp(-(x * x)) * (2 / sqrt(pi))),)


class LeakyReLUBackward(Function):
    """y = x, or s x where x < 0: g, or s g there. Keeps the output; the input if s < 0 hides the sign of x in it."""

    __slots__ = ("_slope",)
    arity = 1

    def __init__(self, x: Any, negative_slope: float = 0.01, output: Tensor | None = None) -> None:
        self._slope = negative_slope
        if negative_slope < 0:
            self.save(x)
        else:
            self.save(output=output if output is not None else x.leaky_relu(negative_slope))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where x > 0, s * g elsewhere."""
        (kept,) = self.saved_tensors
        return (where(kept > 0, g, g * self._slope),)


class GELUBackward(Function):
    """y = x Φ(x): g * (Φ(x) + x φ(x)), or the slope of its tanh form. Keeps the input."""

    __slots__ = ("_approximate",)
    arity = 1

    def __init__(self, x: Any, approximate: str = "none", output: Tensor | None = None) -> None:
        self._approximate = approximate
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * dy/dx."""
        (x,) = self.saved_tensors
        if self._approximate == "none":
            below = 0.5 * (
                1 + erf(x * sqrt(0.5))
            )  # Φ, the share of the normal distribution below x
            density = exp(-0.5 * (x * x)) * (1 / sqrt(2 * pi))
            return (g * (below + x * density),)
        t = tanh(gelu_inner(x))
        inner_slope = (1 + 3 * 0.044715 * (x * x)) * sqrt(2 / pi)
        return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope),)


class SoftplusBackward(Function):
    """y = log(1 + exp(x)): g * sigmoid(x). Keeps the input."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(x)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * sigmoid(x)."""
        (x,) = self.saved_tensors
        return (g * sigmoid(x),)


class CastBackward(Function):
    """y = x in another dtype: g, which the engine casts back. Keeps nothing."""

    __slots__ = ()
    arity = 1

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g."""
        return (g,)


class MaximumBackward(Function):
    """z = max(a, b): g to the larger, half of it to each where they are equal. Keeps both."""

    __slots__ = ()

    def __init__(self, a: Any, b: Any, output: Tensor | None = None) -> None:
        self.save(a, b)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where a > b, g where b > a, and g / 2 for both on a tie."""
        a, b = self.saved_tensors
        return _shared(g, a < b, a == b), _shared(g, b < a, a == b)


class MinimumBackward(MaximumBackward):
    """z = min(a, b): g to the smaller, half of it to each where they are equal. Keeps both."""

    __slots__ = ()

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where a < b, g where b < a, and g / 2 for both on a tie."""
        return super().apply(g)[::-1]


class WhereBackward(Function):
    """z = a where c, else b: g where c to a, elsewhere to b. Keeps the condition, one byte an element."""

    __slots__ = ()

    def __init__(self, a: Any, condition: Any, b: Any, output: Tensor | None = None) -> None:
        self.save(condition if isinstance(condition, Tensor) else np.asarray(condition))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where c, nothing, g where not c."""
        (condition,) = self.saved_tensors
        return masked(g, condition), None, masked(g, condition == False)  # noqa: E712 - element by element


class MaxBackward(Function):
    """y = the largest of x: g to it, in equal parts where several are. Keeps the input and the output."""

    __slots__ = ("_kept_shape",)
    arity = 1

    def __init__(
        self, x: Any, axis: Axis = None, keepdims: bool = False, output: Tensor | None = None
    ) -> None:
        self._kept_shape = _shape_with_ones(x.shape, axis)
        self.save(x, output=output if output is not None else self._reduced(x, axis, keepdims))

    def _reduced(self, x: Any, axis: Axis, keepdims: bool) -> Any:
        return x.max(axis, keepdims)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / count where x is one of the `count` largest, else 0."""
        x, y = self.saved_tensors
        chosen = x == y.reshape(self._kept_shape)
        axes = tuple(i for i, n in enumerate(self._kept_shape) if n != x.shape[i])
        count = chosen.sum(axis=axes, keepdims=True)
        count = count + (count == 0)  # a NaN equals nothing, not even itself
        share = g.reshape(self._kept_shape) / count.astype(g.dtype)
        return (masked(broadcast_to(share, x.shape), chosen),)


class MinBackward(MaxBackward):
    """y = the smallest of x: g to it, in equal parts where several are. Keeps the input and the output."""

    __slots__ = ()

    def _reduced(self, x: Any, axis: Axis, keepdims: bool) -> Any:
        return x.min(axis, keepdims)


class SoftmaxBackward(Function):
    """y = softmax(x): y * (g - Σ g y). Keeps the output."""

    __slots__ = ("_axis",)
    arity = 1

    def __init__(self, x: Any, axis: int = -1, output: Tensor | None = None) -> None:
        self._axis = axis
        self.save(output=output if output is not None else x.softmax(axis))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return y * (g - Σ g y)."""
        (y,) = self.saved_tensors
        return (y * (g - (g * y).sum(axis=self._axis, keepdims=True)),)


class LogSoftmaxBackward(Function):
    """y = log softmax(x): g - exp(y) * Σ g. Keeps the output."""

    __slots__ = ("_axis",)
    arity = 1

    def __init__(self, x: Any, axis: int = -1, output: Tensor | None = None) -> None:
        self._axis = axis
        self.save(output=output if output is not None else x.log_softmax(axis))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g - exp(y) * Σ g."""
        (y,) = self.saved_tensors
        return (g - exp(y) * g.sum(axis=self._axis, keepdims=True),)


class PermuteBackward(Function):
    """y = x with its axes in another order: g with the order undone. Keeps a few axis numbers."""

    __slots__ = ("_back",)
    arity = 1

    def __init__(self, x: Any, *axes: Any, output: Tensor | None = None) -> None:
        super().__init__()
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
        places = [axis % x.ndim for axis in order]
        self._back = tuple(places.index(i) for i in range(len(places)))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g in the input's order of axes."""
        return (permute(g, self._back),)


class BroadcastBackward(Function):
    """y = x repeated: g, which the engine sums back. Keeps nothing."""

    __slots__ = ()
    arity = 1

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g."""
        return (g,)


class ConcatenateBackward(Function):
    """y = tensors one after the other: each receives its piece of g. Keeps their lengths."""

    __slots__ = ("_axis", "_lengths")

    def __init__(self, *inputs: Any, axis: int = 0, output: Tensor | None = None) -> None:
        super().__init__()
        self._axis = axis % inputs[0].ndim
        self._lengths = tuple(x.shape[axis] for x in inputs)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return the pieces of g."""
        before = (slice(None),) * self._axis
        ends = list(accumulate(self._lengths))
        return tuple(
            g[(*before, slice(end - n, end))] for n, end in zip(self._lengths, ends, strict=True)
        )


class SliceBackward(Function):
    """y = x[key]: g at the places of the key, 0 elsewhere; added where an index repeats. Keeps the key."""

    __slots__ = ("_is_tuple", "_shape")
    arity = 1

    def __init__(self, x: Any, key: Any, output: Tensor | None = None) -> None:
        self._shape, self._is_tuple = x.shape, isinstance(key, tuple)
        self.save(*map(array_key, key if self._is_tuple else (key,)))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return zeros with g added at the key."""
        key = tuple(self.saved_tensors)
        return (scatter(g, key if self._is_tuple else key[0], self._shape),)


class ScatterBackward(Function):
    """y = zeros with x added at the key: x receives g[key]. Keeps the key."""

    __slots__ = ("_is_tuple",)
    arity = 1

    def __init__(
        self, x: Any, key: Any, shape: tuple[int, ...], output: Tensor | None = None
    ) -> None:
        self._is_tuple = isinstance(key, tuple)
        self.save(*map(array_key, key if self._is_tuple else (key,)))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g at the key."""
        key = tuple(self.saved_tensors)
        return (g[key if self._is_tuple else key[0]],)


def _shared(g: Any, less: Any, equal: Any) -> Any:
    """Return g where an operand won, half of it on a tie, 0 where it was less."""
    return masked(where(equal, g * 0.5, g), less == False)  # noqa: E712 - element by element


#: What the engine can differentiate: the method of `Tensor`, and its rule.
RULES: dict[str, type[Function]] = {
    # arithmetic
    "__add__": AddBackward,
    "__sub__": SubBackward,
    "__mul__": MulBackward,
    "__truediv__": DivBackward,
    "__neg__": NegBackward,
    "__pow__": PowBackward,
    "__matmul__": MatmulBackward,
    # functions of each element
    "exp": ExpBackward,
    "log": LogBackward,
    "sqrt": SqrtBackward,
    "abs": AbsBackward,
    "sin": SinBackward,
    "cos": CosBackward,
    "erf": ErfBackward,
    "tanh": TanhBackward,
    "sigmoid": SigmoidBackward,
    "relu": ReLUBackward,
    "leaky_relu": LeakyReLUBackward,
    "gelu": GELUBackward,
    "softplus": SoftplusBackward,
    "astype": CastBackward,
    # choices
    "maximum": MaximumBackward,
    "minimum": MinimumBackward,
    "where": WhereBackward,
    # along axes
    "sum": SumBackward,
    "mean": MeanBackward,
    "max": MaxBackward,
    "min": MinBackward,
    "softmax": SoftmaxBackward,
    "log_softmax": LogSoftmaxBackward,
    # shapes
    "reshape": ReshapeBackward,
    "transpose": TransposeBackward,
    "permute": PermuteBackward,
    "broadcast_to": BroadcastBackward,
    "concatenate": ConcatenateBackward,
    "__getitem__": SliceBackward,
    "scatter": ScatterBackward,
    # layers and losses
    "embedding": fused.EmbeddingBackward,
    "linear": fused.LinearBackward,
    "layer_norm": fused.LayerNormBackward,
    "mse": fused.MSEBackward,
    "bce": fused.BCEBackward,
    "bce_with_logits": fused.BCEWithLogitsBackward,
    "cross_entropy": fused.CrossEntropyBackward,
}

for _rule in RULES.values():
    _rule.keeps_no_gradient = True  # so a leaf may take the array as it is


def _shape_with_ones(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return the shape with length 1 along the reduced axes."""
    if axis is None:
        return (1,) * len(shape)
    axes = {a % max(len(shape), 1) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
