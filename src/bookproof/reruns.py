"""How a cell's outputs are compared: text by the letter, pictures by what they show.

nbval compares text. Here it is told what two runs of one cell may differ in. A picture may be
drawn with other noise (``prints``); that there is one, and what it shows, may not change. Of a
line that was renewed in place, such as a progress bar, only its last state counts. The text
of a measured figure may differ, and so may, in a cell that says so by the tag ``measured``, each
number with a unit of time. Every other word and number of such a cell is compared as ever.
"""

import base64
import re
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from nbformat import NotebookNode

from bookproof import prints, streams
from bookproof.book import MEASURED

_FIGURE = {"text/plain": "a measured figure"}
_TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")
_NUMBER = r"[ \t]*(?<![\w.,])[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?(?:\s|&nbsp;)?"
_RATE = re.compile(
    _NUMBER
    + r"(?:(?:[kKMGT]i?)?(?P<what>[^\W\d_]+)(?:\s|&nbsp;)?)?(?:/\s?|\bper )(?:s|second)\b[ \t]*"
)
_TIME = re.compile(_NUMBER + r"(?:[nuµμm]?s|(?:nano|micro|milli)?seconds?)\b[ \t]*")
_CLOCK = re.compile(r"[ \t]*(?<![\d:.])\d+(?::[0-5]\d){1,2}(?![\d:.])[ \t]*")


def by_sight(item: Any) -> Callable[..., bool]:
    """Return the comparison of two runs of nbval's ``item``, in the place of its own."""
    compare = item.compare_outputs
    is_measured = MEASURED in item.cell.metadata.get("tags", ())

    def compared(test: Any, ref: Any, skip_compare: Any = None) -> bool:
        same: bool = compare(
            _text(test, timeless=is_measured), _text(ref, timeless=is_measured), skip_compare
        )
        changed = changes(_pictures(test), _pictures(ref), presence=is_measured)
        item.comparison_traceback += changed
        return same and not changed

    return compared


def changes(
    test: list[tuple[str, str]], ref: list[tuple[str, str]], *, presence: bool = False
) -> list[str]:
    """Return in words how the pictures of a run differ from those it is compared with.

    Args:
        test: the pictures of this run, each its kind (MIME) and its content as notebooks hold it.
        ref: those of the build.
        presence: only that they are there counts.
    """
    kinds, expected = [kind for kind, _ in test], [kind for kind, _ in ref]
    if kinds != expected:
        before, now = (", ".join(found) or "none" for found in (expected, kinds))
        return [f"the pictures are others: {before} in the built book, {now} in this run"]
    if presence:
        return []
    said = []
    for number, ((kind, new), (_, old)) in enumerate(zip(test, ref, strict=True), 1):
        if new != old and (differs := _print(kind, new).changes(_print(kind, old))):
            which = "the picture" if len(ref) == 1 else f"picture {number}"
            said.append(f"{which} changed: {'; '.join(differs)}")
    return said


def timeless(text: str) -> str:
    """Return ``text`` with every time and rate replaced by words, and the spaces before and after.

    >>> timeless("3 runs took  1.25 ms at 3.1 GB/s, 12 rows/s")
    '3 runs took a time at a rate of B, a rate of rows'
    """
    text = _RATE.sub(lambda found: f" a rate of {found['what'] or 'events'} ", text)
    return _tidied(_CLOCK.sub(" a time ", _TIME.sub(" a time ", text)))


def _tidied(text: str) -> str:
    """Return ``text`` without the spaces that a longer or shorter number brings along."""
    return re.sub(r"(?<=\S) +(?=[,;:.)\]]|$)", "", re.sub(r"(?<=\S) {2,}", " ", text))


def _text(outputs: Iterable[NotebookNode], *, timeless: bool) -> list[NotebookNode]:
    """Return the outputs without pictures, and without what may differ."""
    settled = []
    for output in outputs:
        output = copy(output)
        if output.get("metadata", {}).get("bookproof", {}).get("measured"):
            output["data"] = _FIGURE
        elif "data" in output:
            output["data"] = {
                kind: _timeless(content) if timeless and kind in _TEXTS else content
                for kind, content in output["data"].items()
                if kind not in (prints.SVG, *prints.BITMAPS)
            }
        elif "text" in output:
            text = streams.settled(output["text"])
            output["text"] = _timeless(text) if timeless else text
        settled.append(output)
    return settled


def _timeless(content: str) -> str:
    return timeless(prints.without_drawings(content))


def _pictures(outputs: Iterable[NotebookNode]) -> list[tuple[str, str]]:
    return [
        (kind, str(output["data"][kind]).strip())
        for output in outputs
        for kind in (prints.SVG, *prints.BITMAPS)
        if kind in output.get("data", {})
    ]


def _print(kind: str, content: str) -> prints.Print:
    if kind == prints.SVG:
        return prints.of_svg(content)
    return prints.of_bitmap(base64.b64decode(content))
