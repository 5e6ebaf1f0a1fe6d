"""Edits: changing an array in place, and remembering that it was changed.

A rule needs the numbers that the forward pass saw. So every edit is entered here, and the backward pass asks whether
an array that a rule saved was edited since. One clock counts recorded calls and edits alike, so that nothing need be
written down when a call is recorded: an edit with a higher number than the call came later.

Writing straight into the NumPy array (``x.data[0] = 1``) goes past all this, and cannot be seen;
`bytegrad.detect_anomaly` finds it by comparing checksums.
"""

import functools
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bytegrad.arrays import array_key, operand, outermost, owner
from bytegrad.errors import DtypeError, GraphError, RangeError, ShapeError
from bytegrad.modes import state

if TYPE_CHECKING:
    from bytegrad.tensor import Tensor

Array: TypeAlias = NDArray[Any]

#: Counts recorded calls and edits.
clock = itertools.count()

#: The number of the last edit of any array.
latest = -1

#: How many edits of one array are remembered one by one; of older ones only how many there were.
_REMEMBERED = 64


class _History:
    """The edits of one buffer."""

    __slots__ = ("alive", "count", "numbers")

    def __init__(self, array: Array, key: int) -> None:
        self.alive = weakref.ref(outermost(array), functools.partial(_forget, key))
        self.count = 0
        self.numbers: deque[int] = deque(maxlen=_REMEMBERED)


_histories: dict[int, _History] = {}  # by id of the buffer
_one_at_a_time = threading.Lock()  # or `latest` might fall behind the clock


def edited(array: Array) -> None:
    """Enter an edit of this array, and so of every view of the same memory: its version goes up by one."""
    global latest
    key = id(owner(array))
    with _one_at_a_time:
        history = _histories.get(key)
        if history is None:
            history = _histories[key] = _History(array, key)
        latest = next(clock)
        history.count += 1
        history.numbers.append(latest)


def version(array: Array) -> int:
    """Return how often the memory of this array was edited."""
    history = _histories.get(id(owner(array)))
    return 0 if history is None else history.count


def edited_since(array: Array, number: int) -> tuple[int, int] | None:
    """Return the version at the time of a recorded call, and the version now; None where they are the same."""
    history = _histories.get(id(owner(array)))
    if history is None:
        return None
    later = sum(edit > number for edit in history.numbers)
    return (history.count - later, history.count) if later else None


def _forget(key: int, _: object) -> None:
    _histories.pop(key, None)


class Editable:
    """The methods of `Tensor` that change its array. None is ever recorded; each raises the version.

    Raises (all of them):
        GraphError: the tensor, or what is written into it, requires grad, outside `no_grad`.
        ShapeError: what is written does not broadcast to the tensor's shape.
        DtypeError: what is written does not fit the tensor's dtype.
        RangeError: a number is beyond the reach of that dtype.
    """

    __slots__ = ()

    def add_(self: "Tensor", other: Any) -> "Tensor":
        """Add to every element, in place.

        >>> Tensor([1.0, 2.0]).add_(10).tolist()
        [11.0, 12.0]
        """
        return _edit(self, "x.add_(y)", "x = x + y", np.add, other)

    def sub_(self: "Tensor", other: Any) -> "Tensor":
        """Subtract from every element, in place.

        >>> Tensor([1.0, 2.0]).sub_(1).tolist()
        [0.0, 1.0]
        """
        return _edit(self, "x.sub_(y)", "x = x - y", np.subtract, other)

    def mul_(self: "Tensor", other: Any) -> "Tensor":
        """Multiply every element, in place.

        >>> Tensor([1.0, 2.0]).mul_(10).tolist()
        [10.0, 20.0]
        """
        return _edit(self, "x.mul_(y)", "x = x * y", np.multiply, other)

    def copy_(self: "Tensor", other: Any) -> "Tensor":
        """Write other numbers over these, broadcast and cast to the tensor's dtype.

        >>> Tensor([1.0, 2.0]).copy_([3, 4]).tolist()
        [3.0, 4.0]
        """
        return _edit(self, "x.copy_(y)", "x = y", _replaced, other)

    def fill_(self: "Tensor", number: float) -> "Tensor":
        """Write one number into every element.

        >>> Tensor([1.0, 2.0]).fill_(7).tolist()
        [7.0, 7.0]
        """
        return _edit(self, "x.fill_(n)", "x = x * 0 + n", _replaced, number)

    def zero_(self: "Tensor") -> "Tensor":
        """Write 0 into every element.

        >>> Tensor([1.0, 2.0]).zero_().tolist()
        [0.0, 0.0]
        """
        return _edit(self, "x.zero_()", "x = x * 0", _replaced, 0)

    def __iadd__(self: "Tensor", other: Any) -> Any:
        """Return x + y, a new tensor; likewise the other operators with ``=``."""
        _refuse_rebinding(self, "x += y", "x.add_(y)")
        return self + other

    def __isub__(self: "Tensor", other: Any) -> Any:
        _refuse_rebinding(self, "x -= y", "x.sub_(y)")
        return self - other

    def __imul__(self: "Tensor", other: Any) -> Any:
        _refuse_rebinding(self, "x *= y", "x.mul_(y)")
        return self * other

    def __itruediv__(self: "Tensor", other: Any) -> Any:
        _refuse_rebinding(self, "x /= y", "x.mul_(1 / y)")
        return self / other

    def __setitem__(self: "Tensor", key: Any, value: Any) -> None:
        _refuse_recorded(self, value, "x[…] = y", "x = y.where(mask, x)")
        _refuse_read_only(self, "x[…] = y")
        y = operand(value)
        _refuse_too_large(self, y)
        try:
            self._data[array_key(key)] = y
        except (ValueError, IndexError) as error:
            why = str(error).rstrip(".")
            raise ShapeError(
                f"x[{key!r}] = y with x of shape {self.shape} and y of shape {np.shape(y)}: {why}. "
                "Make y fit what the key selects."
            ) from None
        edited(self._data)


