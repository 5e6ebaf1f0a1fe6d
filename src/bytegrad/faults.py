"""Eight wrong engines: faults that engines of this kind are known for, to be switched on and found.

Each is a small replacement for a piece of the right engine, and each leaves the values of the forward pass alone.
Whoever writes a check of gradients can ask whether it tells the right engine from these. Nothing here is imported by
the package itself, and nothing is switched on by importing it.

A fault holds for the whole process, all threads included: it is meant for a lesson or a test, one at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bytegrad import engine, fitting, record
from bytegrad.axis_rules import SumBackward
from bytegrad.either import broadcast_to
from bytegrad.errors import GraphError
from bytegrad.modes import no_grad
from bytegrad.record import Edge, Function
from bytegrad.rules import PowBackward
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor


@dataclass(frozen=True)
class Fault:
    """One way for an engine to be wrong.

    Attributes:
        name: what it is called.
        wrong: what is wrong, in one line.
        part: where it sits: in a "rule", in the "recording" of calls, or in the "walk".
        pieces: what is replaced: a class or module, the name in it, and what stands there instead.

    >>> FAULTS["missing factor"].wrong
    'the rule of a ** n leaves out the factor n'
    """

    name: str
    wrong: str
    part: str
    pieces: tuple[tuple[Any, str, Callable[..., Any]], ...]


# What stands in for the pieces of the right engine.

_fit = fitting._fit
_recorded = record._recorded
_accumulate = engine._accumulate
_hand = engine._Pass._hand


def _not_summed_back(grad: Any, edge: Function | Tensor, fn: Function, as_tensors: bool) -> Any:
    """Leave a gradient in the shape that the input was broadcast to."""
    if isinstance(grad, (np.ndarray, Tensor)) and grad.shape != edge.shape:
        return grad.astype(edge.dtype)
    return _fit(grad, edge, fn, as_tensors)


def _as_found(*roots: Function, known: Any = ()) -> list[Function]:
    """Return the calls so that they are passed level by level from the result, as a queue finds them."""
    found = list(dict.fromkeys(roots))
    for fn in found:  # which grows meanwhile
        if fn.edges is None:
            raise GraphError(record.freed_graph(fn))
        for edge in fn.edges:
            if isinstance(edge, Function) and edge not in found and edge not in known:
                found.append(edge)
    return found[::-1]


def _latest_only(walk: Any, edge: Function | Tensor, grad: Any, fresh: bool) -> None:
    """Let the gradient that comes in last take the place of what came before it."""
    walk._arriving.pop(edge, None)
    walk._waiting.pop(edge, None)
    _hand(walk, edge, grad, fresh)


def _overwritten(leaf: Tensor, grad: Any, fresh: bool) -> None:
    """Set a leaf's `grad` where it should be added to."""
    leaf.grad = None
    _accumulate(leaf, grad, fresh)


def _without_mean(plain: Any, rule: type[Function], inputs: Any, metadata: Any) -> Any:
    """Record every call but that of `mean`."""
    if plain.__name__ != "mean":
        return _recorded(plain, rule, inputs, metadata)
    with no_grad():
        return plain(*inputs, **metadata)


def _edits_unseen(fn: Function) -> None:
    """Look at no saved array, whoever has edited it."""


def _without_exponent(rule: PowBackward, g: Any) -> tuple[Edge, ...]:
    """Return g * a**(n-1), without the factor n."""
    a, n, z = rule.saved_tensors
    grad_a = g * a ** (n - 1) if rule._needs_a else None
    return grad_a, None if z is None else _pow(rule, g)[1]


_pow = PowBackward.apply


def _axis_forgotten(rule: SumBackward, g: Any) -> tuple[Any, ...]:
    """Repeat g along the first axes, whichever were summed."""
    return (broadcast_to(g, rule._shape),)


def _handed_out(leaf: Tensor, grad: Any, fresh: bool) -> None:
    """Keep the very array that arrived as a leaf's `grad`, and add to it in place."""
    if isinstance(grad, RowSparse):
        _accumulate(leaf, grad, fresh)
    elif leaf.grad is None:
        leaf.grad = np.asarray(grad)
    elif leaf.grad.flags.writeable:
        leaf.grad += grad
    else:  # a view from broadcasting
        leaf.grad = leaf.grad + grad


