"""The names that PyTorch has, as far as the book may speak of them: book/torch/names.json."""

import importlib
import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = (
    "torch",
    "torch.amp",
    "torch.autograd",
    "torch.autograd.forward_ad",
    "torch.autograd.function",
    "torch.autograd.functional",
    "torch.autograd.graph",
    "torch.autograd.profiler",
    "torch.cuda",
    "torch.cuda.amp",
    "torch.distributed",
    "torch.func",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.parallel",
    "torch.nn.utils",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils",
    "torch.utils.checkpoint",
    "torch.utils.data",
)
"""The modules whose names are recorded."""

WITH_OWN_MEMBERS = ("torch.amp", "torch.autograd", "torch.nn", "torch.utils.data")
"""Modules, with those below, whose classes are recorded with the names that they define themselves."""

WITH_ALL_MEMBERS = ("torch.optim", "torch.Tensor")
"""Modules and classes recorded with inherited names as well: few, and spoken of by them."""


def record(folder: Path) -> dict[str, Any]:
    """Return PyTorch's version and its names, sorted; it needs nothing of the `folder` it goes to."""
    import torch

    with warnings.catch_warnings():
        # A deprecated name says so as soon as it is looked at.
        warnings.simplefilter("ignore", FutureWarning)
        found = {name for module in MODULES for name in _of_module(module)}
    return {"torch": torch.__version__.partition("+")[0], "names": sorted(found)}


def _of_module(name: str) -> Iterator[str]:
    """Yield a module's name, its public names, and those of its classes."""
    module = importlib.import_module(name)
    yield name
    for inner, thing in _public(vars(module)):
        if _belongs(inner, thing, module):
            dotted = f"{name}.{inner}"
            yield dotted
            if inspect.isclass(thing):
                yield from (f"{dotted}.{member}" for member in _members(dotted, thing))


def _belongs(name: str, thing: Any, module: ModuleType) -> bool:
    """Return whether a module offers the thing, and does not only use it."""
    if name in getattr(module, "__all__", ()):
        return True
    if isinstance(thing, ModuleType):
        return thing.__name__ == f"{module.__name__}.{name}"
    home = getattr(thing, "__module__", None) or "torch"
    if inspect.isclass(thing):
        return f"{home}.".startswith(f"{module.__name__}.")
    if inspect.isroutine(thing):
        return home.partition(".")[0] == "torch"
    return type(thing).__module__.partition(".")[0] == "torch"


def _members(dotted: str, cls: type) -> Iterator[str]:
    """Yield the public names of a class that are recorded with it."""
    if _is_below(dotted, WITH_ALL_MEMBERS):
        yield from (name for name in dir(cls) if not name.startswith("_"))
    elif _is_below(dotted, WITH_OWN_MEMBERS):
        # What a class has from a hidden one that nobody can name counts as its own.
        own = (part for part in cls.__mro__ if part is cls or part.__name__.startswith("_"))
        yield from (name for part in own for name, _ in _public(vars(part)))


def _is_below(dotted: str, places: tuple[str, ...]) -> bool:
    return any(f"{dotted}.".startswith(f"{place}.") for place in places)


def _public(names: Any) -> Iterator[tuple[str, Any]]:
    return ((name, thing) for name, thing in dict(names).items() if not name.startswith("_"))
