"""Whose memory it is: parameters of modules, state of optimizers, what a saved array was, which module is running."""

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from bytegrad.kernels import Array
from bytegrad.record import Function
from bytegrad.rows import buffer
from bytegrad.tensor import Tensor


def leaves(owners: tuple[Any, ...]) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters of owners, each with the path of its module.

    Raises:
        TypeError: an owner without parameters.
    """
    # modules first: they know names
    for owner in sorted(owners, key=lambda owner: not hasattr(owner, "named_parameters")):
        if isinstance(owner, Tensor):
            yield "", owner
        elif hasattr(owner, "named_parameters"):
            for name, leaf in owner.named_parameters():
                yield name.rpartition(".")[0] or type(owner).__name__, leaf
        elif hasattr(owner, "param_groups"):
            for group in owner.param_groups:
                yield from (("", leaf) for leaf in group["params"])
        else:
            raise TypeError(
                f"ledger() of {type(owner).__name__}: it has no parameters that the ledger could follow. "
                "Pass modules, optimizers, or Tensors that require grad."
            )


def states(optimizer: Any) -> Iterator[tuple[Tensor, str, Array]]:
    """Yield what an optimizer remembers now: the parameter, the name of the state, its array."""
    for leaf, held in getattr(optimizer, "state", dict[Tensor, Any]()).items():
        for name, array in held.items():
            if isinstance(array, np.ndarray):
                yield leaf, name, array


def data_of(leaf: Any) -> Array | None:
    """Return the array of a leaf, given a weak reference to it; None if it is gone."""
    alive = leaf()
    return None if alive is None else alive._data


def gradient_of(leaf: Any, part: str | None = None) -> Array | None:
    """Return the gradient of a leaf, given a weak reference to it; of a sparse one ``rows`` or ``values``."""
    gradient = getattr(leaf(), "grad", None)
    held = gradient if part is None else getattr(gradient, part, None)
    return held if isinstance(held, np.ndarray) else None


def remembered(optimizer: Any, leaf: Any, name: str) -> Array | None:
    """Return an array of an optimizer's state, given weak references; None if it is gone."""
    return getattr(optimizer(), "state", {}).get(leaf(), {}).get(name)  # type: ignore[no-any-return]


def saved_by(fn: Function, inputs: tuple[Any, ...]) -> Iterator[tuple[Array, str]]:
    """Yield the arrays that a call saved, and the kind of each: activation, input or parameter."""
    sources = getattr(fn, "sources", ())
    if len(sources) != len(
        fn.saved_tensors
    ):  # a learner's rule that filled saved_tensors by itself
        sources = (None,) * len(fn.saved_tensors)
    for kept, source in zip(fn.saved_tensors, sources, strict=True):
        if isinstance(kept, np.ndarray):
            yield kept, _kind(kept, (source, *inputs))


def _kind(array: Array, candidates: tuple[Any, ...]) -> str:
    """Return what an array is, by where it may have come from.

    Booleans are an activation wherever they come from: masks are made along the way.
    """
    memory, _ = buffer(array)
    for x in candidates if array.dtype != np.bool_ else ():
        held = x._data if isinstance(x, Tensor) else x
        if isinstance(held, np.ndarray) and buffer(held)[0] is not memory:
            continue
        if isinstance(x, np.ndarray):
            return "input"
        leaf = _viewed_leaf(x)
        if leaf is not None and buffer(leaf._data)[0] is memory:
            return "parameter" if leaf.requires_grad else "input"
    return "activation"


def _viewed_leaf(x: Any) -> Tensor | None:
    """Return the leaf that `x` is, or may be a view of: a view comes of one input and saves no array."""
    source = x.grad_fn if isinstance(x, Tensor) and not x.is_leaf else x
    while isinstance(source, Function):
        edges = source.edges or ()
        views = len(edges) == 1 and not any(isinstance(x, np.ndarray) for x in source.saved_tensors)
        source = edges[0] if views else None
    return source if isinstance(source, Tensor) else None


class Paths:
    """Which module's forward pass is running: its dotted path, and for an outermost module the name of its class.

    A module that a checkpoint calls again by itself keeps the path at which it was met first.
    """

    def __init__(self, owners: tuple[Any, ...]) -> None:
        self._known: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._open: list[str] = []
        self._base = ""
        for owner in owners:
            for name, module in getattr(owner, "named_modules", dict[str, Any]().items)():
                self._known.setdefault(module, name)

    @property
    def current(self) -> str:
        """The path of the innermost module; "" outside of modules."""
        return self._open[-1] if self._open else ""

    def move(self, module: Any, name: str, entered: bool) -> None:
        """Enter or leave a module; `name` is its path from the outermost one."""
        if not entered:
            del self._open[-1:]
            return
        if not self._open:
            self._base = "" if name else self._known.get(module, "")
        path = ".".join(filter(None, (self._base, name)))
        self._known.setdefault(module, path)
        self._open.append(path or type(module).__name__)
