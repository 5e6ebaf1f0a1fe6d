"""What the engine's tests share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

import bytegrad as bg

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(autouse=True)
def autograd() -> Iterator[None]:
    """Switch autograd on for each test, and off afterwards, whatever the test did to it."""
    bg.enable_autograd(quiet=True)
    yield
    bg.disable_autograd()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Open Chromium; the import waits, as most tests open no page."""
    from playwright.sync_api import sync_playwright

    from tests.test_pages import FLAGS, chromium

    with sync_playwright() as player:
        program = player.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield program
        program.close()


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
