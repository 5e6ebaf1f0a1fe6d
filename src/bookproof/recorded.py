"""PyTorch's column: what its snippets printed and left when they were last run, read from the record.

A snippet is a file, ``book/torch/<name>.py``. Where PyTorch is installed, ``make oracle`` runs it and
writes down in ``oracle.json`` what came of it. Everybody else reads that; nobody needs PyTorch.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bookproof import settings

RECORD = "oracle.json"
MOST_ELEMENTS = 256
"""Of a larger tensor only shape and dtype are on record: the record is there to be read."""


_ASKING = ("agrees", "torch_says")


class RecordError(LookupError):
    """There is no record of this snippet that could be believed."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What a snippet left under one name: a tensor, or a number (whose ``dtype`` is "").

    ``data`` and ``grad`` are numbers in nested lists as the shape nests them; of a tensor with more
    than ``MOST_ELEMENTS`` elements both are None, and ``has_grad`` tells whether it had a gradient.
    """

    kind: str
    data: Any
    dtype: str = ""
    shape: tuple[int, ...] = ()
    grad: Any = None
    has_grad: bool = False
    requires_grad: bool = False
    is_leaf: bool = True


@dataclass(frozen=True, slots=True)
class Recorded:
    """One snippet: its text, and what came of it under which version of PyTorch."""

    name: str
    version: str
    source: str
    printed: tuple[str, ...]
    values: Mapping[str, Theirs]
    raises: tuple[str, str] | None = None
    is_sealed: bool = True

    @property
    def shown(self) -> str:
        """What a reader who runs the snippet sees: what it prints, and the error that ends it."""
        ended = [f"{self.raises[0]}: {self.raises[1]}"] if self.raises else []
        return "\n".join([*self.printed, *ended])

    def sealed(self) -> "Recorded":
        """Return the record itself, or raise :class:`RecordError` if somebody edited it by hand."""
        if not self.is_sealed:
            raise RecordError(
                f"{RECORD}, {self.name}: the record does not fit its seal; somebody edited it, and what "
                "it says is no longer PyTorch's word; record it anew: make oracle"
            )
        return self


def torch_says(name: str) -> Recorded:
    """Return what is on record of the snippet ``name`` of the course around the working folder.

    Raises:
        RecordError: no such snippet, its file changed since it was recorded, or an unreadable or
            edited record.
    """
    return here(name).sealed()


def here(name: str) -> Recorded:
    """Return the record of one snippet of the course around the working folder, as :func:`read` does."""
    return read(folder(_root()), name)


def folder(root: Path) -> Path:
    """Return the folder of the snippets and their record in the course at ``root``."""
    return root / settings.load(root).torch


def read(column: Path, name: str) -> Recorded:
    """Return the record of one snippet in the folder ``column``, whose seal nobody has looked at yet."""
    told = f"PyTorch's column, {name!r}"
    record = _json(column / RECORD)
    try:
        version, entries = str(record["torch"]), record["snippets"]
        entry = entries.get(name)
        if entry is None:
            near = get_close_matches(name, entries, n=1)
            meant = f" (there is {near[0]!r})" if near else ""
            raise RecordError(
                f"{told}: {RECORD} has no snippet of that name{meant}; nobody has asked PyTorch; write "
                f"{column.name}/{name}.py and run: make oracle"
            )
        values = {key: _theirs(**value) for key, value in entry["values"].items()}
        raises = (entry["raises"]["type"], entry["raises"]["message"]) if entry["raises"] else None
        printed, recorded_of = tuple(entry["printed"]), entry["source"]
        is_sealed = entry["seal"] == seal(version, entry)
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable(column / RECORD, error) from None
    path = column / f"{name}.py"
    source = path.read_text(encoding="utf-8") if path.is_file() else ""
    if digest(source) != recorded_of:
        raise RecordError(
            f"{told}: {path.name} is not the text that was run; what is on record is the answer to "
            "another program; record it anew: make oracle"
        )
    return Recorded(name, version, source, printed, values, raises, is_sealed)


def digest(source: str) -> str:
    """Return what tells this text of a snippet from any other."""
    return hashlib.sha256(source.encode()).hexdigest()


def seal(version: str, entry: Mapping[str, Any]) -> str:
    """Return what tells this record of a snippet from any other: an edit by hand breaks it."""
    unsealed = {key: value for key, value in entry.items() if key != "seal"}
    return digest(json.dumps([version, unsealed], sort_keys=True))[:16]


def mentions(source: str, *functions: str) -> Iterator[str]:
    """Yield the snippets that a cell's ``source`` names in calls of these functions, as constants."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with IPython's own syntax compares nothing
        return
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args:
            called = getattr(call.func, "id", getattr(call.func, "attr", ""))
            name = call.args[0]
            if called in functions and isinstance(name, ast.Constant):
                yield str(name.value)


def files(root: Path, cells: Iterable[str]) -> Iterator[Path]:
    """Yield the files of the column that the outputs of these cells depend on."""
    asking = [cell for cell in cells if any(function in cell for function in _ASKING)]
    if asking:
        column = folder(root)
        names = sorted({name for cell in asking for name in mentions(cell, *_ASKING)})
        yield from filter(Path.is_file, (column / RECORD, *(column / f"{n}.py" for n in names)))
        if settings.load(root).torch != settings.Settings().torch:
            yield root / settings.FILE  # where else to look


def _theirs(*, shape: Iterable[int] = (), **told: Any) -> Theirs:
    return Theirs(shape=tuple(shape), **told)


def _root() -> Path:
    here = Path.cwd().resolve()
    for root in (here, *here.parents):
        if (root / "_toc.yml").is_file():
            return root
    raise RecordError(
        f"no _toc.yml in {here} or in any folder above it: without it nobody knows where the record "
        "of PyTorch lies; run this from inside the course"
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> RecordError:
    return RecordError(
        f"{path.parent.name}/{path.name}: {type(error).__name__}: {error}; this is no record of "
        "PyTorch; restore it, or record it anew: make oracle"
    )
