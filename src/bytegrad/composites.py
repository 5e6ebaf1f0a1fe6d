"""The operations of `Tensor` that are written with other operations: their gradient comes for free.

Nothing in this file touches an array.
"""

from math import prod
from typing import TYPE_CHECKING, Any

from bytegrad.arrays import boolean
from bytegrad.errors import ShapeError
from bytegrad.kernels import Axis, count_along

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bytegrad.tensor import Tensor


class Composites:
    """Methods of `Tensor` that need no rule of their own."""

    __slots__ = ()

    def clone(self: "Tensor") -> "Tensor":
        """Return a copy that stays in the graph: x * 1. Keeps nothing.

        >>> Tensor([1.0, 2.0]).clone().tolist()
        [1.0, 2.0]
        """
        return self * 1  # type: ignore[no-any-return]

    def square(self: "Tensor") -> "Tensor":
        """Return x², as x * x. Keeps x.

        >>> Tensor([-3.0]).square().tolist()
        [9.0]
        """
        return self * self  # type: ignore[no-any-return]

    def clamp(self: "Tensor", min: Any = None, max: Any = None) -> "Tensor":  # noqa: A002 - PyTorch's names
        """Return x, or the bound where x lies beyond it; there the gradient is 0, on the bound itself it passes.

        Keeps one byte an element and bound.

        Args:
            min: the lower bound, a number or a Tensor that broadcasts; None for none.
            max: the upper bound, likewise.

        Raises:
            ValueError: neither bound is given.

        >>> Tensor([-2.0, 0.5, 3.0]).clamp(0, 1)
        Tensor([0. , 0.5, 1. ], dtype=float32)
        """
        if min is None and max is None:
            raise ValueError(
                "clamp() without a bound: there is nothing to clamp to. Pass min=, max= or both."
            )
        x = self
        if min is not None:
            x = x.masked_fill(x < min, min)
        return x if max is None else x.masked_fill(x > max, max)

    def masked_fill(self: "Tensor", mask: Any, value: Any) -> "Tensor":
        """Return x, with `value` where the `mask` is True; no gradient goes there. Keeps one byte an element.

        Raises:
            DtypeError: the mask is not of booleans.
            ShapeError: the shapes do not broadcast.

        >>> Tensor([1.0, -2.0]).masked_fill(Tensor([False, True]), 0.0).tolist()
        [1.0, 0.0]
        """
        return self.where(~boolean(mask, "masked_fill"), value)

    def var(
        self: "Tensor", axis: Axis = None, correction: int = 1, keepdims: bool = False
    ) -> "Tensor":
        """Return Σ(x - mean)² / (n - correction) over all elements, or those along `axis`. Keeps x - mean.

        `axis` and `keepdims` are those of `sum`.

        Raises:
            ShapeError: there are not more than `correction` elements.

        >>> Tensor([1.0, 3.0]).var().item(), Tensor([1.0, 3.0]).var(correction=0).item()
        (2.0, 1.0)
        """
        count = count_along(self.shape, axis)
        if count <= correction:
            raise ShapeError(
                f"var() over {count} elements with correction={correction}: it divides by their difference, "
                f"{count - correction}. Take more elements, or correction=0."
            )
        apart = self - self.mean(axis, keepdims=True)
        total: Tensor = apart.square().sum(axis, keepdims)
        return total / (count - correction)  # type: ignore[no-any-return]

    def std(
        self: "Tensor", axis: Axis = None, correction: int = 1, keepdims: bool = False
    ) -> "Tensor":
        """Return the square root of the variance; where that is 0 the gradient is taken to be 0, as in PyTorch.

        `axis`, `correction` and `keepdims` are those of `var`. Keeps x - mean, and the result.

        Raises:
            ShapeError: there are not more than `correction` elements.

        >>> Tensor([1.0, 3.0]).std(correction=0).item()
        1.0
        """
        variance = self.var(axis, correction, keepdims)
        spread = variance != 0  # elsewhere the root's slope is infinite
        return variance.where(spread, 1).sqrt().where(spread, 0)

    def logsumexp(self: "Tensor", axis: Axis = -1, keepdims: bool = False) -> "Tensor":
        """Return log Σ exp(x) along `axis`, without overflow: the maximum is taken out first [blanchard2021].

        Keeps an array of x's shape, and one of the result's.

        >>> Tensor([1000.0, -1000.0]).logsumexp().item()
        1000.0
        """
        x = self if self.dtype.kind == "f" else self.astype("float32")
        top = x.detach().max(axis, keepdims=True)
        top = top.masked_fill(top.abs() == float("inf"), 0)
        total: Tensor = (x - top).exp().sum(axis, keepdims)
        return total.log() + top.reshape(total.shape)  # type: ignore[no-any-return]

    def squeeze(self: "Tensor", axis: int | None = None) -> "Tensor":
        """Return x without its axes of length 1, or without this one: a reshape, which keeps nothing.

        Raises:
            ShapeError: the axis is not there, or not of length 1.

        >>> Tensor([[[1.0], [2.0]]]).squeeze().shape
        (2,)
        """
        if axis is None:
            return self.reshape(tuple(n for n in self.shape if n != 1))
        if not -self.ndim <= axis < self.ndim or self.shape[axis] != 1:
            raise ShapeError(
                f"squeeze({axis}) of shape {self.shape}: only an axis of length 1 can go. Name one, or leave it out."
            )
        axis %= self.ndim
        return self.reshape(self.shape[:axis] + self.shape[axis + 1 :])

    def unsqueeze(self: "Tensor", axis: int) -> "Tensor":
        """Return x with a new axis of length 1 at the place `axis` of the new shape: a reshape, which keeps nothing.

        Raises:
            ShapeError: the place lies outside the new shape.

        >>> Tensor([1.0, 2.0]).unsqueeze(-1).shape
        (2, 1)
        """
        if not -self.ndim - 1 <= axis <= self.ndim:
            raise ShapeError(
                f"unsqueeze({axis}) of shape {self.shape}: it can stand from {-self.ndim - 1} to {self.ndim}. "
                "Use one of these."
            )
        axis %= self.ndim + 1
        return self.reshape((*self.shape[:axis], 1, *self.shape[axis:]))

    def flatten(self: "Tensor", start: int = 0, end: int = -1) -> "Tensor":
        """Return x with the axes from `start` to `end` (included) as one: a reshape, which keeps nothing.

        Raises:
            ShapeError: an axis is not there, or `start` lies after `end`.

        >>> Tensor([[[1.0], [2.0]]]).flatten(1).shape
        (1, 2)
        """
        rank = max(self.ndim, 1)
        if not (-rank <= start < rank and -rank <= end < rank and start % rank <= end % rank):
            raise ShapeError(
                f"flatten({start}, {end}) of shape {self.shape}: it joins neighbouring axes, from the first named to "
                f"the last. Name axes from 0 to {rank - 1}, the smaller first."
            )
        start, end = start % rank, end % rank
        middle = prod(self.shape[start : end + 1])
        return self.reshape((*self.shape[:start], middle, *self.shape[end + 1 :]))

    def swapaxes(self: "Tensor", axis0: int, axis1: int) -> "Tensor":
        """Swap `axis0` and `axis1`: `transpose` under NumPy's name.

        Raises:
            ShapeError: there are no such axes.

        >>> Tensor([[1.0, 2.0]]).swapaxes(0, 1).shape
        (2, 1)
        """
        return self.transpose(axis0, axis1)

    @property
    def T(self: "Tensor") -> "Tensor":  # noqa: N802 - NumPy's and PyTorch's name
        """The tensor with its last two axes swapped."""
        return self.transpose()

    def __iter__(self: "Tensor") -> "Iterator[Tensor]":
        """Go through the first axis."""
        return (self[i] for i in range(len(self)))

    def __abs__(self: "Tensor") -> "Tensor":
        return self.abs()

    def __rand__(self: "Tensor", other: Any) -> Any:
        return self & other

    def __ror__(self: "Tensor", other: Any) -> Any:
        return self | other

    def __pos__(self: "Tensor") -> "Tensor":
        return self

    def __radd__(self: "Tensor", other: Any) -> Any:
        return self + other

    def __rmul__(self: "Tensor", other: Any) -> Any:
        return self * other

    def __rsub__(self: "Tensor", other: Any) -> Any:
        a, b = self._meet(other)
        return a - b

    def __rtruediv__(self: "Tensor", other: Any) -> Any:
        a, b = self._meet(other)
        return a / b

    def __rpow__(self: "Tensor", base: Any) -> Any:
        a, n = self._meet(base)
        return a**n

    def __rmatmul__(self: "Tensor", other: Any) -> Any:
        a, b = self._meet(other)
        return a @ b
