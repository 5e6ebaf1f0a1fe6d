"""All that the text of a book may name: packages, Python, NumPy, PyTorch's record, files, targets.

Packages are imported, but only while the lint runs, and by the name that the book's settings give.
"""

import ast
import importlib
import inspect
import json
import os
import pkgutil
import posixpath
import re
import sys
import tomllib
import types
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from bookproof import settings
from bookproof.defined import Defined
from bookproof.page import Listing

_TAGGED = """
    hide-input hide-output hide-cell remove-input remove-output remove-cell raises-exception
    skip-execution output_scroll full-width margin
"""
TAGS = frozenset(_TAGGED.split())
"""What a code cell may be tagged with, by MyST-NB's manual."""

_UNSEEN = {".git", ".venv", "_build", "__pycache__", "node_modules", ".ruff_cache", ".mypy_cache"}
_ASIDE = {"antigravity", "this"}
"""Modules of Python that do something when they are imported."""

_LITERALS = (int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range, slice)
_RUN = (types.FunctionType, types.GeneratorType, types.ModuleType, BaseException, property)


class Vocabulary:
    """What every chapter of the book at ``root`` may name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = settings.load(root)

    @cached_property
    def modules(self) -> dict[str, types.ModuleType]:
        """The modules of the book's packages, by their full names."""
        found = {}
        for package in self.settings.packages:
            module = self._package(package)
            found[package] = module
            for part in pkgutil.iter_modules(getattr(module, "__path__", ())):
                if not part.name.startswith("_"):
                    name = f"{package}.{part.name}"
                    found[name] = importlib.import_module(name)
        return found

    def _package(self, name: str) -> types.ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name or not (self.root / "src" / name).is_dir():
                raise settings.SettingsError(
                    f"the text may name what is in {name}, and importing it says: {error}; the lint "
                    "cannot tell its names; install it, or correct packages in [tool.bookproof]"
                ) from None
        # A package below src/ need not be installed.
        sys.path.append(str(self.root / "src"))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(self.root / "src"))

    @cached_property
    def public(self) -> dict[str, object]:
        """What a name of the packages stands for where it is written alone."""
        found: dict[str, object] = dict(self.modules)
        for full, module in self.modules.items():
            found.setdefault(full.rpartition(".")[2], module)
            for name, value in vars(module).items():
                if not name.startswith("_") and not isinstance(value, types.ModuleType):
                    found.setdefault(name, value)
        return found

    @cached_property
    def defined(self) -> Defined:
        """The parameters and attributes that the packages' sources define."""
        made = Defined()
        for module in self.modules.values():
            made.visit(ast.parse(inspect.getsource(module)))
        return made

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes that something may have: an object of a package, of Python, of NumPy."""
        found = set(self.defined.attributes)
        for value in self.public.values():
            if isinstance(value, type):
                found |= set(dir(value))
        for value in (*_LITERALS, *_RUN, *_numpy_classes()):
            found |= set(dir(value))
        return frozenset(found)

    @cached_property
    def torch(self) -> frozenset[str] | None:
        """PyTorch's names as they were recorded; None where no record is kept."""
        path = self.root / self.settings.torch / "names.json"
        if not path.is_file():
            return None
        return frozenset(json.loads(path.read_text(encoding="utf-8"))["names"])

    @cached_property
    def targets(self) -> frozenset[str] | None:
        """The targets of the Makefile; None if there is none."""
        path = self.root / "Makefile"
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
        return frozenset(re.findall(r"(?m)^([A-Za-z][\w-]*)\s*:(?!=)", text))

    @cached_property
    def tables(self) -> dict[str, frozenset[str]]:
        """The tables of the book's TOML files, each with its keys."""
        found: dict[str, frozenset[str]] = {}
        for path in (*self.root.glob("*.toml"), *self.root.glob("book/*.toml")):
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            for name, keys in _tables(document, ""):
                found[name] = found.get(name, frozenset()) | keys
        return found

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of the book's TOML files, and the names of their tables."""
        return frozenset(self.tables).union(*self.tables.values())

    @cached_property
    def _files(self) -> frozenset[str]:
        found = set()
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in _UNSEEN]
            here = Path(folder).relative_to(self.root)
            found |= {(here / name).as_posix() for name in [*folders, *names]}
        return frozenset(found)

    def included(self, target: str, folder: str) -> Path:
        """Return the file that a page in ``folder`` means by ``target``; from the root with a slash."""
        base = "" if target.startswith("/") else folder
        return self.root / posixpath.normpath(posixpath.join(base, target.lstrip("/")))

    def shown(self, listing: Listing, folder: str) -> Path | None:
        """Return the file that a listing of a page in ``folder`` shows, in whole or in part."""
        if listing.kind == "snippet":
            return self.root / self.settings.torch / f"{listing.language}.py"
        return self.included(listing.language, folder) if listing.kind == "included" else None

    def is_file(self, name: str, folder: str) -> bool:
        """Return whether ``name`` is a file: from the root, beside the page, or anywhere by its name."""
        name = name.rstrip("/")
        beside = posixpath.normpath(posixpath.join(folder, name))
        if {name, beside} & self._files or (self.root / name).exists():
            return True
        return "/" not in name and any(path.endswith(f"/{name}") for path in self._files)


def _tables(table: dict[str, object], path: str) -> Iterator[tuple[str, frozenset[str]]]:
    for name, value in table.items():
        if isinstance(value, dict):
            full = f"{path}.{name}" if path else name
            yield full, frozenset(value)
            yield from _tables(value, full)


def _numpy_classes() -> list[type]:
    numpy = importlib.import_module("numpy")
    return [numpy.ndarray, numpy.generic, numpy.dtype, numpy.random.Generator]


def imported(target: str) -> object | None:
    """Return what ``package.module`` or ``package.module:name`` is; None if there is none."""
    module, _, name = target.partition(":")
    if module in _ASIDE:
        return None
    try:
        found: object = importlib.import_module(module)
    except ImportError:
        return None
    if not name:
        return found
    return getattr(found, name, None) or imported(f"{module}.{name}")
