"""Whether this thread records what it computes: `no_grad`, `enable_grad` and their kin."""

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from bytegrad.watch import tell, watchers

F = TypeVar("F", bound=Callable[..., Any])


class State(threading.local):
    """The state of one thread.

    Attributes:
        recording: whether calls are recorded; None while the inside of a recorded call runs.
        probe: while a checkpoint runs its function for the first time, the tensors that it reads.
        before: what `recording` was, outside each open block.
    """

    recording: bool | None = True
    probe: Any = None

    def __init__(self) -> None:  # runs once in each thread
        self.before: list[bool | None] = []


state = State()


class _Mode:
    """A block, or a decorator, that records or does not."""

    _records: ClassVar[bool]

    def __new__(cls, function: Any = None) -> Any:
        """Make a block; or, as a decorator without parentheses, wrap the function at once."""
        mode = super().__new__(cls)
        return mode if function is None else mode(function)

    def __enter__(self) -> None:
        state.before.append(state.recording)
        _switch(self._records)

    def __exit__(self, *error: object) -> None:
        _switch(state.before.pop())

    def __call__(self, function: F) -> F:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{type(self).__name__} on the coroutine {function.__name__}: it would hold for whatever else runs "
                f"while the coroutine waits. Use `with {type(self).__name__}():` around the parts between two awaits."
            )
        if inspect.isgeneratorfunction(function):
            return self._generator(function)  # type: ignore[return-value]

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap each step of a generator, and leave its caller's mode alone in between."""

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            inner = function(*args, **kwargs)
            resume, argument = inner.send, None
            try:
                while True:
                    with self:
                        try:
                            item = resume(argument)
                        except StopIteration as end:
                            return end.value
                    try:
                        argument, resume = (yield item), inner.send
                    except Exception as error:  # noqa: BLE001 - it is handed to the generator
                        argument, resume = error, inner.throw
            finally:
                with self:
                    inner.close()

        return steps


class no_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record nothing inside: ``with no_grad(): …``, or as a decorator, also of generators; each thread for itself.

    Raises:
        TypeError: it decorates a coroutine.

    >>> from bytegrad import Tensor
    >>> x = Tensor(1.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _records = False


class inference_mode(no_grad):  # noqa: N801 - PyTorch's name
    """Record nothing inside: `no_grad` under the name that says what the block is for.

    PyTorch's saves the version counters as well; here they cost nothing until an array is edited.

    Raises:
        TypeError: it decorates a coroutine.

    >>> with inference_mode():
    ...     grad_enabled()
    False
    """


class enable_grad(_Mode):  # noqa: N801 - PyTorch's name
    """Record inside, also within `no_grad`: ``with enable_grad(): …``, or as a decorator; each thread for itself.

    Raises:
        TypeError: it decorates a coroutine.

    >>> with no_grad(), enable_grad():
    ...     grad_enabled()
    True
    """

    _records = True


def grad_enabled() -> bool:
    """Tell whether calls of this thread are recorded, once autograd is on.

    >>> grad_enabled()
    True
    """
    return bool(state.recording)


@contextmanager
def holding(**values: Any) -> Iterator[None]:
    """Give attributes of this thread's `State` other values for a while, for the engine's own purposes.

    Watchers are not told.
    """
    before = {name: getattr(state, name) for name in values}
    vars(state).update(values)
    try:
        yield
    finally:
        vars(state).update(before)


def _switch(on: bool | None) -> None:
    if watchers and state.recording != on:
        tell("recording", on)
    state.recording = on
