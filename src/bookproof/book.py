"""The book on disk: its chapters, and the figures that their cells recorded in the last build."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode


class BookError(LookupError):
    """The table of contents names a page that is not there."""


MEASURED = "measured"
"""The tag of a cell that prints or draws times: they differ from run to run."""

_NO_PAGES = {"_build", "_static", "_templates", ".ipynb_checkpoints"}


@dataclass(frozen=True, slots=True)
class Record:
    """One glued output: its key, the number of the code cell (from 1), and what figure() noted."""

    name: str
    cell: int
    figure: dict[str, Any] | None


def chapters(root: Path) -> list[Path]:
    """Return every page of the book at ``root``: those in the table of contents, then the rest.

    Pages outside the table of contents are drafts, or parts that a chapter includes.
    """
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    listed = [_page(root, entry) for entry in _entries(contents)]
    for path in listed:
        if path.suffix != ".md":
            raise BookError(
                f"_toc.yml names {path.relative_to(root).as_posix()}: only pages in MyST Markdown are "
                "proofed, and what it says would stand unproofed; write it as .md"
            )
    beside = sorted(
        path
        for path in (root / "book").rglob("*.md")
        if not _NO_PAGES & set(path.relative_to(root).parts)
    )
    return list(dict.fromkeys([*listed, *beside]))


def name(chapter: Path, root: Path) -> str:
    """Return the chapter's name in the lock: its path below ``book/`` without the suffix."""
    path = chapter.resolve().relative_to(root.resolve()).with_suffix("")
    return path.relative_to("book").as_posix() if path.parts[0] == "book" else path.as_posix()


def records(notebook: NotebookNode) -> list[Record]:
    """Return the figures that the executed ``notebook`` glued, in the order of its cells."""
    return [record for record in _records(notebook) if not _is_claim(record)]


def claims(notebook: NotebookNode) -> dict[str, int]:
    """Return the claims that held when ``notebook`` ran, each with the number of its code cell."""
    made = (record for record in _records(notebook) if _is_claim(record))
    return {record.name.removeprefix("claim:"): record.cell for record in made}


def _is_claim(record: Record) -> bool:
    return record.name.startswith("claim:")


def _records(notebook: NotebookNode) -> Iterator[Record]:
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    for number, cell in enumerate(cells, 1):
        for output in cell.get("outputs", ()):
            metadata = output.get("metadata", {})
            if "scrapbook" in metadata:
                key = str(metadata["scrapbook"]["name"])
                yield Record(key, number, metadata.get("bookproof"))


def _entries(node: object) -> Iterator[str]:
    """Yield the files that a table of contents names, in its order."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file") and isinstance(value, str):
                yield value
            else:
                yield from _entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _entries(value)


def _page(root: Path, entry: str) -> Path:
    """Return the file that an entry means: its suffix may be left out."""
    for path in (
        root / entry,
        root / f"{entry}.md",
        root / f"{entry}.ipynb",
        root / f"{entry}.rst",
    ):
        if path.is_file():
            return path
    raise BookError(
        f"_toc.yml names {entry}, and there is no such page; the book has no page to show there; "
        f"write {entry}.md, or take the entry out"
    )