def _edit(x: "Tensor", seen: str, remedy: str, compute: Callable[..., Any], other: Any) -> "Tensor":
    _refuse_recorded(x, other, seen, remedy)
    _refuse_read_only(x, seen)
    y = operand(other)
    if compute is _replaced:
        _refuse_too_large(x, y)
    try:
        compute(x._data, y, out=x._data, casting="unsafe" if compute is _replaced else "same_kind")
    except TypeError:  # NumPy's own says neither what to do nor which is which
        raise DtypeError(
            f"{seen} with x of {x.dtype} and y of {np.asarray(y).dtype}: the result does not fit into x. "
            f"Make x floating first, or write {remedy}."
        ) from None
    except ValueError:
        raise ShapeError(
            f"{seen} with x of shape {x.shape} and y of shape {np.shape(y)}: the result does not fit into x. "
            f"Write {remedy}, or bring y to the shape of x."
        ) from None
    edited(x._data)
    return x


def _replaced(x: Array, y: Any, out: Array, casting: Any) -> None:
    np.copyto(out, y, casting=casting)


def _refuse_read_only(x: "Tensor", seen: str) -> None:
    if not x._data.flags.writeable:
        raise GraphError(
            f"{seen} with x over memory that is read-only, such as a broadcast view, whose elements share it: an edit "
            "of one would be one of others. Edit x.clone(), or what x is a view of."
        )


def _refuse_recorded(x: "Tensor", other: Any, seen: str, remedy: str) -> None:
    if not state.recording:
        return
    if x._requires_grad:
        what = "a leaf that requires grad" if x.is_leaf else f"a result of {x.grad_fn!r}"
        raise GraphError(
            f"{seen} on {what}: an edit in place is not recorded, and the gradient would be that of the old numbers. "
            f"Write {remedy}; or, if no gradient shall see it, edit under no_grad()."
        )
    if getattr(other, "requires_grad", False):
        raise GraphError(
            f"{seen} where y requires grad: an edit in place is not recorded, and the gradient of y would be lost. "
            f"Write {remedy}; or, if no gradient shall see it, use y.detach()."
        )


def _refuse_rebinding(x: "Tensor", seen: str, remedy: str) -> None:
    """Refuse what would leave a parameter as it was, without a word."""
    if x._requires_grad and x.is_leaf and not state.recording:
        raise GraphError(
            f"{seen} under no_grad() on a Tensor that requires grad: it makes a new tensor and gives it the name x, "
            f"while the old one, which a model or an optimizer holds, stays as it was. Write {remedy} to change that."
        )


def _refuse_too_large(x: "Tensor", y: Any) -> None:
    """Refuse numbers that would wrap round, or are none, in an integer dtype."""
    if x._data.dtype.kind in "iu" and np.size(y):
        reach = np.iinfo(x._data.dtype)
        low, high = np.min(y), np.max(y)
        if not (low >= reach.min and high <= reach.max):
            raise RangeError(
                f"numbers from {low} to {high} into a Tensor of {x.dtype}: it reaches from {reach.min} to {reach.max}. "
                "Use a wider dtype, or smaller numbers."
            )
