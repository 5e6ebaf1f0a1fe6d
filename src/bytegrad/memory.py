"""The ledger: which arrays the graph keeps alive, since when, and how many bytes that is.

>>> from bytegrad import Tensor, enable_autograd
>>> enable_autograd(quiet=True)
>>> w = Tensor([[1.0, 2.0]], requires_grad=True)
>>> with ledger() as led:
...     y = (w * w).exp().sum()
>>> led.current  # w for the product (once, although both operands saved it), the output for exp
16
"""

import functools
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bytegrad.record import Function, owner, shape_text, watchers
from bytegrad.tensor import Array, Tensor
from bytegrad.timeline import timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a kept array is: made along the way, fed in from outside, or a leaf that requires grad (there anyway).
KINDS: Final = ("activation", "input", "parameter")


@dataclass(frozen=True)
class Row:
    """One array that one recorded call keeps.

    Attributes:
        op: the operation that saved it.
        shape: its shape.
        dtype: its dtype.
        nbytes: the bytes that it takes; those of the whole buffer where it is a view.
        kind: one of `KINDS`.
        new: whether no earlier row holds the same buffer; only new rows add to the sum.
    """

    op: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    kind: str
    new: bool


@dataclass(frozen=True)
class Moment:
    """The state after one save or one release.

    Attributes:
        op: the operation whose arrays were saved or released.
        saved: True for a save, False for a release.
        nbytes: the bytes kept after it.
        kinds: the same, for each of `KINDS`.
    """

    op: str
    saved: bool
    nbytes: int
    kinds: dict[str, int]


class Ledger:
    """Every array that graphs recorded under it keep; each buffer counts once, whoever saved it.

    Attributes:
        rows: what is kept now, in the order of saving (a list of `Row`).
        current: the bytes kept now.
        peak: the most bytes kept at any moment.
        timeline: one `Moment` for each save and release.
    """

    def __init__(self) -> None:
        self.peak = 0
        self.timeline: list[Moment] = []
        self._held: dict[int, tuple[Any, list[tuple[int, Row]]]] = {}  # by id of the Function
        self._holders: Counter[int] = Counter()  # by id of the buffer
        self._buffers: dict[int, Row] = {}
        self._bytes: Counter[str] = Counter()

    @property
    def rows(self) -> list[Row]:
        """What is kept now, in the order of saving."""
        return [row for _, rows in self._held.values() for _, row in rows]

    @property
    def current(self) -> int:
        """The bytes kept now."""
        return sum(self._bytes.values())

    def kept(self, *kinds: str) -> int:
        """Return the bytes kept now in buffers of these kinds.

        Raises:
            ValueError: a kind that is not in `KINDS`.
        """
        return sum(self._bytes[kind] for kind in _known(kinds))

    def table(self) -> str:
        """Return the rows as aligned text, and their sum."""
        lines = [("op", "shape", "dtype", "kind", "bytes")]
        for row in self.rows:
            nbytes = f"{row.nbytes:,}" if row.new else "counted above"
            lines.append((row.op, shape_text(row.shape), row.dtype, row.kind, nbytes))
        lines.append(("kept", "", "", "", f"{self.current:,}"))
        widths = [max(len(line[i]) for line in lines) for i in range(5)]
        return "\n".join(
            "  ".join(
                text.rjust(width) if i == 4 else text.ljust(width)
                for i, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )

    def plot(
        self, ax: "Axes | None" = None, unit: str = "KiB", kinds: tuple[str, ...] = KINDS
    ) -> "Axes":
        """Draw the timeline, stacked by kind, into a Matplotlib Axes and return it.

        Args:
            ax: where to draw; a new figure if left out.
            unit: a key of `bytegrad.budget.UNITS`.
            kinds: which of `KINDS` to draw.

        Raises:
            ValueError: an unknown unit or kind.
        """
        return timeline(self, ax, unit, _known(kinds))

    # What `record` tells its watchers.

    def recorded(self, fn: Function, inputs: tuple[Any, ...]) -> None:
        """Enter the arrays that a call saved."""
        rows = [
            self._enter(fn.name, kept, _kind(kept, inputs))
            for kept in fn.saved_tensors
            if isinstance(kept, np.ndarray)
        ]
        if rows:
            release = functools.partial(self._release, id(fn), fn.name)
            self._held[id(fn)] = weakref.ref(fn, release), rows
            self._note(fn.name, saved=True)

    def freed(self, fn: Function) -> None:
        """Strike out the arrays of a call."""
        self._release(id(fn), fn.name)

    def _enter(self, op: str, array: Array, kind: str) -> tuple[int, Row]:
        buffer = owner(array)
        key = id(buffer)
        new = key not in self._buffers
        row = Row(op, array.shape, str(array.dtype), buffer.nbytes, kind, new)
        if new:
            self._buffers[key] = row
            self._bytes[kind] += buffer.nbytes
        self._holders[key] += 1
        return key, row

    def _release(self, key: int, op: str, _: object = None) -> None:
        _, rows = self._held.pop(key, (None, []))
        for buffer, _ in rows:
            self._holders[buffer] -= 1
            if not self._holders[buffer]:
                del self._holders[buffer]
                row = self._buffers.pop(buffer)
                self._bytes[row.kind] -= row.nbytes
        if rows:
            self._note(op, saved=False)

    def _note(self, op: str, saved: bool) -> None:
        self.timeline.append(
            Moment(op, saved, self.current, {kind: self._bytes[kind] for kind in KINDS})
        )
        self.peak = max(self.peak, self.current)

    def _stop(self) -> None:
        """Stay as it is from now on: forget whose arrays they were."""
        self._held = {key: (None, rows) for key, (_, rows) in self._held.items()}


@contextmanager
def ledger() -> Iterator[Ledger]:
    """Keep a `Ledger` of all that is recorded and freed inside; afterwards it stays as it was at the end."""
    led = Ledger()
    watchers.append(led)
    try:
        yield led
    finally:
        watchers.remove(led)
        led._stop()


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(
                f"no kind is called {kind!r}: the ledger tells apart {', '.join(KINDS)}. Use one of them."
            )
    return kinds


def _kind(array: Array, inputs: tuple[Any, ...]) -> str:
    """Tell what a saved array is, by the input whose memory it is."""
    buffer = owner(array)
    for x in inputs:
        if isinstance(x, np.ndarray) and owner(x) is buffer:
            return "input"
        if isinstance(x, Tensor) and owner(x.data) is buffer:
            leaf = _viewed_leaf(x)
            if leaf is not None and owner(leaf.data) is buffer:
                return "parameter" if leaf.requires_grad else "input"
            return "activation"
    return "activation"


def _viewed_leaf(x: Tensor) -> Tensor | None:
    """Return the leaf that `x` is, or may be a view of: a view comes of one input and saves nothing."""
    source: Any = x if x.is_leaf else x.grad_fn
    while isinstance(source, Function):
        edges = source.edges or ()
        source = edges[0] if len(edges) == 1 and not source.saved_tensors else None
    return source  # type: ignore[no-any-return]
