"""Looking on: who is told what the engine does, and which line of the user's program asked for it.

The ledger and the search for anomalies are watchers. No operation knows of them; while nobody watches, an operation
pays for one look at an empty list.
"""

import linecache
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HOME = str(Path(__file__).parent) + os.sep


class Watcher:
    """What may look on while calls are recorded, differentiated and freed: methods to override, all optional.

    Args (all of them):
        fn: the Function of a recorded call.
        name: the operation's name, such as ``Mul``; a module's path; or what an array of state is called.
        inputs: what the operation was called with.
        output: the Tensor that it returned.
        grad_output: d(loss)/d(output).
        grads: d(loss)/d(input) for each input, or None.
        leaf: the Tensor whose `grad` it is.
        active: whether it starts.
        on: whether calls are recorded from here on.
        module: the module that runs.
        entered: whether it starts.
        optimizer: whose state it is.
        array: the state, of its parameter's shape.

    >>> class Names(Watcher):
    ...     def called(self, fn, name, inputs, output):
    ...         print(name)
    >>> from bytegrad import Tensor, enable_autograd
    >>> enable_autograd(quiet=True)
    >>> with observe(Names()):
    ...     y = Tensor(2.0).exp() * 3
    Exp
    Mul
    """

    def called(self, fn: Any, name: str, inputs: tuple[Any, ...], output: Any) -> None:
        """A differentiable call ran; `fn` is its Function, or None where it was not recorded."""

    def applying(self, fn: Any) -> None:
        """A rule is about to compute."""

    def applied(self, fn: Any, grad_output: Any, grads: list[Any]) -> None:
        """A rule turned the gradient of its output into those of its inputs."""

    def freed(self, fn: Any) -> None:
        """A recorded call let go of its arrays."""

    def accumulated(self, leaf: Any) -> None:
        """The `grad` of a leaf was made, or added to."""

    def unfolding(self, fn: Any, active: bool) -> None:
        """A checkpoint starts, or stops, computing its segment again."""

    def recording(self, on: bool) -> None:
        """`no_grad` or `enable_grad` changed whether this thread records."""

    def module(self, module: Any, name: str, entered: bool) -> None:
        """A module's forward pass starts, or ends; `name` is its path from the outermost module."""

    def state(self, optimizer: Any, name: str, array: Any) -> None:
        """An optimizer made an array of its state."""


#: The watchers, and for each the thread it looks at. Empty nearly always, which is all that an operation asks.
watchers: list[tuple[int, Watcher]] = []


def tell(event: str, *args: Any) -> None:
    """Tell the watchers of this thread what happened: `event` names a method of `Watcher`."""
    thread = threading.get_ident()
    for watched, watcher in tuple(watchers):
        if watched == thread:
            getattr(watcher, event)(*args)


@contextmanager
def observe(watcher: Watcher) -> Iterator[None]:
    """Let a watcher look at what this thread does inside."""
    entry = threading.get_ident(), watcher
    watchers.append(entry)
    try:
        yield
    finally:
        # by identity: two watchers may be equal
        del watchers[next(i for i, other in enumerate(watchers) if other is entry)]


def user_line() -> str:
    """Return where the running call was asked for: file, line and text of the nearest caller outside bytegrad."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HOME):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, line).strip()
    return f"{Path(file).name}:{line}" + (f": {text}" if text else "")
