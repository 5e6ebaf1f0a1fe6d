"""Data: sets of examples, the batches drawn from them, and a line that shows how far a loop has come.

>>> import numpy as np
>>> pairs = TensorDataset(np.arange(10.0).reshape(5, 2), np.arange(5))
>>> for x, y in DataLoader(pairs, batch_size=2):
...     print(x.shape, y.numpy().tolist())
(2, 2) [0, 1]
(2, 2) [2, 3]
(1, 2) [4]
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, Protocol, TextIO, TypeVar

import numpy as np
from numpy.random import Generator

from bytegrad import random
from bytegrad.errors import ShapeError
from bytegrad.kernels import Array
from bytegrad.tensor import Tensor, wrap

T = TypeVar("T")

#: Seconds between two looks of a progress line.
_REFRESH_SECONDS = 0.1

#: Characters of its bar.
_BAR = 24


class Dataset(Protocol):
    """Examples that can be counted and fetched by number: all that `DataLoader` asks for.

    Derive from it or not: a list of examples is one.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return float(index), float(index) ** 2
    >>> [y.numpy().tolist() for x, y in DataLoader(Squares(), batch_size=3)]
    [[0.0, 1.0, 4.0], [9.0]]
    """

    def __len__(self) -> int:
        """Return how many examples there are."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return the example with this number."""


class TensorDataset:
    """Arrays with one row an example: example i is row i of each.

    Args:
        arrays: arrays or Tensors, of equal length along axis 0. They are not copied.

    Raises:
        ShapeError: no arrays, one without axes, or lengths that differ.
        GraphError: a Tensor that requires grad: it would not get one through the batches.

    >>> pairs = TensorDataset(np.array([[1.0], [2.0]]), np.array([0, 1]))
    >>> pairs[1]
    (Tensor([2.], dtype=float64), Tensor(1, dtype=int64))
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays: tuple[Array, ...] = tuple([np.asarray(array) for array in arrays])
        shapes = [array.shape for array in self.arrays]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(
                f"TensorDataset of shapes {shapes}: example i is row i of each, so each needs the same number of rows. "
                "Pass one array or more, of equal length along axis 0."
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Return the rows that an integer, a slice or an array of integers selects; a slice gives views."""
        return tuple([wrap(array[index]) for array in self.arrays])


def default_collate(examples: Sequence[Any]) -> Any:
    """Join examples to a batch: what each holds in one place becomes one Tensor with a new first axis.

    Tuples, lists and dicts are joined place by place and keep their kind; arrays and Tensors are stacked; Python's
    numbers become float32 or int64; anything else, such as text, stays a list.

    Args:
        examples: one or more, all built alike.

    Raises:
        ShapeError: arrays of different shapes, or tuples or dicts with different places.

    >>> default_collate([(1.0, {"name": "a"}), (2.0, {"name": "b"})])
    (Tensor([1., 2.], dtype=float32), {'name': ['a', 'b']})
    """
    first = examples[0]
    if isinstance(first, Mapping):
        _refuse_unlike("keys", [tuple(example) for example in examples])
        return {key: default_collate([example[key] for example in examples]) for key in first}
    if isinstance(first, (tuple, list)):
        _refuse_unlike("lengths", [len(example) for example in examples])
        columns = [default_collate(column) for column in zip(*examples, strict=True)]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*columns)
        return tuple(columns) if isinstance(first, tuple) else columns
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        arrays = [np.asarray(example) for example in examples]
        _refuse_unlike("shapes", [array.shape for array in arrays])
        return wrap(np.stack(arrays))
    if isinstance(first, bool):
        return wrap(np.array(examples, dtype=np.bool_))
    if isinstance(first, (int, float)):
        whole = all(isinstance(example, int) for example in examples)
        return wrap(np.array(examples, dtype=np.int64 if whole else np.float32))
    return list(examples)