#: The eight, by name.
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "no un-broadcast",
            "a gradient keeps the shape that its input was broadcast to",
            "walk",
            ((fitting, "_fit", _not_summed_back),),
        ),
        Fault(
            "no order",
            "calls are passed level by level, whether or not all has arrived",
            "walk",
            ((engine, "execution_order", _as_found),),
        ),
        Fault(
            "overwrite instead of add",
            "where two gradients meet, the later one replaces the earlier",
            "walk",
            ((engine._Pass, "_hand", _latest_only), (engine, "_accumulate", _overwritten)),
        ),
        Fault(
            "untracked mean",
            "mean computes its value and is not recorded",
            "recording",
            ((record, "_recorded", _without_mean),),
        ),
        Fault(
            "in-place after save",
            "an array that a rule saved may be edited, and nobody notices",
            "walk",
            ((engine, "_refuse_edited", _edits_unseen),),
        ),
        Fault(
            "missing factor",
            "the rule of a ** n leaves out the factor n",
            "rule",
            ((PowBackward, "apply", _without_exponent),),
        ),
        Fault(
            "wrong axis",
            "the rule of sum forgets along which axis it added",
            "rule",
            ((SumBackward, "apply", _axis_forgotten),),
        ),
        Fault(
            "aliased gradients",
            "leaves keep the array that arrived, and may share it",
            "walk",
            ((engine, "_accumulate", _handed_out),),
        ),
    )
}

_on: list[str] = []  # the fault that is on


@contextmanager
def faulty(name: str) -> Iterator[Fault]:
    """Run a block on the engine with one fault, and give the right one back whatever happens in the block.

    It may also decorate a function. Not thread-safe: every thread meets the fault.

    Args:
        name: a key of `FAULTS`.

    Raises:
        ValueError: no fault is called that.
        RuntimeError: another one is on already.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor(3.0, requires_grad=True)
    >>> with faulty("missing factor"):
    ...     (x**2).backward()
    >>> float(x.grad)
    3.0
    """
    if name not in FAULTS:
        raise ValueError(
            f"no fault is called {name!r}: only those of the list can be switched on. Use one of {', '.join(FAULTS)}."
        )
    if _on:
        raise RuntimeError(
            f"faulty({name!r}) inside faulty({_on[0]!r}): two faults at once could hide each other. "
            "Leave the first block before you enter the second."
        )
    fault = FAULTS[name]
    right = [(place, key, vars(place)[key]) for place, key, _ in fault.pieces]
    _on.append(name)
    try:
        for place, key, wrong in fault.pieces:
            setattr(place, key, wrong)
        yield fault
    finally:
        for place, key, piece in right:
            setattr(place, key, piece)
        _on.clear()


class Suspects:
    """The eight faults under letters, in an order that the letters do not give away.

    Attributes:
        labels: the letters.

    >>> lab = suspects(seed=1)
    >>> lab.labels
    ('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H')
    >>> sorted(lab.reveal().values()) == sorted(FAULTS)
    True
    """

    labels: tuple[str, ...] = tuple("ABCDEFGH")

    def __init__(self, order: tuple[str, ...]) -> None:
        self._named = dict(zip(self.labels, order, strict=True))

    @contextmanager
    def engine(self, label: str) -> Iterator[None]:
        """Run a block on one of the engines, as `faulty` does, by its letter.

        Args:
            label: one of the letters.

        Raises:
            ValueError: no engine has that letter.
            RuntimeError: a fault is on already.
        """
        if label not in self._named:
            raise ValueError(
                f"no engine is called {label!r}: each has a letter. Use one of {', '.join(self.labels)}."
            )
        with faulty(self._named[label]):
            yield

    def reveal(self) -> dict[str, str]:
        """Return the name of the fault behind each letter."""
        return dict(self._named)


def suspects(seed: int = 0) -> Suspects:
    """Return the eight engines without their names; the same seed gives the same order.

    >>> with suspects(seed=1).engine("A"):
    ...     pass
    """
    order = np.random.default_rng(seed).permutation(list(FAULTS))
    return Suspects(tuple(map(str, order)))
