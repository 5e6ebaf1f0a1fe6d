"""The programs of tools/, for tests that call their parts."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def program(name: str) -> ModuleType:
    """Return tools/<name>.py, or a module of a program with several (oracle/saved), as a module."""
    path = ROOT / "tools" / f"{name}.py"
    name = f"tools_{name.replace('/', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module
