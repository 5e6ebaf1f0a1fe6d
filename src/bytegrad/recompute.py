"""Checkpoints: keep the inputs of a stretch of the program, and compute what lies between again when it is needed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bytegrad import random
from bytegrad.arrays import array_of
from bytegrad.edits import clock, edited_since
from bytegrad.errors import DtypeError, GraphError
from bytegrad.modes import holding, state
from bytegrad.record import Function, Probe, Unfolded, edge, joined
from bytegrad.tensor import Tensor, wrap
from bytegrad.watch import tell, watchers

#: Stand, among the arguments of a function, for a Tensor whose array was saved, and for an array.
_TENSOR: Any = object()
_ARRAY: Any = object()


class CheckpointBackward(Function):
    """y = f(x, …): records f anew, which the backward pass then walks through. Keeps what f read from outside."""

    __slots__ = (
        "_arguments",
        "_constants",
        "_function",
        "_makes_leaves",
        "_names",
        "_read",
        "_states",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        names: tuple[str, ...],
        probe: Probe,
        states: Any,
    ) -> None:
        self._function, self._names, self._states = function, names, states
        # arrays are among those saved, where the ledger sees them; Tensors themselves would pin more
        self._arguments = tuple(map(_place, arguments))
        kept = [x for x in arguments if isinstance(x, (Tensor, np.ndarray))]
        mine = {id(x) for x in kept}
        self._makes_leaves = probe.forget_leaves()
        self.save(*kept, *(x for key, x in probe.read.items() if key not in mine))
        read = [edge(x) for x in probe.read.values()]
        self.edges = (*map(edge, kept), *read)
        self._read = frozenset(map(id, read))  # not the calls themselves, which `free` lets go
        self._constants = tuple(probe.constants.values())

    def apply(self, grad_output: Any) -> Unfolded:
        """Return the output again, with its graph.

        Raises:
            GraphError: the function gave another shape or dtype than the first time, read other tensors, or reads a
                constant that was edited since.
            DtypeError: it did not return a Tensor.
        """
        self._refuse_edited_constants()
        kept = iter(zip(self.saved_tensors, self.sources, strict=True))
        arguments = [
            joined(*next(kept)) if x is _TENSOR else array_of(next(kept)[0]) if x is _ARRAY else x
            for x in self._arguments
        ]
        positional = len(arguments) - len(self._names)
        named = dict(zip(self._names, arguments[positional:], strict=True))
        probe = Probe(first=False)
        if watchers:
            tell("unfolding", self, True)
        try:
            with holding(recording=True, probe=probe), random.replaying(self._states):
                output = _one_tensor(self._function(*arguments[:positional], **named))
        finally:
            if watchers:
                tell("unfolding", self, False)
        if output.shape != self.shape or output.dtype != self.dtype:
            raise GraphError(
                f"checkpoint: the function gave {self.dtype} of shape {self.shape} at first, and {output.dtype} of "
                f"shape {output.shape} when it ran again: the gradient would be that of another function. "
                "Let it depend on its inputs alone."
            )
        expected = {id(x) for x in self.edges or () if id(x) in self._read and not _frozen(x)}
        found = list(probe.read.values())
        if self._makes_leaves:  # they are other ones each time
            found = [x for x in found if not x.is_leaf or id(x) in expected]
        if {id(edge(x)) for x in found} != expected or (expected and not output.requires_grad):
            raise GraphError(
                "checkpoint: when the function ran again, it read other tensors than at first: the gradient would go "
                "astray. Bind what it reads when you make it, as in `lambda x, w=w: x @ w`."
            )
        return Unfolded(output)

    def _refuse_edited_constants(self) -> None:
        for constant in self._constants:
            array = constant()
            versions = None if array is None else edited_since(array, self.number)
            if versions is not None:
                raise GraphError(
                    f"checkpoint: the function reads a tensor that was at version {versions[0]} when it ran first, and "
                    f"is at version {versions[1]} now: it would compute something else. "
                    "Edit after backward(), or edit a copy."
                )


def checkpoint(function: Callable[..., Tensor], *inputs: Any, **named: Any) -> Tensor:
    """Return function(*inputs), and keep no more than the inputs: the rest is computed again in the backward pass.

    A second forward pass is the price of the memory [griewank2000] [chen2016]. The gradients are the same to the bit;
    derivatives of them add up in another order. Random numbers that bytegrad drew are drawn again, the same ones. The
    function may read other tensors (the parameters of its layers, say), and may itself contain checkpoints. It runs in
    one thread.

    Args:
        function: returns one Tensor. It runs twice, so it should change nothing outside.
        inputs: Tensors, and anything else that it takes.
        named: what it takes by name.

    Raises:
        DtypeError: the function returned something else than one Tensor.
        GraphError (in the backward pass): an input or a parameter was edited in between, or the function gave
            another shape when it ran again.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: x * x * x, x)
    >>> y.sum().backward()
    >>> x.grad
    array([ 3., 12.], dtype=float32)
    """
    around = state.probe
    if not state.recording or (around is not None and around.first):
        return _one_tensor(function(*inputs, **named))
    probe = Probe(first=True)
    with holding(probe=probe), random.witness() as states:
        output = _one_tensor(function(*inputs, **named))
    if output._grad_fn is not probe.marker:
        return output  # nothing in it requires grad, or nothing was computed
    arguments = (*inputs, *named.values())
    fn = CheckpointBackward(function, arguments, tuple(named), probe, states)
    fn.number = next(clock)
    fn.shape, fn.dtype, fn.hooks = output.shape, output.dtype, None
    output = wrap(output._data)
    output._requires_grad = True
    output._grad_fn = fn
    if around is not None:  # the second run of a checkpoint around this one
        around.note(tuple(probe.read.values()))
    if watchers:
        tell("called", fn, fn.name, arguments, output)
    return output


def checkpoint_sequential(
    functions: Sequence[Callable[[Tensor], Tensor]], segments: int, x: Tensor
) -> Tensor:
    """Run functions one after the other, with a checkpoint around each of `segments` stretches but the last.

    The last stretch is the first that the backward pass needs, so it is kept as it is. Stretches are as equal as can
    be, the longer ones first. With about √n of them for n functions that are alike, what is kept at once grows like √n
    [chen2016].

    Args:
        functions: layers, say those of a `Sequential`; each takes one Tensor and returns one.
        segments: how many stretches, from 1 to the number of functions.
        x: what the first function takes.

    Raises:
        ValueError: there are fewer functions than segments, or no segment.
        DtypeError: a function returned something else than one Tensor.

    >>> from bytegrad import enable_autograd, memory
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([0.5], requires_grad=True)
    >>> with memory.ledger() as led:
    ...     y = checkpoint_sequential([Tensor.tanh] * 4, 2, x)
    >>> led.kept("activation")  # the last two results; the first two are computed again
    8
    """
    layers = list(functions)
    if not 1 <= segments <= len(layers):
        raise ValueError(
            f"checkpoint_sequential of {len(layers)} functions in {segments} segments: each segment holds at least one "
            f"function. Use 1 to {len(layers)} segments."
        )
    short, longer = divmod(len(layers), segments)
    start = 0
    for i in range(segments - 1):
        end = start + short + (i < longer)
        x = checkpoint(_chain(layers[start:end]), x)
        start = end
    return _chain(layers[start:])(x)


def _chain(functions: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        for function in functions:
            x = function(x)
        return x

    return run


def _frozen(place: Any) -> bool:
    """Tell whether this is a leaf that requires no gradient any more."""
    return isinstance(place, Tensor) and not place._requires_grad


def _place(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return _TENSOR
    return _ARRAY if isinstance(argument, np.ndarray) else argument


def _one_tensor(output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise DtypeError(
            f"checkpoint: the function returned {type(output).__name__}: a checkpoint stands for one Tensor. "
            "Return one, or use a checkpoint for each."
        )
    return output
