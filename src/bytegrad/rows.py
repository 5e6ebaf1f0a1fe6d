"""What the ledger writes down: a `Row` an array, a `Moment` an event, and both as plain tables."""

import codecs
import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bytegrad.arrays import owner
from bytegrad.files import replacing
from bytegrad.kernels import Array

#: What a kept array is: made along the way, fed in from outside, a leaf that requires grad (there anyway), the
#: `grad` of one, or what an optimizer remembers. The last two are followed for the ledger's owners only.
KINDS: Final = ("activation", "input", "parameter", "gradient", "optimizer")


@dataclass(frozen=True)
class Row:
    """One array that is kept, and by what.

    Attributes:
        op: the operation that saved it; ``Parameter``, ``Gradient`` or the name of an optimizer's state for
            what the owners hold.
        shape: its shape.
        dtype: its dtype.
        nbytes: the bytes that it takes; those of the whole buffer where it is a view.
        kind: one of `KINDS`.
        new: whether no earlier row holds the same buffer; only new rows add to the sum.
        module: the dotted path of the module whose forward saved it, or that owns it; "" outside of modules.
        line: the line of the program that made the call, ``file.py:12: text``; "" for what the owners hold.

    >>> Row("Exp", (2,), "float32", 8, "activation", new=True).nbytes
    8
    """

    op: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    kind: str
    new: bool
    module: str = ""
    line: str = ""


@dataclass(frozen=True)
class Moment:
    """The state after one event.

    Attributes:
        op: the operation whose arrays were saved or released, or what else the event is about.
        event: ``save`` or ``release``; ``start``, with what the owners held at first; ``parameter``, ``gradient`` or
            ``state`` for what they got since; ``no_grad on`` and ``off``; ``recompute starts`` and ``ends``.
        nbytes: the bytes kept after it.
        kinds: the same, for each of `KINDS`.

    >>> Moment("Exp", "save", 8, {"activation": 8}).saved
    True
    """

    op: str
    event: str
    nbytes: int
    kinds: dict[str, int]

    @property
    def saved(self) -> bool:
        """Whether a recorded call saved arrays."""
        return self.event == "save"


def buffer(array: Array) -> tuple[Any, int]:
    """Return the object whose memory an array looks at, and how many bytes that object holds.

    Views are followed through other arrays, through memoryviews, and through the go-between that
    `numpy.lib.stride_tricks.as_strided` leaves, down to what owns the memory. That may be no array at all (bytes,
    a memory map, another library's tensor): then its bytes are those that it exposes, or else those from
    the array's first element to its last.

    >>> data = bytearray(64)
    >>> a, b = np.frombuffer(data), np.frombuffer(data, dtype="float32")[:2]
    >>> buffer(a)[0] is buffer(b)[0] is data, buffer(b)[1]
    (True, 64)
    """
    source = owner(array)
    if isinstance(source, np.ndarray):
        return source, source.nbytes
    try:
        return source, memoryview(source).nbytes
    except TypeError:
        first, end = np.lib.array_utils.byte_bounds(array)
        return source, end - first


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of words as text in columns, the last one flush right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([*map(str.ljust, line[:-1], widths), line[-1].rjust(widths[-1])])
        for line in lines
    )


def write_csv(
    path: str | os.PathLike[str], columns: Sequence[str], lines: Iterable[Mapping[str, Any]]
) -> None:
    """Write lines as comma-separated text under a header; a reader meets the old file or the new one, never a half.

    Args:
        path: where to; a file that stands there is replaced.
        columns: the keys of every line, in their order.
        lines: what to write.
    """
    with replacing(path) as file:
        writer = csv.DictWriter(codecs.getwriter("utf-8")(file), columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
