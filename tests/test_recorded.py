"""PyTorch's column: what is on record is PyTorch's word, and the engine is held to it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import bytegrad as bg
from bookproof import (
    Disagreement,
    RecordError,
    agrees,
    book,
    cache,
    lint,
    prose,
    recorded,
    torch_says,
)
from bytegrad import Value
from tests.tiny_book import HEAD, REPO, TinyBook
from tests.tools import program

COLUMN = REPO / "book" / "torch"
ORACLE = json.loads((COLUMN / "oracle.json").read_text(encoding="utf-8"))
NAMES = json.loads((COLUMN / "names.json").read_text(encoding="utf-8"))
SNIPPETS = sorted(path.stem for path in COLUMN.glob("*.py"))


# What is on record.


def test_every_snippet_is_recorded_and_nothing_else_is() -> None:
    assert sorted(ORACLE["snippets"]) == SNIPPETS


@pytest.mark.parametrize("name", SNIPPETS)
def test_the_record_is_of_the_snippet_as_it_stands_and_nobody_edited_it(name: str) -> None:
    snippet = recorded.read(COLUMN, name).sealed()
    assert snippet.source == (COLUMN / f"{name}.py").read_text(encoding="utf-8")
    assert snippet.values


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_is_plain_short_and_narrow_enough_for_the_card(name: str) -> None:
    lines = recorded.read(COLUMN, name).source.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 66
    assert lines[0].startswith('"""')
    assert {line for line in lines if "import" in line} == {"import torch"}


def test_all_records_are_of_the_version_that_is_installed_for_them() -> None:
    lock = (REPO / "requirements-oracle.lock").read_text(encoding="utf-8")
    version = re.search(r"^torch==([\d.]+)", lock, re.MULTILINE)
    assert version is not None
    saved = json.loads((COLUMN / "saved.json").read_text(encoding="utf-8"))
    times = json.loads((COLUMN / "times.json").read_text(encoding="utf-8"))
    assert {saved["version"], ORACLE["torch"], NAMES["torch"], times["torch"]} == {version[1]}


def test_the_names_are_sorted_few_and_those_that_a_reader_meets() -> None:
    names = NAMES["names"]
    assert names == sorted(set(names))
    assert (COLUMN / "names.json").stat().st_size < 150_000
    known = """
        torch.Tensor.backward torch.Tensor.grad_fn torch.Tensor.retain_grad torch.no_grad torch.float32
        torch.autograd.Function.apply torch.autograd.graph.saved_tensors_hooks torch.autograd.gradcheck
        torch.autograd.functional.jacobian torch.nn.Module.parameters torch.nn.Linear torch.nn.functional.gelu
        torch.nn.init.xavier_uniform_ torch.nn.utils.clip_grad_norm_ torch.optim.AdamW.zero_grad
        torch.optim.lr_scheduler.CosineAnnealingLR torch.utils.data.DataLoader torch.utils.checkpoint.checkpoint
        torch.cuda.max_memory_allocated torch.amp.autocast torch.distributed.all_reduce
    """
    assert set(known.split()) <= set(names)
    assert not [name for name in names if name.endswith((".Optional", ".Any", ".TYPE_CHECKING"))]


def test_every_snippet_is_on_a_page_and_compared_there() -> None:
    shown = {
        (path, listing.language)
        for path in book.chapters(REPO)
        for listing in prose.read(path.read_text(encoding="utf-8")).listings
        if listing.kind == "snippet"
    }
    # That the cell below compares it is what the strict build asks for.
    assert {name for _, name in shown} == set(SNIPPETS)


# The engine beside it.


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of its own with this column, in whose folder of chapters a cell would run."""
    (tmp_path / "_toc.yml").write_text("", encoding="utf-8")
    shutil.copytree(COLUMN, tmp_path / "book" / "torch")
    monkeypatch.chdir(tmp_path / "book")
    return tmp_path


def edit(course: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the record by hand."""
    path = course / "book" / "torch" / "oracle.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def first() -> tuple[bg.Tensor, bg.Tensor]:
    x = bg.Tensor(2.0, requires_grad=True)
    y = 3 * x + 1
    y.backward()
    return x, y


def test_equal_objects_agree_and_the_answer_says_what_was_compared(course: Path) -> None:
    x, y = first()
    version = ORACLE["torch"]
    said = repr(agrees("first", x=x, y=y))
    assert said == f"PyTorch {version}, first.py, says the same: x, x.grad, y"


