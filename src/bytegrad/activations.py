"""Layers that learn nothing: a function each, so that a chain can hold it."""

from typing import Any

from bytegrad import functional
from bytegrad.joining import tensor_of
from bytegrad.module import Module
from bytegrad.tensor import Tensor


class ReLU(Module):
    """max(x, 0). Keeps the output.

    >>> ReLU()(Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Any) -> Tensor:
        """Return max(x, 0)."""
        return functional.relu(x)


class GELU(Module):
    """x Φ(x), or its form with tanh (see `functional.gelu`). Keeps x. Source: [hendrycks2016].

    Args:
        approximate: "none" or "tanh".

    Raises:
        ValueError: in `forward`, where another form is asked for.

    >>> GELU()(Tensor([0.0, 9.0])).tolist()
    [0.0, 9.0]
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Return x Φ(x)."""
        return functional.gelu(x, self.approximate)


class Tanh(Module):
    """The hyperbolic tangent. Keeps the output.

    >>> Tanh()(Tensor(0.0)).item()
    0.0
    """

    def forward(self, x: Any) -> Tensor:
        """Return tanh x."""
        return functional.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)). Keeps the output.

    >>> Sigmoid()(Tensor(0.0)).item()
    0.5
    """

    def forward(self, x: Any) -> Tensor:
        """Return 1 / (1 + exp(-x))."""
        return functional.sigmoid(x)


class LeakyReLU(Module):
    """x, times `negative_slope` where it is below 0. Keeps the output.

    Args:
        negative_slope: the slope there.

    >>> LeakyReLU(0.5)(Tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Tensor:
        """Return x, or a part of it where it is below 0."""
        return functional.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the slope."""
        return f"negative_slope={self.negative_slope}"


class Softmax(Module):
    """exp(x) / Σ exp(x) along an axis. Keeps the output.

    Args:
        axis: along which the results add up to 1.

    >>> Softmax()(Tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        """Return exp(x) / Σ exp(x)."""
        return functional.softmax(x, self.axis)

    def extra_repr(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


class Flatten(Module):
    """x with the axes from `start` to `end` (included) as one, see `Tensor.flatten`. Keeps nothing.

    Args:
        start: the first of them; as in PyTorch, the axis of the batch stays.
        end: the last.

    >>> from bytegrad import zeros
    >>> Flatten()(zeros(8, 3, 4)).shape
    (8, 12)
    """

    def __init__(self, start: int = 1, end: int = -1) -> None:
        self.start, self.end = start, end

    def forward(self, x: Any) -> Tensor:
        """Return x with fewer axes."""
        return tensor_of(x).flatten(self.start, self.end)

    def extra_repr(self) -> str:
        """Return both axes."""
        return f"{self.start}, {self.end}"


class Identity(Module):
    """x as it is: what stands where a layer was taken out. Keeps nothing.

    >>> Identity()(Tensor([1.0])).tolist()
    [1.0]
    """

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x
