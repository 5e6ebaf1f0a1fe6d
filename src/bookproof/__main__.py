"""The command line of the proof: ``python -m bookproof``."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bookproof.units import counted

_ABOUT = """\
Proof the book: its prose, its keys and listings, and the figures that it was built with.

Run it anywhere inside the course. What it reads of the chapters' outputs is the last build:
build first (make book)."""

_COMMANDS = """\
commands:
  lint   read the prose of every chapter; print each finding as file:line: rule: what to do
  lock   show which figures and claims changed since they were last accepted, then accept
         them: write book/figures.lock
  check  lint, and compare what was built with book/figures.lock; change nothing
  rules  list what the lint looks for, why, and how to mend it

exit status: 0 nothing to mend, 1 findings or differences, 2 it could not look"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bookproof",
        description=_ABOUT,
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=sorted(_RUN), metavar="command", help="what to do")
    command = parser.parse_args(arguments).command
    if command == "rules":
        return _rules()
    # Imported here, so that --help and a mistyped command answer at once.
    from bookproof.book import BookError
    from bookproof.cache import NotBuilt
    from bookproof.course import CourseError, find_root
    from bookproof.lock import LockError
    from bookproof.settings import SettingsError

    try:
        return _RUN[command](find_root())
    except (BookError, CourseError, LockError, NotBuilt, SettingsError) as error:
        print(f"bookproof: {error}", file=sys.stderr)
        return 2


def _lint(root: Path) -> int:
    from bookproof.lint import lint_book

    findings = lint_book(root)
    for finding in findings:
        print(finding)
    print(counted(len(findings), "finding") + " in the text")
    return 1 if findings else 0


def _lock(root: Path) -> int:
    from bookproof import lock

    new = lock.collect(root)
    try:
        old = lock.read(root)
    except lock.LockError as error:
        print(f"bookproof: {error}; it is being written anew", file=sys.stderr)
        old = {}
    changed = lock.differences(old, new)
    for difference in changed:
        print(difference)
    lock.write(root, new)
    nouns = Counter(entry.noun for made in new.values() for entry in made.values())
    total = ", ".join(counted(number, noun) for noun, number in nouns.most_common())
    print(f"{lock.FILE.as_posix()}: {total or 'nothing'}, {len(changed)} changed")
    return 0


def _check(root: Path) -> int:
    from bookproof import lock

    status = _lint(root)
    changed = lock.differences(lock.read(root), lock.collect(root))
    for difference in changed:
        print(difference)
    print(counted(len(changed), "line") + " not as locked")
    if changed:
        print("If this is what the book should state, accept it: make lock")
    return 1 if changed else status


def _rules(root: Path | None = None) -> int:
    from bookproof.rules import RULES

    for rule in RULES.values():
        print(f"{rule.name}\n  what  {rule.seen}\n  why   {rule.why}\n  mend  {rule.mend}")
    return 0


_RUN: dict[str, Callable[[Path], int]] = {
    "check": _check,
    "lint": _lint,
    "lock": _lock,
    "rules": _rules,
}

if __name__ == "__main__":
    sys.exit(main())
