"""The lock: what it keeps, what counts as a difference, and the command line around it."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v4

from bookproof import cache, figures, lock
from bookproof.__main__ import main
from bookproof.locked import Locked
from bookproof.units import NBSP

HEAD = "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n"
LINEAR_X = (
    'linear_x = {shows = "64 KiB", value = 65536, unit = "KiB", '
    'formula = "batch \u00b7 features \u00b7 4 B"}'
)


def recorded(*made: figures.Figure) -> Any:
    """Return an executed notebook with one cell a figure."""
    cells = []
    for each in made:
        noted = {
            "value": each.value, "unit": each.unit, "formula": each.formula,
            "measured": each.measured, "shows": str(each),
        }  # fmt: skip
        output = v4.new_output(
            "display_data",
            {figures.MIME: str(each)},
            metadata={"scrapbook": {"name": each.name}, "bookproof": noted},
        )
        cells.append(v4.new_code_cell(f'figure("{each.name}", 1)', outputs=[output]))
    return v4.new_notebook(cells=cells)


BOOK = {
    "memory": [
        figures.Figure("linear_x", 65536, "KiB", "batch \u00b7 features \u00b7 4 B"),
        figures.Figure("spent", 0.25, "ms", "clock", measured=True),
        figures.Figure("verdict", "fits"),
    ],
    "budget": [
        figures.Figure("states", 16e9, "GB", "16 B a parameter"),
        figures.Figure("error", 1.25e-8 / 3, formula="a third"),
    ],
}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small book whose chapters "were built" with the figures in BOOK."""
    (tmp_path / "book").mkdir()
    files = "".join(f"  - file: book/{name}\n" for name in BOOK)
    (tmp_path / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\nchapters:\n{files}")
    (tmp_path / "book/index.md").write_text("# Index\n")
    for name, made in BOOK.items():
        cells = "".join(f'```{{code-cell}}\nfigure("{f.name}", 1)\n```\n\n' for f in made)
        shown = " ".join(f"{{glue:text}}`{f.name}`" for f in made)
        (tmp_path / f"book/{name}.md").write_text(f"{HEAD}# Title\n\n{cells}{shown}\n")
    monkeypatch.setattr(cache, "executed", lambda path: recorded(*BOOK[path.stem]))
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a chapter of BOOK other figures."""

    def changed(chapter: str, *made: figures.Figure) -> None:
        monkeypatch.setitem(BOOK, chapter, list(made))

    return changed


def test_lock_is_sorted_and_holds_one_line_a_figure(tiny: Path) -> None:
    assert main(["lock"]) == 0
    text = (tiny / "book/figures.lock").read_text("utf-8")
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == [
        "[budget]",
        'error = {shows = "4.17e-9", value = 4.16666666667e-09, formula = "a third"}',
        'states = {shows = "16 GB", value = 16000000000.0, unit = "GB", formula = "16 B a parameter"}',
        "[memory]",
        LINEAR_X,
        'spent = {unit = "ms", formula = "clock", measured = true}',
        'verdict = {shows = "fits", value = "fits"}',
    ]
    assert tomllib.loads(text)["memory"]["linear_x"]["value"] == 65536
    assert lock.differences(lock.read(tiny), lock.collect(tiny)) == []


def test_lock_shows_the_difference_and_then_accepts_it(
    tiny: Path, change: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["lock"])
    change(
        "memory",
        figures.Figure("fresh", 3, "nodes"),
        figures.Figure("linear_x", 131072, "KiB", "batch \u00b7 features \u00b7 4 B"),
        figures.Figure("spent", 0.5, "ms", "clock", measured=True),
    )
    capsys.readouterr()
    assert main(["lock"]) == 0
    assert capsys.readouterr().out.replace(NBSP, " ").splitlines() == [
        "memory, cell 1: fresh: new, 3 nodes",
        "memory, cell 2: linear_x: 64 KiB \u2192 128 KiB",
        "memory: verdict: gone, fits",
        "book/figures.lock: 5 figures, 3 changed",
    ]
    assert main(["lock"]) == 0
    assert capsys.readouterr().out == "book/figures.lock: 5 figures, 0 changed\n"


def test_check_is_red_until_accepted_and_changes_nothing(
    tiny: Path, change: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 1
    assert not (tiny / "book/figures.lock").exists()
    main(["lock"])
    assert main(["check"]) == 0
    before = (tiny / "book/figures.lock").read_bytes()
    change("budget", figures.Figure("states", 12e9, "GB", "16 B a parameter"), BOOK["budget"][1])
    (tiny / "book/index.md").write_text("# Index\n\nCosts 64 KB.\n")
    capsys.readouterr()
    assert main(["check"]) == 1
    out = capsys.readouterr().out.replace(NBSP, " ")
    assert "book/index.md:3: typed-number: \u201c64 KB\u201d is typed by hand" in out
    assert "budget, cell 1: states: 16 GB \u2192 12 GB" in out
    assert "accept it: make lock" in out
    assert (tiny / "book/figures.lock").read_bytes() == before


BASE = Locked("KiB", "n", "64 KiB", 65536)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Locked("KiB", "n", "65 KiB", 66560), "64 KiB \u2192 65 KiB"),
        (Locked("KiB", "n", "64 KiB", 65537), "64 KiB, but value 65536 \u2192 65537"),
        (Locked("KiB", "m", "64 KiB", 65536), "64 KiB, but formula 'n' \u2192 'm'"),
        (Locked("KiB", "n", measured=True), "64 KiB \u2192 measured"),
    ],
)
def test_difference_says_what_differs(other: Locked, said: str) -> None:
    [difference] = lock.differences({"a": {"x": BASE}}, {"a": {"x": other}})
    assert str(difference) == f"a, cell 0: x: {said}"


def test_noise_of_another_processor_is_no_difference() -> None:
    old, new = Locked("", "", "0.333", 1 / 3), Locked("", "", "0.333", 1 / 3 + 1e-15)
    assert lock.differences({"a": {"x": old}}, {"a": {"x": new}}) == []
    assert lock.render({"a": {"x": new}}, {"a": {"x": old}}) == lock.render({"a": {"x": old}})


def test_writing_is_all_or_nothing(
    tiny: Path, change: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["lock"])
    before = (tiny / "book/figures.lock").read_bytes()
    change("budget", figures.Figure("states", 12e9, "GB", "16 B a parameter"))

    def fails(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        main(["lock"])
    assert (tiny / "book/figures.lock").read_bytes() == before
    assert {path.name for path in (tiny / "book").glob("figures.lock*")} == {"figures.lock"}


@pytest.mark.parametrize(
    "text", ["<<<<<<< ours\n", "[a]\nx = 3\n", "[a]\nx = {other = 1}\n", "a = 1"]
)
def test_lock_that_was_merged_by_hand_says_so(
    tiny: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny / "book/figures.lock").write_text(text)
    assert main(["check"]) == 2
    assert "figures.lock cannot be read as a lock" in capsys.readouterr().err
    assert main(["lock"]) == 0
    assert main(["check"]) == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
            st.builds(
                Locked,
                unit=st.text(max_size=5),
                formula=st.text(max_size=20),
                shows=st.text(max_size=10),
                value=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            ),
            min_size=1,
        ),
        max_size=3,
    )
)
def test_what_is_rendered_is_read_back(made: dict[str, dict[str, Locked]]) -> None:
    read = tomllib.loads(lock.render(made))
    back = {
        c: {k: Locked(**{"unit": "", "formula": ""} | v) for k, v in f.items()}
        for c, f in read.items()
    }
    assert lock.differences(made, back) == []


def test_command_line_explains_itself(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bookproof", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    told = run("--help")
    assert told.returncode == 0
    for word in ("lint", "lock", "check", "rules", "exit status"):
        assert word in told.stdout
    outside = run("check")
    assert outside.returncode == 2
    assert "no _toc.yml" in outside.stderr
    assert "Traceback" not in outside.stderr
    assert run("frobnicate").returncode == 2
    assert "typed-number" in run("rules").stdout


def test_chapter_that_is_not_built_is_said_in_one_line(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def executed(path: Path) -> Any:
        raise cache.NotBuilt(f"{path.name}: build the book first (make book)")

    monkeypatch.setattr(cache, "executed", executed)
    assert main(["lock"]) == 2
    assert capsys.readouterr().err.startswith("bookproof: memory.md: build the book first")


def box(width: int, words: str = "loss") -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">'
        f'<rect width="{width}" height="50" fill="red"/><text>5</text><text>{words}</text></svg>'
    )


def drawing(*svgs: str, figure: str = "", tags: tuple[str, ...] = ()) -> Any:
    """Return an executed cell that shows these pictures."""
    metadata: dict[str, Any] = {"tags": list(tags)}
    if figure:
        metadata["mystnb"] = {"figure": {"name": figure}}
    outputs = [v4.new_output("display_data", {"image/svg+xml": svg}) for svg in svgs]
    return v4.new_code_cell("draw()", metadata=metadata, outputs=outputs)


def test_each_picture_that_the_page_shows_is_locked_by_its_name() -> None:
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("words"),
            drawing(box(10)),
            drawing(box(20), box(30), figure="fig-two"),
            drawing(box(40), tags=("remove-output",)),
            drawing(box(50), tags=("measured",)),
            drawing(box(60)),
        ]
    )
    made = lock.pictures(notebook)
    assert {key: picture.cell for key, picture in made.items()} == {
        "picture 1": 1,
        "picture fig-two": 2,
        "picture fig-two 2": 2,
        "picture 2": 5,
    }
    assert len({picture.shows for picture in made.values()}) == 4


def test_a_picture_that_changed_is_told_with_its_chapter_and_cell(tmp_path: Path) -> None:
    def made(*boxes: str) -> dict[str, dict[str, Any]]:
        return {"memory": {**lock.pictures(v4.new_notebook(cells=[drawing(b) for b in boxes]))}}

    (tmp_path / "book").mkdir()
    lock.write(tmp_path, made(box(100), box(50)))
    old = lock.read(tmp_path)
    assert lock.differences(old, made(box(100), box(50))) == []
    drawn, worded = lock.differences(old, made(box(110), box(50, "time")))
    assert str(drawn).startswith("memory, cell 1: picture 1: a picture with \u201closs #")
    assert "parts differ (up to 2 may)" in str(drawn)
    assert str(worded).startswith("memory, cell 2: picture 2: a picture with \u201closs #")
    assert "\u2192 a picture with \u201ctime #" in str(worded)
    [gone] = lock.differences(old, made(box(100)))
    assert str(gone).startswith("memory: picture 2: gone, a picture with")


def test_a_picture_within_tolerance_leaves_its_line_as_it_is() -> None:
    [(key, new)] = lock.pictures(v4.new_notebook(cells=[drawing(box(100))])).items()
    noisy = replace(new, shows="A" + new.shows[1:])
    assert lock.render({"a": {key: new}}, {"a": {key: noisy}}) == lock.render({"a": {key: noisy}})
    far = replace(new, shows="AAA" + new.shows[3:])
    assert lock.render({"a": {key: new}}, {"a": {key: far}}) == lock.render({"a": {key: new}})


def test_a_picture_that_cannot_be_drawn_is_named_with_its_cell() -> None:
    with pytest.raises(lock.LockError, match=r"cell 1: an SVG picture cannot be drawn"):
        lock.pictures(v4.new_notebook(cells=[drawing("<svg")]))
