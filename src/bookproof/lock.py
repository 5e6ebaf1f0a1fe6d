"""The lock: what every figure, claim and picture of the book was when somebody last looked at it.

``book/figures.lock`` holds one line a figure. A figure that changes is a line that changes: it is
reviewed as a difference and accepted by ``python -m bookproof lock``, and never slips through.
Of a measured figure the lock holds only that it exists; of a claim its words and its assertion;
of a picture its print and its words.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from bookproof import book, cache, prints, prose
from bookproof.claims import assertions
from bookproof.locked import (
    CLAIM,
    PICTURE,
    Entry,
    Locked,
    LockedClaim,
    LockedPicture,
    in_short,
    toml,
)
from bookproof.page import Page
from bookproof.units import NBSP

FILE = Path("book", "figures.lock")

_HEADER = """\
# Every figure, claim and picture of the book, as last accepted. Written by `make lock`; do not edit.
# A changed line here is a number or a sentence that changes for the reader: review it as such.
"""

# Pictures of these cells are on no page, or differ from run to run.
_KEPT_OUT = {"remove-output", "remove-cell", book.MEASURED}

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class LockError(ValueError):
    """The lock file does not say what a lock says."""


Figures = Mapping[str, Mapping[str, Entry]]
"""Chapter -> key -> figure, claim or picture."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that is not what the lock says: changed, new or gone."""

    chapter: str
    name: str
    old: Entry | None
    new: Entry | None

    def __str__(self) -> str:
        """Return where the figure is made, its key, and old \u2192 new."""
        place = f"{self.chapter}, cell {self.new.cell}" if self.new else self.chapter
        return f"{place}: {self.name}: {self._change()}"

    def _change(self) -> str:
        if self.old is None or self.new is None:
            only = self.new or self.old
            assert only is not None, "a difference has at least one side"
            return f"{'new' if self.old is None else 'gone'}, {only.said()}"
        if type(self.old) is not type(self.new) or self.old.said() != self.new.said():
            return f"{self.old.said()} \u2192 {self.new.said()}"
        return f"{self.new.said()}, but {self.new.details(self.old)}"


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


def claims(notebook: NotebookNode, page: Page) -> dict[str, LockedClaim]:
    """Return the claims that held when ``notebook`` ran, with the words of ``page`` they bear out."""
    asserted = {name: what for cell in page.cells for name, what, _ in assertions(cell.source)}
    return {
        CLAIM + name: LockedClaim(
            tuple(claim.words for claim in page.claims if claim.name == name),
            asserted.get(name, ""),
            cell,
        )
        for name, cell in book.claims(notebook).items()
    }


def pictures(notebook: NotebookNode) -> dict[str, LockedPicture]:
    """Return the pictures that the page of the executed ``notebook`` shows, but for measured ones.

    A picture goes by the name of its cell's figure (``mystnb: figure: name``), else by its number
    among the others of the chapter.
    """
    found: dict[str, LockedPicture] = {}
    unnamed = 0
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    for number, cell in enumerate(cells, 1):
        if _KEPT_OUT & set(cell.metadata.get("tags", ())):
            continue
        named = str(cell.metadata.get("mystnb", {}).get("figure", {}).get("name") or "")
        for shown, drawn in enumerate(_drawn(cell, number), 1):
            unnamed += not named
            name = (named if shown == 1 else f"{named} {shown}") if named else str(unnamed)
            found[PICTURE + name] = LockedPicture(drawn.marks, in_short(drawn.words), number)
    return found


def _drawn(cell: NotebookNode, number: int) -> list[prints.Print]:
    try:
        return [
            drawn
            for output in cell.get("outputs", ())
            for drawn in prints.of_output(output.get("data", {}))
        ]
    except prints.PictureError as error:
        raise LockError(f"cell {number}: {error}") from None


def entries(path: Path) -> dict[str, Entry]:
    """Return all that the lock keeps of the built chapter at ``path``, or raise ``NotBuilt``."""
    notebook = cache.executed(path)
    page = prose.read(path.read_text(encoding="utf-8"))
    return {**figures(notebook), **claims(notebook, page), **pictures(notebook)}


def collect(root: Path) -> dict[str, dict[str, Entry]]:
    """Return what the book at ``root`` states as it was last built, or raise ``NotBuilt``."""
    found = {}
    for path in book.chapters(root):
        if cache.is_notebook(path) and (made := entries(path)):
            found[book.name(path, root)] = made
    return found


def read(root: Path) -> dict[str, dict[str, Entry]]:
    """Return what the lock of the book at ``root`` says; nothing if there is none yet."""
    path = root / FILE
    if not path.is_file():
        return {}
    try:
        chapters: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(path.read_text("utf-8"))
        return {
            chapter: {key: _entry(key, kept) for key, kept in made.items()}
            for chapter, made in chapters.items()
        }
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise LockError(
            f"{FILE.as_posix()} cannot be read as a lock ({error}); it is written by a program and "
            "was edited or merged by hand; write it again: make lock"
        ) from None


def _entry(key: str, kept: dict[str, Any]) -> Entry:
    if key.startswith(CLAIM):
        return LockedClaim(**kept | {"says": tuple(kept["says"])})
    if key.startswith(PICTURE):
        return LockedPicture(**kept)
    return Locked(**{"unit": "", "formula": ""} | kept)


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
        parts.append(f"\n[{_key(chapter)}]\n")
        for key, locked in sorted(new[chapter].items()):
            kept = before.get(key)
            said = kept if kept and kept.same(locked) else locked
            parts.append(f"{_key(key)} = {said.line()}\n")
    return "".join(parts)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml(name)


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


def _rounded(value: int | float | str) -> int | float | str:
    """Return ``value`` without the digits in which two processors differ."""
    return float(f"{value:.12g}") if isinstance(value, float) else value