def test_a_value_agrees_by_number_and_slope(course: Path) -> None:
    a, b = Value(2.0), Value(3.0)
    c = (a + b) * b
    c.backward()
    assert agrees("paths", a=a, b=b, c=c).parts == ("a", "a.grad", "b", "b.grad", "c")


def test_what_pytorch_said_can_be_read(course: Path) -> None:
    snippet = torch_says("again")
    assert snippet.raises is not None
    assert snippet.raises[0] == "RuntimeError"
    assert "retain_graph=True" in snippet.shown
    assert snippet.values["w"].grad == [4.0, 8.0, 12.0]
    assert (snippet.values["w"].shape, snippet.values["w"].dtype) == ((3,), "float32")


def differing() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield objects that are not PyTorch's: the snippet, ours, and what the message shows."""
    x, y = first()
    x.grad = np.asarray(4.0, dtype="float32")
    yield (
        "first",
        {"x": x, "y": y},
        r"x=…\): grad is 4\.0 here and 3\.0 in PyTorch .*apart by up to 1 ",
    )
    x, y = first()
    yield "first", {"x": x, "y": y + 1e-4}, r"y=…\): value is 7\.0001.* here and 7\.0 in"
    yield "first", {"y": y.detach()}, r"requires_grad is False here and True"
    value = Value(2.0)
    value.grad = None  # type: ignore[assignment]
    yield "first", {"x": value}, r"grad is None here and 3\.0 in"
    yield "first", {"x": bg.Tensor(2.0, requires_grad=True)}, r"grad is None here and 3\.0 in"
    double = bg.Tensor(2.0, dtype="float64", requires_grad=True)
    double.grad = np.asarray(3.0)
    yield "first", {"x": double}, r"dtype is 'float64' here and 'float32' in"
    yield "first", {"y": bg.Tensor([7.0])}, r"shape is \(1,\) here and \(\) in"
    yield "first", {"y": float("nan")}, r"value is nan here and 7\.0 in .*apart by up to inf"
    yield "networks", {"layer": 65_540}, r"value is 65540 here and 65536 in .*apart by up to 4 where 0 "
    yield (
        "again",
        {"loss": bg.Tensor(3.0)},
        r"the engine raised no error, and PyTorch .* RuntimeError",
    )
    error = ValueError("no graph")
    yield "again", {"raises": error}, r"the engine raised ValueError, and PyTorch .* RuntimeError"
    yield "first", {"raises": error}, r"the engine raised ValueError, and PyTorch .* no error"


@pytest.mark.parametrize("number", range(12))
def test_a_difference_names_its_place_ours_theirs_and_how_far(course: Path, number: int) -> None:
    name, ours, said = list(differing())[number]
    with pytest.raises(Disagreement, match=said):
        agrees(name, **ours)


def test_no_difference_was_left_out_above() -> None:
    assert len(list(differing())) == 12


def test_rounding_is_no_difference_and_the_author_may_allow_more(course: Path) -> None:
    assert agrees("first", y=7.0000001)
    assert agrees("first", y=7.01, rtol=0.01)
    with pytest.raises(Disagreement, match=r"apart by up to 0\.01"):
        agrees("first", y=7.01)


def test_an_error_of_the_same_kind_agrees_whatever_it_says(course: Path) -> None:
    assert agrees("again", raises=bg.GraphError("gone")).parts == ("RuntimeError",)


@pytest.mark.parametrize("grad", [3.5, [3.0, 3.0], None])
def test_a_record_edited_by_hand_differs_from_the_engine_and_shows_both(
    course: Path, grad: Any
) -> None:
    def change(record: dict[str, Any]) -> None:
        told = {"grad": grad, "has_grad": grad is not None}
        record["snippets"]["first"]["values"]["x"].update(told)

    edit(course, change)
    x, y = first()
    shown = re.escape(f"grad is 3.0 here and {grad} in PyTorch")
    with pytest.raises(Disagreement, match=shown):
        agrees("first", x=x, y=y)


EDITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "what it prints": lambda r: r["snippets"]["first"].update(printed=["tensor(8.)"]),
    "an error": lambda r: r["snippets"]["again"]["raises"].update(message="It is gone."),
    "the version": lambda r: r.update(torch="9.9.9"),
    "a value that is not compared": lambda r: r["snippets"]["first"]["values"].pop("y"),
}


