"""Data-parallel training: every rank has the whole model and a part of the batch, and MPI adds up the gradients.

What is here is thin on purpose: an all-reduce is one call of mpi4py, and a communicator is mpi4py's own. It is imported
where it is used, so that everything else runs without it.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bytegrad.errors import GraphError
from bytegrad.launching import find_mpiexec, launch
from bytegrad.tensor import Tensor

__all__ = ["Reducer", "all_reduce_gradients", "broadcast_parameters", "find_mpiexec", "launch"]


def broadcast_parameters(parameters: Iterable[Tensor], comm: Any, root: int = 0) -> None:
    """Give every rank the parameters of one of them: ranks that start apart stay apart.

    Args:
        parameters: the tensors to fill, in the same order on every rank.
        comm: the communicator.
        root: the rank whose numbers count.

    >>> def start(comm):
    ...     model = bg.nn.Linear(3, 1)
    ...     bg.parallel.broadcast_parameters(model.parameters(), comm)
    ...     return model.weight.data
    >>> launch(start, 2)  # doctest: +SKIP
    """
    for p in parameters:
        data = np.ascontiguousarray(p.data)
        comm.Bcast(data, root=root)
        p.data = data


def all_reduce_gradients(parameters: Iterable[Tensor], comm: Any, average: bool = True) -> None:
    """Replace each `grad` by the sum over all ranks, divided by their number if `average`.

    MPI adds. The mean is a division of our own: it makes the mean losses of equal parts the mean loss of the whole.
    A parameter that this rank did not use counts as zeros, since the others wait for its share all the same.

    Args:
        parameters: the tensors, in the same order on every rank.
        comm: the communicator.
        average: whether to divide by the number of ranks.

    Raises:
        GraphError: a gradient holds single rows.

    >>> def mean_of_ranks(comm):
    ...     w = bg.Tensor([1.0], requires_grad=True)
    ...     (w * comm.rank).sum().backward()
    ...     all_reduce_gradients([w], comm)
    ...     return w.grad
    """
    for p in parameters:
        grad = _whole(p)
        comm.Allreduce(_in_place(), grad)
        p.grad = grad / comm.size if average else grad


class Reducer:
    """Adds up gradients while `backward` still computes others: an all-reduce starts as soon as its gradient is whole.

    Ranks have to start the same all-reduces in the same order, so they go from the last parameter to the first,
    which is the order in which a backward pass mostly finishes them; one that is early waits for those before it.

    Args:
        parameters: the tensors, in the same order on every rank.
        comm: the communicator.
        average: whether to divide by the number of ranks.

    Attributes:
        started: for each parameter whose all-reduce has begun, its number, in that order.

    >>> def step(comm, model, loss):
    ...     reducer = Reducer(model.parameters(), comm)
    ...     loss.backward()
    ...     reducer.wait()
    """

    def __init__(self, parameters: Iterable[Tensor], comm: Any, average: bool = True) -> None:
        self._parameters = list(parameters)
        self._comm = comm
        self._average = average
        self._ready: set[int] = set()
        self._requests: list[Any] = []
        self.started: list[int] = []
        self._handles = [
            p.register_post_accumulate_grad_hook(partial(self._note, i))
            for i, p in enumerate(self._parameters)
        ]

    def _note(self, number: int, leaf: Tensor) -> None:
        """Note that a gradient is there, and start whatever may start.

        Raises:
            GraphError: its all-reduce is under way.
        """
        if number in self._ready:
            raise GraphError(
                f"a second backward() while the gradient of parameter {number} is on its way to the other ranks: "
                "what it adds would be lost or counted twice. Call wait() first."
            )
        self._ready.add(number)
        while (following := len(self._parameters) - 1 - len(self.started)) in self._ready:
            self._start(following)

    def _start(self, number: int) -> None:
        p = self._parameters[number]
        p.grad = grad = _whole(p)
        self._requests.append(self._comm.Iallreduce(_in_place(), grad))
        self.started.append(number)

    def wait(self) -> None:
        """Return when every `grad` is whole on every rank; what this rank did not use counts as zeros.

        Raises:
            GraphError: a gradient holds single rows.
        """
        for number in range(len(self._parameters) - 1 - len(self.started), -1, -1):
            self._start(number)
        for request in self._requests:
            request.Wait()
        for p in self._parameters:
            if self._average:
                p.grad = p.grad / self._comm.size
        self._ready.clear()
        self._requests.clear()
        self.started.clear()

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()


def _in_place() -> Any:
    """Return what tells MPI to put the sum where the share was, so that no second array is needed."""
    from mpi4py import MPI

    return MPI.IN_PLACE


def _whole(p: Tensor) -> NDArray[Any]:
    """Return the gradient as one array that MPI can read and write.

    Raises:
        GraphError: it holds single rows.
    """
    if p.grad is None:
        return np.zeros(p.shape, p.dtype)
    if not isinstance(p.grad, np.ndarray):
        raise GraphError(
            f"an all-reduce of {type(p.grad).__name__!r}: ranks hold different rows, so there is no sum, element by "
            "element, of what they send. Use a dense gradient."
        )
    return np.ascontiguousarray(p.grad)