class DataLoader:
    """Batches of a dataset, in its order or shuffled afresh for each walk.

    Args:
        dataset: anything with a length whose examples are fetched by number. Of a `TensorDataset`, whole batches are
            cut at once.
        batch_size: examples a batch, 1 or more; the last one may be smaller.
        shuffle: draw a new order for each walk.
        drop_last: leave out a last batch that is smaller.
        generator: where the order is drawn from; None for `bytegrad.random.default_generator()`. The same seed gives
            the same orders, walk for walk.
        collate: turns a list of examples into a batch.
        progress: show how far a walk has come, as `progress` does; a text becomes its label.

    Raises:
        ValueError: a batch size that is no whole number, or below 1.

    >>> loader = DataLoader(range(6), 3, shuffle=True, generator=np.random.default_rng(0))
    >>> [batch.numpy().tolist() for batch in loader]
    [[3, 2, 5], [4, 0, 1]]
    >>> len(loader)
    2
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        collate: Callable[[list[Any]], Any] = default_collate,
        progress: bool | str = False,
    ) -> None:
        if isinstance(batch_size, bool) or batch_size < 1 or batch_size != int(batch_size):
            raise ValueError(
                f"batch_size is {batch_size!r}: it counts examples. Pass a whole number that is 1 or more."
            )
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.collate = collate
        self.progress = progress

    def __len__(self) -> int:
        """Return how many batches a walk has."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        # Drawn here, not at the first batch: an iterator that is made has its order.
        n = len(self.dataset)
        order = random.witnessed(self.generator).permutation(n) if self.shuffle else None
        batches = self._batches(order)
        if not self.progress:
            return batches
        label = self.progress if isinstance(self.progress, str) else ""
        return progress(batches, len(self), label)

    def _batches(self, order: Array | None) -> Iterator[Any]:
        data, whole = self.dataset, self.collate is default_collate
        for i in range(len(self)):
            start, stop = i * self.batch_size, min((i + 1) * self.batch_size, len(data))
            if isinstance(data, TensorDataset) and whole:
                yield data[slice(start, stop) if order is None else order[start:stop]]
            else:
                chosen = range(start, stop) if order is None else order[start:stop].tolist()
                yield self.collate([data[j] for j in chosen])


def progress(iterable: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
    """Walk through an iterable and show on one line how far that is: count, bar, rate and time left.

    The line is written to standard error and renewed in place, in a terminal and in a notebook; where it is neither,
    as in a log file, nothing is written.

    Args:
        iterable: what to walk through.
        total: how many items it has; its length where it has one and none is given.
        label: what to write in front.

    >>> sum(progress([1, 2, 3], label="adding"))
    6
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    stream = sys.stderr
    if not _renews_lines(stream):
        yield from iterable
        return
    start = shown = time.perf_counter()
    count = width = 0
    try:
        for count, item in enumerate(iterable, 1):
            yield item
            now = time.perf_counter()
            if now - shown >= _REFRESH_SECONDS:
                width = _renew(stream, _line(label, count, total, now - start), width)
                shown = now
    finally:
        _renew(stream, _line(label, count, total, time.perf_counter() - start), width)
        stream.write("\n")


def _line(label: str, count: int, total: int | None, seconds: float) -> str:
    rate = count / seconds if seconds > 0 else 0.0
    parts = [label, f"{count}"]
    if total is not None:
        full = _BAR * min(count, total) // total if total else _BAR
        parts = [label, f"{count}/{total}", f"[{'#' * full}{'.' * (_BAR - full)}]"]
    parts.append(f"{rate:,.1f}/s")
    if total is not None and 0 < count < total and rate:
        parts.append(f"{_clock((total - count) / rate)} left")
    else:
        parts.append(_clock(seconds))
    return " ".join(part for part in parts if part)


def _clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _renew(stream: TextIO, line: str, width: int) -> int:
    """Write a line over the one before, which was `width` characters long; return the new length."""
    stream.write("\r" + line.ljust(width))
    stream.flush()
    return len(line)


def _renews_lines(stream: TextIO) -> bool:
    """Tell whether a line can be written over: in a terminal, and in a notebook, whose stream claims to be none."""
    return stream.isatty() or type(stream).__module__.partition(".")[0] == "ipykernel"


def _refuse_unlike(what: str, seen: list[Any]) -> None:
    if any(one != seen[0] for one in seen):
        raise ShapeError(
            f"examples with different {what}: {', '.join(map(str, dict.fromkeys(seen)))}. A batch has one of each "
            "place. Pad or cut the examples, or pass a collate= of your own."
        )
