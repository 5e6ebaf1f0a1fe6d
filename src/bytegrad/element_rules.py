"""The rules of functions of each element, and of choices between two.

`g` is d(loss)/d(output), what `apply` returns is d(loss)/d(input); see `rules.py`.
"""

from math import pi, sqrt
from typing import Any

from bytegrad.arrays import boolean
from bytegrad.either import cos, erf, exp, masked, sigmoid, sign, sin, tanh, where
from bytegrad.kernels import gelu_inner
from bytegrad.record import Function
from bytegrad.tensor import Tensor


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


class TanhBackward(Function):
    """y = tanh(x): g * (1 - y²). Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.tanh())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * (1 - y²)."""
        (y,) = self.saved_tensors
        return (g * (1 - y * y),)


class SigmoidBackward(Function):
    """y = 1/(1 + exp(-x)): g * y * (1 - y). Keeps the output."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.sigmoid())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g * y * (1 - y)."""
        (y,) = self.saved_tensors
        return (g * (y * (1 - y)),)


class ReLUBackward(Function):
    """y = max(x, 0): g where y > 0, else 0. Keeps the output, which the next layer keeps anyway."""

    __slots__ = ()

    def __init__(self, x: Any, output: Tensor | None = None) -> None:
        self.save(output=output if output is not None else x.relu())

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where y > 0, else 0."""
        (y,) = self.saved_tensors
        return (masked(g, y > 0),)


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
        self.save(boolean(condition, "where"))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g where c, nothing, g where not c."""
        (condition,) = self.saved_tensors
        return masked(g, condition), None, masked(g, condition == False)  # noqa: E712 - element by element


def _shared(g: Any, less: Any, equal: Any) -> Any:
    """Return g where an operand won, half of it on a tie, 0 where it was less."""
    return masked(where(equal, g * 0.5, g), less == False)  # noqa: E712 - element by element
