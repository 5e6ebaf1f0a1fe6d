"""What the engine's tests share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

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
