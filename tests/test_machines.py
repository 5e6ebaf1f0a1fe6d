"""What sets up, builds, proves and publishes the book works, and fails in one plain line."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.tools import program

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = ["3.11", "3.12", "3.13"]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


# Workflows and citation


@cache
def workflow(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def test_there_are_three_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "deploy.yml", "weekly.yml"]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_files_fit_their_schema(schema: str, files: list[Path]) -> None:
    checked = run(tool("check-jsonschema"), "--builtin-schema", schema, *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_zizmor_finds_nothing() -> None:
    checked = run(tool("zizmor"), "--offline", "--no-progress", "--persona=pedantic", ".github")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    pinned = re.compile(r"- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    uses = [
        line.strip()
        for path in WORKFLOWS
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert len(uses) == 8
    assert [line for line in uses if not pinned.fullmatch(f"- {line.removeprefix('- ')}")] == []


def test_only_the_publishing_job_may_write() -> None:
    allowed = {
        (path.name, name): job.get("permissions")
        for path in WORKFLOWS
        for name, job in workflow(path)["jobs"].items()
    }
    assert all(workflow(path)["permissions"] == {"contents": "read"} for path in WORKFLOWS)
    assert allowed == {
        ("ci.yml", "prove"): None,
        ("deploy.yml", "build"): None,
        ("deploy.yml", "deploy"): {"pages": "write", "id-token": "write"},
        ("weekly.yml", "drift"): None,
    }


def test_checkouts_keep_no_credentials() -> None:
    checkouts = [
        step.get("with")
        for path in WORKFLOWS
        for job in workflow(path)["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts == [{"persist-credentials": False}] * 3


def test_publishing_follows_the_proof_on_main() -> None:
    jobs = workflow(ROOT / ".github/workflows/deploy.yml")["jobs"]
    assert ".ci/run" in [step.get("run") for step in jobs["build"]["steps"]]
    assert jobs["deploy"]["needs"] == "build"
    assert jobs["deploy"]["if"] == "github.ref == 'refs/heads/main'"
    assert jobs["deploy"]["environment"]["name"] == "github-pages"


# Packages


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def required(path: Path) -> list[Requirement]:
    """Every requirement in the file and in the files that it includes."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += required(path.parent / text.removeprefix("-r "))
        elif text:
            found.append(Requirement(text))
    return found


REQUIRED = [*required(ROOT / "requirements-test.txt"), *required(ROOT / ".binder/requirements.txt")]


def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked() -> Iterator[tuple[Requirement, list[str]]]:
    """Each pin of the lock with its hashes."""
    body = re.sub(r"^\s*#.*\n", "", lock(), flags=re.MULTILINE)
    for entry in body.replace("\\\n", " ").splitlines():
        pin, *hashes = entry.split("--hash=")
        yield Requirement(pin.strip()), [text.strip() for text in hashes]


@pytest.mark.parametrize("requirement", REQUIRED, ids=str)
def test_bounds_end_below_the_next_major_version(requirement: Requirement) -> None:
    bounds = {bound.operator: Version(bound.version) for bound in requirement.specifier}
    assert set(bounds) == {">=", "<"}
    major = bounds["<"].major
    assert bounds["<"] == Version(str(major)) or bounds["<"] == Version(f"0.{bounds['<'].minor}")
    assert bounds[">="] < bounds["<"]


def test_the_lock_satisfies_every_requirement() -> None:
    pins = {pin.name: pin for pin, _ in locked()}
    for requirement in [
        *required(ROOT / "requirements-test.txt"),
        *map(Requirement, project()["project"]["dependencies"]),
        *map(Requirement, project()["build-system"]["requires"]),
    ]:
        name = requirement.name.lower().replace("_", "-")
        (pinned,) = pins[name].specifier
        assert pinned.version in requirement.specifier, f"{pins[name]} against {requirement}"


def test_every_pin_is_exact_and_hashed() -> None:
    for pin, hashes in locked():
        assert [bound.operator for bound in pin.specifier] == ["=="], pin
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), pin


def test_every_python_gets_the_same_versions() -> None:
    names = [pin.name for pin, _ in locked()]
    assert sorted(set(names)) == names


