"""Ask PyTorch, and write down what it says: `make oracle`, or `.venv/bin/python tools/oracle`.

Four records lie in book/torch/: `saved.json`, what each operation keeps; `oracle.json`, what the
snippets beside it print and leave; `names.json`, which names there are; `times.json`, how long calls
take, which is renewed only if it is named. The book and its tests read them; neither needs PyTorch.
Nothing is written before all has been asked.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import changes
import columns
import names
import saved
import times

FOLDER = Path(__file__).resolve().parents[2] / "book" / "torch"
RECORDS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "saved": saved.record,
    "oracle": columns.record,
    "names": names.record,
    "times": times.record,
}
PROMISES = {
    "saved": "the bytes that each operation keeps, on the CPU",
    "oracle": "what the snippets of book/torch print and leave",
    "names": "the names that PyTorch has",
    "times": "the seconds that calls of several sizes take",
}
MEASURED = {"times"}
"""What differs from run to run."""


def main() -> int:
    """Ask, show what changed, write the records, and return the exit status."""
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__.partition("\n")[0])
    records = "; ".join(f"{name}: {promise}" for name, promise in PROMISES.items())
    told = f"which records; without a name all but {', '.join(sorted(MEASURED))}. {records}"
    parser.add_argument("record", nargs="*", help=told)
    what = parser.parse_args().record or [name for name in RECORDS if name not in MEASURED]
    if unknown := set(what) - set(RECORDS):
        parser.error(f"no record {', '.join(sorted(unknown))}; there are {', '.join(RECORDS)}")
    if importlib.util.find_spec("torch") is None:
        print(
            "Cannot ask PyTorch: this Python has no package torch, and the record is what torch says. "
            "Install it (make oracle does, or pip install torch) and run this again; to build or test "
            "the book it is not needed.",
            file=sys.stderr,
        )
        return 1
    fresh = {}
    for number, name in enumerate(what, 1):
        print(f"[{number}/{len(what)}] {name}.json: {PROMISES[name]}", flush=True)
        try:
            fresh[FOLDER / f"{name}.json"] = RECORDS[name](FOLDER)
        except columns.SnippetError as error:
            print(f"{error}\nNo record was changed.", file=sys.stderr)
            return 1
    lines = []
    for path, record in fresh.items():
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        lines += changes.told(path.name, before, record)
    changes.write(fresh)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
