"""Executed chapters: each output is kept under a key that every cause of it is part of.

jupyter-cache hashes a notebook's code and its `kernelspec`. It knows nothing of `src/`, so on its
own it would go on showing the figures of an engine that is gone. Here the `kernelspec` gets a
digest of all that the chapter's code depends on (see `bookproof.sources`) while the cache is
asked, and never afterwards: an output of another engine cannot match.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode, from_dict

from bookproof import recorded
from bookproof.course import FILE, find_root
from bookproof.sources import Sources

CACHE = Path("_build", ".jupyter_cache")
FIELD = "bookproof"  # the key's name in `metadata.kernelspec`
# What besides our own files can change an output's text: the interpreter, arrays, pictures, how
# values are displayed.
PACKAGES = ("numpy", "matplotlib", "matplotlib-inline", "ipython", "ipykernel")


class NotBuilt(LookupError):
    """There are no outputs of this chapter as it stands now."""


@lru_cache(maxsize=1)
def versions() -> str:
    """The installed versions that an output can depend on, one line a package."""
    found = [f"python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return "\n".join(found)


def dependencies(notebook: NotebookNode, root: Path) -> list[Path]:
    """The files, sorted, on which the outputs of this chapter of the course at `root` depend."""
    root = root.resolve()
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found = set(Sources(root / "src").of_code(cells, beside=root / "book"))
    settings = root / FILE
    if settings.is_file() and root / "src" / "bookproof" / "course.py" in found:
        found.add(settings)
    found.update(recorded.files(root, cells))
    return sorted(found)


def key(notebook: NotebookNode, root: Path) -> str:
    """A digest of the installed versions and of every file that the chapter's outputs depend on."""
    root = root.resolve()
    digest = hashlib.sha256(versions().encode())
    for path in dependencies(notebook, root):
        digest.update(b"\0" + path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


@contextmanager
def keyed(notebook: NotebookNode, root: Path) -> Iterator[NotebookNode]:
    """The notebook with its key in `metadata.kernelspec`, for as long as the cache is asked."""
    kernelspec = notebook.metadata.setdefault("kernelspec", from_dict({}))  # type: ignore[no-untyped-call]
    kernelspec[FIELD] = key(notebook, root)
    try:
        yield notebook
    finally:
        notebook.metadata["kernelspec"].pop(FIELD, None)


def is_notebook(path: Path) -> bool:
    """Whether this page holds cells to run, by its front matter."""
    from myst_nb.core.read import is_myst_markdown_notebook

    answer: bool = is_myst_markdown_notebook(path.read_text(encoding="utf-8"))
    return answer


def read(path: Path, root: Path) -> NotebookNode:
    """The chapter without outputs, as the build reads it (same reader, same extensions)."""
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    config = MdParserConfig(enable_extensions=_extensions(root))
    text = path.read_text(encoding="utf-8")
    notebook: NotebookNode
    notebook = read_myst_markdown_notebook(text, config, add_source_map=True, path=path)
    return notebook


def _extensions(root: Path) -> set[str]:
    """The MyST extensions that `_config.yml` switches on; they decide what counts as a cell."""
    settings: Any = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")) or {}
    return set(settings.get("parse", {}).get("myst_enable_extensions", ()))


def not_built(path: Path, root: Path) -> NotBuilt:
    """The error that says so of this chapter."""
    return NotBuilt(
        f"{path.relative_to(root)}: no built outputs match this text, engine and settings: "
        "there is nothing to compare or to quote; build the book first (make book)"
    )


def executed(path: Path | str) -> NotebookNode:
    """The chapter with the last build's outputs; `NotBuilt` if it saw another text or engine."""
    from jupyter_cache import get_cache

    path = Path(path).resolve()
    root = find_root(path.parent)
    notebook = read(path, root)
    found: NotebookNode
    if not (root / CACHE / "global.db").is_file():
        raise not_built(path, root)
    cache = get_cache(root / CACHE)
    try:
        with keyed(notebook, root):
            _, found = cache.merge_match_into_notebook(notebook)
    except KeyError:
        raise not_built(path, root) from None
    finally:
        cache.db.dispose()
    found.metadata["kernelspec"].pop(FIELD, None)
    return found
