"""What NumPy is asked to compute: functions of arrays that know neither Tensors nor gradients.

An operation of `Tensor` wraps one of these; a rule uses the same ones.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = int | tuple[int, ...] | None


def floating(x: Array) -> Array:
    """Return x, or x in float32 where it holds integers or booleans."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def divide(x: Array, y: Any) -> Any:
    """Return x / y; integer / integer gives float32."""
    if x.dtype.kind != "f" and (not isinstance(y, np.ndarray) or y.dtype.kind != "f"):
        x = x.astype(np.float32)
        y = y.astype(np.float32) if isinstance(y, np.ndarray) else y
    return np.divide(x, y)


def power(x: Array, y: Any) -> Any:
    """Return x ** y."""
    if isinstance(y, (int, float)) and y == 3:
        return x * x * x  # NumPy's general power is some forty times slower
    return x**y


def sigmoid(x: Array) -> Array:
    """Return 1/(1 + exp(-x)) without overflow at either end."""
    x = floating(x)
    small = np.exp(-np.abs(x))  # in (0, 1]: the exponential that cannot overflow
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def erf(x: Array) -> Array:
    """Return the error function, by the C library's: NumPy has none."""
    x = floating(x)
    return np.fromiter(map(math.erf, x.ravel().tolist()), x.dtype, x.size).reshape(x.shape)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Return x Φ(x), or its tanh form."""
    x = floating(x)
    below = erf(x * math.sqrt(0.5)) if approximate == "none" else np.tanh(gelu_inner(x))
    return np.asarray(x * (0.5 * (1 + below)))


def gelu_inner(x: Any) -> Any:
    """Return √(2/π) (x + 0.044715 x³), the argument of tanh in GELU's tanh form; x may be a Tensor."""
    return (x + 0.044715 * (x * x * x)) * math.sqrt(2 / math.pi)


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)), which cannot overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def softmax(x: Array, axis: int = -1) -> Array:
    """Return exp(x) / Σ exp(x) along an axis; zeros where all of a row is -inf."""
    x = floating(x)
    if not x.size:
        return x.copy()
    weights = np.asarray(np.exp(_below_maximum(x, axis)))
    total = np.asarray(weights.sum(axis=axis, keepdims=True))
    total[total == 0] = 1  # every other total is at least 1: the maximum's own exp(0)
    weights /= total
    return weights


def log_softmax(x: Array, axis: int = -1) -> Array:
    """Return x - log Σ exp(x) along an axis; -inf where all of a row is."""
    x = floating(x)
    if not x.size:
        return x.copy()
    below = _below_maximum(x, axis)
    total = np.asarray(np.exp(below).sum(axis=axis, keepdims=True))
    total[total == 0] = 1
    below -= np.log(total)
    return below


def _below_maximum(x: Array, axis: int) -> Array:
    """Return x - max(x): at most 0, and finite where x is."""
    top = np.asarray(x.max(axis=axis, keepdims=True))  # a number where x is 0-d
    top[top == -np.inf] = 0  # a row that is masked throughout stays -inf
    try:
        with np.errstate(over="raise"):
            return np.asarray(x - top)
    except FloatingPointError:  # further apart than the dtype reaches
        with np.errstate(over="ignore"):
            return np.where(np.isfinite(x), np.maximum(x - top, np.finfo(x.dtype).min), x)


def statistics(x: Any, eps: float) -> tuple[Any, Any]:
    """Return mean and 1/√(variance + eps) along the last axis, kept with length 1; x may be a Tensor."""
    mean = x.mean(axis=-1, keepdims=True)  # (..., 1)
    centred = x - mean
    return mean, ((centred * centred).mean(axis=-1, keepdims=True) + eps) ** -0.5


def count_along(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many elements lie along axes."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(shape[a] for a in axes if -len(shape) <= a < len(shape))


def scatter(x: Array, key: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of `shape` with x added at ``[key]``; where indices repeat, all of theirs are added."""
    out = np.zeros(shape, dtype=x.dtype)
    parts = key if isinstance(key, tuple) else (key,)
    if any(isinstance(part, np.ndarray) for part in parts):
        np.add.at(out, key, x)
    else:  # slices and single numbers name no element twice
        out[key] = x
    return out


def binary_cross_entropy(p: Array, t: Array) -> Array:
    """Return -t log p - (1 - t) log(1 - p), neither logarithm below -100 (as PyTorch's)."""
    with np.errstate(divide="ignore"):
        hit, miss = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
    return np.asarray(-t * hit - (1 - t) * miss)


def distribution(target: Array, shape: tuple[int, ...], dtype: Any, ignore_index: int) -> Array:
    """Return targets as one row of probabilities a sample: one-hot, and zeros where a target is ignored.

    Args:
        target: class numbers, of shape `shape` without its last axis; or the probabilities themselves.
        shape: the shape of the logits, classes on the last axis.
        dtype: the dtype of the result.
        ignore_index: the class number that stands for "leave this sample out".
    """
    if target.shape == shape:
        return target if target.dtype.kind == "f" else target.astype(dtype)
    kept = np.flatnonzero(target != ignore_index)
    rows = np.zeros((target.size, shape[-1]), dtype=dtype)  # (samples, classes)
    rows[kept, target.ravel()[kept]] = 1
    return rows.reshape(shape)
