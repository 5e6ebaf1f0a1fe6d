"""`Function`: one recorded call. `tracked`: the door through which every call is recorded.

The graph links Functions, not Tensors. A Function knows the shape and dtype of what it made, an *edge* for each
input, and the arrays that its rule saved. So an intermediate Tensor that no rule saved is freed as soon as the caller
drops it, and there is no cycle for a garbage collector to find.
"""

import copy
import functools
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from bytegrad.arrays import outermost, owner
from bytegrad.edits import clock
from bytegrad.errors import DtypeError, GraphError
from bytegrad.modes import state
from bytegrad.tensor import Tensor, wrap
from bytegrad.watch import tell, watchers

#: Stands for "the output of this very call" where a saved array came from.
_OUTPUT: Any = object()

_ABSENT: Any = object()


class Function:
    """One call of a differentiable operation: a rule, and what the rule saved.

    A rule is a subclass. Its `__init__` receives the operation's own arguments and the `output`, and keeps the least
    that the gradient needs with `save`; `apply` turns d(loss)/d(output) into a tuple with d(loss)/d(input) for each
    input, or None. A gradient may come back in the shape that the inputs were broadcast to: the engine sums it
    back. A rule works by hand, too: ``MulBackward(a, b).apply(g)``.

    Under ``grad(…, create_graph=True)`` the same `apply` runs on Tensors: `g` is one, and so is each array that was
    saved with `save`. So a rule is written with operations that arrays and Tensors share (`bytegrad.either`).

    Args:
        inputs: what the operation was called with.
        output: what it returned; a rule that keeps it computes it anew where it is left out.
        metadata: what the operation was given by name.

    Attributes:
        saved_tensors: the arrays (and numbers) that the rule saved.
        sources: where each of them came from: an edge, or the output of this call.
        edges: for each input the Function that made it, the leaf Tensor itself, or None where no gradient goes.
        hooks: what to call with the gradient of the output, or None (see `bytegrad.hooks`).
        shape: the shape of the output.
        dtype: the dtype of the output.
        number: counts recorded calls and edits; an input's number is always below its output's.
        arity: how many of the leading arguments are inputs, where others follow; None where all are.
        keeps_no_gradient: stated in a rule's own class, it promises that nobody else holds what `apply`
            makes, so that a leaf may take it without a copy.

    >>> class TwiceBackward(Function):
    ...     def apply(self, g):
    ...         return (2 * g,)
    >>> TwiceBackward(1.0).apply(3.0)
    (6.0,)
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "edges",
        "hooks",
        "number",
        "saved_tensors",
        "shape",
        "sources",
    )

    arity: ClassVar[int | None] = None
    keeps_no_gradient: ClassVar[bool] = False
    saved_tensors: tuple[Any, ...]
    sources: tuple[Any, ...]
    edges: "tuple[Edge, ...] | None"
    hooks: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    number: int

    def __init__(self, *inputs: Any, output: Tensor | None = None, **metadata: Any) -> None:
        self.saved_tensors = self.sources = ()

    def save(self, *kept: Any, output: Any = _ABSENT) -> None:
        """Keep each of `kept` until the backward pass: inputs, arrays, numbers or None; last the `output`, if given."""
        arrays: list[Any] = []
        sources: list[Any] = []
        for x in kept:
            if not isinstance(x, Tensor):
                arrays.append(x)
                sources.append(None)
            elif x._requires_grad:
                arrays.append(x._data)
                sources.append(x._grad_fn or x)
            else:  # a single number is kept as one, which no later edit reaches
                arrays.append(x._data if x._data.ndim else x._data[()])
                sources.append(None)
        if output is not _ABSENT:
            arrays.append(output._data if isinstance(output, Tensor) else output)
            sources.append(_OUTPUT)
        self.saved_tensors, self.sources = tuple(arrays), tuple(sources)

    def apply(self, grad_output: Any) -> Any:
        """Return d(loss)/d(input) for each input, as a tuple, given `grad_output`: d(loss)/d(output)."""
        raise NotImplementedError(f"{type(self).__name__} has no apply(grad_output)")

    def free(self) -> None:
        """Let go of the saved arrays and of the graph below."""
        self.saved_tensors, self.sources = _FREED, ()
        self.edges = self.hooks = None  # a hook may hold the very tensor that it is on
        if watchers:
            tell("freed", self)

    @property
    def name(self) -> str:
        """The rule's name without its ending: ``Mul`` for ``MulBackward``."""
        return type(self).__name__.removesuffix("Backward")

    @property
    def output_saved(self) -> bool:
        """Whether the last of the saved arrays is the output of the call."""
        return self.sources[-1:] == (_OUTPUT,)

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


