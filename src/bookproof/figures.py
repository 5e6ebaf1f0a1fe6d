"""Figures: numbers that a chapter computes, formatted once and handed to its text.

``figure(...)`` writes one display record into the notebook. The page takes its text from that
record by the role ``{glue:text}``, the lock keeps its value, and the lint knows which keys exist.
"""

import math
import re
from ast import literal_eval
from dataclasses import dataclass
from typing import Any, SupportsFloat, cast

from bookproof import units

MIME = "application/papermill.record/text/plain"
"""The mime type under which myst-nb's glue roles look for text."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

_seen: dict[str, object] = {}
"""Key of a figure or claim -> the cell run that made it; forgotten with the kernel."""


class FigureError(ValueError):
    """A figure that cannot go on a page: bad name, no finite number, or made twice."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One computed number (or verdict in words) and how the page shows it."""

    name: str
    value: int | float | str
    unit: str = ""
    formula: str = ""
    spec: str = ""
    measured: bool = False

    def __str__(self) -> str:
        """Return the text that the page shows."""
        if isinstance(self.value, str):
            return self.value
        return units.show(self.value, self.unit, self.spec)

    def __format__(self, spec: str) -> str:
        """Format the shown text, as a string is formatted."""
        return format(str(self), spec)

    def _ipython_display_(self) -> None:
        """Show nothing below the cell: a figure's place is the text."""

    def __repr__(self) -> str:
        """Return ``name = 64 KiB  (formula)``."""
        return f"{self.name} = {self}" + (f"  ({self.formula})" if self.formula else "")


def figure(
    name: str,
    value: object,
    unit: str = "",
    *,
    formula: str = "",
    spec: str = "",
    measured: bool = False,
) -> Figure:
    """Make ``value`` available to the chapter's text, where the role ``glue:text`` with this name shows it.

    Args:
        name: the key: lower-case letters, digits and underscores, unique in its chapter.
        value: a number in base units (bytes, seconds, a fraction for "%"), a NumPy scalar
            included; or a verdict in words, computed by the cell ("fits").
        unit: how to show it: one of ``units.SCALES`` ("KiB", "ms", "%", ...), any other noun
            ("nodes"), or nothing.
        formula: how the number comes about, in words and symbols; shown to the reader on demand.
        spec: a format for the scaled number where the usual one (whole, or three digits) does
            not suit.
        measured: true for a time or anything else that differs from run to run; its value is
            not locked.

    Raises:
        FigureError: malformed name, a value that is no finite number, or a name made twice in
            one cell.
        UnitError: unknown or ambiguous unit, or a format that does not suit.

    >>> figure("dot_nodes", 2 * 1000 - 1, formula="2n - 1")
    dot_nodes = 1,999  (2n - 1)
    """
    plain = _value(name, value, unit)
    made = Figure(checked_name("figure", name), plain, units.checked(unit), formula, spec, measured)
    noted = {
        "value": made.value,
        "unit": made.unit,
        "formula": made.formula,
        "measured": made.measured,
        "shows": str(made),
    }
    emit("figure", name, _guarded(str(made)), noted)
    return made


def checked_name(kind: str, name: str) -> str:
    """Return the key ``name`` of a figure or claim, or raise :class:`FigureError`."""
    if not _NAME.fullmatch(name):
        raise FigureError(
            f"{kind}({name!r}, …): the name is malformed; a key in the text is made of lower-case "
            "letters, digits and underscores and starts with a letter; rename it, for example "
            "'linear_x'"
        )
    return name


def _value(name: str, value: object, unit: str) -> int | float | str:
    """Return ``value`` as a plain int, float or str that can be stored."""
    if isinstance(value, str):
        if unit or not value.strip():
            raise FigureError(
                f"figure({name!r}, {value!r}, {unit!r}): the value is text; text has no unit and "
                "is not blank; give a number, or the words alone"
            )
        return value
    plain = _plain(value)
    if plain is None:
        raise FigureError(
            f"figure({name!r}, …): the value is a {type(value).__name__}, {value!r}; a figure is "
            "one number; take the number you mean out of it, such as x.nbytes or float(x)"
        )
    if not math.isfinite(plain):
        raise FigureError(
            f"figure({name!r}, …): the value is {plain}; a page cannot show it as a figure; find "
            "the operation that made it, or state the outcome in words"
        )
    return plain


def _plain(value: object) -> int | float | None:
    """Return a Python number for a Python or NumPy scalar, else None."""
    if getattr(value, "ndim", 0) != 0:
        return None
    if hasattr(value, "item"):
        dtype = getattr(value, "dtype", None)
        item = cast(Any, value).item()
        if isinstance(item, float) and getattr(dtype, "itemsize", 8) < 8:
            # As a double, a float32's 0.1 is 0.10000000149: keep the digits float32 stands for.
            item = float(str(cast(Any, dtype).type(item)))
        value = item
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, SupportsFloat) and not isinstance(value, complex):
        return float(value)
    return None


def emit(kind: str, name: str, shown: str, noted: dict[str, Any]) -> None:
    """Publish the record of a figure or claim where a kernel listens; do nothing elsewhere."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    key = name if kind == "figure" else f"{kind}:{name}"
    run = _cell_run(shell)
    if _seen.get(key) == run:
        raise FigureError(
            f"{kind}({name!r}, …) ran twice in one cell; the text could show only one of the two; "
            "give each its own name"
        )
    _seen[key] = run
    shell.display_pub.publish(
        data={MIME: shown},
        metadata={
            "scrapbook": {"name": key, "mime_prefix": "application/papermill.record/"},
            "bookproof": noted,
        },
    )


def _cell_run(shell: Any) -> object:
    """Return something that differs between two runs of a cell and not within one."""
    try:
        return shell.get_parent()["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError):
        return shell.execution_count


def _guarded(shown: str) -> str:
    """Quote text that myst-nb's ``glue:text`` would read as Python and print differently.

    The role evaluates literals to strip quotes: "1,999" would come out as the tuple (1, 999),
    "2.00" as 2.0.
    """
    try:
        same = str(literal_eval(shown)) == shown
    except (SyntaxError, ValueError):
        same = True
    return shown if same else repr(shown)
