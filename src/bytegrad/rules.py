"""The derivative rules: one small class an operation, then the table that says which method each serves.

Here are those of arithmetic; the others stand in `element_rules.py`, `axis_rules.py` and `fused_rules.py`. Each rule is
the vector-Jacobian product of its operation: `g` is d(loss)/d(output), what `apply` returns is d(loss)/d(input). A rule
keeps the least that this needs, and says so in its first line. Sums over broadcast axes and casts to the input's dtype
are the engine's business.
"""

from math import prod
from typing import Any

import numpy as np

from bytegrad.axis_rules import (
    BroadcastBackward,
    ConcatenateBackward,
    LogSoftmaxBackward,
    MaxBackward,
    MeanBackward,
    MinBackward,
    PermuteBackward,
    ReshapeBackward,
    ScatterBackward,
    SliceBackward,
    SoftmaxBackward,
    SumBackward,
    TransposeBackward,
)
from bytegrad.either import log
from bytegrad.element_rules import (
    AbsBackward,
    CastBackward,
    CosBackward,
    ErfBackward,
    ExpBackward,
    GELUBackward,
    LeakyReLUBackward,
    LogBackward,
    MaximumBackward,
    MinimumBackward,
    ReLUBackward,
    SigmoidBackward,
    SinBackward,
    SoftplusBackward,
    SqrtBackward,
    TanhBackward,
    WhereBackward,
)
from bytegrad.fused_rules import (
    BCEBackward,
    BCEWithLogitsBackward,
    CrossEntropyBackward,
    EmbeddingBackward,
    LayerNormBackward,
    LinearBackward,
    MSEBackward,
)
from bytegrad.record import Function, needs_grad
from bytegrad.tensor import Tensor

__all__ = [
    "RULES",
    "AbsBackward",
    "AddBackward",
    "BCEBackward",
    "BCEWithLogitsBackward",
    "BroadcastBackward",
    "CastBackward",
    "ConcatenateBackward",
    "CosBackward",
    "CrossEntropyBackward",
    "DivBackward",
    "EmbeddingBackward",
    "ErfBackward",
    "ExpBackward",
    "GELUBackward",
    "LayerNormBackward",
    "LeakyReLUBackward",
    "LinearBackward",
    "LogBackward",
    "LogSoftmaxBackward",
    "MSEBackward",
    "MatmulBackward",
    "MaxBackward",
    "MaximumBackward",
    "MeanBackward",
    "MinBackward",
    "MinimumBackward",
    "MulBackward",
    "NegBackward",
    "PermuteBackward",
    "PowBackward",
    "ReLUBackward",
    "ReshapeBackward",
    "ScatterBackward",
    "SigmoidBackward",
    "SinBackward",
    "SliceBackward",
    "SoftmaxBackward",
    "SoftplusBackward",
    "SqrtBackward",
    "SubBackward",
    "SumBackward",
    "TanhBackward",
    "TransposeBackward",
    "WhereBackward",
]


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
        self.save(a, n.item() if isinstance(n, np.generic) else n, output=z)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * n * a**(n-1), g * z * log(a)."""
        a, n, z = self.saved_tensors
        grad_a = None
        if self._needs_a:
            if not hasattr(n, "shape") or isinstance(n, np.generic):
                grad_a = g * (n * a ** (n - 1 + bool(n == 0)))  # 0 * a**0, and never 0 * a**-1
            else:  # the mixed derivative at n = 0 needs a**-1, except at 0**0
                grad_a = g * (n * (a + (n == 0) * (a == 0)) ** (n - 1))
        # where a is 0, so is z * log(a)
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
                grad_b = grad_b.reshape(-1)  # (k,)
        return grad_a, grad_b


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
    "embedding": EmbeddingBackward,
    "linear": LinearBackward,
    "layer_norm": LayerNormBackward,
    "mse": MSEBackward,
    "bce": BCEBackward,
    "bce_with_logits": BCEWithLogitsBackward,
    "cross_entropy": CrossEntropyBackward,
}

for _rule in RULES.values():
    _rule.keeps_no_gradient = True  # so a leaf may take the array as it is
