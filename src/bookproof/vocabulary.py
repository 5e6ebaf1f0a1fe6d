"""All that the text of a book may name: packages, Python, NumPy, PyTorch's record, files, targets.

Packages are imported, but only while the lint runs, and by the name that the book's settings give.
"""

import ast
import builtins
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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from bookproof import settings
from bookproof.page import Listing, Page
from bookproof.printed import parsed

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

Found = tuple[str, str] | None
"""What is unknown, and the nearest known name; None if all is known."""


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
            module = importlib.import_module(package)
            found[package] = module
            for part in pkgutil.iter_modules(getattr(module, "__path__", ())):
                if not part.name.startswith("_"):
                    name = f"{package}.{part.name}"
                    found[name] = importlib.import_module(name)
        return found

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
    def defined(self) -> "_Defined":
        """The parameters and attributes that the packages' sources define."""
        made = _Defined()
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

    def is_file(self, name: str, folder: str) -> bool:
        """Return whether ``name`` is a file: from the root, beside the page, or anywhere by its name."""
        name = name.rstrip("/")
        beside = posixpath.normpath(posixpath.join(folder, name))
        if {name, beside} & self._files or (self.root / name).exists():
            return True
        return "/" not in name and any(path.endswith(f"/{name}") for path in self._files)

    def spoken(self, page: Page, folder: str, shown: str) -> "Spoken":
        """Return what one chapter may name: all this, and what its own code and formulas hold.

        Args:
            page: the chapter.
            folder: where it lies below the root.
            shown: what its cells printed in the last build.
        """
        made = _Defined()
        sources = [cell.source for cell in page.cells]
        for listing in page.listings:
            path = self._shown(listing, folder)
            if path is not None and path.is_file():
                sources.append(_object(path.read_text(encoding="utf-8"), listing.options))
        for source in sources:
            tree = parsed(source)
            if tree is not None:
                made.visit(tree)
                made.use(tree)
        letters = {letter for text in page.formulas for letter in re.findall(r"[A-Za-z]", text)}
        return Spoken(self, made, "\n".join([*sources, shown]), letters, folder)


    def _shown(self, listing: Listing, folder: str) -> Path | None:
        """Return the Python file that a listing shows, in whole or in part."""
        if listing.kind == "snippet":
            return self.root / self.settings.torch / f"{listing.language}.py"
        if listing.kind == "included" and listing.language.endswith(".py"):
            return self.root / folder / listing.language
        return None


@dataclass
class Spoken:
    """What one chapter may name."""

    vocabulary: Vocabulary
    defined: "_Defined"
    code: str
    letters: set[str]
    folder: str

    @cached_property
    def _roots(self) -> dict[str, object]:
        """Names that stand for a module or a class whose attributes can be looked up."""
        found: dict[str, object] = {}
        for name in ("np", "numpy"):
            found[name] = importlib.import_module("numpy")
        found |= self.vocabulary.public
        for alias, target in self.defined.imports.items():
            value = _imported(target)
            if value is not None:
                found[alias] = value
        return found

    def name(self, name: str, own: Iterable[str], of_torch: bool) -> Found:
        """Look up a name that stands alone."""
        # A letter means what this chapter lets it mean; elsewhere it may mean anything.
        known = self._names if len(name) > 1 else self.defined.every | self.letters
        if name in known or name in own:
            return None
        torch = self.vocabulary.torch
        if of_torch and (torch is None or any(full.endswith(f".{name}") for full in torch)):
            return None
        return name, _nearest(name, known)

    @cached_property
    def _names(self) -> frozenset[str]:
        numpy = importlib.import_module("numpy")
        dtypes = {name for name in dir(numpy) if isinstance(getattr(numpy, name, None), type)}
        return frozenset(
            {*dir(builtins), *sys.stdlib_module_names, "np", "torch", *dtypes}
            | self._roots.keys()
            | self.defined.every
            | self.vocabulary.defined.parameters
            | self.vocabulary.attributes
            | self.vocabulary.keys
        )

    def attribute(self, name: str) -> Found:
        """Look up an attribute of something that is not known more closely."""
        known = self.vocabulary.attributes | self.defined.attributes
        return None if name in known else (name, _nearest(name, known))

    def parameter(self, name: str) -> Found:
        """Look up the name of an argument."""
        known = self.vocabulary.defined.parameters | self.defined.parameters
        return None if name in known else (name, _nearest(name, known))

    def imported(self, node: ast.Import | ast.ImportFrom) -> Found:
        """Look up what an import names."""
        module = node.module if isinstance(node, ast.ImportFrom) else None
        for alias in node.names:
            target = f"{module}:{alias.name}" if module else alias.name
            top = re.split("[.:]", target)[0]
            ours = {"numpy", *self.vocabulary.settings.packages, *self.defined.imports}
            if top not in ours | sys.stdlib_module_names or _imported(target) is None:
                return target.replace(":", "."), ""
        return None

    def chain(self, root: str, attributes: list[str], own: Iterable[str], of_torch: bool) -> Found:
        """Look up ``root.a.b``: along modules and classes exactly, from there on by attribute."""
        if root == "torch":
            return self._torch(".".join([root, *attributes]))
        value = self._roots.get(root)
        if value is None and root not in self.defined.every and root in sys.stdlib_module_names:
            value = _imported(root)
        if value is None and (unknown := self.name(root, own, of_torch)):
            return unknown
        for at, name in enumerate(attributes):
            if not isinstance(value, (types.ModuleType, type)):
                unknown = self.attribute(name)
                if unknown:
                    return unknown
                continue
            known = set(dir(value)) | (
                self.vocabulary.defined.attributes if isinstance(value, type) else set()
            )
            if name not in known and not _submodule(value, name):
                before = ".".join([root, *attributes[:at]])
                near = _nearest(name, known)
                return f"{before}.{name}", f"{before}.{near}" if near else ""
            value = getattr(value, name, None)
        return None

    def _torch(self, full: str) -> Found:
        known = self.vocabulary.torch
        if known is None or full in known or any(one.startswith(f"{full}.") for one in known):
            return None
        return full, _nearest(full, known)


