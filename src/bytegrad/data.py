"""Data: sets of examples, batches drawn from them, digits, a tale, and a line that shows how far a loop has come.

>>> import numpy as np
>>> pairs = TensorDataset(np.arange(10.0).reshape(5, 2), np.arange(5))
>>> for x, y in DataLoader(pairs, batch_size=2):
...     print(x.shape, y.numpy().tolist())
(2, 2) [0, 1]
(2, 2) [2, 3]
(1, 2) [4]
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator

from bytegrad import random
from bytegrad.arrays import array_of, numeric
from bytegrad.errors import DtypeError, IndexingError, RangeError, ShapeError
from bytegrad.handwriting import digits
from bytegrad.kernels import Array
from bytegrad.meter import progress
from bytegrad.story import tale
from bytegrad.tensor import Tensor, wrap

__all__ = [
    "DataLoader",
    "Dataset",
    "TensorDataset",
    "default_collate",
    "digits",
    "progress",
    "tale",
]


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
        DtypeError: what holds no real numbers.
        IndexingError: in ``pairs[i]``, where there is no such row.
        GraphError: a Tensor that requires grad: it would not get one through the batches.

    >>> pairs = TensorDataset(np.array([[1.0], [2.0]]), np.array([0, 1]))
    >>> pairs[1]
    (Tensor([2.], dtype=float64), Tensor(1, dtype=int64))
    """

    def __init__(self, *arrays: Any) -> None:
        try:
            plain = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in arrays]
        except ValueError:
            raise ShapeError(
                "TensorDataset of a ragged list: example i is row i, and the rows of an array are of one length. "
                "Pad the short rows, or keep the list: DataLoader takes one as well."
            ) from None
        self.arrays: tuple[Array, ...] = tuple(map(array_of, plain))
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
        try:
            return tuple([wrap(array[index]) for array in self.arrays])
        except IndexError:
            raise IndexingError(
                f"dataset[{index!r}] of {len(self)} examples: it selects none of them. "
                "They are numbered from 0; pass numbers, a slice, or an array of numbers."
            ) from None


def default_collate(examples: Sequence[Any]) -> Any:
    """Join examples to a batch: what each holds in one place becomes one Tensor with a new first axis.

    Tuples, lists and dicts are joined place by place and keep their kind; arrays and Tensors are stacked; Python's
    numbers become float32 or int64; anything else, such as text, stays a list. A batch shares no memory with them.

    Args:
        examples: one or more, all built alike.

    Raises:
        ShapeError: no examples; arrays of different shapes, or tuples or dicts with different places.
        DtypeError: a place where an example has None, or another kind of thing than the first.
        RangeError: an integer that takes more than 64 bits.

    >>> default_collate([(1.0, {"name": "a"}), (2.0, {"name": "b"})])
    (Tensor([1., 2.], dtype=float32), {'name': ['a', 'b']})
    """
    if not len(examples):
        raise ShapeError(
            "a batch of no examples: there is no shape for it. Pass at least one example."
        )
    return _joined(examples, "")


