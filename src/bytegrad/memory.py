"""The ledger: which arrays are kept alive, since when, by which line of the program, and how many bytes that is.

>>> from bytegrad import Tensor, enable_autograd
>>> enable_autograd(quiet=True)
>>> w = Tensor([[1.0, 2.0]], requires_grad=True)
>>> with ledger() as led:
...     y = (w * w).exp().sum()
>>> led.current  # w for the product (once, although both operands saved it), the output for exp
16

What the graph saves is always entered. With owners, one timeline holds parameters, gradients and optimizer state too:

>>> with ledger(w) as led:
...     before = led.current
...     (w * w).sum().backward()
>>> before, led.kept("parameter"), led.kept("gradient")
(8, 8, 8)
"""

import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bytegrad.arrays import outermost
from bytegrad.kernels import Array
from bytegrad.owners import Paths, data_of, gradient_of, leaves, remembered, saved_by, states
from bytegrad.record import shape_text
from bytegrad.rows import KINDS, Moment, Row, aligned, buffer, write_csv
from bytegrad.tensor import Tensor
from bytegrad.timeline import timeline
from bytegrad.watch import Watcher, observe, user_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GROUPS", "KINDS", "Ledger", "Moment", "Row", "ledger"]

#: What the rows can be added up by.
GROUPS = ("op", "module", "line", "kind")