class Unfolded:
    """What `apply` may return in place of gradients: the same output, recorded anew, to be walked through now."""

    __slots__ = ("output",)

    def __init__(self, output: Tensor) -> None:
        self.output = output


class Unrecorded(Function):
    """Stands where a checkpoint's first run recorded nothing. Nothing can be differentiated through it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.hooks = None  # those set on it are set again in the second run
        self.number = -1

    @property
    def edges(self) -> Any:  # type: ignore[override]
        """Raise: there are none.

        Raises:
            GraphError: always.
        """
        raise GraphError(
            "a gradient through a tensor that was made inside a checkpoint, in its first run: that run records "
            "nothing, to keep nothing. Differentiate the checkpoint's output instead, or leave the checkpoint out."
        )


class Probe:
    """Looks at what a checkpoint's function reads from outside; in its first run nothing is recorded.

    Attributes:
        first: whether this is the first run.
        read: the tensors through which gradient flows, by id.
        constants: the memory of the others, weakly, by id: an edit of these changes the second run as well.
        marker: what stands, in the first run, in the place of a record in tensors that were made inside.
    """

    def __init__(self, first: bool) -> None:
        self.first = first
        self._start = next(clock)
        self.read: dict[int, Tensor] = {}
        self.constants: dict[int, weakref.ref[Any]] = {}
        self.marker = Unrecorded()

    def note(self, inputs: tuple[Any, ...]) -> None:
        """Enter what a call reads."""
        for x in inputs:
            if not isinstance(x, Tensor) or self._made_inside(x._grad_fn):
                continue
            if x._requires_grad:
                self.read[id(x)] = x
            else:
                self.constants[id(owner(x._data))] = weakref.ref(outermost(x._data))

    def forget_leaves(self) -> bool:
        """Forget the leaves that were made inside, which nobody else holds; tell whether there were any."""
        before = len(self.read)
        weak = {key: weakref.ref(x) for key, x in self.read.items()}
        self.read.clear()
        self.read.update({key: x for key, ref in weak.items() if (x := ref()) is not None})
        return len(self.read) < before

    def _made_inside(self, fn: Function | None) -> bool:
        return fn is self.marker or (fn is not None and fn.number > self._start)


def tracked(plain: Callable[..., Any], rule: type[Function]) -> Callable[..., Any]:
    """Turn a function of Tensors into a differentiable one: same arguments, same result, and a record of the call.

    Args:
        plain: takes Tensors (and numbers, and metadata) and returns one new Tensor. What it computes inside is not
            recorded: the rule stands for all of it.
        rule: a `Function` whose ``__init__`` takes the same arguments and ``output=``.

    Raises (the function made):
        DtypeError: `plain` returned something else than one Tensor of floating numbers, or was given a Tensor that
            requires grad by keyword.

    >>> from bytegrad import Tensor, enable_autograd
    >>> enable_autograd(quiet=True)
    >>> class RoundBackward(Function):
    ...     def apply(self, g):
    ...         return (g,)  # straight through, as if nothing were rounded
    >>> rounded = tracked(lambda x: Tensor(x.data.round()), RoundBackward)
    >>> x = Tensor([0.4, 1.7], requires_grad=True)
    >>> rounded(x).sum().backward()
    >>> x.grad
    array([1., 1.], dtype=float32)
    """

    @functools.wraps(plain)
    def record(*inputs: Any, **metadata: Any) -> Any:
        if state.recording:
            for x in inputs:
                if isinstance(x, Tensor) and x._requires_grad:
                    return _recorded(plain, rule, inputs, metadata)
            _refuse_by_keyword(metadata)
        output = plain(*inputs, **metadata)
        if watchers and isinstance(output, Tensor):
            tell("called", None, rule.__name__.removesuffix("Backward"), inputs, output)
        return output

    return record


def _recorded(
    plain: Callable[..., Any],
    rule: type[Function],
    inputs: tuple[Any, ...],
    metadata: dict[str, Any],
) -> Any:
    """Run a call, and join it to the graph."""
    if metadata:
        _refuse_by_keyword(metadata)
    state.recording = None  # what goes on inside is the rule's business
    try:
        output = plain(*inputs, **metadata)
    finally:
        state.recording = True
    if output is NotImplemented:
        return output
    if not isinstance(output, Tensor) or output._data.dtype.kind != "f":
        raise _no_tensor(plain, output)
    # an identity, or what someone else holds: the record goes to a tensor of its own
    if output._requires_grad or id(output) in map(id, inputs):
        output = wrap(output._data)
    if state.probe is not None:
        state.probe.note(inputs)
        if state.probe.first:
            output._requires_grad = True
            output._grad_fn = state.probe.marker
            if watchers:
                tell("called", None, rule.__name__.removesuffix("Backward"), inputs, output)
            return output
    fn = rule(*inputs, output=output, **metadata)
    if not hasattr(fn, "saved_tensors"):  # a learner's rule that saves nothing need not say so
        fn.saved_tensors = fn.sources = ()
    fn.number = next(clock)
    fn.shape, fn.dtype = output._data.shape, output._data.dtype
    fn.edges = tuple([edge(x) for x in inputs[: fn.arity]])
    fn.hooks = None
    output._requires_grad = True
    output._grad_fn = fn
    if watchers:
        tell("called", fn, fn.name, inputs, output)
    return output


def edge(x: Any) -> Edge:
    """Return where the gradient of an input goes: its Function, the leaf itself, or nowhere."""
    if isinstance(x, Tensor) and x._requires_grad:
        return x._grad_fn if x._grad_fn is not None else x
    return None


def needs_grad(x: Any) -> bool:
    """Tell whether an input of a rule is a Tensor that requires a gradient."""
    return isinstance(x, Tensor) and x._requires_grad


def joined(array: Any, source: Edge) -> Tensor:
    """Return a Tensor over an array that has the history it was saved with."""
    if isinstance(source, Tensor):
        return source
    if isinstance(array, Tensor):  # joined already, for `create_graph`
        return array
    tensor = wrap(array)
    if source is not None:
        tensor._requires_grad = True
        tensor._grad_fn = source
    return tensor


def on_tensors(fn: Function) -> Function:
    """Return the call with Tensors in place of its saved arrays, each with its history, for `create_graph`.

    Raises:
        GraphError: the rule kept its arrays without `save`, so that nobody knows where they came from.
    """
    twin = copy.copy(fn)
    sources = getattr(fn, "sources", ())
    if len(sources) != len(fn.saved_tensors):
        raise GraphError(
            f"create_graph=True through {type(fn).__name__}, which filled saved_tensors by itself: what it saved has "
            "no history, and the second derivative would miss it. Keep arrays with self.save(...)."
        )
    twin.saved_tensors = tuple(
        joined(kept, fn if source is _OUTPUT else source) if isinstance(kept, np.ndarray) else kept
        for kept, source in zip(fn.saved_tensors, sources, strict=True)
    )
    return twin


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as pictures and tables show it: ``32×512``, or ``scalar``."""
    return "×".join(map(str, shape)) or "scalar"


def freed_graph(fn: Function) -> str:
    """Say that a graph was used up, and what to do."""
    return (
        f"the graph at {type(fn).__name__} is gone, and what it saved: a backward pass frees the graph as it "
        "goes. Call the first backward with retain_graph=True, or compute the result again."
    )


def _refuse_by_keyword(metadata: dict[str, Any]) -> None:
    for key, x in metadata.items():
        if needs_grad(x):
            raise DtypeError(
                f"{key}= is a Tensor that requires grad: gradients flow to positional inputs only. Pass it by position."
            )


def _no_tensor(plain: Callable[..., Any], output: Any) -> DtypeError:
    name = getattr(plain, "__qualname__", repr(plain))
    seen = (
        f"a Tensor of {output.dtype}" if isinstance(output, Tensor) else f"{type(output).__name__}"
    )
    return DtypeError(
        f"{name} returned {seen}, and an input requires grad: a recorded call makes one Tensor of floating numbers, "
        "which the gradient arrives at. Return bytegrad.Tensor(...)."
    )
