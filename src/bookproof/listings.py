"""Code on the page: each listing is a cell that the reader can see, or an object that still exists."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from bookproof.defined import definitions
from bookproof.page import Listing, Page
from bookproof.printed import parsed
from bookproof.rules import told
from bookproof.vocabulary import Vocabulary

_PYTHON = frozenset(
    (
        "ipython",
        "ipython3",
        "ipythonconsole",
        "py",
        "py3",
        "pycon",
        "pyi",
        "python",
        "python-console",
    )
) | {"python3", "doctest"}
_BY_LINE = ("lines", "start-line", "end-line", "emphasize-lines")
_UNSEEN = ("remove-cell", "remove-input")

_Found = tuple[int, str, str]


def listings(page: Page) -> Iterator[_Found]:
    """Yield code that no cell runs and no file holds, or that is cut by line numbers."""
    for listing in page.listings:
        seen = ""
        if listing.kind == "included":
            for option in _BY_LINE:
                if option in listing.options:
                    seen = f"{listing.language} is included with :{option}:"
                    yield listing.line, "listing-lines", told("listing-lines", seen)
            continue
        if listing.kind == "nested-cell":
            seen = "a {code-cell} inside another directive or a list does not run"
        elif listing.kind == "indented":
            seen = "indented text is shown as code"
        elif not listing.language:
            seen = "a code block names no language"
        elif listing.language in _PYTHON:
            seen = f"a {listing.language} listing is typed by hand"
        if seen:
            yield listing.line, "listing", told("listing", seen)


def included(page: Page, vocabulary: Vocabulary, folder: str) -> Iterator[_Found]:
    """Yield included listings whose file or object is gone; ``folder`` is the page's."""
    for listing in page.listings:
        if listing.kind == "included" and (seen := _gone(listing, vocabulary, folder)):
            yield listing.line, "listing-gone", told("listing-gone", seen)


def _gone(listing: Listing, vocabulary: Vocabulary, folder: str) -> str:
    """Return what is missing of an included listing, "" if nothing is."""
    target = listing.language
    path = vocabulary.included(target, folder)
    if not path.is_file():
        beside = sorted(other.name for other in path.parent.glob(f"*{path.suffix}"))
        return f"{target} is included, and there is no such file{_near(path.name, beside)}"
    wanted = listing.options.get("pyobject", "").strip()
    if not wanted:
        return ""
    tree = parsed(path.read_text(encoding="utf-8"))
    known = list(definitions(tree)) if tree else []
    if wanted in known:
        return ""
    return f"{target} is included for {wanted}, which it does not define{_near(wanted, known)}"


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (the nearest there is {near[0]})" if near else ""


def unseen_cells(page: Page) -> Iterator[_Found]:
    """Yield cells that run where no reader can see them."""
    for cell in page.cells:
        tags = cell.options.get("tags") or ()
        words = tags if isinstance(tags, list) else re.split(r"[,\s]+", str(tags).strip("[] "))
        for tag in _UNSEEN:
            if tag in words:
                seen = f"the cell is tagged {tag}"
                yield cell.line, "unseen-cell", told("unseen-cell", seen)
