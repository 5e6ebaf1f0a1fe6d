"""A chapter for download says what the page says, runs what the chapter runs, and needs nobody else."""

import ast
import base64
import importlib.metadata
import io
import json
import lzma
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bookproof import cache, luggage, resolved
from bookproof.mathematics import Typesetter
from tests.tiny_book import HEAD, REPO, TinyBook

PUBLISHED = sorted((REPO / "_build/html/_sources/book").glob("*.ipynb"))
SITE = "https://owner.github.io/name/"

EVERYTHING = (
    HEAD
    + r"""(everything)=
# Everything at 1 < 2

:::{note}
Mind the *gap*, the **step** and `the_code`. 5 * 3 is no_emphasis\_ and costs \$5.
:::

:::{admonition} A title with $x$
:class: dropdown
Folded words.
:::

The layer takes {glue:text}`all_bytes`, and {given}`16 GB` is given. A {term}`leaf <thing>` is a {term}`thing`; see
[](two.md), {ref}`one`, {numref}`fig-drawn`, {eq}`eq-square`, {numref}`tab-sizes`, [a page](https://example.org/a_(b))
and {cite:t}`someone`. H{sub}`2`O and {abbr}`KiB (1024 bytes)`.[^note]

[^note]: A note with `code`.

+++

- one

  - inside

  more
- two

3. three
4. four

Term
: Its definition, with $y_1$.

> A quotation.

---

$$ a = \begin{cases} 1 & x > 0 \\ 0 \end{cases} $$ (eq-square)

:::{table} Sizes
:name: tab-sizes

| name | what |
|:--|--:|
| `a \| b` | $\|x\| < 1$ |
| [two](two.md) | {glue:text}`all_bytes` |
:::

:::{dropdown} Answer with `code`
Hidden {glue:text}`all_bytes`.
:::

::::{tab-set}
:::{tab-item} First tab
Tab words.
:::
::::

```{code-cell} ipython3
:tags: [hide-input]
from bookproof import figure
from tiny.one import answer

figure("all_bytes", 1024 * answer(), "KiB", formula="1024 · answer");
```

Words between.

```{code-cell} ipython3
:tags: [remove-cell]
from pathlib import Path

text = Path("data.txt").read_text(encoding="utf-8")
```

## A drawing

```{code-cell} ipython3
---
mystnb:
  image: {alt: A line that rises}
  figure: {caption: "It rises, says $x$.", name: fig-drawn}
---
from IPython.display import SVG

SVG('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 9L9 0"/></svg>')
```

```{figure} _static/favicon.svg
:alt: The sign of the book

A placed picture.
```

```{literalinclude} ../src/tiny/one.py
:language: python
:pyobject: answer
```

````text
A fence in a fence:
```
````

```{exercise-start} Twice
:label: ex-twice
```
Double it.

```{code-cell} ipython3
twice = ...
```
```{exercise-end}
```

```{solution-start} ex-twice
:class: dropdown
```
```{code-cell} ipython3
twice = 2 * answer()
print(twice, text)
```
Two times one is two.
```{solution-end}
```

```{glossary}
thing
  What is meant.
```

```{bibliography}
```

<p class="raw">raw <b>HTML</b></p>
"""
)
BIB = "@book{someone, author = {Some One}, title = {A Book}, publisher = {P}, year = 2001}\n"
UNKNOWN = (
    HEAD
    + """# Unknown

```{code-cell} ipython3
1
```

```{eval-rst}
:field: lost words
```

```{list-table}
* - a
  - - one
    - two
```
"""
)

