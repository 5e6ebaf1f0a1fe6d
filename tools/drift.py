"""Plant drifts in a copy of the book, one at a time, and see what catches each of them.

The drifts stand in tests/drifts.toml. Each is planted by itself in a built copy of the repository, and the
checks that ought to notice are run there, as `make test` runs them. A drift that none of them notices, or that
turns one red for another reason than the one it says, is a hole in the proof.
"""

import argparse
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "drifts.toml"
RECORD = ROOT / "book" / "drifts.json"

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE = 300  # seconds; a check that hangs says nothing
NOT_AS_LOCKED = re.compile(r"^[1-9]\d* \w+ not as locked", re.MULTILINE)


class DriftError(Exception):
    """A drift that cannot be planted, or a copy that is red before anything is planted."""


@dataclass(frozen=True)
class Edit:
    """A change of one file: `old`, which stands there exactly once, becomes `new`.

    `file` may be a pattern: then exactly one of the files holds `old`. Without `old`, `new` is added at the
    end of the file, which need not exist yet.
    """

    file: str
    new: str
    old: str = ""

    def plant(self, root: Path) -> None:
        """Change the file below `root`, or raise `DriftError` if the change no longer fits."""
        if not self.old:
            path = root / self.file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(self.new)
            return
        texts = {path: path.read_text(encoding="utf-8") for path in root.glob(self.file)}
        counts = {path: text.count(self.old) for path, text in texts.items() if self.old in text}
        if list(counts.values()) != [1]:
            raise DriftError(
                f"{self.file} holds {self.old!r} {sum(counts.values())} times: what a drift replaces has to "
                "stand there once; renew the drift in tests/drifts.toml"
            )
        for path in counts:
            path.write_text(texts[path].replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Drift:
    """A change that must not pass.

    `checks` are tried in order until `places` of them are red; `says` is what a red one must say, a pattern.
    """

    kind: str
    what: str
    edits: tuple[Edit, ...]
    checks: tuple[str, ...]
    says: str = ""
    places: int = 1
    short: bool = False

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Outcome:
    """What became of a drift: the checks that caught it and how they end, or why it counts as missed."""

    drift: Drift
    caught: tuple[str, ...]
    told: str = ""
    missed: str = ""
    seconds: float = 0.0


def table(path: Path = TABLE) -> list[Drift]:
    """Return the drifts, in the order of the file."""
    drifts = []
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["drift"]:
        edits = row.pop("edit", None) or [
            {key: row.pop(key) for key in ("file", "old", "new") if key in row}
        ]
        row["edits"] = tuple(Edit(**edit) for edit in edits)
        row["checks"] = tuple(row["checks"])
        drifts.append(Drift(**row))
    return drifts


@dataclass
class Copy:
    """A built copy of the repository, which is put back before each drift."""

    root: Path
    kept: Path
    said: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> "Copy":
        """Copy what git knows or would, and the last build, into `folder`; build there, and keep that."""
        copy = cls(folder / "book", folder / "kept")
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (copy.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy.root / name)
        if (ROOT / "_build" / ".jupyter_cache").is_dir():
            shutil.copytree(
                ROOT / "_build" / ".jupyter_cache", copy.root / "_build" / ".jupyter_cache"
            )
        if copy.red("build"):
            raise DriftError(
                f"the copy does not build, with nothing planted:\n{copy.said['build']}"
            )
        shutil.copytree(copy.root, copy.kept, symlinks=True)
        return copy

    def restore(self) -> None:
        """Put everything back as it was built."""
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root, symlinks=True)
        self.said.clear()

    def red(self, check: str) -> bool:
        """Run one check, and return whether it is red; `said` keeps what it said."""
        name, _, rest = check.partition(" ")
        if name in ("lock", "pages") and self.red("build"):
            raise DriftError(f"the book does not build, so {name!r} cannot be asked")
        status, text = self._run(COMMANDS[name], rest)
        self.said[check] = text
        if name == "lock":
            return status == 2 or bool(NOT_AS_LOCKED.search(text))
        if name in PYTESTS and status not in (0, 1, 2):
            raise DriftError(f"{check} did not run:\n{text}")
        return status != 0

    def _run(self, command: tuple[str, ...], rest: str) -> tuple[int, str]:
        words = [sys.executable, *command, *rest.split()]
        try:
            done = self._done(words)
        except subprocess.TimeoutExpired:
            raise DriftError(f"{' '.join(words[1:])} did not end in {PATIENCE} s") from None
        return done.returncode, COLOUR.sub("", done.stdout)

    def _done(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": str(self.root / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )


_PYTEST = ("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--tb=short", "-x")
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": ("tools/book.py",),
    "lint": ("-m", "bookproof", "lint"),
    "lock": ("-m", "bookproof", "check"),
    "cells": (*_PYTEST, "--nbval"),
    "tests": _PYTEST,
    "pages": _PYTEST,
}
"""What a check runs; the words behind its name are added. `lock` and `pages` build the book first."""

