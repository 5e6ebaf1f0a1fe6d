"""What a wrong gradient looks like: its likeness to the right one, put into words for `gradcheck`.

A likeness is no proof of what is wrong. But a rule that is wrong in one of the ways in which rules are written wrongly
gives itself away: the numbers that it returns are right ones with a sign turned, a factor lost, or in another's place.
"""

from collections.abc import Mapping

import numpy as np

from bytegrad.engine import execution_order
from bytegrad.kernels import Array
from bytegrad.record import Function
from bytegrad.tensor import Tensor

_MOST_NAMES = 6


def likeness(i: int, found: Array | None, expected: Mapping[int, Array], g: Array) -> str:
    """Say in one sentence what the gradient of input `i` looks like; an empty string if it looks like nothing known.

    Args:
        i: the input whose gradient is wrong.
        found: its gradient, or None if none arrived.
        expected: the finite differences, by input.
        g: the gradient that was given to the result.

    >>> import numpy as np
    >>> right = {0: np.array([1.0, 2.0]), 1: np.array([3.0, 5.0])}
    >>> likeness(0, np.array([-1.0, -2.0]), right, np.ones(2))
    'Its sign is turned in every element.'
    >>> likeness(0, np.array([3.0, 5.0]), right, np.ones(2))
    'It equals the gradient of input 1: are the two exchanged?'
    """
    right = expected[i]
    if found is None:
        return "None arrived: a rule on the way returns None for it, or the way is cut."
    got = np.asarray(found)
    bad = int(got.size - np.isfinite(got).sum())
    if bad:
        return f"{bad} of its elements are not finite: look for a division by 0, or a log or power of it, in the rule."
    if not got.any():
        return "It is 0 in every element: a rule on the way passes nothing on."
    if not right.any():
        return "It should be 0 in every element: the result does not follow this input, or only in steps."
    if _alike(got, -right):  # of a - b it is the other's gradient, too
        return "Its sign is turned in every element."
    return (
        _of_another(i, got, expected)
        or _of_the_incoming(got, right, g)
        or _of_a_factor(got, right)
        or _of_places(got, right)
    )


def calls_between(result: Tensor, leaf: Tensor) -> list[str]:
    """Return the rules of the recorded calls that lead from a leaf to a result, each once, the leaf's own first.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> calls_between((x * x).tanh().sum(), x)
    ['MulBackward', 'TanhBackward', 'SumBackward']
    """
    if result._grad_fn is None:
        return []
    leading: set[Function] = set()
    names: dict[str, None] = {}
    for fn in execution_order(result._grad_fn):  # inputs come first
        if any(edge is leaf or edge in leading for edge in fn.edges or () if edge is not None):
            leading.add(fn)
            names[type(fn).__name__] = None
    return list(names)


def where_to_look(calls: list[str]) -> str:
    """Return what to check, given the rules on the way.

    >>> where_to_look(["MulBackward"])
    'Check MulBackward, or whether the function has a kink here.'
    """
    if not calls:
        return (
            "No recorded call leads from this input to the result: .data, .numpy() or detach() cut the graph, or a "
            "method that is not in the table. Compute the result from the Tensor itself."
        )
    if len(calls) == 1:
        return f"Check {calls[0]}, or whether the function has a kink here."
    return f"Check the rules on the way ({named(calls)}), or whether the function has a kink here."


def named(calls: list[str]) -> str:
    """Return the names of the first rules on the way, and how many more there are.

    >>> named(["MulBackward", "SumBackward"])
    'MulBackward, SumBackward'
    """
    more = len(calls) - _MOST_NAMES
    return ", ".join(calls[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _of_another(i: int, got: Array, expected: Mapping[int, Array]) -> str:
    for j, other in expected.items():
        if j != i and _alike(got, other):
            return f"It equals the gradient of input {j}: are the two exchanged?"
    return ""


def _of_the_incoming(got: Array, right: Array, g: Array) -> str:
    fitted = _summed_to(g, got.shape)
    if fitted is not None and _alike(got, fitted):
        return "It is the incoming gradient as it came: the local slope is missing."
    if g.shape in (got.shape, ()) and _alike(got * g, right):
        return "It is the local slope alone: the rule leaves out the incoming gradient."
    if g.shape in (got.shape, ()) and _alike(got, right * g):
        return "It is too large by the incoming gradient: the rule multiplies by it twice."
    return ""


def _of_a_factor(got: Array, right: Array) -> str:
    factor = float((got * right).sum() / (right * right).sum())
    if factor == 0 or not _alike(got, factor * right):
        return ""
    whole = abs(factor) if abs(factor) > 1 else 1 / abs(factor)
    is_whole = abs(whole - round(whole)) < 1e-5 * whole
    if np.count_nonzero(right) < 2 and not is_whole:
        return ""  # one number is always some multiple of another
    said = f"It is {factor:.6g} times what it should be, in every element: "
    count = round(whole) if is_whole and round(whole) > 2 else 0
    if count in got.shape:
        axis = got.shape.index(count)
        return (
            f"{said}{count} is the length of axis {axis}; is it a mean for a sum, or the reverse?"
        )
    if count == got.size:
        return f"{said}{count} is the number of elements; is it a mean for a sum, or the reverse?"
    return said + (
        "a factor too many, or a path that counts twice."
        if abs(factor) > 1
        else "a factor is missing, or a path."
    )


def _of_places(got: Array, right: Array) -> str:
    if got.ndim > 1 and _alike(got, right.swapaxes(-1, -2)):
        return "It is the transpose of what it should be."
    if got.size > 1 and _alike(np.sort(got, axis=None), np.sort(right, axis=None)):
        return "It has the right numbers in the wrong places: look at the axes and the order."
    astray = ~np.isclose(got, right, rtol=1e-5, atol=1e-6 * np.abs(right).max())
    count = int(astray.sum())
    if count and not got[astray].any():
        return f"Where it is wrong it is 0: the rule drops {count} of {got.size} elements."
    return ""


def _alike(one: Array, other: Array) -> bool:
    """Tell whether two gradients are equal but for the error of a finite difference."""
    if one.shape != other.shape:
        return False
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-6 * np.abs(other).max(initial=0.0)))


def _summed_to(g: Array, shape: tuple[int, ...]) -> Array | None:
    """Return `g` summed over the axes that broadcasting `shape` would have made, or None if it would not."""
    tail = g.shape[g.ndim - len(shape) :]
    if g.ndim < len(shape) or any(n not in (1, m) for n, m in zip(shape, tail, strict=True)):
        return None
    added = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1)
    return np.asarray(added.sum(axis=stretched, keepdims=True))
