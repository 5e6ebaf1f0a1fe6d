"""What a record says now and did not say before, and how records are written: all of them, or none."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bookproof.units import counted

LONGEST = 100
MOST = 40


def told(file: str, before: Any, after: Any) -> list[str]:
    """Return a line for each entry of a record that came, went or changed, old → new."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            lines.append(f"  + {path}{_short(new[path])}")
        elif path not in new:
            lines.append(f"  - {path}{_short(old[path])}")
        elif repr(old[path]) != repr(new[path]):  # in a text nan equals nan
            lines.append(f"  {path}{_short(old[path])} →{_short(new[path])[1:]}")
    more = [f"  and {len(lines) - MOST:,} more"] if len(lines) > MOST else []
    return [
        f"{file}: {counted(len(lines), 'change')}" if lines else f"{file}: as it was",
        *lines[:MOST],
        *more,
    ]


def write(records: Mapping[Path, Any]) -> None:
    """Write every record beside its place, and put them there once all of them are whole."""
    waiting = {path: path.with_name(f".{path.name}.new") for path in records}
    try:
        for path, record in records.items():
            text = json.dumps(record, indent=2, ensure_ascii=False, sort_keys=True)
            waiting[path].write_text(f"{text}\n", encoding="utf-8")
        for path, fresh in waiting.items():
            fresh.replace(path)
    finally:
        for fresh in waiting.values():
            fresh.unlink(missing_ok=True)


def _leaves(record: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a record says, each with the words that lead to it; a list of numbers is one leaf."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(record, list) and record and isinstance(record[0], dict):
        for row in record:  # the calls of saved.json
            yield from _leaves(
                {key: row[key] for key in row if key not in ("call", "grads")},
                f"{row['method']}: {row['call']} for {row['grads']}",
            )
    elif path == "names":
        yield from ((f"name {name}", ...) for name in record)
    else:
        yield path, record


def _short(value: Any) -> str:
    """Return ": " and the value on one line; nothing for a name, which says all by itself."""
    if value is ...:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f": {text}" if len(text) <= LONGEST else f": {text[: LONGEST - 1]}…"
