"""Finite differences: the second opinion on every gradient."""

from collections.abc import Callable

import numpy as np

from bytegrad.diagnosis import calls_between, likeness, named, where_to_look
from bytegrad.engine import grad
from bytegrad.errors import DtypeError, GradcheckError, GraphError
from bytegrad.kernels import Array
from bytegrad.modes import enable_grad, no_grad
from bytegrad.patch import autograd_enabled
from bytegrad.tensor import Tensor, wrap


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

    >>> x = Tensor([1.0, 2.0], dtype="float64")
    >>> numerical_gradient(lambda x: (x * x).sum(), x).round(6).tolist()
    [2.0, 4.0]
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
        nudged[which]._data[index] += step
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
    in any element shows. The weights go in as d(loss)/d(output): no rule takes part but those that `f` calls.

    Args:
        f: takes the inputs and returns a Tensor.
        inputs: float64 Tensors; the ones that require grad are checked.
        eps: the step of the finite difference.
        rtol: the relative difference that is let pass.
        atol: the absolute difference that is let pass.

    Raises:
        GradcheckError: a gradient differs; says for which input and element, both numbers, what the wrong gradient
            looks like, and which rules made it. Or it has another shape than its input.
        DtypeError: an input that requires grad is not float64.
        ValueError: no input requires grad.
        GraphError: autograd is off.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> gradcheck(Tensor.exp, Tensor([0.0, 1.0], dtype="float64", requires_grad=True))
    True
    """
    checked = _checked(inputs, eps)

    def result(*xs: Tensor) -> Tensor:
        y = f(*xs)
        if not isinstance(y, Tensor):
            raise DtypeError(
                f"gradcheck: the function returned {type(y).__name__}: only a Tensor has gradients. Return one."
            )
        return y

    def number(*xs: Tensor) -> Tensor:
        y = result(*xs)
        return wrap(np.asarray((y._data * _weights(y.shape)).sum()))

    def way(i: int) -> list[str]:
        with enable_grad():  # the walk has freed the graph; another shows the way that it took
            return calls_between(result(*leaves), leaves[i])

    leaves = [Tensor(x, requires_grad=x.requires_grad) for x in inputs]
    with enable_grad():
        y = result(*leaves)
        weights = _weights(y.shape)
        if y.requires_grad:  # else no input matters, and all gradients are 0
            y.backward(weights)
    weighted = float((y._data * weights).sum())
    noise = 1e-9 * max(1.0, abs(weighted))  # what rounding leaves of a difference over 2 eps
    for i in checked:
        expected = numerical_gradient(number, *inputs, which=i, eps=eps)
        found = leaves[i].grad
        got = np.zeros(expected.shape) if found is None else np.asarray(found)
        if got.shape != expected.shape:  # before NumPy broadcasts the one to the other
            raise GradcheckError(
                f"gradient of input {i}: the engine gives an array of shape {got.shape} for an input of shape "
                f"{expected.shape}. Each element has one slope, so the two cannot be compared. Return it in the "
                f"input's shape, summed over the axes that broadcasting made; on the way: {named(way(i))}."
            )
        # beside a small gradient the absolute tolerance shrinks, or an error of 0.1 % would pass
        scale = np.abs(expected).max(initial=0.0)
        allowed = min(atol, max(noise, 1e-4 * scale)) + rtol * np.abs(expected)
        apart = np.abs(got - expected)
        wrong = ~(apart <= allowed)  # so that a NaN is wrong
        if wrong.any():
            worst = np.where(np.isnan(apart), np.inf, apart / allowed).argmax()
            index = tuple(int(n) for n in np.unravel_index(worst, expected.shape))
            others = {
                j: numerical_gradient(number, *inputs, which=j, eps=eps) for j in checked if j != i
            }
            calls = way(i)
            looks_like = likeness(i, found, {i: expected, **others}, weights) if calls else ""
            seen = (
                f"gradient of input {i} at {list(index)}: the engine gives {got[index]:.9g}, finite differences "
                f"{expected[index]:.9g} ({int(wrong.sum())} of {wrong.size} elements differ, this one most)."
            )
            raise GradcheckError(" ".join(filter(None, (seen, looks_like, where_to_look(calls)))))
    return True


def _checked(inputs: tuple[Tensor, ...], eps: float) -> list[int]:
    """Return which inputs are to be checked."""
    if not autograd_enabled():
        raise GraphError(
            "gradcheck() while autograd is off: operations record nothing now, and there is no gradient to check. "
            "Call bytegrad.enable_autograd() first."
        )
    checked = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck: no input requires grad, so there is nothing to check. Set requires_grad=True on one."
        )
    for i in checked:
        _float64(inputs[i], i, eps)
    return checked


def _weights(shape: tuple[int, ...]) -> Array:
    """Return numbers that make one of many, the same ones each time."""
    return np.asarray(np.random.default_rng(0).uniform(0.5, 1.5, shape))


def gradgradcheck(
    f: Callable[..., Tensor],
    *inputs: Tensor,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> bool:
    """Compare second derivatives with central differences of the first; return True, or raise.

    It runs `gradcheck` on the gradient itself, as a function of the inputs and of d(loss)/d(output).

    Args:
        f: takes the inputs and returns a Tensor.
        inputs: float64 Tensors; the ones that require grad are checked.
        eps: the step of the finite difference.
        rtol: the relative difference that is let pass.
        atol: the absolute difference that is let pass.

    Raises:
        GradcheckError: a second derivative differs; says for which input and element, and both numbers. The
            input after the last one is d(loss)/d(output).
        DtypeError: an input that requires grad is not float64.
        ValueError: no input requires grad.
        GraphError: autograd is off.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> gradgradcheck(lambda x: x**3, Tensor([1.0, 2.0], dtype="float64", requires_grad=True))
    True
    """
    checked = _checked(inputs, eps)
    with no_grad():
        y = f(*inputs)
    seed = Tensor(_weights(y.shape), requires_grad=True)

    def first(*xs: Tensor) -> Tensor:
        leaves = [
            x if x.requires_grad else Tensor(x, requires_grad=i in (*checked, len(inputs)))
            for i, x in enumerate(xs)
        ]
        *arguments, g = leaves
        total = wrap(np.zeros(()))
        with enable_grad():
            y = f(*arguments)
            if y.requires_grad:
                wanted = [arguments[i] for i in checked]
                gradients = grad(y, wanted, g, create_graph=True, allow_unused=True)
                for gradient in gradients:
                    if gradient is not None:
                        total = total + (gradient * _weights(gradient.shape)).sum()
        return total

    return gradcheck(first, *inputs, seed, eps=eps, rtol=rtol, atol=atol)