ROLE = re.compile(r"\{[a-z][a-z:-]*\}[`(\[]")
DIRECTIVE = re.compile(r"^\s*(:{3,}|`{3,}\{|~{3,}\{|\+\+\+|\(\S+\)=\s*$)", re.MULTILINE)
LINK = re.compile(r"\]\(\s*<?(?P<there>[^)>\s]*)|(?:src|href)=[\"'](?P<html>[^\"']*)")
FENCE = re.compile(r"^( *)(`{3,})[^\n]*\n.*?^\1\2 *$", re.MULTILINE | re.DOTALL)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
ADDRESS = re.compile(r"(https?://|mailto:|data:image/)")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    root = tmp_path_factory.mktemp("resolved") / "book"
    book = TinyBook.create(root, ("everything", EVERYTHING))
    settings = '[course]\nname = "Tiny"\n[repository]\nurl = "https://github.com/Owner/name"\n'
    book.write("book/course.toml", settings)
    book.write("book/references.bib", BIB)
    book.write("book/data.txt", "read")
    done = book.build()
    assert done.status == 0, done.text
    return book


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _cells(notebook: NotebookNode, kind: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def _text(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in _cells(notebook, "markdown"))


@pytest.fixture(scope="module")
def everything(book: TinyBook) -> NotebookNode:
    return _read(book.root / "_build/html/_sources/book/everything.ipynb")


SAYS = {
    "heading": "# Everything at 1 \\< 2",
    "note": "> **Note**\n>\n> Mind the *gap*, the **step** and `the_code`. 5 \\* 3 is no_emphasis\\_ and costs \\$5.",
    "folded admonition": "<summary>A title with $x$</summary>\n\nFolded words.\n\n</details>",
    "figure": "takes **42\N{NO-BREAK SPACE}KiB**, and 16 GB is given",
    "term with its own words": f"[leaf]({SITE}book/everything.html#term-thing)",
    "page": f"[Two]({SITE}book/two.html)",
    "reference": f"[One]({SITE}book/one.html#one)",
    "numbered picture": f"[Fig. 1]({SITE}book/everything.html#fig-drawn)",
    "equation": f"[(1)]({SITE}book/everything.html#equation-eq-square)",
    "numbered table": f"[Table 1]({SITE}book/everything.html#tab-sizes)",
    "outside link": "[a page](<https://example.org/a_(b)>)",
    "citation": f"One \\[[2001]({SITE}book/everything.html#id",
    "subscript": "H<sub>2</sub>O",
    "abbreviation": '<abbr title="1024 bytes">KiB</abbr>',
    "footnote": "\\[1\\] A note with `code`.",
    "nested list": "- one\n\n  - inside\n\n  more\n\n- two",
    "numbered list": "3. three\n4. four",
    "definition": "- **Term**: Its definition, with $y_1$.",
    "quotation": "> A quotation.",
    "rule": "\n\n---\n\n",
    "formula": "$$\na = \\begin{cases} 1 & x > 0",
    "formula's number": " \\tag{1}\n$$",
    "table": "**Table 1** Sizes\n\n| name | what |\n| :-- | --: |\n| `a \\| b` | $\\vert x\\vert  < 1$ |\n"
    f"| [two]({SITE}book/two.html) | **42\N{NO-BREAK SPACE}KiB** |",
    "folded answer": "<details>\n<summary>Answer with <code>code</code></summary>\n\n"
    "Hidden **42\N{NO-BREAK SPACE}KiB**.\n\n</details>",
    "tab": "**First tab**\n\nTab words.",
    "caption of a drawn picture": "**Fig. 1** It rises, says $x$.",
    "placed picture": '<img alt="The sign of the book" src="data:image/svg+xml;base64,',
    "its caption": "**Fig. 2** A placed picture.",
    "listing": "```python\ndef answer():\n    return 42\n```",
    "fence in a fence": "````text\nA fence in a fence:\n```\n````",
    "exercise": "### Exercise 1 (Twice)\n\nDouble it.",
    "solution": f"**Solution to [Exercise 1 (Twice)]({SITE}book/everything.html#ex-twice)** is in the folded cell",
    "solution's words": "(Twice), in words</summary>\n\nTwo times one is two.\n\n</details>",
    "glossary": "- **thing**: What is meant.",
    "bibliography": "Some One. *A Book*. P, 2001.",
    "raw HTML": '<p class="raw">raw <b>HTML</b></p>',
}


@pytest.mark.parametrize("what", SAYS)
def test_each_construct_of_a_page_is_markdown_that_any_viewer_reads(
    everything: NotebookNode, what: str
) -> None:
    assert SAYS[what] in _text(everything)


def test_cells_stand_where_the_chapter_has_them_and_are_folded_as_it_asks(
    everything: NotebookNode,
) -> None:
    order = [cell.id for cell in everything.cells]
    setup, first, removed, drawn, stub, solution = _cells(everything, "code")
    assert [cell.id for cell in _cells(everything, "code")] == [f"cell-{n}" for n in range(6)]
    between = everything.cells[order.index("cell-1") + 1 : order.index("cell-2")]
    assert [cell.source for cell in between] == ["Words between."]
    assert everything.cells[order.index("cell-2") + 1].source == "## A drawing"
    for cell in (setup, first, removed, solution):
        assert cell.metadata.jupyter.source_hidden
    for cell in (drawn, stub):
        assert "jupyter" not in cell.metadata
    assert solution.outputs[0].text == "84 read\n"
    assert first.outputs[0].metadata.scrapbook.name == "all_bytes"


def test_the_same_sources_make_the_same_bytes(book: TinyBook, tmp_path: Path) -> None:
    again = book.copy(tmp_path / "again")
    assert again.build().status == 0
    for path in (book.root / "_build/html/_sources").rglob("*.ipynb"):
        other = again.root / path.relative_to(book.root)
        assert other.read_bytes() == path.read_bytes()


def test_a_node_that_nobody_can_translate_is_red_with_its_place(
    book: TinyBook, tmp_path: Path
) -> None:
    planted = book.copy(tmp_path / "planted")
    planted.write("book/everything.md", UNKNOWN)
    planted.replace("book/two.md", "Back", "Plainly back")
    done = planted.build()
    assert done.status != 0
    for said in ("the node 'field_list' has no counterpart", "a table's cell holds more than para"):
        assert re.search(rf"everything\.md:\d+: WARNING: {said}", done.text), done.text
    assert "lost words" in _text(_read(planted.root / "_build/html/_sources/book/everything.ipynb"))


def test_without_an_address_links_are_words(book: TinyBook, tmp_path: Path) -> None:
    unknown = book.copy(tmp_path / "unknown")
    unknown.write("book/course.toml", '[course]\nname = "Tiny"\n')
    assert unknown.build().status == 0
    text = _text(_read(unknown.root / "_build/html/_sources/book/everything.ipynb"))
    assert "A leaf is a thing; see Two, One, Fig. 1, (1), Table 1, [a page](<https" in text
    assert not list(_troubles(text))


def _troubles(text: str) -> Iterator[str]:
    """What must not stand in Markdown for download: roles, directives, links that lead nowhere."""
    prose = MATH.sub("", SPAN.sub("`code`", FENCE.sub("", text)))
    yield from (f"role {found[0]}" for found in ROLE.finditer(prose))
    yield from (f"directive {found[0]}" for found in DIRECTIVE.finditer(prose))
    for found in LINK.finditer(prose):
        there = found["there"] if found["there"] is not None else found["html"]
        if not ADDRESS.match(there):
            yield f"link {there!r}"


def test_what_must_not_stand_in_a_notebook_is_found() -> None:
    planted = [
        "{glue:text}`x`",
        "{term}`y`",
        ":::{note}",
        "```{dropdown} z",
        "[w](two.md)",
        "[v](#v)",
        '<img src="a.png">',
        "(label)=",
        "[](notation.md)",
    ]
    for text in planted:
        assert list(_troubles(f"Words {text}" if text[0] in "{[<" else text)), text
    assert not list(
        _troubles("`{glue:text}` and `` {term}`y` ``\n\n```text\n:::{note}\n```\n[a](https://b.c)")
    )


def test_the_published_notebooks_are_those_of_the_book() -> None:
    if not PUBLISHED:
        pytest.fail(
            "no notebooks are published: there is nothing to check; run make book", pytrace=False
        )
    chapters = [
        path.stem for path in sorted((REPO / "book").glob("*.md")) if cache.is_notebook(path)
    ]
    assert [path.stem for path in PUBLISHED] == chapters


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_notebook_is_whole(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    assert not list(_troubles(_text(notebook)))
    assert str(REPO) not in path.read_text(encoding="utf-8")
    source = cache.read(REPO / f"book/{path.stem}.md", REPO)
    mine = [cell.source for cell in _cells(source, "code")]
    assert [cell.source for cell in _cells(notebook, "code")][1:] == mine
    listings = len(
        re.findall(
            r"^ *`{3,}\{literalinclude\}", (REPO / f"book/{path.stem}.md").read_text("utf-8"), re.M
        )
    )
    assert len(re.findall(r"^ *```python$", _text(notebook), re.M)) >= listings


@pytest.fixture(scope="module")
def typeset() -> Iterator[Typesetter]:
    typesetter = Typesetter()
    yield typesetter
    typesetter.close()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_every_formula_is_delimited_and_can_be_typeset(path: Path, typeset: Typesetter) -> None:
    prose = SPAN.sub("`code`", FENCE.sub("", _text(_read(path))))
    script = REPO / "book/_static/katex/katex.min.js"
    for display, inline in re.findall(r"\$\$\n(.+)\n\$\$|(?<![\\$])\$(?!\$)(.+?)\$", prose):
        tex = (display or inline).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        good, said = typeset(script, tex, bool(display))
        assert good, (tex, said)


def _carried(notebook: NotebookNode) -> dict[str, bytes]:
    assignment = next(
        node for node in ast.parse(notebook.cells[0].source).body if isinstance(node, ast.Assign)
    )
    packed = lzma.decompress(base64.b64decode(ast.literal_eval(assignment.value)))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_notebook_carries_the_sources_as_they_stand_and_nothing_of_the_build(path: Path) -> None:
    files = _carried(_read(path))
    for name, data in files.items():
        assert data == (REPO / name).read_bytes()
    assert "_toc.yml" in files
    assert "src/bookproof/figures.py" in files
    code = "\n".join(cell.source for cell in _cells(_read(path), "code")[1:])
    if "from bookproof.lint" not in code:  # the page on the proof runs the lint
        assert not {"src/bookproof/lint.py", "src/bookproof/cache.py"} & set(files)


def test_data_travel_with_the_notebooks_that_read_them() -> None:
    """All import the engine, whose ``__init__`` imports what reads the digits and the tale."""
    cells = {
        "digits": ["from bytegrad.data import digits", "digits()"],
        "none": ["import bytegrad as bg", "bg.ones(2)"],
    }
    for name, code in cells.items():
        made = [nbformat.v4.new_code_cell(cell) for cell in code]
        notebook = nbformat.v4.new_notebook(cells=made)
        files = luggage.carried(notebook, REPO)
        assert "src/bytegrad/handwriting.py" in files
        assert ("src/bytegrad/digits.npz" in files) is (name == "digits")
        assert ("src/bytegrad/tale.txt" in files) is (name == "digits")


def test_what_is_missing_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# about\n-c x\nnumpy>=2,<3\nPyYAML>=6  # why\nsphinx\n", encoding="utf-8"
    )
    programs = ["import numpy.linalg", "from yaml import load\nimport os, tiny", "%magic"]
    wanted = luggage.wanted(programs, ["tiny"], requirements)
    assert wanted == {"numpy": "numpy>=2,<3", "yaml": "PyYAML>=6"}
    setup = next(path for path in PUBLISHED if path.stem == "value")
    program = _read(setup).cells[0].source.replace("'numpy':", "'no_such_package':")
    done = subprocess.run(
        [sys.executable, "-"],
        input=program,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r'not installed here; .*run\n +%pip install "numpy>=2\.3,<3"\n', done.stderr)


def _closure(names: list[str]) -> set[str]:
    """Every distribution that these requirements lead to, as installed here."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in names]
    while waiting:
        wanted = waiting.pop()
        extras = wanted.extras or {""}
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(wanted.name)
        asked = {name, *(f"{name}[{extra}]" for extra in wanted.extras)}
        if asked <= found:
            continue
        found |= asked
        for line in importlib.metadata.requires(name) or ():
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                inner.marker = None
                waiting.append(inner)
    return {name for name in found if "[" not in name}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what requirements.txt leads to, and neither the course nor its tests.

    The files are those that pip installed into .venv, by pip's own lists, and linked: so this needs no
    index.
    """
    root = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    there = next(root.glob("lib/python3*/site-packages"))
    text = (REPO / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for name in _closure(lines):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            target = there / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
    return root / "bin" / "python"


RUN = """
import sys, nbformat
from nbclient import NotebookClient

for name in sys.argv[1:]:
    notebook = nbformat.read(name, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=".")
    nbformat.write(notebook, name)
"""


def _shown(notebook: NotebookNode) -> list[object]:
    """All outputs as a reader sees them, measured figures aside; printed text in one piece."""
    shown: list[object] = []
    for cell in _cells(notebook, "code"):
        for output in cell.outputs:
            if output.get("metadata", {}).get("bookproof", {}).get("measured"):
                continue
            if output.output_type == "error":
                shown.append((cell.id, output.ename, output.evalue))
                continue
            what = json.dumps(output.get("data", output.get("text")), sort_keys=True)
            last = shown[-1] if shown else None
            if output.output_type == "stream" and isinstance(last, list) and last[0] == cell.id:
                last[1] += output.text
            else:
                shown.append(
                    [cell.id, output.text] if output.output_type == "stream" else (cell.id, what)
                )
    return shown


def test_downloads_run_top_to_bottom_where_nothing_of_the_course_is_installed(
    fresh: Path, tmp_path: Path
) -> None:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER", "PYTEST"))
    }
    # Of the machine's own settings none may help; matplotlib's list of fonts only saves time.
    clean |= {"HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    absent = "import importlib.util as u; print(*map(u.find_spec, ('bytegrad', 'bookproof', 'pytest_xdist')))"
    told = subprocess.run(
        [fresh, "-c", absent], env=clean, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["None"] * 3
    # A short one, one that reads course.toml, and one that runs parts of the proof itself.
    names = ["index.ipynb", "budget.ipynb", "proofed.ipynb"]
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for path in PUBLISHED:
        if path.name in names:
            (downloads / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(
        [fresh, "-c", RUN, *names],
        cwd=downloads,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for path in PUBLISHED:
        if path.name in names:
            assert _shown(_read(downloads / path.name)) == _shown(_read(path))
    assert sorted(path.name for path in downloads.iterdir()) == sorted(
        names
    )  # nothing is left behind


def test_a_chapter_that_is_not_built_has_no_published_notebook(book: TinyBook) -> None:
    chapter = book.root / "book/one.md"
    assert resolved.published(chapter, book.root).metadata.bookproof.page == "book/one"
    with pytest.raises(cache.NotBuilt):
        resolved.published(book.root / "book/index.md", book.root)
