"""The lock: what every figure of the book was when somebody last looked at it.

``book/figures.lock`` holds one line a figure. A figure that changes is a line that changes: it is
reviewed as a difference and accepted by ``python -m bookproof lock``, and never slips through.
Of a measured figure the lock holds only that it exists.
"""

import json
import math
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from bookproof import book, cache
from bookproof.units import NBSP

FILE = Path("book", "figures.lock")

_HEADER = """\
# Every figure of the book, as it was last accepted. Written by `make lock`; do not edit.
# A changed line here is a number that changes for the reader: review it as such.
"""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class LockError(ValueError):
    """The lock file does not say what a lock says."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One figure as the lock keeps it; ``cell`` is where it was made, and is not kept."""

    unit: str
    formula: str
    shows: str = ""
    value: int | float | str = ""
    measured: bool = False
    cell: int = 0

    def same(self, other: "Locked") -> bool:
        """Return whether the two say the same, but for the noise of another processor."""
        if replace(self, value=0, cell=0) != replace(other, value=0, cell=0):
            return False
        if isinstance(self.value, str) or isinstance(other.value, str):
            return self.value == other.value
        return math.isclose(self.value, other.value, rel_tol=1e-9)

    def line(self) -> str:
        """Return the figure as an inline table of TOML."""
        kept: dict[str, int | float | str | bool] = {"unit": self.unit, "formula": self.formula}
        if self.measured:
            kept = {key: text for key, text in kept.items() if text} | {"measured": True}
        else:
            kept = {"shows": self.shows, "value": self.value} | {k: t for k, t in kept.items() if t}
        return "{" + ", ".join(f"{key} = {_toml(value)}" for key, value in kept.items()) + "}"


Figures = Mapping[str, Mapping[str, Locked]]
"""Chapter -> key -> figure."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what the lock says: changed, new or gone."""

    chapter: str
    name: str
    old: Locked | None
    new: Locked | None

    def __str__(self) -> str:
        """Return where the figure is made, its key, and old \u2192 new."""
        place = f"{self.chapter}, cell {self.new.cell}" if self.new else self.chapter
        return f"{place}: {self.name}: {self._change()}"

    def _change(self) -> str:
        if self.old is None or self.new is None:
            only = self.new or self.old
            assert only is not None, "a difference has at least one side"
            return f"{'new' if self.old is None else 'gone'}, {_said(only)}"
        if _said(self.old) != _said(self.new):
            return f"{_said(self.old)} \u2192 {_said(self.new)}"
        parts = ("value", "unit", "formula")
        pairs = ((part, getattr(self.old, part), getattr(self.new, part)) for part in parts)
        changed = "; ".join(f"{part} {a!r} \u2192 {b!r}" for part, a, b in pairs if a != b)
        return f"{_said(self.new)}, but {changed}"


def figures(notebook: NotebookNode) -> dict[str, Locked]:
    """Return the figures that the executed ``notebook`` recorded."""
    found = {}
    for record in book.records(notebook):
        made = record.figure
        if made is None:
            continue  # glued by other means: a picture or a table, which has no one value
        if made["measured"]:
            locked = Locked(made["unit"], made["formula"], measured=True, cell=record.cell)
        else:
            locked = Locked(
                made["unit"],
                made["formula"],
                made["shows"].replace(NBSP, " "),
                _rounded(made["value"]),
                cell=record.cell,
            )
        found[record.name] = locked
    return found


def collect(root: Path) -> dict[str, dict[str, Locked]]:
    """Return the figures of the book at ``root`` as it was last built, or raise ``NotBuilt``."""
    found = {}
    for path in book.chapters(root):
        if cache.is_notebook(path):
            made = figures(cache.executed(path))
            if made:
                found[book.name(path, root)] = made
    return found


def read(root: Path) -> dict[str, dict[str, Locked]]:
    """Return what the lock of the book at ``root`` says; nothing if there is none yet."""
    path = root / FILE
    if not path.is_file():
        return {}
    try:
        chapters: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(path.read_text("utf-8"))
        return {
            chapter: {
                key: Locked(**{"unit": "", "formula": ""} | kept) for key, kept in made.items()
            }
            for chapter, made in chapters.items()
        }
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise LockError(
            f"{FILE.as_posix()} cannot be read as a lock ({error}); it is written by a program and "
            "was edited or merged by hand; write it again: make lock"
        ) from None


def differences(old: Figures, new: Figures) -> list[Difference]:
    """Return the figures that are changed, new or gone, by chapter and key."""
    return list(_differences(old, new))


def _differences(old: Figures, new: Figures) -> Iterator[Difference]:
    for chapter in sorted({*old, *new}):
        before, after = old.get(chapter, {}), new.get(chapter, {})
        for key in sorted({*before, *after}):
            a, b = before.get(key), after.get(key)
            if a is None or b is None or not a.same(b):
                yield Difference(chapter, key, a, b)


def render(new: Figures, old: Figures | None = None) -> str:
    """Return the lock's text for ``new``; a line of ``old`` that says the same stays as it is."""
    parts = [_HEADER]
    for chapter in sorted(new):
        before = (old or {}).get(chapter, {})
        parts.append(f"\n[{chapter if _BARE_KEY.fullmatch(chapter) else _toml(chapter)}]\n")
        for key, locked in sorted(new[chapter].items()):
            kept = before.get(key)
            parts.append(f"{key} = {(kept if kept and kept.same(locked) else locked).line()}\n")
    return "".join(parts)


def write(root: Path, new: Figures) -> None:
    """Make the lock of the book at ``root`` say ``new``, all or nothing."""
    path = root / FILE
    try:
        old = read(root)
    except LockError:
        old = {}
    text = render(new, old)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _said(locked: Locked) -> str:
    return "measured" if locked.measured else locked.shows


def _rounded(value: int | float | str) -> int | float | str:
    """Return ``value`` without the digits in which two processors differ."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _toml(value: int | float | str | bool) -> str:
    """Return ``value`` as TOML; its basic strings and JSON's differ in one character."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "true" if value is True else repr(value)
