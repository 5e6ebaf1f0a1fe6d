"""What may become an array: the dtype policy, and checks of what is handed to an operation.

Where a Tensor is welcome, its array is taken; nothing here knows what a Tensor is beyond that.
"""

from typing import Any

import numpy as np

from bytegrad.errors import DtypeError, RangeError, ShapeError
from bytegrad.kernels import Array, floating


def number(value: Any) -> int | float:
    """Return a Python number for a Python or NumPy scalar."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (int, float)):
        return plain
    raise DtypeError(_refusal(type(value).__name__))


def numeric(array: Array) -> Array:
    """Return the array, if it holds real numbers or booleans."""
    if array.dtype.kind not in "fiub":
        raise DtypeError(_refusal(str(array.dtype)))
    return array


def array_of(value: Any) -> Array:
    """Return the array of a Tensor; anything else as an array of real numbers."""
    inner = getattr(value, "_data", None)
    return numeric(np.asarray(value)) if inner is None else inner


def array_key(key: Any) -> Any:
    """Return an index with arrays in place of Tensors and lists."""
    if isinstance(key, tuple):
        return tuple(map(array_key, key))
    if hasattr(key, "_data"):
        return key._data
    return np.asarray(key, dtype=None if key else int) if isinstance(key, list) else key


def differentiable(dtype: np.dtype[Any]) -> None:
    """Refuse a dtype that can have no gradient."""
    if dtype.kind != "f":
        raise DtypeError(
            f"requires_grad on {dtype}: a derivative needs numbers that can change by a little. "
            "Make the tensor floating, for example with dtype='float32'."
        )


def within(numbers: Array, count: int, what: str, one: str) -> None:
    """Refuse numbers that are not below `count`, and not below 0."""
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        wrong = numbers[(numbers < 0) | (numbers >= count)][0]
        raise RangeError(
            f"{what} {wrong}: there are {count}, numbered from 0 to {count - 1}, and it names no {one}. "
            "Look at where the numbers come from."
        )


def same_shape(x: Any, target: Any, name: str) -> Array:
    """Return the target of a loss as a floating array, if it has the shape of what it is compared with."""
    t = array_of(target)
    if t.shape != x.shape:
        raise ShapeError(
            f"{name} of shape {x.shape} with a target of shape {t.shape}: each output has its own target, and "
            "broadcasting would compare others. Reshape the one that is wrong."
        )
    return t if t.dtype.kind == "f" else t.astype(floating(x._data).dtype)


def _refusal(seen: str) -> str:
    return (
        f"got {seen}: a Tensor holds real numbers or booleans. "
        "Convert the data to a float, integer or bool dtype."
    )
