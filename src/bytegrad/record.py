"""`Function`: one recorded call. `tracked`: the door through which every call is recorded.

The graph links Functions, not Tensors. A Function knows the shape and dtype of what it made, an *edge* for each
input, and the arrays that its rule saved. So an intermediate Tensor that no rule saved is freed as soon as the caller
drops it, and there is no cycle for a garbage collector to find.
"""

import functools
import itertools
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from bytegrad.errors import DtypeError, GraphError
from bytegrad.tensor import Array, Tensor, wrap

_numbers = itertools.count()


class Function:
    """One call of a differentiable operation: a rule, and what the rule saved.

    A rule is a subclass. Its `__init__` receives the operation's own arguments and the `output`, and keeps the least
    that the gradient needs with `save`; `apply` turns d(loss)/d(output) into a tuple with d(loss)/d(input) for each
    input, or None. A gradient may come back in the shape that the inputs were broadcast to: the engine sums it
    back. A rule works by hand, too: ``MulBackward(a, b).apply(g)``.

    Attributes:
        saved_tensors: the arrays (and numbers) that the rule saved.
        edges: for each input the Function that made it, the leaf Tensor itself, or None where no gradient goes.
        shape: the shape of the output.
        dtype: the dtype of the output.
        number: counts recorded calls; an input's number is always below its output's.
        arity: how many of the leading arguments are inputs, where others follow; None where all are.
        keeps_no_gradient: stated in a rule's own class, it promises that nobody else holds what `apply`
            makes, so that a leaf may take it without a copy.
    """

    __slots__ = ("__weakref__", "dtype", "edges", "number", "saved_tensors", "shape")

    arity: ClassVar[int | None] = None
    keeps_no_gradient: ClassVar[bool] = False
    saved_tensors: tuple[Any, ...]
    edges: "tuple[Edge, ...] | None"
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    number: int

    def __init__(self, *inputs: Any, output: Tensor | None = None, **metadata: Any) -> None:
        self.saved_tensors = ()

    def save(self, *kept: Any) -> None:
        """Keep these until the backward pass: Tensors (their arrays), arrays, numbers or None."""
        self.saved_tensors = tuple([x.data if isinstance(x, Tensor) else x for x in kept])

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """Return d(loss)/d(input) for each input, given d(loss)/d(output)."""
        raise NotImplementedError(f"{type(self).__name__} has no apply(grad_output)")

    def free(self) -> None:
        """Let go of the saved arrays and of the graph below."""
        self.saved_tensors, self.edges = _FREED, None
        for watcher in watchers:
            watcher.freed(self)

    @property
    def name(self) -> str:
        """The rule's name without its ending: ``Mul`` for ``MulBackward``."""
        return type(self).__name__.removesuffix("Backward")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _Freed(tuple[Any, ...]):
    """What takes the place of saved arrays once they are gone."""

    def __iter__(self) -> Any:
        raise GraphError(
            "a rule reached for its saved arrays, but a backward pass has freed them. Call that backward with "
            "retain_graph=True, or compute the result again."
        )


_FREED = _Freed()

Edge: TypeAlias = "Function | Tensor | None"


class Watcher(Protocol):
    """What may look on while calls are recorded and freed."""

    def recorded(self, fn: Function, inputs: tuple[Any, ...]) -> None:
        """A call was recorded; its arrays are in ``fn.saved_tensors``."""

    def freed(self, fn: Function) -> None:
        """A recorded call let go of its arrays."""


watchers: list[Watcher] = []


class _State(threading.local):
    recording = True

    def __init__(self) -> None:  # runs once in each thread
        self.before: list[bool] = []


_state = _State()


class no_grad(ContextDecorator):  # noqa: N801 - PyTorch's name
    """Record nothing inside: ``with no_grad(): …``, or as a decorator; each thread for itself.

    >>> x = Tensor(1.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __enter__(self) -> None:
        _state.before.append(_state.recording)
        _state.recording = False

    def __exit__(self, *error: object) -> None:
        _state.recording = _state.before.pop()


def tracked(plain: Callable[..., Any], rule: type[Function]) -> Callable[..., Any]:
    """Turn a function of Tensors into a differentiable one: same arguments, same result, and a record of the call.

    Args:
        plain: takes Tensors (and numbers, and metadata) and returns one new Tensor.
        rule: a `Function` whose ``__init__`` takes the same arguments and ``output=``.
    """

    @functools.wraps(plain)
    def record(*inputs: Any, **metadata: Any) -> Any:
        output = plain(*inputs, **metadata)
        if _state.recording:
            for key, x in metadata.items():
                if needs_grad(x):
                    raise DtypeError(
                        f"{key}= is a Tensor that requires grad: gradients flow to positional inputs only. "
                        "Pass it by position."
                    )
            for x in inputs:
                if isinstance(x, Tensor) and x._requires_grad:
                    if output is not NotImplemented:
                        # an identity: the input keeps its own history
                        if id(output) in map(id, inputs):
                            output = wrap(output.data)
                        _link(rule(*inputs, output=output, **metadata), inputs, output)
                    break
        return output

    return record


def _link(fn: Function, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Join a recorded call to the graph."""
    if not hasattr(fn, "saved_tensors"):  # a learner's rule that saves nothing need not say so
        fn.saved_tensors = ()
    fn.number = next(_numbers)
    fn.shape, fn.dtype = output.data.shape, output.data.dtype
    fn.edges = tuple([edge(x) for x in inputs[: fn.arity]])
    output._requires_grad = True
    output._grad_fn = fn
    for watcher in watchers:
        watcher.recorded(fn, inputs)


def edge(x: Any) -> Edge:
    """Return where the gradient of an input goes: its Function, the leaf itself, or nowhere."""
    if isinstance(x, Tensor) and x._requires_grad:
        return x._grad_fn if x._grad_fn is not None else x
    return None


def needs_grad(x: Any) -> bool:
    """Tell whether an input of a rule is a Tensor that requires a gradient."""
    return isinstance(x, Tensor) and x._requires_grad


def owner(array: Array) -> Array:
    """Return the array whose memory a view looks at, or the array itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as pictures and tables show it: ``32×512``, or ``scalar``."""
    return "×".join(map(str, shape)) or "scalar"


def freed_graph(fn: Function) -> str:
    """Say that a graph was used up, and what to do."""
    return (
        f"the graph at {type(fn).__name__} is gone, and what it saved: a backward pass frees the graph as it "
        "goes. Call the first backward with retain_graph=True, or compute the result again."
    )