def test_the_lock_names_no_host_and_says_how_to_renew_it() -> None:
    assert "make relock" in lock().splitlines()[1]
    found = re.findall(r"\w+://|--(?:extra-)?index|--find-links|--trusted| @ |/root|/home", lock())
    assert found == []


def test_supported_pythons_are_the_same_everywhere() -> None:
    versions = "Programming Language :: Python :: 3."
    stated = [
        line.rpartition(" ")[2]
        for line in project()["project"]["classifiers"]
        if line.startswith(versions)
    ]
    setup = re.search(r"supported='(.*)'", (ROOT / "tools/venv").read_text(encoding="utf-8"))
    proved = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]["prove"]["strategy"]["matrix"]
    assert stated == PYTHONS
    assert setup is not None
    assert setup[1].split() == PYTHONS
    assert proved["python"] == PYTHONS
    assert project()["project"]["requires-python"] == f">={PYTHONS[0]}"


# Binder


def test_binder_installs_the_book_and_runs_a_supported_python() -> None:
    text = (ROOT / ".binder/requirements.txt").read_text(encoding="utf-8")
    assert "-r ../requirements.txt" in text.splitlines()
    python = (ROOT / ".binder/runtime.txt").read_text(encoding="utf-8").strip()
    assert python.removeprefix("python-") in PYTHONS


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("bash", ".binder/postBuild"),
        ("bash", ".ci/run"),
        ("sh", "tools/chromium"),
        ("sh", "tools/pytorch"),
        ("sh", "tools/relock"),
        ("sh", "tools/venv"),
    ],
)
def test_scripts_parse_and_may_be_run(shell: str, script: str) -> None:
    checked = run(shell, "-n", script)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert os.access(ROOT / script, os.X_OK)


# Make: what it says and leaves where it cannot set up

TOOLS = ["cat", "cmp", "dirname", "grep", "make", "mkdir", "mv", "rm", "sed", "sh", "tail"]


