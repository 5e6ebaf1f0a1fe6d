"""Keys of figures: each that the text shows is recorded, and each that is recorded is shown."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from bookproof.page import Page
from bookproof.rules import told

_Found = tuple[int, str, str]


def uses_by_chapter(page: Page, name: str) -> set[tuple[str, str]]:
    """Return (chapter, key) for every figure that the page shows."""
    return {(_document(use.document, name), use.key) for use in page.uses}


def _document(document: str, name: str) -> str:
    """Return the chapter that ``document``, written in chapter ``name``, means."""
    if not document:
        return name
    return (Path(name).parent / document.removesuffix(".md")).as_posix()


def keys(
    page: Page,
    recorded: Collection[str],
    elsewhere: Mapping[str, Collection[str]],
    used: Collection[str],
) -> Iterator[_Found]:
    """Yield keys that no cell records, and figures that no text shows.

    Args:
        page: the chapter.
        recorded: the keys that its cells recorded.
        elsewhere: the keys of other chapters, by name.
        used: keys of this chapter that other chapters show.
    """
    for use in page.uses:
        if not use.document and use.key not in recorded:
            seen = f"no cell of this chapter records {use.key!r}{_near(use.key, recorded)}"
            yield use.line, "undefined-key", told("undefined-key", seen)
        elif use.document and use.key not in elsewhere.get(_document(use.document, "."), ()):
            seen = f"no cell of {use.document} records {use.key!r}"
            yield use.line, "undefined-key", told("undefined-key", seen)
    shown = {use.key for use in page.uses if not use.document} | set(used)
    for key in sorted(set(recorded) - shown):
        yield made_at(page, key), "unused-key", told("unused-key", f"no text shows {key!r}")


def _near(key: str, keys: Collection[str]) -> str:
    near = get_close_matches(key, keys, n=1)
    return f" (it does record {near[0]!r})" if near else ""


def made_at(page: Page, key: str) -> int:
    """Return the line of the code that makes the figure, as nearly as the source tells."""
    quoted = re.compile(rf"""(["']){re.escape(key)}\1""")
    for cell in page.cells:
        for offset, text in enumerate(cell.source.split("\n")):
            if quoted.search(text):
                return cell.source_line + offset
    return page.cells[0].line if page.cells else 1
