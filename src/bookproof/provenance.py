"""What a build was made of: commit, engine, versions, and when."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bookproof import cache


@lru_cache(maxsize=1)
def commit(root: Path) -> str:
    """Return the commit that was built, "+" for changes on top of it; nothing outside git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return told.stdout.strip()


@lru_cache(maxsize=1)
def engine(root: Path, chapters: tuple[Path, ...]) -> tuple[str, str]:
    """Return the packages below ``src/`` that ``chapters`` run on, and the digest of their sources.

    bookproof itself is left out: it proves the book and is no part of what the book is about. Both
    are empty where the chapters import nothing from ``src/``.
    """
    source = root.resolve() / "src"
    used = {
        path.relative_to(source).parts[0]
        for chapter in chapters
        for path in cache.dependencies(cache.read(chapter, root), root)
        if path.is_relative_to(source)
    } - {"bookproof"}
    return ", ".join(sorted(name.removesuffix(".py") for name in used)), digest(source, used)


def digest(source: Path, names: Iterable[str]) -> str:
    """Return twelve digits of SHA-256 over the Python files of these packages and modules.

    Each file counts with its path below ``source`` and its bytes, in the order of the paths.
    """
    taken = (source / name for name in names)
    files = [file for path in taken for file in ([path] if path.is_file() else path.rglob("*.py"))]
    total = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.relative_to(source).as_posix()):
        total.update(
            file.relative_to(source).as_posix().encode() + b"\0" + file.read_bytes() + b"\0"
        )
    return total.hexdigest()[:12] if files else ""


def versions(*names: str) -> list[str]:
    """Return interpreter and packages with their versions, those alone that are installed."""
    found = [f"CPython {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def moment(environ: Mapping[str, str] = os.environ) -> datetime:
    """Return the time to state: ``SOURCE_DATE_EPOCH`` where it is set, else now; in UTC.

    >>> moment({"SOURCE_DATE_EPOCH": "86400"}).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    stated = environ.get("SOURCE_DATE_EPOCH", "").strip()
    return datetime.fromtimestamp(int(stated) if stated else int(time.time()), UTC)