@pytest.mark.parametrize("edited", EDITS)
def test_an_edit_that_no_comparison_meets_breaks_the_seal(course: Path, edited: str) -> None:
    name = "again" if edited == "an error" else "first"
    ours = {"raises": RuntimeError()} if name == "again" else {"x": first()[0]}
    assert agrees(name, **ours)
    edit(course, EDITS[edited])
    for ask in (lambda: torch_says(name), lambda: agrees(name, **ours)):
        with pytest.raises(
            RecordError, match=rf"{name}: the record does not fit its seal; .*make oracle"
        ):
            ask()


def test_a_snippet_that_was_edited_since_is_not_believed(course: Path) -> None:
    path = course / "book" / "torch" / "first.py"
    path.write_text(path.read_text(encoding="utf-8").replace("3 * x", "4 * x"), encoding="utf-8")
    for ask in (lambda: torch_says("first"), lambda: agrees("first", x=first()[0])):
        with pytest.raises(
            RecordError, match=r"first\.py is not the text that was run; .*make oracle"
        ):
            ask()
    path.unlink()
    with pytest.raises(RecordError, match=r"first\.py is not the text that was run"):
        torch_says("first")


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "an unknown snippet": (
        lambda: torch_says("frist"),
        r"'frist': oracle\.json has no snippet of that name \(there is 'first'\)",
    ),
    "an unknown name": (
        lambda: agrees("first", z=1.0),
        r"z=…\): the snippet leaves no tensor or number of that name; .* it leaves x, y",
    ),
    "nothing": (lambda: agrees("first"), r"nothing is handed over; .* x, y"),
    "a number for a gradient": (
        lambda: agrees("first", x=2.0),
        r"PyTorch's has a gradient, and the float handed over can hold none",
    ),
    "a tensor without numbers": (
        lambda: agrees("dice", x=bg.ones(1000, requires_grad=True)),
        r"of a tensor with shape \(1000,\) only shape and dtype are on record",
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_compares_nothing_is_refused(course: Path, refused: str) -> None:
    ask, said = REFUSED[refused]
    with pytest.raises(RecordError, match=said):
        ask()


@pytest.mark.parametrize("text", [None, "{", "[]", '{"torch": "2", "snippets": {"first": {}}}'])
def test_an_unreadable_record_says_what_to_do(course: Path, text: str | None) -> None:
    path = course / "book" / "torch" / "oracle.json"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"torch/oracle\.json: .*restore it, .*make oracle"):
        torch_says("first")


def test_outside_a_course_there_is_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match=r"no _toc\.yml in .*run this from inside the course"):
        torch_says("first")


# What a chapter depends on.


@pytest.mark.parametrize(
    ("file", "changes"), [("oracle.json", True), ("first.py", True), ("chain.py", False)]
)
def test_a_chapter_runs_again_when_what_it_compares_with_changes(
    course: Path, file: str, changes: bool
) -> None:
    cell = nbformat.v4.new_code_cell('from bookproof import agrees\nagrees("first", x=1)')
    notebook = nbformat.v4.new_notebook(cells=[cell])
    before = cache.key(notebook, course)
    path = course / "book" / "torch" / file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert (cache.key(notebook, course) != before) is changes


