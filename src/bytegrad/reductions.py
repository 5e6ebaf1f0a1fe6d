"""The operations of `Tensor` that put many elements together along axes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bytegrad import kernels
from bytegrad.arrays import which_axes
from bytegrad.errors import ShapeError
from bytegrad.kernels import Array, Axis, floating

if TYPE_CHECKING:
    from bytegrad.tensor import Tensor


class Reductions:
    """Methods of `Tensor`: sums, means, extremes and softmax.

    `axis` is a number, a tuple of them, or None for all; for softmax one number. A reduced axis is gone from the
    result's shape, or has length 1 there under `keepdims`.

    Raises (all of them):
        ShapeError: an axis is not there, or is named twice.
    """

    __slots__ = ()

    def sum(self: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Add up all elements, or those along `axis`.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).sum(axis=0).tolist()
        [4.0, 6.0]
        """
        return _reduced(np.sum, self, self._data, axis, keepdims)

    def mean(self: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Average all elements, or those along `axis`.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).mean(axis=1, keepdims=True).tolist()
        [[1.5], [3.5]]
        """
        return _reduced(np.mean, self, floating(self._data), axis, keepdims)

    def max(self: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Return the largest element, or the largest along `axis`; equal ones share the gradient equally.

        Raises:
            ShapeError: there is no element.

        >>> Tensor([1.0, 3.0, 2.0]).max().item()
        3.0
        """
        return _reduced(np.max, self, self._data, axis, keepdims)

    def min(self: "Tensor", axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Return the smallest element, or the smallest along `axis`; equal ones share the gradient equally.

        Raises:
            ShapeError: there is no element.

        >>> Tensor([1.0, 3.0, 2.0]).min().item()
        1.0
        """
        return _reduced(np.min, self, self._data, axis, keepdims)

    def softmax(self: "Tensor", axis: int = -1) -> "Tensor":
        """Return exp(x) / Σ exp(x) along an axis: finite for every finite x; a row of nothing but -inf gives zeros.

        The maximum is subtracted first, which changes nothing but the rounding [blanchard2021].

        >>> Tensor([1000.0, 1000.0]).softmax().tolist()
        [0.5, 0.5]
        """
        return _reduced(kernels.softmax, self, self._data, axis)

    def log_softmax(self: "Tensor", axis: int = -1) -> "Tensor":
        """Return x - log Σ exp(x) along an axis: finite for every finite x; a row of nothing but -inf stays so.

        The maximum is subtracted first, as for `softmax` [blanchard2021].

        >>> Tensor([0.0, -1000.0]).log_softmax().tolist()
        [0.0, -1000.0]
        """
        return _reduced(kernels.log_softmax, self, self._data, axis)


def _reduced(
    function: Callable[..., Any], x: "Tensor", array: Array, axis: Any, *rest: Any
) -> "Tensor":
    """Apply a function along axes, and say it clearly where there are no such axes, or no elements."""
    named = {"keepdims": rest[0]} if function in _KEEPS_DIMENSIONS else {}
    try:
        return x._wrap(function(array, axis, *(() if named else rest), **named))
    except (ValueError, IndexError, TypeError) as error:
        if isinstance(error, (np.exceptions.AxisError, TypeError)) or x.size:
            raise ShapeError(
                f"{function.__name__} of shape {x.shape} along axis {axis}: {error}. {which_axes(x.ndim)}"
            ) from None
        raise ShapeError(
            f"{function.__name__} of shape {x.shape}: no element is the largest or smallest of none. "
            "Leave empty tensors out, or reduce another axis."
        ) from None


_KEEPS_DIMENSIONS = (np.sum, np.mean, np.max, np.min)
