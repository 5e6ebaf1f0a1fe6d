"""Record anew what the chapter on many workers gets from MPI, for readers who have none.

The chapter's cells run as one program, in a course of links to this one, with BYTEGRAD_MPI=record: each run of
ranks is written down under the text that was run. An edit of a worker needs this, and so do other versions of MPI.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bookproof import cache

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "book/distributed.md"
RECORD = "book/mpi/distributed.json"
NEEDED = ("_toc.yml", "pyproject.toml", "book/torch", "book/course.toml")


def run_chapter(folder: Path, switch: str) -> str:
    """Run the chapter's cells in `folder` under BYTEGRAD_MPI=`switch`; return what they print.

    Raises:
        RuntimeError: a cell failed; with what Python said.
    """
    for name in NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    cells = cache.read(ROOT / CHAPTER, ROOT).cells
    program = "\n\n".join(cell.source for cell in cells if cell.cell_type == "code")
    (folder / "book" / "chapter.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "chapter.py"],
        cwd=folder / "book",
        env={**os.environ, "BYTEGRAD_MPI": switch, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{CHAPTER} does not run:\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Run the chapter and keep its record."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        run_chapter(Path(folder), "record")
        shutil.copyfile(Path(folder, RECORD), ROOT / RECORD)
    print(f"{RECORD} is renewed. Look at: git diff --stat {RECORD}")


if __name__ == "__main__":
    main()
