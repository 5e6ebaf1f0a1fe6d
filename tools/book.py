"""Build the book strictly into _build/html: show progress, end with what the reader needs next.

Jupyter Book prints a failing cell between three tracebacks and repeats no warning at its end.
Everything it says goes to ``_build/book.log``; what it says about progress is passed on; and what
stopped it closes the output, as ``file:line: what is wrong``.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
LOG = Path("_build", "book.log")
PAGES = Path("_build", "html", "index.html")

# --all, because an incremental strict build forgets the warnings of pages it does not write again.
PROGRAM = Path(sys.executable).with_name("jupyter-book")
BUILD = [str(PROGRAM), "build", ".", "-W", "-n", "--keep-going", "--all"]
DONE = "build succeeded"

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WARNING = re.compile(r"(?P<where>.*?:)?\s*(?:WARNING|ERROR|CRITICAL): (?P<what>.+)")
NOISE = re.compile(
    r"""
    \s*$ | =+$                                       # empty lines and boxes
    | Running\ (Jupyter-Book|Sphinx)\ v | (Source\ Folder|Config\ Path|Output\ Path):
    | \[etoc\] | (myst|myst-nb|sphinx-multitoc-numbering)\ v\d | Using\ jupyter-cache\ at
    | \[IPKernelApp\]\ WARNING                       # kernels on the loopback, unencrypted
    | (copying|dumping|generating|writing\ additional|pickling|checking)\ .*done$
    | (preparing|looking\ for|loading)\ .*(done|found)$
    | copying\ assets\.\.\.\ *$ | writing\ output\.\.\.\ *$ | building\ \[mo\] | build\ succeeded
    """,
    re.VERBOSE,
)
# From here on Jupyter Book only repeats itself or prints tracebacks: the log has them.
CLOSING = re.compile(r"The HTML pages|Exception occurred:|Traceback |Building your book, returns")
WHOLE = re.DOTALL | re.MULTILINE
CELL = re.compile(r"^\S*CellExecutionError: (.*?)(?=^The above exception|\Z)", WHOLE)
EXCEPTION = re.compile(r"^Exception occurred:\n(.*?)(?=^The full traceback|\Z)", WHOLE)
LAST_ERROR = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*", re.MULTILINE)


def follow(lines: Iterable[str], log: TextIO) -> str:
    """Copy ``lines`` to ``log``, show those that tell of progress, return all, uncoloured."""
    seen, closing = [], False
    for line in lines:
        plain = COLOUR.sub("", line).replace(f"{ROOT}{os.sep}", "")
        seen.append(plain)
        log.write(plain)
        closing = closing or bool(CLOSING.match(plain))
        if not closing and not NOISE.match(plain):
            print(plain.rstrip(), flush=True)
    return "".join(seen)


def reasons(text: str) -> list[str]:
    """Return why the build stopped: its warnings in order, then the cell or error that ended it."""
    found = []
    for line in text.splitlines():
        warning = WARNING.match(line)
        if warning and not NOISE.match(line):
            found.append(" ".join(filter(None, warning.group("where", "what"))))
    ended = CELL.search(text) or EXCEPTION.search(text)
    if ended:
        found.append(ended[1].strip())
    elif not found:
        found += LAST_ERROR.findall(text)[-1:]
    return list(dict.fromkeys(found))


def build() -> tuple[int, str]:
    """Run Jupyter Book and return its exit status and all that it said."""
    LOG.parent.mkdir(exist_ok=True)
    with (
        LOG.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            BUILD,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        text = follow(process.stdout, log)
    return process.returncode, text


def main() -> int:
    """Build, say in closing what came of it, and return the exit status."""
    os.chdir(ROOT)
    try:
        status, text = build()
    except KeyboardInterrupt:
        print("Interrupted: the book is not built.", file=sys.stderr)
        return 130
    if status == 0 and DONE in text:
        print(f"\nThe book is built. Open {PAGES}, or run: make serve")
        return 0
    why = "\n".join(f"  {line}" for reason in reasons(text) for line in reason.splitlines())
    print(f"\nThe book is not built, because:\n{why}\n\n(All it said: {LOG})", file=sys.stderr)
    return status or 1


if __name__ == "__main__":
    sys.exit(main())
