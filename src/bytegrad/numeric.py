"""Finite differences: the second opinion on every gradient."""

from collections.abc import Callable

import numpy as np

from bytegrad.errors import DtypeError, GradcheckError
from bytegrad.record import no_grad
from bytegrad.tensor import Array, Tensor


def numerical_gradient(
    f: Callable[..., Tensor], *inputs: Tensor, which: int = 0, eps: float = 1e-6
) -> Array:
    """Return d(f)/d(inputs[which]) by central differences: (f(x + eps) - f(x - eps)) / (2 eps), one element at a time.

    Args:
        f: returns one number (a Tensor with one element).
        inputs: where to differentiate.
        which: the input to vary.
        eps: the step.

    Raises:
        DtypeError: the input is not float64.
    """
    _float64(inputs[which], which, eps)
    gradient = np.zeros(inputs[which].shape)
    with no_grad():
        for index in np.ndindex(gradient.shape):
            gradient[index] = _slope(f, inputs, which, index, eps)
    return gradient


def _slope(
    f: Callable[..., Tensor],
    inputs: tuple[Tensor, ...],
    which: int,
    index: tuple[int, ...],
    eps: float,
) -> float:
    ends = []
    for step in (eps, -eps):
        nudged = [Tensor(x) for x in inputs]
        nudged[which].data[index] += step
        ends.append(f(*nudged).item())
    return float((ends[0] - ends[1]) / (2 * eps))


def _float64(x: Tensor, i: int, eps: float) -> None:
    if x.dtype != np.float64:
        raise DtypeError(
            f"finite differences of {x.dtype} (input {i}): a step of {eps:g} drowns in its rounding error. "
            "Use float64: Tensor(data, dtype='float64', requires_grad=True)."
        )


def gradcheck(
    f: Callable[..., Tensor],
    *inputs: Tensor,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> bool:
    """Compare the engine's gradients with central differences; return True, or raise.

    An output of more than one element is first reduced to one number with fixed random weights, so that an error
    in any element shows.

    Args:
        f: takes the inputs and returns a Tensor.
        inputs: float64 Tensors; the ones that require grad are checked.
        eps: the step of the finite difference.
        rtol: the relative difference that is let pass.
        atol: the absolute difference that is let pass.

    Raises:
        GradcheckError: a gradient differs; says for which input and element, and both numbers.
        DtypeError: an input that requires grad is not float64.
        ValueError: no input requires grad.
    """
    checked = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck: no input requires grad, so there is nothing to check. Set requires_grad=True on one."
        )
    for i in checked:
        _float64(inputs[i], i, eps)

    def number(*xs: Tensor) -> Tensor:
        y = f(*xs)
        weights = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
        weighted: Tensor = y * weights
        return weighted.sum()

    leaves = [Tensor(x, requires_grad=x.requires_grad) for x in inputs]
    y = number(*leaves)
    y.backward()
    noise = 1e-9 * max(1.0, abs(y.item()))  # what rounding leaves of a difference over 2 eps
    for i in checked:
        expected = numerical_gradient(number, *inputs, which=i, eps=eps)
        got = leaves[i].grad
        got = np.zeros(expected.shape) if got is None else got
        # beside a small gradient the absolute tolerance shrinks, or an error of 0.1 % would pass
        scale = np.abs(expected).max(initial=0.0)
        wrong = ~np.isclose(got, expected, rtol=rtol, atol=min(atol, max(noise, 1e-4 * scale)))
        if wrong.any():
            index = tuple(int(n) for n in np.argwhere(wrong)[0])
            raise GradcheckError(
                f"gradient of input {i} at {list(index)}: the engine gives {got[index]:.9g}, finite differences "
                f"{expected[index]:.9g} ({int(wrong.sum())} of {wrong.size} elements differ). "
                "Check the rule of the operation, or a place where it has a kink."
            )
    return True
