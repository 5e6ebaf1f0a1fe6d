"""Which files of `src/` a chapter's code depends on: exactly those, found by reading it.

* `from engine.value import Value` depends on `engine/value.py` and on what that imports,
  transitively; not on all that `engine/__init__.py` imports (importing has no side effects, so
  those modules cannot change a result).
* `from engine import Value`, and `bg.Value` after `import engine as bg`, follow the `from .value
  import Value` lines of `engine/__init__.py`; the text of `__init__.py` then counts too.
* A name that cannot be followed (`import *`, the package itself handed around, a module found by a
  computed name) depends on the whole package.
* A data file that a module or a chapter names in a string, and that lies beside it, counts as
  well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path


@dataclass(frozen=True)
class _Uses:
    """What a piece of code asks for: (module, name) pairs, `*` for all, and its strings.

    `handed_on` has what it imports for others alone: name to (module, original name).
    """

    wanted: frozenset[tuple[str, str]]
    strings: frozenset[str]
    handed_on: dict[str, tuple[str, str]]


@dataclass
class Sources:
    """The packages below one `src/` folder; a file is read again only when it has changed."""

    folder: Path

    @cached_property
    def packages(self) -> frozenset[str]:
        """The names that code can import from here."""
        found = self.folder.glob("*/__init__.py")
        return frozenset(path.parent.name for path in found)

    def of_code(self, cells: Iterable[str], beside: Path) -> frozenset[Path]:
        """Every file that these cells depend on; `beside` is the folder they run in."""
        trees = [_parse(cell) for cell in cells]
        if None in trees:  # code that cannot be read could import anything
            everything = [path for package in self.packages for path in self._whole(package)]
            return frozenset(everything)
        body = [node for tree in trees if tree is not None for node in tree.body]
        uses = _uses(ast.Module(body=body, type_ignores=[]), "", self.packages)
        return self._closure(self._files(uses, beside))

    def handed_on(self, files: Iterable[Path]) -> frozenset[Path]:
        """Every file that these modules import for others alone, with what it depends on."""
        modules = [file for file in files if file.suffix == ".py" and file.name != "__init__.py"]
        origins = [origin for file in modules for origin in self._read(file).handed_on.values()]
        return self._closure(path for origin in origins for path in self._resolve(*origin))

    def _closure(self, start: Iterable[Path]) -> frozenset[Path]:
        seen: set[Path] = set()
        waiting = list(start)
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            # The text of an __init__ counts, what it imports does not: only the names asked for are
            # followed.
            if path.suffix == ".py" and path.name != "__init__.py":
                waiting.extend(self._files(self._read(path), path.parent))
        return frozenset(seen)

    def _read(self, path: Path) -> _Uses:
        package = ".".join(path.parent.relative_to(self.folder).parts)
        return _uses_of(path, _stamp(path), package, self.packages)

    def _files(self, uses: _Uses, beside: Path) -> Iterator[Path]:
        for module, name in uses.wanted:
            yield from self._resolve(module, name)
        for text in uses.strings:
            # An absolute path is no part of the course, and the course's own pages are no data.
            if not Path(text).is_absolute() and (data := beside / text).is_file():
                yield data.resolve()

    def _resolve(self, module: str, name: str) -> Iterator[Path]:
        """The files behind `name` of `module`: one, `__init__` and one, or the whole package."""
        file = self._module(module)
        if (
            file is None
        ):  # no module of ours by that name: a typing mistake, which running the cell will show
            return
        if file.name != "__init__.py":
            yield file
            handed_on = self._read(file).handed_on
            for one in handed_on if name == "*" else handed_on.keys() & {name}:
                yield from self._resolve(*handed_on[one])
        elif name == "*":
            yield from self._whole(module)
        elif (submodule := self._module(f"{module}.{name}")) is not None:
            yield submodule
        else:
            origins = self._exports(file, module).get(name)
            yield file
            if origins is None:
                yield from self._whole(module)
            else:
                yield from self._resolve(*origins)

    def _exports(self, init: Path, package: str) -> dict[str, tuple[str, str]]:
        """Name to (module, original name), from the import lines of an `__init__`."""
        return _exports_of(init, _stamp(init), package)

    def _module(self, dotted: str) -> Path | None:
        path = self.folder.joinpath(*dotted.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
        return None

    def _whole(self, package: str) -> Iterator[Path]:
        for path in sorted(self.folder.joinpath(*package.split(".")).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path


def _stamp(path: Path) -> tuple[int, int]:
    """Something that is another when the file is: a build asks for the same files again and again."""
    told = path.stat()
    return told.st_mtime_ns, told.st_size


@cache
def _uses_of(path: Path, stamp: tuple[int, int], package: str, packages: frozenset[str]) -> _Uses:
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return _uses(tree, package, packages)


@cache
def _exports_of(init: Path, stamp: tuple[int, int], package: str) -> dict[str, tuple[str, str]]:
    found = {}
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(node, package)
            for alias in node.names:
                found[alias.asname or alias.name] = (origin, alias.name)
    return found


def _parse(cell: str) -> ast.Module | None:
    """The cell's syntax tree, IPython's syntax (`%timeit`) included; None if it is no Python."""
    try:
        return ast.parse(cell)
    except SyntaxError:
        # Slow to import and seldom needed.
        from IPython.core.inputtransformer2 import TransformerManager

    manager = TransformerManager()  # type: ignore[no-untyped-call]
    try:
        return ast.parse(manager.transform_cell(cell))
    except SyntaxError:
        return None


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module of `from … import`, the dots of a relative import resolved in `package`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _uses(tree: ast.Module, package: str, packages: frozenset[str]) -> _Uses:
    finder = _Finder(package, packages)
    finder.visit(tree)
    finder.follow_aliases(tree)
    handed_on = _handed_on(tree, package) if package else {}  # a cell imports for itself
    wanted = finder.wanted - set(handed_on.values())
    return _Uses(frozenset(wanted), frozenset(finder.strings), handed_on)


def _handed_on(tree: ast.Module, package: str) -> dict[str, tuple[str, str]]:
    """The names of `__all__` that the module imports and does not use: name to (module, original name)."""
    listed: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and "__all__" in map(ast.unparse, node.targets):
            listed = {str(x.value) for x in ast.walk(node.value) if isinstance(x, ast.Constant)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {
        alias.asname or alias.name: (_absolute(node, package), alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (alias.asname or alias.name) in listed - used
    }


class _Finder(ast.NodeVisitor):
    """Collects imports of our packages, but for those that only a type checker runs."""

    def __init__(self, package: str, packages: frozenset[str]) -> None:
        self.package = package
        self.packages = packages
        self.wanted: set[tuple[str, str]] = set()
        self.strings: set[str] = set()
        self.aliases: dict[str, str] = {}  # a name bound to a package -> the package

    def visit_If(self, node: ast.If) -> None:
        """Skip the body of `if TYPE_CHECKING:`."""
        test = node.test
        name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
        for child in node.orelse if name == "TYPE_CHECKING" else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        """`import engine.value`, `import engine as bg`."""
        for alias in node.names:
            top = alias.name.split(".")[0]
            if top in self.packages:
                if alias.asname or "." not in alias.name:
                    self.aliases[alias.asname or top] = alias.name
                else:
                    self.wanted.add((alias.name, "*"))
                    self.aliases[top] = top
            elif top == "importlib":
                self._anything()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from engine.value import Value`, `from .value import Value`, `from . import value`."""
        module = _absolute(node, self.package)
        top = module.split(".")[0]
        if top in self.packages:
            self.wanted.update((module, alias.name) for alias in node.names)
            if module in self.packages:  # a name of a package may be a module
                self.aliases |= {a.asname or a.name: f"{module}.{a.name}" for a in node.names}
        elif top == "importlib" and any(alias.name == "import_module" for alias in node.names):
            self._anything()

    def visit_Constant(self, node: ast.Constant) -> None:
        """Remember short strings: each may name a data file."""
        text = node.value
        if isinstance(text, str) and 0 < len(text) <= 200 and "\n" not in text and "\0" not in text:
            self.strings.add(text)

    def visit_Name(self, node: ast.Name) -> None:
        """`__import__` can import anything."""
        if node.id == "__import__":
            self._anything()

    def _anything(self) -> None:
        self.wanted.update((package, "*") for package in self.packages)

    def follow_aliases(self, tree: ast.AST) -> None:
        """Turn `bg.Value` into (engine, Value), any other use of `bg` into the whole package."""
        if not self.aliases:
            return
        followed = set()
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and (module := self.aliases.get(node.value.id)) is not None
            ):
                self.wanted.add((module, node.attr))
                followed.add(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in self.aliases and node not in followed:
                self.wanted.add((self.aliases[node.id], "*"))
