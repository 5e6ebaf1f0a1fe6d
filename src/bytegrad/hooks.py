"""Hooks: functions of yours that are called while a backward pass goes by."""

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from bytegrad.errors import GraphError
from bytegrad.record import Function
from bytegrad.tensor import Tensor, wrap

_handles = itertools.count()


class Handle:
    """What registering a hook returns: `remove` takes the hook away. Also a block: ``with x.register_hook(f): …``.

    Args:
        hooks: the table that the hook is entered in.

    >>> from bytegrad.nn import ReLU
    >>> handle = ReLU().register_forward_hook(print)
    >>> handle.remove()
    """

    def __init__(self, hooks: dict[int, Any]) -> None:
        self._hooks = hooks
        self._number = next(_handles)

    def remove(self) -> None:
        """Take the hook away; doing it twice changes nothing."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def add_hook(hooks: dict[int, Any], hook: Callable[..., Any]) -> Handle:
    """Enter a hook under a number of its own; hooks run in the order of their numbers.

    Raises:
        TypeError: the hook cannot be called.
    """
    if not callable(hook):
        raise TypeError(
            f"the hook is {hook!r}, which cannot be called. Pass a function, for example print."
        )
    handle = Handle(hooks)
    hooks[handle._number] = hook
    return handle


class Hooks:
    """The hooks of one tensor.

    Attributes:
        before: called with the gradient of the tensor, which they may replace.
        after: called with the leaf once its `grad` is whole.
        kept_by: the intermediate tensor whose `grad` is to be kept, or None.
    """

    __slots__ = ("after", "before", "kept_by")

    def __init__(self) -> None:
        self.before: dict[int, Callable[[Any], Any]] = {}
        self.after: dict[int, Callable[[Tensor], Any]] = {}
        self.kept_by: weakref.ref[Tensor] | None = None

    def replaced(self, grad: Any) -> Any:
        """Return the gradient as the hooks leave it.

        Raises:
            GraphError: a hook returned something of another shape or dtype.
        """
        if isinstance(grad, np.generic):
            grad = np.asarray(grad)
        for hook in tuple(self.before.values()):
            mine = hook(grad)
            if mine is None:
                continue
            if isinstance(grad, np.ndarray) and isinstance(mine, Tensor):
                mine = mine._data
            elif isinstance(grad, Tensor) and isinstance(mine, np.ndarray):
                mine = wrap(mine)
            if getattr(mine, "shape", None) != grad.shape or mine.dtype != grad.dtype:
                seen = (
                    f"{mine.dtype} of shape {mine.shape}"
                    if hasattr(mine, "shape")
                    else repr(type(mine).__name__)
                )
                raise GraphError(
                    f"a hook returned {seen} in place of a gradient that is {grad.dtype} of shape {grad.shape}: "
                    "it must fit the same tensor. Return an array of that shape and dtype, or None to change nothing."
                )
            grad = mine
        return grad


def _hooks_of(owner: Any) -> Hooks:
    """Return the hooks of a Function or a leaf, made at first use."""
    name = "hooks" if isinstance(owner, Function) else "_hooks"
    hooks = getattr(owner, name)
    if hooks is None:
        hooks = Hooks()
        setattr(owner, name, hooks)
    return hooks  # type: ignore[no-any-return]


def register_hook(tensor: Tensor, hook: Callable[[Any], Any]) -> Handle:
    """Call `hook` with the gradient of this tensor in each backward pass, once all its paths have met.

    What the hook returns, unless None, takes the gradient's place. It gets an array, or a Tensor under
    `create_graph=True`, and must not write into it.

    Raises:
        GraphError: the tensor requires no gradient.
        TypeError: the hook cannot be called.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with x.register_hook(lambda g: g * 10):
    ...     (x * x).sum().backward()
    >>> x.grad
    array([20., 40.], dtype=float32)
    """
    _refuse_untracked(tensor, "register_hook")
    return add_hook(_hooks_of(tensor._grad_fn or tensor).before, hook)


def register_post_accumulate_grad_hook(tensor: Tensor, hook: Callable[[Tensor], Any]) -> Handle:
    """Call `hook` with this leaf as soon as a backward pass has added all of its gradient to `grad`.

    That is before the pass is over: the leaves used last are ready first. So an optimizer can step each parameter and
    drop its gradient before the next one is there.

    Raises:
        GraphError: the tensor requires no gradient, or is no leaf.
        TypeError: the hook cannot be called.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with x.register_post_accumulate_grad_hook(lambda leaf: print(leaf.grad)):
    ...     (x * x).sum().backward()
    [2. 4.]
    """
    _refuse_untracked(tensor, "register_post_accumulate_grad_hook")
    if not tensor.is_leaf:
        raise GraphError(
            f"register_post_accumulate_grad_hook() on a result of {tensor.grad_fn!r}: gradients accumulate on leaves "
            "only. Use register_hook()."
        )
    return add_hook(_hooks_of(tensor).after, hook)


def retain_grad(tensor: Tensor) -> None:
    """Ask that `backward` leave d(result)/d(this intermediate tensor) in its `grad`, too. Leaves have theirs anyway.

    Raises:
        GraphError: the tensor requires no gradient.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * 3
    >>> y.retain_grad()
    >>> y.sum().backward()
    >>> y.grad
    array([1., 1.], dtype=float32)
    """
    _refuse_untracked(tensor, "retain_grad")
    if tensor._grad_fn is not None:
        _hooks_of(tensor._grad_fn).kept_by = weakref.ref(tensor)


def _refuse_untracked(tensor: Tensor, name: str) -> None:
    if not tensor._requires_grad:
        raise GraphError(
            f"{name}() on a Tensor that requires no gradient: none will come. Set requires_grad=True on a leaf, "
            "and compute again."
        )
