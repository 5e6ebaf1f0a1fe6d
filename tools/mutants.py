"""Change the rules and the engine in one place at a time, and see whether a test notices.

Each change is a mutant: a `<` becomes `<=`, an argument is left out, a text is altered. A mutant that no test kills
is a promise that nothing holds, or changes nothing that was promised. Which of both stands in tests/mutants.md, for
each one. The run fails if fewer than 95 % are killed, if one lives that is not on that list, or if one on the list does
not live. What is changed, and which tests are run, stands in pyproject.toml, [tool.mutmut].

It works on a copy, in an environment of its own on top of .venv, and takes minutes: it is no part of `make test`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "mutants.md"
LOCK = ROOT / "requirements-mutants.lock"
ENOUGH = 0.95

#: How a mutant may end that shows: a test failed, the tests never came to an end, or Python itself fell over.
KILLED = {"killed", "timeout", "segfault"}
LIVE = {"survived", "no tests"}

RESULT = re.compile(r"^\s*bytegrad\.(\w+)\.x(?:_|ǁ(\w+)ǁ)(\w+)__mutmut_\d+: (.+)$")
HUNK = re.compile(r"^@@ (\w+)\.py: ([\w.]+) @@$")
BLOCK = re.compile(r"^```diff\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COUNTS = re.compile(r"^Of \d+ mutants .*$", re.MULTILINE)


class Mutant(NamedTuple):
    """A change, by its words: numbers of mutants are others whenever the code changes.

    Attributes:
        module: the room of `src/bytegrad`.
        function: the function or method that is changed.
        lines: what is taken out of it (-) and put in (+).
    """

    module: str
    function: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"@@ {self.module}.py: {self.function} @@", *self.lines])


def changed(diff: str) -> tuple[str, ...]:
    """Return the lines of a diff that say what changes, without their indentation."""
    return tuple(
        f"{line[0]} {line[1:].strip()}"
        for line in diff.splitlines()
        if line[:1] in ("-", "+") and not line.startswith(("---", "+++"))
    )


def listed(text: str) -> Counter[Mutant]:
    """Return the mutants that a text lists, in its blocks of differences."""
    found: Counter[Mutant] = Counter()
    for block in BLOCK.findall(text):
        for hunk in re.split(r"^(?=@@ )", block, flags=re.MULTILINE):
            head = HUNK.match(hunk.partition("\n")[0])
            if head:
                found[Mutant(head[1], head[2], changed(hunk))] += 1
            elif hunk.strip():
                raise ValueError(f"{LIST.name}: no mutant is named by: {hunk.splitlines()[0]}")
    return found


def counts(killed: int, total: int) -> str:
    """Return the sentence that gives the score."""
    (version,) = re.findall(r"^mutmut==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    share = f"{killed / total:.1%}"
    return f"Of {total} mutants that mutmut {version} makes, {killed} are killed, which is {share}."


def complaints(text: str, killed: int, live: Counter[Mutant]) -> list[str]:
    """Return what is wrong with a run, given the text that ought to explain it."""
    total = killed + live.total()
    on_list = listed(text)
    found = []
    if killed < ENOUGH * total:
        found.append(f"{counts(killed, total)} At least {ENOUGH:.0%} ought to be.")
    found += [f"No test kills this, and {LIST.name} does not say why:\n{m}" for m in live - on_list]
    found += [f"{LIST.name} lists this, and it does not live:\n{m}" for m in on_list - live]
    if counts(killed, total) not in text:
        found.append(f"{LIST.name} ought to say: {counts(killed, total)}")
    return found


def copied(folder: Path) -> None:
    """Copy to a folder what the tests need, as it stands in the working tree."""
    listing = ["git", "ls-files", "-z", "src", "tests", "pyproject.toml"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


def equipped(folder: Path) -> Path:
    """Make an environment of mutmut on top of this one, and return its program."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # The lock is complete, and pip takes an extra in a dependency for something that is not locked.
    subprocess.run(
        [*pip, "install", "--no-input", "--no-deps", "--require-hashes", "-r", str(LOCK)],
        check=True,
    )
    ask = [pip[0], "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    # What is there already is found, but not this project: a .pth file within a .pth file is not read.
    Path(own, "book.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder / "bin" / "mutmut"


def run(folder: Path, children: int) -> tuple[int, Counter[Mutant]]:
    """Run the tests on every mutant, and return how many are killed, and which are not."""
    copied(folder / "copy")
    mutmut = str(equipped(folder / "venv"))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **one_thread, "PYTHONDONTWRITEBYTECODE": "1"}

    def said(*arguments: str) -> str:
        return subprocess.run(
            [mutmut, *arguments],
            cwd=folder / "copy",
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ).stdout

    subprocess.run(
        [mutmut, "run", "--max-children", str(children)],
        cwd=folder / "copy",
        env=environment,
        check=True,
    )
    killed, live = 0, Counter[Mutant]()
    for line in said("results", "--all", "true").splitlines():
        result = RESULT.match(line)
        if result is None or result[4] not in KILLED | LIVE:
            raise SystemExit(f"The run is not whole: {line.strip()}")
        if result[4] in KILLED:
            killed += 1
        else:
            diff = said("show", line.strip().partition(":")[0])
            name = result[3] if result[2] is None else f"{result[2]}.{result[3]}"
            live[Mutant(result[1], name, changed(diff))] += 1
    return killed, live


def main() -> int:
    """Run, compare with the list, renew its counts, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="leave the counts of the list alone")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        try:
            killed, live = run(Path(folder), options.children)
        except subprocess.CalledProcessError as error:
            step = " ".join(map(str, error.cmd[:3]))
            print(f"Nothing is known of the mutants: {step} … failed, see above.", file=sys.stderr)
            return error.returncode
    text = LIST.read_text(encoding="utf-8")
    if not options.check:
        text = COUNTS.sub(counts(killed, killed + live.total()), text)
        LIST.write_text(text, encoding="utf-8")
    found = complaints(text, killed, live)
    print("\n\n".join(found) or counts(killed, killed + live.total()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
