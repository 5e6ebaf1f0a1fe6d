"""The rules of what works along axes: reductions, and changes of shape, order and selection.

`g` is d(loss)/d(output), what `apply` returns is d(loss)/d(input); see `rules.py`.
"""

from itertools import accumulate
from math import prod
from typing import Any

from bytegrad.arrays import array_key, array_of, spread
from bytegrad.either import broadcast_to, exp, masked, permute, scatter
from bytegrad.kernels import Axis
from bytegrad.record import Function
from bytegrad.tensor import Tensor


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


class MaxBackward(Function):
    """y = the largest of x: g to it, in equal parts where several are. Keeps the input and the output."""

    __slots__ = ("_kept_shape",)
    arity = 1

    def __init__(
        self, x: Any, axis: Axis = None, keepdims: bool = False, output: Tensor | None = None
    ) -> None:
        self._kept_shape = _shape_with_ones(x.shape, axis)
        self.save(x, output=output if output is not None else self._reduced(x, axis))

    def _reduced(self, x: Any, axis: Axis) -> Any:
        return x.max(axis)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g / count where x is one of the `count` largest, else 0."""
        x, y = self.saved_tensors
        chosen = x == y.reshape(self._kept_shape)
        axes = tuple(i for i, n in enumerate(self._kept_shape) if n != x.shape[i])
        count = chosen.sum(axis=axes, keepdims=True)
        count = count + (count == 0)  # a NaN equals nothing, not even itself
        share = g.reshape(self._kept_shape) * (1 / count).astype(g.dtype)
        return (masked(broadcast_to(share, x.shape), chosen),)


class MinBackward(MaxBackward):
    """y = the smallest of x: g to it, in equal parts where several are. Keeps the input and the output."""

    __slots__ = ()

    def _reduced(self, x: Any, axis: Axis) -> Any:
        return x.min(axis)


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


class PermuteBackward(Function):
    """y = x with its axes in another order: g with the order undone. Keeps a few axis numbers."""

    __slots__ = ("_back",)
    arity = 1

    def __init__(self, x: Any, *axes: Any, output: Tensor | None = None) -> None:
        super().__init__()
        places = [axis % x.ndim for axis in spread(axes)]
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
        shapes = [array_of(x).shape for x in inputs]
        self._axis = axis % len(shapes[0])
        self._lengths = tuple(shape[axis] for shape in shapes)

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return the pieces of g."""
        before = (slice(None),) * self._axis
        ends = list(accumulate(self._lengths))
        return tuple(
            g[(*before, slice(end - n, end))] for n, end in zip(self._lengths, ends, strict=True)
        )


class SliceBackward(Function):
    """y = x[key]: g at the places of the key, 0 elsewhere; added where an index repeats. Keeps the key."""

    __slots__ = ("_shape",)
    arity = 1

    def __init__(self, x: Any, key: Any, output: Tensor | None = None) -> None:
        self._shape = x.shape
        places = array_key(key)
        self.save(*(places if isinstance(places, tuple) else (places,)))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return zeros with g added at the key."""
        return (scatter(g, tuple(self.saved_tensors), self._shape),)


class ScatterBackward(Function):
    """y = zeros with x added at the key: x receives g[key]. Keeps the key."""

    __slots__ = ()
    arity = 1

    def __init__(
        self, x: Any, key: Any, shape: tuple[int, ...], output: Tensor | None = None
    ) -> None:
        places = array_key(key)
        self.save(*(places if isinstance(places, tuple) else (places,)))

    def apply(self, g: Any) -> tuple[Any, ...]:
        """Return g at the key."""
        return (g[tuple(self.saved_tensors)],)


def _shape_with_ones(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return the shape with length 1 along the reduced axes."""
    if axis is None:
        return (1,) * len(shape)
    axes = {a % max(len(shape), 1) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
