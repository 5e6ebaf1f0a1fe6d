"""Functions of several Tensors that choose among their elements, or put them together and take them apart.

Arrays may stand for Tensors, as in `bytegrad.functional`, which exports these.

Raises (all of them):
    DtypeError: an argument is not of real numbers.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bytegrad.arrays import array_of
from bytegrad.errors import ShapeError
from bytegrad.tensor import Tensor, wrap


def tensor_of(x: Any) -> Tensor:
    """Return a Tensor as it is, one over an array (not copied), or one of numbers."""
    if isinstance(x, Tensor):
        return x
    return wrap(array_of(x)) if isinstance(x, np.ndarray) else Tensor(x)


def where(condition: Any, x: Any, y: Any) -> Tensor:
    """Return x where `condition` is True, and y elsewhere; each a Tensor, an array or a number.

    Raises:
        DtypeError: the condition is not of booleans.
        ShapeError: the shapes do not broadcast.

    >>> where(np.array([True, False]), 1.0, Tensor([5.0, 6.0])).tolist()
    [1.0, 6.0]
    """
    a, b = _pair(x, y)
    return a.where(condition, b)


def maximum(x: Any, y: Any) -> Tensor:
    """Return max(x, y), the larger of each two elements; where they are equal they share the gradient.

    Raises:
        ShapeError: the shapes do not broadcast.

    >>> maximum(0.0, Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    a, b = _pair(x, y)
    return a.maximum(b)


def minimum(x: Any, y: Any) -> Tensor:
    """Return min(x, y), the smaller of each two elements; where they are equal they share the gradient.

    Raises:
        ShapeError: the shapes do not broadcast.

    >>> minimum(0.0, Tensor([-1.0, 2.0])).tolist()
    [-1.0, 0.0]
    """
    a, b = _pair(x, y)
    return a.minimum(b)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the tensors one after another along an axis that they have.

    Raises:
        ShapeError: no tensors, other axes that differ, or no such axis.
        TypeError: one Tensor or array in place of a list.

    >>> concatenate([Tensor([1.0]), Tensor([2.0, 3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    first, *others = _some(tensors, "concatenate")
    return first.concatenate(*others, axis=axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the tensors side by side along a new axis.

    Raises:
        ShapeError: no tensors, shapes that differ, or no place for such an axis.
        TypeError: one Tensor or array in place of a list.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], axis=1).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    every = _some(tensors, "stack")
    shapes = list(dict.fromkeys(x.shape for x in every))
    if len(shapes) > 1:
        raise ShapeError(
            f"stack of shapes {', '.join(map(str, shapes))}: side by side along a new axis, all must be alike. "
            "Use concatenate for an axis that they have, or pad them."
        )
    first, *others = [x.unsqueeze(axis) for x in every]
    return first.concatenate(*others, axis=axis)


def split(x: Any, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Return the pieces of x along an axis: views, no copies.

    Args:
        x: at least one axis.
        sizes: the length of each piece; or one length for all, of which the last piece may fall short.
        axis: where to cut.

    Raises:
        ShapeError: there is no such axis, or the lengths do not add up to it.

    >>> [piece.tolist() for piece in split(Tensor([1.0, 2.0, 3.0]), 2)]
    [[1.0, 2.0], [3.0]]
    """
    x = tensor_of(x)
    place: Any = axis
    if not (isinstance(place, (int, np.integer)) and -x.ndim <= place < x.ndim):
        raise ShapeError(
            f"split of shape {x.shape} along axis {axis}: there is no such axis. "
            f"Name one from {-x.ndim} to {x.ndim - 1}."
        )
    length = x.shape[axis]
    given: Any = sizes
    if isinstance(given, (int, np.integer)):
        lengths = [min(given, length - i) for i in range(0, length, given)] if given > 0 else [-1]
    else:
        lengths = list(given) if isinstance(given, Iterable) else [given]
    whole = all(isinstance(n, (int, np.integer)) and n >= 0 for n in lengths)
    if not whole or sum(lengths) != length:
        raise ShapeError(
            f"split of shape {x.shape} along axis {axis} into {sizes}: the pieces must make up {length}. "
            "Pass lengths that do, or one length above 0."
        )
    before = (slice(None),) * (axis % x.ndim)
    ends = np.cumsum([0, *lengths]).tolist()
    return tuple([x[(*before, slice(a, b))] for a, b in pairwise(ends)])


def _pair(x: Any, y: Any) -> tuple[Tensor, Any]:
    """Make the first of two a Tensor, under the dtype policy where it is a number."""
    if isinstance(y, Tensor) and not isinstance(x, Tensor):
        return y._meet(x)
    return tensor_of(x), y


def _some(tensors: Any, name: str) -> list[Tensor]:
    if isinstance(tensors, (Tensor, np.ndarray)) or not isinstance(tensors, Iterable):
        raise TypeError(
            f"{name} of {type(tensors).__name__}: it puts several together, and they come as a list. "
            f"Pass {name}([a, b]), and the axis by name."
        )
    tensors = list(tensors)
    if not tensors:
        raise ShapeError(
            f"{name} of no tensors: there is no shape for the result. Pass at least one."
        )
    return [tensor_of(x) for x in tensors]