class House:
    """A copy of what setting up needs, in a path with spaces, and a machine with few programs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a path with spaces"
        self.programs = folder / "bin"
        self.root.mkdir()
        self.programs.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.root)
        shutil.copytree(ROOT / "tools", self.root / "tools")
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.programs / name).symlink_to(found)
        keep = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        self.environment = keep | {
            "PATH": str(self.programs),
            "HOME": str(folder),
            "LC_ALL": "C",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
        }

    def install(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def install_python(self) -> None:
        """Put a real Python on the machine, by the name python3."""
        real = getattr(sys, "_base_executable", sys.executable)
        self.install("python3", f"exec '{real}' \"$@\"")

    def make(self, target: str = "book", **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.programs / "make", "-s", target],
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def failure(self, process: subprocess.Popen[str]) -> str:
        """The one line that the run has said; make's own closing line is its own matter."""
        _, errors = process.communicate()
        assert process.returncode != 0
        lines = [line for line in errors.splitlines() if not line.startswith("make")]
        assert len(lines) == 1, errors
        return lines[0]

    @property
    def environments(self) -> list[str]:
        return sorted(path.name for path in self.root.glob(".venv*"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def closed_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_python_too_old_is_named(house: House) -> None:
    house.install("python3", "echo 3.8")
    said = house.failure(house.make())
    assert said == (
        "Cannot set up .venv: python3 is Python 3.8, and the book needs one of Python "
        "3.11 3.12 3.13; install one, or name it: make PYTHON=/path/to/python3.12"
    )
    assert house.environments == []


def test_a_machine_without_python_is_told_what_to_install(house: House) -> None:
    said = house.failure(house.make())
    assert "python3 python3.13 python3.12 python3.11 cannot be run" in said
    assert house.environments == []


def test_a_python_that_is_named_is_the_only_one_tried(house: House) -> None:
    house.install_python()
    said = house.failure(house.make(PYTHON="/no/such/python"))
    assert "/no/such/python cannot be run" in said
    assert house.environments == []


def test_a_python_without_venv_is_told_what_to_install(house: House) -> None:
    house.install("python3", 'case "$2" in *ensurepip*) exit 1 ;; *) echo 3.11 ;; esac')
    said = house.failure(house.make())
    assert "python3 (Python 3.11) lacks the venv module" in said
    assert "apt-get install python3-venv" in said
    assert house.environments == []


def test_a_newer_name_serves_where_python3_is_too_old(house: House) -> None:
    house.install("python3", "echo 3.8")
    house.install("python3.12", 'case "$2" in *_base*) echo the one ;; *) echo 3.12 ;; esac')
    checked = subprocess.run(
        ["sh", "tools/venv", "--check"],
        cwd=house.root,
        env=house.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert checked.stdout == "the one\n"


def test_no_network_keeps_the_environment_that_was_there(house: House, closed_port: int) -> None:
    house.install_python()
    (house.root / ".venv").mkdir()
    (house.root / ".venv" / "mark").touch()
    said = house.failure(house.make(PIP_INDEX_URL=f"http://127.0.0.1:{closed_port}/simple"))
    assert "no package index answered" in said
    assert "connect to the network" in said
    assert house.environments == [".venv"]
    assert [path.name for path in (house.root / ".venv").iterdir()] == ["mark"]


def test_an_interrupted_set_up_leaves_nothing(house: House) -> None:
    house.install_python()
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(300)  # patience: on a busy machine pip takes its time
        port = index.getsockname()[1]
        # Python hands a signal that is ignored (as under nohup) on to its children: handle it here.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = house.make(PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple")
        finally:
            signal.signal(signal.SIGINT, before)
        connection, _ = index.accept()  # pip has begun; no answer ever comes
        with connection:
            assert house.environments == [".venv"]
            os.killpg(process.pid, signal.SIGINT)
            said = house.failure(process)
    assert "interrupted; nothing half-made is left" in said
    assert house.environments == []


def test_what_a_killed_set_up_moved_away_is_put_back(house: House) -> None:
    house.install("python3", "echo 3.8")
    (house.root / ".venv").mkdir()
    (house.root / ".venv.kept").mkdir()
    (house.root / ".venv.kept" / "mark").touch()
    house.failure(house.make())
    assert house.environments == [".venv"]
    assert [path.name for path in (house.root / ".venv").iterdir()] == ["mark"]


def test_a_machine_without_chromium_is_told_what_to_install(house: House) -> None:
    checked = subprocess.run(
        ["sh", "tools/chromium"],
        cwd=house.root,
        env=house.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert len(checked.stderr.splitlines()) == 1
    assert "apt-get install chromium" in checked.stderr


# Make: its help, and how a build ends


def test_help_is_the_default_and_lists_the_targets() -> None:
    listed = subprocess.run(
        ["make", "-s"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    targets = re.findall(r"^make (\w+) +\S", listed, flags=re.MULTILINE)
    assert (
        " ".join(targets)
        == "help book test serve lock lint nbval drift mutants oracle ranks relock clean"
    )


@pytest.fixture(scope="module")
def book() -> ModuleType:
    return program("book")


FAILED_CELL = """\
book/value.md: WARNING: Executing notebook failed: CellExecutionError [mystnb.exec]

Exception occurred:
myst_nb.core.execute.base.ExecutionError: book/value.md
The full traceback has been saved in a file.
Traceback (most recent call last):
nbclient.exceptions.CellExecutionError: An error occurred while executing the following cell:
------------------
1 / 0
------------------
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:
RuntimeError: There was an error in building your book. Look above for the cause.
"""


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ("build succeeded.\n", []),
        (
            2 * "book/a.md:3: WARNING: unknown document: 'b'\nERROR: second\n",
            ["book/a.md:3: unknown document: 'b'", "second"],
        ),
        (
            FAILED_CELL,
            [
                "book/value.md: Executing notebook failed: CellExecutionError [mystnb.exec]",
                FAILED_CELL.partition("CellExecutionError: ")[2].partition("\n\nThe above")[0],
            ],
        ),
        ("Traceback (most recent call last):\nyaml.ParserError: bad\n", ["yaml.ParserError: bad"]),
    ],
)
def test_a_build_ends_with_its_reasons(book: ModuleType, said: str, reasons: list[str]) -> None:
    assert book.reasons(said) == reasons


def test_a_port_that_cannot_be_served_is_named_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = str(taken.getsockname()[1])
        for port, said in ((busy, "make serve PORT="), ("abc", "is no port"), ("70000", "no port")):
            done = run(sys.executable, "tools/serve.py", port)
            assert done.returncode == 1
            assert re.fullmatch(rf"Cannot serve.*{said}.*\n", done.stderr)
