"""What may become an array: the dtype policy, and checks of what is handed to an operation.

Where a Tensor is welcome, its array is taken; nothing here knows what a Tensor is beyond that.
"""

from collections.abc import Iterator
from numbers import Number
from typing import Any

import numpy as np

from bytegrad.errors import DtypeError, RangeError, ShapeError
from bytegrad.kernels import Array, floating


def number(value: Any) -> int | float:
    """Return a Python number for a Python or NumPy scalar."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, np.floating):  # a long double is no Python number by itself
        return float(plain)
    if isinstance(plain, int) and not -(2**63) <= plain < 2**64:  # no integer dtype holds it
        try:
            return float(plain)
        except OverflowError:
            raise RangeError(
                f"got an integer of {plain.bit_length()} bits beside a Tensor: the largest float is about 1.8e308. "
                "Use a smaller number."
            ) from None
    if isinstance(plain, (int, float)):
        return plain
    raise DtypeError(_refusal(type(value).__name__))


def numeric(array: Array) -> Array:
    """Return the array, if it holds real numbers or booleans."""
    if isinstance(array, np.ma.MaskedArray):
        raise DtypeError(
            "got a masked array: a Tensor has no mask, and would compute with what it hides. "
            "Use .filled(number), and keep the mask as a Tensor of its own."
        )
    if array.dtype.kind not in "fiub":
        raise DtypeError(_refusal(str(array.dtype)))
    return array


def array_of(value: Any) -> Array:
    """Return the array of a Tensor; anything else as an array of real numbers."""
    inner = None if isinstance(value, np.ndarray) else getattr(value, "_data", None)
    if inner is not None:
        return inner  # type: ignore[no-any-return]
    return np.asarray(numeric(value if isinstance(value, np.ndarray) else np.asarray(value)))


def operand(value: Any) -> Any:
    """Return a number as a Python number, which takes on any dtype, and anything else as an array."""
    return number(value) if isinstance(value, (Number, np.generic)) else array_of(value)


def owner(array: Array) -> Any:
    """Return the object whose memory an array looks at: an array, or what lent its memory to one."""
    *_, source = sources(array)
    return source


def outermost(array: Array) -> Array:
    """Return the last array on the way from a view to its memory: while that one lives, so does the memory."""
    return [source for source in sources(array) if isinstance(source, np.ndarray)][-1]


def sources(array: Array) -> Iterator[Any]:
    """Yield an array, what it is a view of, and so on: memoryviews and the go-between of `as_strided` included."""
    source: Any = array
    while source is not None:
        yield source
        source = source.obj if isinstance(source, memoryview) else getattr(source, "base", None)


def array_key(key: Any) -> Any:
    """Return a NumPy index: Tensors, lists and whatever else holds numbers become arrays."""
    return tuple(map(_key_part, key)) if isinstance(key, tuple) else _key_part(key)


def _key_part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, (slice, Number, np.ndarray)):
        return part
    if hasattr(part, "_data"):
        return part._data
    if hasattr(part, "__index__"):
        return part.__index__()
    array = np.asarray(part)
    return array if array.size else array.astype(int)  # an empty list selects nothing


def boolean(mask: Any, name: str) -> Array:
    """Return a mask as an array, if it holds booleans."""
    array = array_of(mask)
    if array.dtype != bool:
        raise DtypeError(
            f"{name}() with a condition of {array.dtype}: it chooses by True and False. Compare first, as in x > 0."
        )
    return array


def spread(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return lengths or axes that were given as several arguments, or as one tuple or list."""
    if len(numbers) == 1 and isinstance(numbers[0], (tuple, list)):
        return tuple(numbers[0])
    return numbers


def which_axes(ndim: int) -> str:
    """Say which axes there are to name, as the last sentence of an error."""
    return (
        f"Name axes from {-ndim} to {ndim - 1}, each once."
        if ndim
        else "Leave the axis out: 0-d has none."
    )


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


def target_of(target: Any, x: Any) -> Array:
    """Return the target of a loss as an array; a list of floats takes the dtype of what it is compared with."""
    t = array_of(target)
    if isinstance(target, np.ndarray) or hasattr(target, "_data") or t.dtype.kind != "f":
        return t
    return t.astype(floating(array_of(x)).dtype)


def same_shape(x: Any, target: Any, name: str) -> Array:
    """Return the target of a loss as a floating array, if it has the shape of what it is compared with."""
    t = target_of(target, x)
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
