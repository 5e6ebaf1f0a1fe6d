"""What one chapter may name: the book's vocabulary, and what its own code and formulas hold."""

import ast
import builtins
import importlib
import re
import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from bookproof.defined import Defined, excerpt
from bookproof.page import Page
from bookproof.printed import parsed
from bookproof.vocabulary import Vocabulary, imported

Found = tuple[str, str] | None
"""What is unknown, and the nearest known name; None if all is known."""


@dataclass
class Spoken:
    """What one chapter may name."""

    vocabulary: Vocabulary
    defined: Defined
    code: str
    shown: frozenset[str]
    letters: set[str]
    folder: str

    @classmethod
    def of(cls, page: Page, vocabulary: Vocabulary, folder: str, shown: str) -> "Spoken":
        """Return what a chapter may name.

        Args:
            page: the chapter.
            vocabulary: what every chapter may name.
            folder: where it lies below the root.
            shown: what its cells printed in the last build.
        """
        made = Defined()
        sources = [cell.source for cell in page.cells]
        for listing in page.listings:
            path = vocabulary.shown(listing, folder)
            if path is not None and path.suffix == ".py" and path.is_file():
                sources.append(excerpt(path.read_text(encoding="utf-8"), listing.options))
        for source in sources:
            tree = parsed(source)
            if tree is not None:
                made.visit(tree)
                made.use(tree)
        letters = {letter for text in page.formulas for letter in re.findall(r"[A-Za-z]", text)}
        words = frozenset(re.findall(r"\w+", shown))
        return cls(vocabulary, made, "\n".join([*sources, shown]), words, letters, folder)

    @cached_property
    def _roots(self) -> dict[str, object]:
        """Names that stand for a module or a class whose attributes can be looked up."""
        found: dict[str, object] = {}
        for name in ("np", "numpy"):
            found[name] = importlib.import_module("numpy")
        found |= self.vocabulary.public
        for alias, target in self.defined.imports.items():
            value = imported(target)
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
        if of_torch and torch and any(full.endswith(f".{name}") for full in torch):
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
            | self.shown
        )

    def attribute(self, name: str) -> Found:
        """Look up an attribute of something that is not known more closely."""
        known = self.vocabulary.attributes | self.defined.attributes
        return None if name in known else (name, _nearest(name, known))

    def parameter(self, name: str) -> Found:
        """Look up the name of an argument."""
        known = self.vocabulary.defined.parameters | self.defined.parameters
        return None if name in known else (name, _nearest(name, known))

    def import_(self, node: ast.Import | ast.ImportFrom) -> Found:
        """Look up what an import names."""
        module = node.module if isinstance(node, ast.ImportFrom) else None
        for alias in node.names:
            target = f"{module}:{alias.name}" if module else alias.name
            top = re.split("[.:]", target)[0]
            ours = {"numpy", *self.vocabulary.settings.packages, *self.defined.imports}
            if top not in ours | sys.stdlib_module_names or imported(target) is None:
                return target.replace(":", "."), ""
        return None

    def chain(self, root: str, attributes: list[str], own: Iterable[str], of_torch: bool) -> Found:
        """Look up ``root.a.b``: along modules and classes exactly, from there on by attribute."""
        if root == "torch":
            return self._torch(".".join([root, *attributes]))
        value = self._roots.get(root)
        if value is None and root not in self.defined.every and root in sys.stdlib_module_names:
            value = imported(root)
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


def _submodule(value: object, name: str) -> bool:
    return isinstance(value, types.ModuleType) and imported(f"{value.__name__}.{name}") is not None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(word for word in known if len(word) > 2), n=1, cutoff=0.7)
    return near[0] if near else ""
