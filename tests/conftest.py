"""What the engine's tests share."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import bytegrad as bg


@pytest.fixture(autouse=True)
def autograd() -> Iterator[None]:
    """Switch autograd on for each test, and off afterwards, whatever the test did to it."""
    bg.enable_autograd(quiet=True)
    yield
    bg.disable_autograd()


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a program in a fresh interpreter and return what it prints."""

    def run(program: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def oracle() -> Callable[[str], ModuleType]:
    """Load one module of the program that asks PyTorch, by its name."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).parents[1] / "tools" / "oracle" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"oracle_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
