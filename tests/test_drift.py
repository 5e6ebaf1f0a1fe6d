"""Drifts planted one at a time in a copy of the book: each is caught, and the machine that says so works.

`make drift` plants them all. Here are those marked `short` in drifts.toml.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from bookproof import lock
from tests.tools import program

drift = program("drift")
EVERY = drift.table()
SHORT = [each for each in EVERY if each.short]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[drift.Copy]":
    """A built copy of this repository, in which nothing is red."""
    copy = drift.Copy.make(tmp_path_factory.mktemp("drift"))
    drift.control(SHORT, [copy])
    return copy


@pytest.mark.parametrize("planted", SHORT, ids=str)
def test_a_planted_drift_is_caught(planted: "drift.Drift", copy: "drift.Copy") -> None:
    found = drift.outcome(planted, copy)
    assert not found.missed, found.missed


def test_a_drift_that_nothing_catches_is_missed(copy: "drift.Copy") -> None:
    harmless = drift.Edit("book/value.md", "A value is no surprise.", "The value is no surprise.")
    found = drift.outcome(drift.Drift("text", "other words", (harmless,), ("lint",)), copy)
    assert found.caught == ()
    assert found.missed == "0 of 1 places"


def test_a_check_that_is_red_for_another_reason_catches_nothing(copy: "drift.Copy") -> None:
    typed = drift.Edit("book/value.md", "It takes 64 KiB.", "The value is no surprise.")
    found = drift.outcome(drift.Drift("text", "a", (typed,), ("lint",), says="typed-ratio"), copy)
    assert "red for another reason: lint" in found.missed
    assert "typed-number" in found.missed


def test_a_drift_that_no_longer_fits_is_missed(copy: "drift.Copy") -> None:
    for old in ("no such words", "`backward`"):
        edit = drift.Edit("book/value.md", "x", old)
        found = drift.outcome(drift.Drift("text", "a", (edit,), ("lint",)), copy)
        assert "renew the drift in tests/drifts.toml" in found.missed


def test_the_table_is_wide_and_names_each_drift_once() -> None:
    names = [str(each) for each in EVERY]
    assert len(set(names)) == len(names) >= 40
    for each in EVERY:
        assert {check.partition(" ")[0] for check in each.checks} <= set(drift.COMMANDS)
        assert len(each.checks) >= each.places >= 1


def test_the_books_table_is_of_these_drifts() -> None:
    """The record is renewed by `make drift`, and only if every drift was caught."""
    rows = json.loads(drift.RECORD.read_text(encoding="utf-8"))
    assert [(row["kind"], row["what"]) for row in rows] == [(d.kind, d.what) for d in EVERY]
    for row, each in zip(rows, EVERY, strict=True):
        assert len(row["caught by"]) == each.places
        assert set(row["caught by"]) <= set(each.checks)


CHANGES = {
    "a setting": drift.Edit("book/course.toml", "card = 80", "card = 16"),
    # A rule of memory is held by claims against the ledger as well; the count of a GPT's parameters changes
    # figures alone.
    "the rule for a transformer's parameters": drift.Edit(
        "src/bytegrad/budget.py",
        "* (13 * h * h + 13 * h)",
        "* (12 * h * h + 13 * h)",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reaches_every_figure_and_the_lock_lists_exactly_those(
    name: str, copy: "drift.Copy"
) -> None:
    before = _shown(copy.root)
    try:
        CHANGES[name].plant(copy.root)
        assert copy.red("lock"), "the book is built anew, and the lock knows it"
        after = _shown(copy.root)
        listed = re.findall(
            r"^(\w+), cell \d+: (\w+): (?!.*, but )", copy.said["lock"], re.MULTILINE
        )
    finally:
        copy.restore()
    assert after.keys() == before.keys()
    # A measured time is another one in each build, and its value is not locked.
    figures = lock.read(copy.root)
    changed = {
        (chapter, key)
        for chapter, key in before
        if before[chapter, key] != after[chapter, key]
        and not getattr(figures[chapter][key], "measured", False)
    }
    assert changed == set(listed)
    assert len(changed) > 1


def _shown(root: Path) -> dict[tuple[str, str], set[str]]:
    """Return what the built pages show of each figure, by its chapter and name."""
    shown: dict[tuple[str, str], set[str]] = {}
    for path in (root / "_build/html/book").glob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for link in page.select("[data-figure]"):
            chapter, _, key = str(link["data-figure"]).rpartition("::")
            place = (Path(chapter).name or path.stem, key)
            shown.setdefault(place, set()).add(link.get_text())
    return shown


def test_the_record_is_renewed_by_a_run_and_only_compared_by_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drift, "ROOT", tmp_path)
    monkeypatch.setattr(drift, "RECORD", tmp_path / "drifts.json")
    planted = drift.Drift("text", "a number typed", (), ("lint", "lock"))
    before = drift.rows([drift.Outcome(planted, ("lint",))])
    now = drift.rows([drift.Outcome(planted, ("lock",))])
    assert drift.recorded(before) == 0
    assert drift.recorded(now, check=True) == 1
    assert capsys.readouterr().err == "drifts.json says otherwise; renew it: make drift\n"
    assert json.loads(drift.RECORD.read_text(encoding="utf-8")) == before
    assert drift.recorded(now) == 0
    assert drift.recorded(now, check=True) == 0
    assert json.loads(drift.RECORD.read_text(encoding="utf-8")) == [
        {"kind": "text", "what": "a number typed", "caught by": ["lock"]}
    ]


def test_a_missed_drift_fails_the_command(
    copy: "drift.Copy", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harmless = drift.Edit("book/value.md", "A value is no surprise.", "The value is no surprise.")
    missed = drift.Drift("text", "other words", (harmless,), ("lint",))
    monkeypatch.setattr(drift, "table", lambda: [missed])
    monkeypatch.setattr(drift.Copy, "make", classmethod(lambda cls, folder: copy))
    assert drift.main(["--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert "missed" in said
    assert "0 of 1 planted drifts were caught." in said