class Ledger(Watcher):
    """Every array that graphs recorded under it keep, and what its owners hold; each buffer counts once.

    `ledger` makes one and lets it look on. All sizes are bytes.

    Args:
        owners: modules, optimizers, or Tensors that require grad.

    Attributes:
        rows: what is kept now, in the order of saving (a list of `Row`).
        current: the bytes kept now.
        peak: the most bytes kept at any moment.
        timeline: one `Moment` for each event.

    Raises:
        TypeError: an owner that has neither parameters nor state.

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> led = Ledger(w)
    >>> print(led.table())
    op         shape  dtype    kind       bytes
    Parameter  2      float32  parameter      8
    kept                                      8
    """

    def __init__(self, *owners: Any) -> None:
        self.peak = 0
        self.timeline: list[Moment] = []
        self._held: dict[int, tuple[Any, list[tuple[int, Row]]]] = {}  # by id of what keeps them
        self._holders: Counter[int] = Counter()  # by id of the buffer
        self._buffers: dict[int, Row] = {}
        self._bytes: Counter[str] = Counter()
        self._paths = Paths(owners)
        self._leaves: dict[int, Any] = {}  # the owners' parameters, weakly, by id
        for path, leaf in leaves(owners):
            self._own(leaf, path)
        for owner in owners:
            for _, name, array in states(owner):
                self.state(owner, name, array)
        # one step, however many they are
        self.timeline = [replace(last, op="owners", event="start") for last in self.timeline[-1:]]

    @property
    def rows(self) -> list[Row]:
        """What is kept now, in the order of saving."""
        seen: set[int] = set()
        rows = []
        for _, entries in self._held.values():
            for key, row in entries:
                # the row that was new may be gone by now, and the next one counts
                rows.append(row if row.new is (key not in seen) else replace(row, new=not row.new))
                seen.add(key)
        return rows

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

    def peak_of(self, *kinds: str) -> int:
        """Return the most bytes kept at any moment in buffers of these kinds.

        Raises:
            ValueError: a kind that is not in `KINDS`.
        """
        chosen = _known(kinds)
        return max((sum(m.kinds[kind] for kind in chosen) for m in self.timeline), default=0)

    def by(self, what: str) -> list[tuple[str, int]]:
        """Return the bytes kept now for each op, module, line or kind, largest first; they add up to `current`.

        Args:
            what: one of `GROUPS`. A buffer belongs to the row that holds it first.

        Raises:
            ValueError: another word.
        """
        if what not in GROUPS:
            raise ValueError(
                f"no column is called {what!r}: the bytes of many rows can be added up by {', '.join(GROUPS)}. "
                "Use one of them."
            )
        sums: Counter[str] = Counter()
        for row in self.rows:
            sums[getattr(row, what)] += row.nbytes if row.new else 0
        return sums.most_common()

    def table(self, by: str | None = None) -> str:
        """Return the rows as aligned text, and their sum; or the sums by op, module, line or kind.

        Raises:
            ValueError: `by` is not in `GROUPS`.
        """
        total = f"{self.current:,}"
        if by is not None:
            sums = [(name or f"no {by}", f"{nbytes:,}") for name, nbytes in self.by(by)]
            return aligned([(by, "bytes"), *sums, ("kept", total)])
        lines = [("op", "shape", "dtype", "kind", "bytes")]
        for row in self.rows:
            nbytes = f"{row.nbytes:,}" if row.new else "counted above"
            lines.append((row.op, shape_text(row.shape), row.dtype, row.kind, nbytes))
        return aligned([*lines, ("kept", "", "", "", total)])

    def export(self) -> list[dict[str, Any]]:
        """Return the rows as plain dictionaries, one value an attribute of `Row`."""
        return [asdict(row) for row in self.rows]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as a table that spreadsheets and data frames read; shapes are written as 32×512.

        The file at `path` appears whole or not at all.
        """
        columns = list(Row.__dataclass_fields__)
        write_csv(
            path, columns, [{**row, "shape": shape_text(row["shape"])} for row in self.export()]
        )

    def plot(
        self, ax: "Axes | None" = None, unit: str = "KiB", kinds: tuple[str, ...] = KINDS
    ) -> "Axes":
        """Draw the timeline, stacked by kind, into a Matplotlib Axes and return it.

        Where nothing was recorded (`no_grad`) and where a checkpoint computed again, the ground is shaded.

        Args:
            ax: where to draw; a new figure if left out.
            unit: a key of `bytegrad.budget.UNITS`.
            kinds: which of `KINDS` to draw.

        Raises:
            ValueError: an unknown unit or kind.
        """
        return timeline(self, ax, unit, _known(kinds))

    # What a watcher is told.

    def called(self, fn: Any, name: str, inputs: tuple[Any, ...], output: Any) -> None:
        """Enter the arrays that a call saved."""
        saved = [] if fn is None else list(saved_by(fn, inputs))
        if saved:
            module, line = self._paths.current, user_line()
            entered = [self._enter(fn.name, x, kind, module, line) for x, kind in saved]
            self._held[id(fn)] = weakref.ref(fn, partial(self._release, id(fn), fn.name)), entered
            self._note(fn.name, "save")

    def freed(self, fn: Any) -> None:
        """Strike out the arrays of a call."""
        self._release(id(fn), fn.name)

    def accumulated(self, leaf: Any) -> None:
        """Enter the gradient of an owner's parameter."""
        known = self._leaves.get(id(leaf))
        if known is not None:
            for part in (None, "rows", "values"):  # the whole; or, of a sparse one, both
                look = partial(gradient_of, known[0], part)
                self._follow("gradient", "Gradient", known[1], look)

    def state(self, optimizer: Any, name: str, array: Array) -> None:
        """Enter what an optimizer remembers, if the ledger has owners."""
        if self._leaves:
            leaf = next((leaf for leaf, _, held in states(optimizer) if held is array), None)
            _, path = self._leaves.get(id(leaf), (None, ""))
            look: Any = weakref.ref(array)
            if leaf is not None:
                look = partial(remembered, weakref.ref(optimizer), weakref.ref(leaf), name)
            self._follow("optimizer", name, path, look)

    def recording(self, on: bool) -> None:
        """Note that the thread stops, or goes on, recording."""
        self._note("no_grad", "no_grad off" if on else "no_grad on")

    def unfolding(self, fn: Any, active: bool) -> None:
        """Note that a checkpoint computes its segment again."""
        self._note(fn.name, "recompute starts" if active else "recompute ends")

    def module(self, module: Any, name: str, entered: bool) -> None:
        """Keep in mind which module's forward pass is running."""
        self._paths.move(module, name, entered)

    # How it is written down.

    def _own(self, leaf: Tensor, path: str) -> None:
        """Follow a parameter and its gradient, without keeping either alive."""
        if id(leaf) in self._leaves:
            return
        alive = weakref.ref(leaf)
        self._leaves[id(leaf)] = alive, path
        self._follow("parameter", "Parameter", path, partial(data_of, alive))
        self.accumulated(leaf)

    def _follow(self, kind: str, op: str, module: str, look: Callable[[], Array | None]) -> None:
        """Enter the array that `look` finds, until its memory is gone; then what `look` finds in its place."""
        array = look()
        anchor = None if array is None else outermost(array)
        if array is None or anchor is None or id(anchor) in self._held:
            return
        key = id(anchor)

        def gone(_: object) -> None:
            self._follow(kind, op, module, look)  # old and new were there together for a moment
            self._release(key, op)

        entered = [self._enter(op, array, kind, module)]
        self._held[key] = weakref.ref(anchor, gone), entered
        self._note(op, "state" if kind == "optimizer" else kind)

    def _enter(
        self, op: str, array: Array, kind: str, module: str = "", line: str = ""
    ) -> tuple[int, Row]:
        source, nbytes = buffer(array)
        key = id(source)
        new = key not in self._buffers
        if not new:
            kind, nbytes = self._buffers[key].kind, self._buffers[key].nbytes
        row = Row(op, array.shape, str(array.dtype), nbytes, kind, new, module, line)
        if new:
            self._buffers[key] = row
            self._bytes[kind] += nbytes
        self._holders[key] += 1
        return key, row

    def _release(self, key: int, op: str, _: object = None) -> None:
        _, entered = self._held.pop(key, (None, []))
        for buffer_key, _ in entered:
            self._holders[buffer_key] -= 1
            if not self._holders[buffer_key]:
                del self._holders[buffer_key]
                row = self._buffers.pop(buffer_key)
                self._bytes[row.kind] -= row.nbytes
        if entered:
            self._note(op, "release")

    def _note(self, op: str, event: str) -> None:
        kinds = {kind: self._bytes[kind] for kind in KINDS}
        self.timeline.append(Moment(op, event, self.current, kinds))
        self.peak = max(self.peak, self.current)

    def _stop(self) -> None:
        """Stay as it is from now on: forget whose arrays they were."""
        self._held = {key: (None, entered) for key, (_, entered) in self._held.items()}


@contextmanager
def ledger(*owners: Any) -> Iterator[Ledger]:
    """Keep a `Ledger` of all that this thread records and frees inside; afterwards it stays as it was at the end.

    Without owners it holds what graphs save. With owners, their parameters stand in it from the start, and their
    gradients and the state of optimizers while they are there: so zeroing a gradient, too, shows as a release.

    A row counts the whole buffer behind an array, once, whoever else looks at it; a view of another library's
    memory counts that memory. Gradients on their way through a backward pass, and an operation's
    temporaries, are not entered. The ledger keeps nothing alive.

    Args:
        owners: modules, optimizers, or Tensors that require grad.

    Raises:
        TypeError: an owner that has neither parameters nor state.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> with ledger() as led:
    ...     y = Tensor([1.0, 2.0], requires_grad=True).exp()
    >>> led.rows[0].op, led.current
    ('Exp', 8)
    """
    led = Ledger(*owners)
    del owners  # this frame would keep them alive
    try:
        with observe(led):
            yield led
    finally:
        led._stop()


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(
                f"no kind is called {kind!r}: the ledger tells apart {', '.join(KINDS)}. Use one of them."
            )
    return kinds
