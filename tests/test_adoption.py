"""The README of bookproof, followed to the letter in an empty folder: another book is proofed with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "src" / "bookproof" / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^(`{3,})(\w+)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"(?:# |<!-- )([\w./]+\.\w+)(?: -->)?\n")


def blocks(language: str) -> list[str]:
    return [found[3] for found in FENCE.finditer(README) if found[2] == language]


def run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the README, with this environment's programs, and bookproof where it says to put it."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "PYTEST_"))}
    return subprocess.run(
        ["sh", "-ec", f"{EXPORT}\n{command}"],
        cwd=root,
        env=kept | {"PATH": programs},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of the README, built and locked."""
    root = tmp_path_factory.mktemp("adopted")
    for block in [*blocks("yaml"), *blocks("markdown"), *blocks("python")]:
        name = NAME.match(block)
        assert name, block
        path = root / name[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block[name.end() :], encoding="utf-8")
    (root / "src" / "bookproof").symlink_to(ROOT / "src" / "bookproof")
    for command in COMMANDS[:2]:
        done = run(root, command)
        assert done.returncode == 0, done.stdout
    return root


EXPORT, *COMMANDS = blocks("console")[1].splitlines()


def test_the_commands_are_green_in_their_order(adopted: Path) -> None:
    build, lock, check, nbval = COMMANDS
    assert "jupyter-book build" in build
    assert "1 figure, 1 claim, 0 changed" in run(adopted, lock).stdout
    checked = run(adopted, check)
    assert checked.returncode == 0, checked.stdout
    if _registered():
        nbval = nbval.replace("-p bookproof.collector ", "")
    proved = run(adopted, nbval)
    assert "2 passed" in proved.stdout, proved.stdout
    assert proved.returncode == 0
    page = (adopted / "_build/html/book/index.html").read_text(encoding="utf-8")
    assert "44,712\N{NO-BREAK SPACE}s" in page
    assert "Tides" in page
    assert "Autograd" not in page


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("book/index.md", "High water", "In 12 hours high water", "typed-number: “12 hours”"),
        ("book/index.md", "a little more than", "a lot more than", "“a lot more than half a day”"),
        ("src/tides/__init__.py", "24.84", "24.8", "tide_period: 44,712 s → 44,640 s"),
    ],
)
def test_a_drift_is_red(adopted: Path, file: str, old: str, new: str, said: str) -> None:
    path = adopted / file
    kept = path.read_text(encoding="utf-8")
    assert kept.count(old) == 1
    path.write_text(kept.replace(old, new), encoding="utf-8")
    try:
        if file.startswith("src"):
            assert "no built outputs match" in run(adopted, COMMANDS[2]).stdout
            built = run(adopted, COMMANDS[0])
            assert built.returncode == 0, built.stdout
        checked = run(adopted, COMMANDS[2])
        assert checked.returncode != 0
        assert said in checked.stdout.replace("\N{NO-BREAK SPACE}", " ")
    finally:
        path.write_text(kept, encoding="utf-8")


def _registered() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "bookproof.collector" for point in entry_points(group="pytest11"))
