"""What the lock holds, line by line: figures, claims in words, and pictures.

Each kind knows its line of TOML, what it says to a reader of differences, and when two of it are
the same.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

from bookproof import prints

CLAIM = "claim "
PICTURE = "picture "
"""With these words the key of a claim, or of a picture, begins; a figure's key has no space."""

_FIRST_WORDS = 40
_LETTERS = re.compile(r"[^\W\d_]{2}")


class Entry(Protocol):
    """One line of the lock. ``cell`` is where it was made, and is not kept."""

    noun: ClassVar[str]

    @property
    def cell(self) -> int:
        """The number of the code cell that made it, from 1."""
        ...

    def same(self, other: Self) -> bool:
        """Return whether the two say the same, but for the noise of another processor."""
        ...

    def line(self) -> str:
        """Return the entry as an inline table of TOML."""
        ...

    def said(self) -> str:
        """Return the one text that stands for it in a difference."""
        ...

    def details(self, old: Self) -> str:
        """Return what else is new in it, where what is ``said`` is the same."""
        ...


@dataclass(frozen=True, slots=True)
class Locked:
    """A figure: its value, and what the page shows of it."""

    noun: ClassVar[str] = "figure"

    unit: str
    formula: str
    shows: str = ""
    value: int | float | str = ""
    measured: bool = False
    cell: int = 0

    def same(self, other: "Locked") -> bool:
        """Return whether both show the same and were computed alike, up to the last digits."""
        if replace(self, value=0, cell=0) != replace(other, value=0, cell=0):
            return False
        if isinstance(self.value, str) or isinstance(other.value, str):
            return self.value == other.value
        return math.isclose(self.value, other.value, rel_tol=1e-9)

    def line(self) -> str:
        """Return the figure as an inline table of TOML; a measured one without its value."""
        if self.measured:
            return table(unit=self.unit, formula=self.formula, measured=True)
        return table(shows=self.shows, value=self.value, unit=self.unit, formula=self.formula)

    def said(self) -> str:
        """Return what the page shows."""
        return "measured" if self.measured else self.shows

    def details(self, old: "Locked") -> str:
        """Return which of value, unit and formula changed."""
        parts = ("value", "unit", "formula")
        pairs = ((part, getattr(old, part), getattr(self, part)) for part in parts)
        return "; ".join(f"{part} {a!r} \u2192 {b!r}" for part, a, b in pairs if a != b)


@dataclass(frozen=True, slots=True)
class LockedClaim:
    """A claim in words: what the text says, wherever it says it, and what a cell asserts."""

    noun: ClassVar[str] = "claim"

    says: tuple[str, ...]
    asserts: str
    cell: int = 0

    def same(self, other: "LockedClaim") -> bool:
        """Return whether words and assertion are the same."""
        return (self.says, self.asserts) == (other.says, other.asserts)

    def line(self) -> str:
        """Return the claim as an inline table of TOML."""
        return table(says=list(self.says), asserts=self.asserts)

    def said(self) -> str:
        """Return the words."""
        return " / ".join(f"\u201c{words}\u201d" for words in self.says) or "no words"

    def details(self, old: "LockedClaim") -> str:
        """Return how the assertion changed."""
        return f"it asserted {old.asserts!r} and asserts {self.asserts!r}"


@dataclass(frozen=True, slots=True)
class LockedPicture:
    """A picture: the letters of its print, and the first of its words with a digest of them all."""

    noun: ClassVar[str] = "picture"
    shows: str
    words: str = ""
    cell: int = 0

    def same(self, other: "LockedPicture") -> bool:
        """Return whether both show the same, but for the noise of another renderer."""
        return self.words == other.words and prints.close(self.shows, other.shows)

    def line(self) -> str:
        """Return the picture as an inline table of TOML."""
        return table(shows=self.shows, words=self.words)

    def said(self) -> str:
        """Return the first words, if there are any."""
        return f"a picture with \u201c{self.words}\u201d" if self.words else "a picture"

    def details(self, old: "LockedPicture") -> str:
        """Return how much of the drawing is another."""
        return (
            f"{prints.distance(self.shows, old.shows)} of {prints.PARTS} parts differ "
            f"(up to {prints.TOLERANCE} may)"
        )


def in_short(words: Sequence[str]) -> str:
    """Return the first of a picture's ``words``, and a digest that changes with any of them.

    Numbers are not among the first: those along an axis say nothing of the picture.

    >>> in_short(["0", "5", "loss", "step"]), in_short([])
    ('loss · step #b076d23d', '')
    """
    if not words:
        return ""
    first = " · ".join(filter(_LETTERS.search, words))
    if len(first) > _FIRST_WORDS:
        first = first[:_FIRST_WORDS].rstrip() + "…"
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()
    return f"{first} #{digest[:8]}".strip()


def table(**kept: int | float | str | bool | list[str]) -> str:
    """Return an inline table of TOML without its empty texts."""
    pairs = (f"{key} = {toml(value)}" for key, value in kept.items() if value != "")
    return "{" + ", ".join(pairs) + "}"


def toml(value: int | float | str | bool | list[str]) -> str:
    """Return ``value`` as TOML; its basic strings and JSON's differ in one character."""
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