@dataclass
class _Defined(ast.NodeVisitor):
    """What sources define: the parameters, attributes and imports that they mention."""

    every: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Note a class, and what stands in its body."""
        self.every.add(node.name)
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
                self.attributes.add(part.name)
            elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                self.attributes.add(part.target.id)
            elif isinstance(part, ast.Assign):
                names = (node.id for node in ast.walk(part) if isinstance(node, ast.Name))
                self.attributes.update(names)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Note a function and its parameters."""
        self.every.add(node.name)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Note a parameter."""
        self.every.add(node.arg)
        self.parameters.add(node.arg)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute that is set on an object."""
        if isinstance(node.ctx, ast.Store):
            self.attributes.add(node.attr)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Note a module under the name that it gets."""
        for alias in node.names:
            self.imports[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note what is imported from a module."""
        for alias in node.names:
            if node.module and not node.level:
                self.imports[alias.asname or alias.name] = f"{node.module}:{alias.name}"

    def use(self, tree: ast.Module) -> None:
        """Note what code that runs uses: it would have stopped at a name that is not there."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                self.every.add(node.id)
            elif isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
                self.every.add(node.attr)
            elif isinstance(node, ast.keyword) and node.arg:
                self.every.add(node.arg)
                self.parameters.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.every.add(node.value)


def _tables(table: dict[str, object], path: str) -> Iterator[tuple[str, frozenset[str]]]:
    for name, value in table.items():
        if isinstance(value, dict):
            full = f"{path}.{name}" if path else name
            yield full, frozenset(value)
            yield from _tables(value, full)


def _object(source: str, options: dict[str, str]) -> str:
    """Return the object of ``source`` that a listing shows, or all of it."""
    tree = parsed(source)
    node = definitions(tree).get(options.get("pyobject", "")) if tree else None
    return ast.unparse(node) if node is not None else source


def definitions(tree: ast.AST, within: str = "") -> dict[str, ast.AST]:
    """Return the functions and classes that ``tree`` defines, by their names with dots."""
    found: dict[str, ast.AST] = {}
    for part in getattr(tree, "body", ()):
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[within + part.name] = part
            found |= definitions(part, f"{within}{part.name}.")
    return found


def _numpy_classes() -> list[type]:
    numpy = importlib.import_module("numpy")
    return [numpy.ndarray, numpy.generic, numpy.dtype, numpy.random.Generator]


def _submodule(value: object, name: str) -> bool:
    return isinstance(value, types.ModuleType) and _imported(f"{value.__name__}.{name}") is not None


def _imported(target: str) -> object | None:
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
    return getattr(found, name, None) or _imported(f"{module}.{name}")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(word for word in known if len(word) > 2), n=1, cutoff=0.7)
    return near[0] if near else ""