def _joined(examples: Sequence[Any], place: str) -> Any:
    """Join what the examples hold in one place, such as ``[1]['x']``."""
    first = examples[0]
    kind = _kind(first)
    where = f" in {place}" if place else ""
    for i, example in enumerate(examples):
        if example is None or _kind(example) != kind:
            other = f", where example 0 has {type(first).__name__}" if i else ""
            raise DtypeError(
                f"example {i} of a batch has {type(example).__name__}{where}{other}: what is joined is of one kind, "
                "and None would be no number. Mend the examples, or pass a collate_fn= of your own."
            )
    if kind == "dict":
        _refuse_unlike(f"keys{where}", [tuple(example) for example in examples])
        return {key: _joined([e[key] for e in examples], f"{place}[{key!r}]") for key in first}
    if kind == "tuple":
        _refuse_unlike(f"lengths{where}", [len(example) for example in examples])
        columns = [_joined([e[i] for e in examples], f"{place}[{i}]") for i in range(len(first))]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*columns)
        return tuple(columns) if isinstance(first, tuple) else columns
    if kind == "array":
        arrays = [np.asarray(example) for example in examples]
        _refuse_unlike(f"shapes{where}", [array.shape for array in arrays])
        return wrap(numeric(np.stack(arrays)))
    if kind == "bool":
        return wrap(np.array(examples, dtype=np.bool_))
    if kind == "number":
        whole = all(isinstance(example, int) for example in examples)
        try:
            return wrap(np.array(examples, dtype=np.int64 if whole else np.float32))
        except OverflowError:
            raise RangeError(
                f"a batch with {max(map(abs, examples))}{where}: it does not fit into 64 bits. "
                "Pass such numbers as text, or as floats."
            ) from None
    return list(examples)


def _kind(example: Any) -> str:
    """Return what is joined with its like."""
    kinds: tuple[tuple[str, Any], ...] = (
        ("dict", Mapping),
        ("tuple", (tuple, list)),
        ("str", str),  # np.str_ as well
        ("array", (Tensor, np.ndarray, np.generic)),
        ("bool", bool),
        ("number", (int, float)),
    )
    return next((kind for kind, types in kinds if isinstance(example, types)), str(type(example)))


class DataLoader:
    """Batches of a dataset, in its order or shuffled afresh for each walk.

    Args:
        dataset: anything with a length whose examples are fetched by number. Of a `TensorDataset`, whole batches are
            cut at once, and copied: to edit a batch leaves the data as they are.
        batch_size: examples a batch, 1 or more; the last one may be smaller.
        shuffle: draw a new order for each walk.
        drop_last: leave out a last batch that is smaller.
        generator: where the order is drawn from; None for `bytegrad.random.default_generator()`. The same seed gives
            the same orders, walk for walk.
        collate_fn: turns a list of examples into a batch; None for `default_collate`.
        progress: show how far a walk has come, as `progress` does; a text becomes its label.

    Raises:
        ValueError: a batch size that is no whole number, or below 1.
        TypeError: a dataset without a length, or whose examples have no numbers; a `collate_fn` that is no function.

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
        collate_fn: Callable[[list[Any]], Any] | None = None,
        progress: bool | str = False,
    ) -> None:
        count: Any = batch_size
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        if not whole or count < 1:
            raise ValueError(
                f"batch_size is {batch_size!r}: it counts examples. Pass a whole number that is 1 or more."
            )
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"dataset is {type(dataset).__name__}: batches are cut by number out of so many examples. "
                "Pass what has __len__ and __getitem__, such as a list or a TensorDataset."
            )
        if not (collate_fn is None or callable(collate_fn)):
            raise TypeError(
                f"collate_fn is {collate_fn!r}: it is called with a list of examples. "
                "Pass a function, or None for default_collate."
            )
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.collate_fn = collate_fn
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
        data = self.dataset
        # a subclass may do more with an example than to cut it out
        at_once = type(data) is TensorDataset and self.collate_fn in (None, default_collate)
        collate = self.collate_fn or default_collate
        for i in range(len(self)):
            start, stop = i * self.batch_size, min((i + 1) * self.batch_size, len(data))
            if at_once:
                batch = data[slice(start, stop) if order is None else order[start:stop]]
                yield tuple([wrap(x._data.copy()) for x in batch]) if order is None else batch
            else:
                chosen = range(start, stop) if order is None else order[start:stop].tolist()
                yield collate([data[j] for j in chosen])


def _refuse_unlike(what: str, seen: list[Any]) -> None:
    if any(one != seen[0] for one in seen):
        raise ShapeError(
            f"examples with different {what}: {', '.join(map(str, dict.fromkeys(seen)))}. A batch has one of each "
            "place. Pad or cut the examples, or pass a collate_fn= of your own."
        )