def test_a_chapter_that_compares_nothing_does_not(course: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import bookproof")])
    assert not set(cache.dependencies(notebook, course)) & set((course / "book/torch").iterdir())


def test_a_book_may_keep_its_column_elsewhere(course: Path) -> None:
    (course / "book" / "torch").rename(course / "column")
    (course / "pyproject.toml").write_text('[tool.bookproof]\ntorch = "column"\n', encoding="utf-8")
    assert agrees("first", x=first()[0])
    cell = nbformat.v4.new_code_cell('agrees("first", x=x)')
    found = cache.dependencies(nbformat.v4.new_notebook(cells=[cell]), course)
    names = {path.relative_to(course).as_posix() for path in found}
    assert names == {"column/oracle.json", "column/first.py", "pyproject.toml"}


# On the page.

CARD = """
# Card

````{torch} first
The name `grad` is the *same* there.
````

```{code-cell} ipython3
:tags: [hide-input]
from bookproof import agrees

agrees("first", y=7.0)
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    tiny = TinyBook.create(tmp_path_factory.mktemp("column") / "book", ("card", HEAD + CARD))
    shutil.copytree(COLUMN, tiny.root / "book" / "torch")
    done = tiny.build()
    assert done.status == 0, done.text
    return tiny


def test_the_tabs_show_the_cell_the_snippet_what_it_printed_and_who_compared_it(
    built: TinyBook,
) -> None:
    page = built.page("card")
    labels = re.findall(r'<label [^>]*class="sd-tab-label"[^>]* data-sync-id="(\w+)"', page)
    assert labels == ["tiny", "PyTorch"]
    ours, theirs = re.split(r'<div class="sd-tab-content[^>]*>', page)[1:]
    theirs = theirs.partition("</section>")[0]
    assert 'id="cell-1"' in ours
    assert "says the same: y" in ours
    listing, printed = re.findall(r"<pre>(.*?)</pre>", theirs, re.S)[:2]
    assert re.sub(r"<[^>]+>", "", listing) == recorded.read(COLUMN, "first").source.strip() + "\n"
    assert '<div class="highlight-python' in theirs
    assert '<span class="kn">import</span>' in listing
    assert "tensor(3.)" in printed
    assert "is the <em>same</em> there" in theirs
    version = ORACLE["torch"]
    assert f"Recorded with PyTorch {version}; compared with the other tab" in theirs
    assert 'href="#cell-1">cell 1</a>' in theirs


def test_the_tabs_follow_each_other_in_the_notebook(built: TinyBook) -> None:
    path = built.root / "_build/html/_sources/book/card.ipynb"
    cells = nbformat.read(path, as_version=4).cells[1:]
    kinds = [(cell.cell_type, cell.source.splitlines()[-1]) for cell in cells]
    at = kinds.index(("code", 'agrees("first", y=7.0)'))
    assert kinds[at - 1] == ("markdown", "**tiny**")
    assert cells[at + 1].source.startswith("**PyTorch**")


def test_a_snippet_that_cannot_be_believed_is_red_with_its_place(
    built: TinyBook, tmp_path: Path
) -> None:
    tiny = built.copy(tmp_path / "book")
    tiny.replace("book/card.md", ":tags: [hide-input]", ":tags: [remove-cell]")
    tiny.write("book/two.md", "# Two\n\nBack to {ref}`one`.\n\n```{torch} frist\n```\n")
    done = tiny.build()
    assert done.status != 0
    said = r"card\.md:\d+: WARNING: \{torch\} first: the cell directly below does not compare the snippet"
    assert re.search(said, done.text), done.text
    assert re.search(r"two\.md:\d+: WARNING: .*'frist': oracle\.json has no snippet", done.text)


def test_the_comparison_stands_directly_below(built: TinyBook, tmp_path: Path) -> None:
    tiny = built.copy(tmp_path / "book")
    tiny.replace("book/card.md", "````\n\n```{code-cell}", "````\n\nWords.\n\n```{code-cell}")
    done = tiny.build()
    assert done.status != 0
    assert "the cell directly below does not compare" in done.text


def test_an_edited_record_runs_the_chapter_again_and_is_red(
    built: TinyBook, tmp_path: Path
) -> None:
    tiny = built.copy(tmp_path / "book")
    path = tiny.root / "book" / "torch" / "oracle.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["snippets"]["first"]["values"]["y"]["data"] = 7.5
    path.write_text(json.dumps(record), encoding="utf-8")
    done = tiny.build()
    assert done.status != 0
    assert "value is 7.0 here and 7.5 in PyTorch" in done.text


def test_the_lint_reads_what_a_card_says() -> None:
    text = HEAD + CARD.replace("is the *same* there", "takes 64 KiB there")
    found = lint.lint_text(text, path="card.md")
    assert [(finding.line, finding.rule) for finding in found] == [(10, "typed-number")]


# Who writes the record.


def test_a_renewed_record_tells_what_changed() -> None:
    told = program("oracle/changes").told
    row = {"method": "sum", "call": "a.sum()", "grads": "a", "kept": 4}
    assert told("saved.json", {"calls": [row]}, {"calls": [row | {"kept": 8}]}) == [
        "saved.json: 1 change",
        "  sum: a.sum() for a.kept: 4 → 8",
    ]
    assert told("names.json", {"names": ["a", "b"]}, {"names": ["b", "c"]}) == [
        "names.json: 2 changes",
        "  - name a",
        "  + name c",
    ]
    same_version = {"torch": "2.0", "names": ["torch"]}  # a key and a name that are spelled alike
    assert told("names.json", same_version, same_version) == ["names.json: as it was"]
    nan = {"x": float("nan")}
    assert told("oracle.json", nan, {"x": float("nan")}) == ["oracle.json: as it was"]
    many = told("names.json", {}, {"names": [f"n{i}" for i in range(50)]})
    assert many[-1] == "  and 10 more"


def test_records_are_written_all_or_none(tmp_path: Path) -> None:
    write = program("oracle/changes").write
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text("before", encoding="utf-8")
    with pytest.raises(TypeError):
        write({good: {"a": 1}, bad: {"b": object()}})
    assert good.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [good]
    write({good: {"b": 1, "a": 2}})
    assert good.read_text(encoding="utf-8") == '{\n  "a": 2,\n  "b": 1\n}\n'


@pytest.mark.parametrize("name", SNIPPETS)
def test_pytorch_says_of_each_snippet_what_is_on_record(name: str) -> None:
    pytest.importorskip("torch")
    fresh = program("oracle/columns").entry(COLUMN / f"{name}.py", ORACLE["torch"])
    old = ORACLE["snippets"][name]
    assert same({**fresh, "seal": ""}, {**old, "seal": ""}), (fresh, old)


def same(a: Any, b: Any) -> bool:
    """Return whether two records are equal but for the last digits, which another processor may round otherwise."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-6, nan_ok=True)
    return type(a) is type(b) and bool(a == b)


def test_pytorch_has_the_very_names_on_record() -> None:
    pytest.importorskip("torch")
    # In a process of its own: what another test has made PyTorch import adds names to its modules.
    asked = "import json, pathlib, names; print(json.dumps(names.record(pathlib.Path())))"
    command = [sys.executable, "-c", asked]
    told = subprocess.run(
        command, cwd=REPO / "tools/oracle", capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == NAMES


FAULTY = {
    "chance": ("x = torch.rand(2)\n", r"s\.py: two runs differ; .*manual_seed"),
    "a mistake": ("x = 1\nx / 0\n", r"s\.py:4: ZeroDivisionError: .*# raises ZeroDivisionError"),
    "no Python": ("x = = 1\n", r"s\.py:3: SyntaxError: "),
    "another error": ("1 / 0  # raises RuntimeError\n", r"s\.py:3: ZeroDivisionError"),
    "no error": ("x = 1  # raises RuntimeError\n", r"s\.py: a comment says .* ran to its end"),
    "a warning": ("x = torch.ones(1, requires_grad=True) * 2\nx.grad\n", r"s\.py:4: UserWarning"),
    "a sparse tensor": ("x = torch.ones(2).to_sparse()\n", r"x is torch\.sparse_coo.*to_dense"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_snippet_is_not_recorded(tmp_path: Path, fault: str) -> None:
    pytest.importorskip("torch")
    columns = program("oracle/columns")
    source, said = FAULTY[fault]
    path = tmp_path / "s.py"
    path.write_text(f'"""A snippet."""\nimport torch\n{source}', encoding="utf-8")
    with pytest.raises(columns.SnippetError, match=said):
        columns.entry(path, "2.0")


def test_a_faulty_snippet_leaves_all_records_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    for part in ("changes", "columns", "names", "saved", "times"):  # as the program imports them
        monkeypatch.setitem(sys.modules, part, program(f"oracle/{part}"))
    asking = program("oracle/__main__")
    monkeypatch.setattr(asking, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["oracle", "saved", "oracle"])
    snippet = tmp_path / "s.py"
    snippet.write_text("x = 1\nx / 0\n", encoding="utf-8")
    assert asking.main() == 1
    said = capsys.readouterr()
    assert "[2/2] oracle.json: what the snippets" in said.out
    assert re.search(r"s\.py:2: ZeroDivisionError: .*\nNo record was changed", said.err)
    assert list(tmp_path.iterdir()) == [snippet]
    snippet.write_text("x = 1\n", encoding="utf-8")
    assert asking.main() == 0
    assert "+ snippets.s.values.x.data: 1" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"s.py", "saved.json", "oracle.json"}
    assert recorded.read(tmp_path, "s").sealed().values["x"].data == 1
