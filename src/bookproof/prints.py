"""Prints of pictures: 64 letters that change when what is drawn changes, and not with its noise.

A picture is shrunk to cells, and each channel of each cell is added to, or taken from, one of 64
sums that a fixed shuffle chooses. A letter is a sum, rounded. So a curve, a bar, a box or a
colour that changes anywhere in the picture moves some letters by more than one step, while the
anti-aliasing of another renderer moves few of them that far. A single tick or faint grid line does
not either.

SVG is drawn without fonts, so that a print does not depend on those of the machine: the words of
its text are kept beside the letters. What of a text is no word (place, size, colour) is not seen.
Of a bitmap the words are part of what is drawn; it is another picture at another resolution, where
letters fall on other pixels.
"""

import base64
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import numpy as np
import resvg_py
from PIL import Image

PARTS = 64
"""The letters of a print."""

TOLERANCE = 2
"""So many letters may differ: strong anti-aliasing noise moves that many by two steps, and one
changed word of an axis in a bitmap moves more (tests/test_prints.py)."""

SVG = "image/svg+xml"
BITMAPS = ("image/png", "image/jpeg")

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIDE = 64  # cells along the longer side
_DRAWN = 8 * _SIDE  # pixels along the width of a drawn SVG
_STEP = 1 / 24  # of a sum of cells, each channel of which goes from 0 to 1
_NOISE = 1  # steps by which a letter may move without counting
_SPACE = "{http://www.w3.org/2000/svg}"
_INLINE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)


class PictureError(ValueError):
    """A picture that cannot be drawn, and so not be compared."""


@dataclass(frozen=True, slots=True)
class Print:
    """What a picture shows: the letters of what is drawn, and the words of its text, in order."""

    marks: str
    words: tuple[str, ...] = ()

    def changes(self, old: "Print") -> list[str]:
        """Return in words how this print differs from an ``old`` one beyond noise; [] if not.

        >>> Print("A" * 64, ("loss",)).changes(Print("A" * 60 + "DEFG", ("time",)))
        ['4 of 64 parts differ (up to 2 may)', "its words: 'time' → 'loss'"]
        """
        said = []
        if not close(self.marks, old.marks):
            said.append(
                f"{distance(self.marks, old.marks)} of {PARTS} parts differ (up to {TOLERANCE} may)"
            )
        if self.words != old.words:
            said.append(f"its words: {_apart(old.words, self.words)}")
        return said


def close(marks: str, others: str) -> bool:
    """Return whether two prints are those of one drawing, but for noise."""
    return distance(marks, others) <= TOLERANCE


def distance(marks: str, others: str) -> int:
    """Return in how many letters two prints differ by more than one step.

    The alphabet is a circle: a sum that leaves it at one end comes in at the other.

    >>> distance("A" * 64, "B" * 62 + "C_")
    1
    """
    if len(marks) != len(others):
        return PARTS
    steps = (abs(_LETTERS.find(a) - _LETTERS.find(b)) for a, b in zip(marks, others, strict=True))
    return sum(min(step, len(_LETTERS) - step) > _NOISE for step in steps)


def of_svg(text: str) -> Print:
    """Return the print of an SVG picture, or raise :class:`PictureError`."""
    if "xmlns" not in text.partition(">")[0] and text.startswith("<svg"):
        text = text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    try:
        # Without a resolution lengths in points are 0.
        drawn = resvg_py.svg_to_bytes(
            svg_string=text, skip_system_fonts=True, dpi=96.0, width=_DRAWN
        )
        return Print(_marks(bytes(drawn)), tuple(_words(ElementTree.fromstring(text))))
    except (ValueError, ElementTree.ParseError) as error:
        raise _unreadable("an SVG picture", error) from None


def of_bitmap(content: bytes) -> Print:
    """Return the print of a PNG or JPEG picture, or raise :class:`PictureError`."""
    try:
        return Print(_marks(content))
    except (OSError, ValueError) as error:
        raise _unreadable("a bitmap", error) from None


def of_output(data: Mapping[str, Any]) -> list[Print]:
    """Return the prints of the pictures that one output of a cell shows.

    Of an output in several formats it is the first that a page prefers: SVG, a bitmap, or the SVG
    within HTML.
    """
    if SVG in data:
        return [of_svg(str(data[SVG]))]
    for kind in BITMAPS:
        if kind in data:
            return [of_bitmap(base64.b64decode(data[kind]))]
    return [of_svg(svg) for svg in _INLINE.findall(str(data.get("text/html", "")))]


def without_drawings(html: str) -> str:
    """Return ``html`` with a word in the place of each SVG picture.

    >>> without_drawings("<p>one: <svg><g/></svg></p>")
    '<p>one: a picture</p>'
    """
    return _INLINE.sub("a picture", html)


def _marks(content: bytes) -> str:
    """Return the letters of an encoded picture."""
    with Image.open(io.BytesIO(content)) as image:
        # Colours weighted by their opacity: what is transparent has none.
        drawn = image.convert("RGBA").convert("RGBa")
    square = Image.new("RGBa", (max(drawn.size),) * 2)
    square.paste(drawn, (0, 0))
    cells = np.asarray(square.resize((_SIDE, _SIDE), Image.Resampling.BOX), float).ravel() / 255
    part, sign = _shuffle(cells.size)
    sums = np.bincount(part, sign * cells, PARTS)
    return "".join(_LETTERS[n] for n in np.rint(sums / _STEP).astype(int) % len(_LETTERS))


@lru_cache(maxsize=1)
def _shuffle(size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return which sum each cell's channel goes to, and its sign; the same on every machine."""
    bits = hashlib.shake_256(b"bookproof").digest(2 * size)
    drawn = np.frombuffer(bits, "<u2").astype(int)
    return drawn // 2 % PARTS, np.where(drawn % 2, 1.0, -1.0)


def _words(root: ElementTree.Element) -> Iterator[str]:
    """Yield the text that the picture shows or has read out, element by element."""
    for element in root.iter():
        if element.tag in (f"{_SPACE}text", f"{_SPACE}title", f"{_SPACE}desc"):
            words = " ".join("".join(element.itertext()).split())
            if words:
                yield words


def _apart(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """Return ``old`` → ``new`` without the words that they begin and end with alike."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    sides = (" · ".join(words[start : len(words) - end]) for words in (old, new))
    return " \N{RIGHTWARDS ARROW} ".join(repr(side) for side in sides)


def _unreadable(what: str, error: Exception) -> PictureError:
    return PictureError(
        f"{what} cannot be drawn ({error}); what is not drawn is not compared, and could change "
        "unseen; mend what makes it, or show it as PNG"
    )