PYTESTS = ("cells", "tests", "pages")


def outcome(drift: Drift, copy: Copy) -> Outcome:
    """Plant `drift` in `copy`, run its checks, and put the copy back."""
    began = time.monotonic()
    caught: list[str] = []
    other: list[str] = []
    missed = told = ""
    try:
        for edit in drift.edits:
            edit.plant(copy.root)
        for check in drift.checks:
            if copy.red(check):
                told = copy.said[check][-1500:]
                fits = re.search(drift.says, copy.said[check], re.MULTILINE)
                (caught if fits else other).append(check)
            if len(caught) == drift.places:
                break
        if len(caught) < drift.places:
            missed = f"{len(caught)} of {drift.places} places"
            if other:
                missed += f"; red for another reason: {', '.join(other)}:\n{told}"
    except DriftError as error:
        missed = str(error)
    finally:
        copy.restore()
    return Outcome(drift, tuple(caught), told, missed, time.monotonic() - began)


def outcomes(drifts: list[Drift], copies: list[Copy]) -> Iterator[Outcome]:
    """Yield what becomes of each drift, as soon as it is known."""
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(drift: Drift) -> Outcome:
        copy = free.get()
        try:
            return outcome(drift, copy)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        for done in as_completed([pool.submit(one, drift) for drift in drifts]):
            yield done.result()


def control(drifts: list[Drift], copies: list[Copy]) -> None:
    """Raise `DriftError` if a check is red with nothing planted: it would prove nothing of a drift."""
    checks = sorted({check for drift in drifts for check in drift.checks})
    unplanted = [Drift("control", check, (), (check,)) for check in checks]
    for number, each in enumerate(outcomes(unplanted, copies), 1):
        print(f"[{number}/{len(checks)}] green with nothing planted? {each.drift}", flush=True)
        if each.caught:
            raise DriftError(
                f"{each.drift} is red with nothing planted, so it proves nothing:\n{each.told}"
            )


def rows(found: Iterable[Outcome]) -> list[dict[str, object]]:
    """Return the record of a run, from which the book's table is made."""
    return [
        {"kind": each.drift.kind, "what": each.drift.what, "caught by": list(each.caught)}
        for each in found
    ]


def show(each: Outcome, number: int, total: int) -> None:
    """Print one line of progress, and after a miss the reason."""
    how = "missed" if each.missed else "caught"
    by = ", ".join(each.caught)
    print(
        f"[{number}/{total}] {how} {each.seconds:5.1f} s  {each.drift}  ({by or 'nothing'})",
        flush=True,
    )
    if each.missed:
        print(f"    {each.missed}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Plant, report, record, and return the exit status: 0 if every drift was caught."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="only those that `make test` plants")
    parser.add_argument("--only", metavar="WORDS", default="", help="only those with these words")
    parser.add_argument("--list", action="store_true", help="list the drifts, and plant none")
    parser.add_argument(
        "--check", action="store_true", help="compare with the record, and leave it"
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="at a time")
    options = parser.parse_args(arguments)
    every = table()
    drifts = [d for d in every if options.only in str(d) and (d.short or not options.short)]
    if options.list:
        print("\n".join(f"{d.kind:14} {d.what}" for d in drifts))
        return 0
    with tempfile.TemporaryDirectory(prefix="drift-") as folder:
        try:
            print(f"Copying and building, for {len(drifts)} drifts …", flush=True)
            copies = [Copy.make(Path(folder, str(n))) for n in range(max(1, options.jobs))]
            control(drifts, copies)
        except DriftError as error:
            print(f"No drift was planted: {error}", file=sys.stderr)
            return 2
        found = {}
        for number, each in enumerate(outcomes(drifts, copies), 1):
            show(each, number, len(drifts))
            found[str(each.drift)] = each
    missed = [each for each in found.values() if each.missed]
    print(f"{len(drifts) - len(missed)} of {len(drifts)} planted drifts were caught.")
    if missed:
        return 1
    if drifts != every:
        return 0
    return recorded(rows(found[str(drift)] for drift in every), check=options.check)


def recorded(now: list[dict[str, object]], *, check: bool = False) -> int:
    """Keep what a whole run gave; with `check`, only return 1 if the record says something else."""
    text = json.dumps(now, ensure_ascii=False, indent=1) + "\n"
    if RECORD.is_file() and RECORD.read_text(encoding="utf-8") == text:
        return 0
    if check:
        print(f"{RECORD.relative_to(ROOT)} says otherwise; renew it: make drift", file=sys.stderr)
        return 1
    RECORD.write_text(text, encoding="utf-8")
    print(f"{RECORD.relative_to(ROOT)} is renewed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
