"""Finding the operation that first made a NaN or an infinity, forward or backward, and the line that asked for it."""

import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bytegrad.errors import AnomalyError
from bytegrad.record import Function
from bytegrad.tensor import Tensor
from bytegrad.watch import Watcher, observe, user_line

_NAN, _INFINITY = "a NaN", "an infinity"


class _Detector(Watcher):
    """Looks at the numbers of each call, forward and backward."""

    def __init__(self) -> None:
        # for each call the line that made it, and what its saved arrays held
        self._seen: weakref.WeakKeyDictionary[Function, tuple[str, list[int]]] = (
            weakref.WeakKeyDictionary()
        )

    def called(
        self, fn: Function | None, name: str, inputs: tuple[Any, ...], output: Tensor
    ) -> None:
        """Refuse an output that is not finite, and remember where the call stands in the program."""
        line = user_line()
        if fn is not None:
            self._seen[fn] = line, _checksums(fn)
        bad = _bad(output._data)
        if bad is None:
            return
        given = [_bad(_floats(x)) for x in inputs]
        if _NAN in given:
            raise AnomalyError(
                f"{name} was given a NaN as input {given.index(_NAN)}, at {line}: no operation made it under "
                "detect_anomaly(). Look at the data, or start detect_anomaly() before this number is made."
            )
        if bad == _INFINITY and _INFINITY in given:
            return  # an infinity that was handed in, as masks do, may be handed on
        raise AnomalyError(
            f"{name} made {bad} in its output of shape {output.shape}, at {line}: no input held one. "
            f"They were {_ranges(inputs)}; keep them where {name} is defined and does not overflow."
        )

    def applying(self, fn: Function) -> None:
        """Refuse saved arrays whose numbers were changed unseen."""
        line, before = self._seen.get(fn, ("", None))
        if before is not None and _checksums(fn) != before:
            raise AnomalyError(
                f"{fn!r} saved an array at {line}, and its numbers were changed since by a write straight into a NumPy "
                "array, which no version counter sees. Write into a copy, or use the in-place methods of Tensor."
            )

    def applied(self, fn: Function, grad_output: Any, grads: list[Any]) -> None:
        """Refuse a gradient that is not finite."""
        line, _ = self._seen.get(fn, ("a line before detect_anomaly() began", None))
        if _bad(_array(grad_output)) is not None:
            return  # it came in from a gradient that was passed to backward(), or from a hook
        for i, grad in enumerate(grads):
            bad = None if grad is None else _bad(_array(grad))
            if bad is not None:
                raise AnomalyError(
                    f"{fn!r} made {bad} in the gradient of its input {i}; the call was made at {line}. What came in "
                    f"was finite ({_ranges((grad_output, *fn.saved_tensors))}), so its slope is not. "
                    "Keep its inputs away from where that is so."
                )


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise at the operation that first makes a NaN or an infinity, and name the line of your program that called it.

    It looks at each differentiable operation of this thread, recorded or not, at each gradient, and at whether arrays
    that a rule saved were written into behind the engine's back. That takes time: use it to search, not to train.

    Raises (inside):
        AnomalyError: a number that is not finite was made, or was there already; or a saved array was overwritten.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([0.0, 4.0], requires_grad=True)
    >>> try:
    ...     with detect_anomaly():
    ...         x.sqrt().sum().backward()
    ... except AnomalyError as error:
    ...     print(str(error).split(";")[0])
    <SqrtBackward> made an infinity in the gradient of its input 0
    """
    with np.errstate(all="ignore"), observe(_Detector()):
        yield


def _array(gradient: Any) -> Any:
    if isinstance(gradient, Tensor):
        return gradient._data
    return gradient if isinstance(gradient, (np.ndarray, np.generic)) else gradient.values


def _bad(array: Any) -> str | None:
    """Say what an array holds that is not finite; None if all of it is."""
    if np.isfinite(array).all():
        return None
    return _NAN if np.isnan(array).any() else _INFINITY


def _floats(x: Any) -> Any:
    """Return the numbers of an input that could be infinite, or none at all."""
    array = x._data if isinstance(x, Tensor) else x
    floating = isinstance(array, (float, np.floating)) or (
        isinstance(array, np.ndarray) and array.dtype.kind == "f"
    )
    return array if floating else 0.0


def _checksums(fn: Function) -> list[int]:
    """Return a checksum of each saved array."""
    return [
        zlib.crc32(np.ascontiguousarray(kept).view(np.uint8).data if kept.size else b"")
        for kept in fn.saved_tensors
        if isinstance(kept, np.ndarray)
    ]


def _ranges(values: tuple[Any, ...]) -> str:
    """Say from where to where arrays and numbers reach."""
    texts = []
    for value in values:
        array = value._data if isinstance(value, Tensor) else value
        if isinstance(array, (int, float, np.generic, np.ndarray)) and np.size(array):
            low, high = float(np.min(array)), float(np.max(array))
            texts.append(f"{low:g}" if low == high else f"{low:g} to {high:g}")
    return ", ".join(texts) or "nothing"
