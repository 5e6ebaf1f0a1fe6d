"""Premises: a mark that says \u201cthis number is typed on purpose\u201d has to stand at such a number."""

from collections.abc import Iterator

from bookproof.comparing import comparing
from bookproof.page import Mark, Page, Passage
from bookproof.quantities import typed
from bookproof.rules import told


def idle(page: Page) -> Iterator[tuple[int, str, str]]:
    """Yield the given marks without which the lint would find nothing there either."""
    for passage in page.passages:
        for mark in passage.marks:
            if mark.kind == "given" and not _shields(mark, passage):
                seen = f"\u201c{mark.words}\u201d is marked as given"
                yield passage.line(mark.start), "idle-given", told("idle-given", seen)


def _shields(mark: Mark, passage: Passage) -> bool:
    """Return whether something that the lint would report has a part in the mark's words."""
    bare = passage.text[: mark.start] + mark.words + passage.text[mark.end :]
    end = mark.start + len(mark.words)
    if any(hit.start < end and mark.start < hit.end for hit in typed(bare)):
        return True
    return any(mark.start <= start < end for start, _ in comparing(bare))
