"""A line that shows how far a loop has come."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

T = TypeVar("T")

#: Seconds between two looks of a progress line.
_REFRESH_SECONDS = 0.1

#: Characters of its bar.
_BAR = 24


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
