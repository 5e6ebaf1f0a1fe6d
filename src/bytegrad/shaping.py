"""The operations of `Tensor` that give its elements another shape, order or selection."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bytegrad import kernels
from bytegrad.arrays import array_key, array_of, spread
from bytegrad.errors import IndexingError, ShapeError

if TYPE_CHECKING:
    from bytegrad.tensor import Tensor


class Shapes:
    """Methods of `Tensor` that move elements and compute nothing."""

    __slots__ = ()

    def reshape(self: "Tensor", *shape: Any) -> "Tensor":
        """Return the same elements under another shape, given as ints or one tuple; a view where possible.

        One length may be -1: it is worked out.

        Raises:
            ShapeError: the number of elements differs.

        >>> Tensor([1.0, 2.0, 3.0, 4.0]).reshape(2, -1).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
        """
        try:
            return self._wrap(self._data.reshape(*shape))
        except ValueError:
            raise ShapeError(
                f"reshape of {self.shape} to {shape}: {self.size} elements do not fill that shape. "
                "Make the product of the lengths equal, or put one -1."
            ) from None

    def transpose(self: "Tensor", axis0: int = -2, axis1: int = -1) -> "Tensor":
        """Swap `axis0` and `axis1`, by default the last two; a view, no copy.

        Raises:
            ShapeError: there are no such axes, or fewer than two.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).transpose().tolist()
        [[1.0, 3.0], [2.0, 4.0]]
        """
        if self._data.ndim < 2:
            raise ShapeError(
                f"transpose of shape {self.shape}: there are no two axes to swap. Reshape to two first."
            )
        try:
            return self._wrap(self._data.swapaxes(axis0, axis1))
        except ValueError as error:
            raise ShapeError(
                f"transpose({axis0}, {axis1}) of shape {self.shape}: {error}. "
                f"Name two axes from {-self.ndim} to {self.ndim - 1}."
            ) from None

    def permute(self: "Tensor", *axes: Any) -> "Tensor":
        """Put the axes in another order, given as ints or one tuple; a view, no copy.

        Raises:
            ShapeError: not every axis is named exactly once.

        >>> Tensor([[[1.0, 2.0]]]).permute(2, 0, 1).shape
        (2, 1, 1)
        """
        order = spread(axes)
        try:
            return self._wrap(self._data.transpose(order))
        except ValueError:
            raise ShapeError(
                f"permute{order} of shape {self.shape}: each of the {self.ndim} axes must be named once. "
                f"Name 0 to {self.ndim - 1} in the order wanted."
            ) from None

    def broadcast_to(self: "Tensor", *shape: Any) -> "Tensor":
        """Repeat the elements along new axes, and along those of length 1; a view, no copy.

        Raises:
            ShapeError: the shape cannot be broadcast to that one.

        >>> Tensor([[1.0], [2.0]]).broadcast_to(2, 3).tolist()
        [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
        """
        wanted = spread(shape)
        try:
            return self._wrap(np.broadcast_to(self._data, wanted))
        except ValueError:
            raise ShapeError(
                f"broadcast_to{wanted} of shape {self.shape}: counted from the right, each length must be that "
                "of the new shape, or 1. Reshape first, so that new axes have length 1."
            ) from None

    def concatenate(self: "Tensor", *others: Any, axis: int = 0) -> "Tensor":
        """Join this tensor and the `others`, one after the other, along an axis that they have; a copy.

        Raises:
            ShapeError: the lengths along the other axes differ, or there is no such axis.
            DtypeError: one of the others is not of real numbers.

        >>> Tensor([1.0]).concatenate(Tensor([2.0]), Tensor([3.0])).tolist()
        [1.0, 2.0, 3.0]
        """
        arrays = [self._data, *map(array_of, others)]
        if not isinstance(axis, int):
            raise ShapeError(
                f"concatenate along axis {axis!r}: tensors are joined along one axis. Name it by a whole number."
            )
        try:
            return self._wrap(np.concatenate(arrays, axis=axis))
        except ValueError:
            raise ShapeError(
                f"concatenate of shapes {', '.join(str(a.shape) for a in arrays)} along axis {axis}: all other axes "
                "must have equal lengths. Reshape, or use stack() for a new axis."
            ) from None

    def __getitem__(self: "Tensor", key: Any) -> "Tensor":
        """Return the elements at a NumPy index: numbers and slices give a view, lists, arrays and masks a copy.

        Raises:
            IndexingError: the index points outside, or is none.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]])[:, 1].tolist()
        [2.0, 4.0]
        """
        key = array_key(key)
        try:
            part = self._data[key]
            if isinstance(part, np.generic):  # NumPy copies one number; with ... it is a view, too
                part = self._data[(*key, ...) if isinstance(key, tuple) else (key, ...)]
            return self._wrap(part)
        except IndexError as error:
            raise IndexingError(
                f"x[{key!r}] of a Tensor of shape {self.shape}: {error}. Use an index inside the shape."
            ) from None

    def scatter(self: "Tensor", key: Any, shape: tuple[int, ...]) -> "Tensor":
        """Return zeros of `shape` with these elements added at ``[key]``: the transpose of indexing.

        Where the `key` names an index twice, both elements are added.

        Raises:
            IndexingError: the index points outside that shape, or does not select this many elements.

        >>> Tensor([1.0, 2.0, 4.0]).scatter([0, 2, 2], (3,)).tolist()
        [1.0, 0.0, 6.0]
        """
        key = array_key(key)
        try:
            return self._wrap(kernels.scatter(self._data, key, shape))
        except (IndexError, ValueError) as error:
            raise IndexingError(
                f"scatter of shape {self.shape} to {key!r} in {shape}: {error}. Use the key that selects this shape."
            ) from None
