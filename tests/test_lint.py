"""The prose lint: one table of drifts that must be found, one of innocent prose that must not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v4

from bookproof import book, cache, lint
from bookproof.lint import Finding, Known, lint_text
from bookproof.rules import RULES
from bookproof.units import TIMES
from tests.test_drills import PLANTED as EXERCISES

HEAD = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
"""

# What to plant, and the rule that must find it; the planted text stands for itself.
NUMBERS = [
    ("64 KB", "typed-number"),
    ("64\u00a0KiB", "typed-number"),
    ("16 GB", "typed-number"),
    ("4 bytes", "typed-number"),
    ("4-byte", "typed-number"),
    ("four bytes", "typed-number"),
    ("zero bytes", "typed-number"),
    ("32 bits", "typed-number"),
    ("64 kilobytes", "typed-number"),
    ("45 minutes", "typed-number"),
    ("5 ms", "typed-number"),
    ("12 µs", "typed-number"),
    ("1.5 s", "typed-number"),
    ("33.3 %", "typed-number"),
    ("50%", "typed-number"),
    ("ten percent", "typed-number"),
    ("1 GB/s", "typed-number"),
    ("2 FLOPs", "typed-number"),
    ("2\u00b2\u2070 bytes", "typed-number"),
    ("2^20 bytes", "typed-number"),
    ("175B", "typed-number"),
    ("100 million parameters", "typed-number"),
    ("1999 live nodes", "typed-number"),
    ("94 lines", "typed-number"),
    ("2 million", "typed-number"),
    ("64 Kbytes", "typed-number"),
    (f"2{TIMES}", "typed-ratio"),
    (f"{TIMES}4", "typed-ratio"),
    ("2x", "typed-ratio"),
    ("10 times", "typed-ratio"),
    ("ten times", "typed-ratio"),
    ("10-fold", "typed-ratio"),
    ("tenfold", "typed-ratio"),
    ("3:1", "typed-ratio"),
    ("1:1.29", "typed-ratio"),
    ("2-to-1", "typed-ratio"),
    ("twice as", "typed-ratio"),
    ("half the", "typed-ratio"),
    ("double the", "typed-ratio"),
    ("triple the", "typed-ratio"),
    ("100:1", "typed-ratio"),
    ("a third of", "typed-ratio"),
    ("two thirds", "typed-ratio"),
    ("1/3 of", "typed-ratio"),
    ("factor of ten", "typed-ratio"),
    ("factor of 2", "typed-ratio"),
    ("two orders of magnitude", "typed-ratio"),
    ("2,097,151", "bare-figure"),
    ("12345", "bare-figure"),
    ("0.2689", "bare-figure"),
    ("3.5e-14", "bare-figure"),
    ("10\u207b\u2076", "bare-figure"),
]

INNOCENT = [
    "On 20 November 2026, or 2026-11-20, in 2017 and the 1990s.",
    "Python 3.11 to 3.13, NumPy 2.4, version 1.0.4.post1, CC BY 4.0, RFC 8259, GPT-2.",
    "Section 3.2, chapter 7, step 2 of 3, equation 12, page 3, issue #12345, arXiv:1412.6980.",
    f"The shapes 32{TIMES}512, 32 {TIMES} 512, 3x3, 3 x 224 x 224, 784-512-256-128-10, (2, 3).",
    f"A matrix of {{glue:text}}`n`{TIMES}512, and $B${TIMES}4.",
    "A float32 at batch 64 with seed 0, lr 0.1, x=2 and target .8, in a 2-D array; 64-bit floats.",
    "Three arrays, 5 layers, four layers, 20 steps, 100 doublings, 2 parameters, 5 things to try.",
    "The function y = 3x + 1, or 2x + 1, is O(1).",
    "Run it twice. One byte at a time. Double the batch, and the price doubles.",
    "At 10:30, or from 1:30 to 11:45, read Luke 3:16 and 10:2.",
    "If you double the batch, to triple the rows and double the width, now double the rate.",
    "It has {glue:text}`n` nodes, {glue:text}`n` rows, {glue:text}`n` bytes each, 2 {glue:text}`n`.",
    "It has {glue:text}`n`, 2 of them; {glue:text}`n` times.",
    "A $2^{30}$-th of it, $N \\cdot 4B$, $n = 4PB$, $2 \\times 3 \\text{ batches}$, $2x$.",
    "<p>Words &amp; more <code>64 KB</code></p>\n\n<!-- 64 KB -->\n<style>p {width: 50%}</style>",
    "```{include} other.md\n```\n\n```{include} /book/other.md\n```",
    "```{code-cell}\nprint('64 KB %d' % n, n + ' of 64 KB', '64 KB' * n)\n```",
    "```{code-cell}\nprint('1 %', f'{n} B', '{} KB 64 KB'.format(n), 'bytes', x('64 KB'))\n```",
    "```{code-cell}\n%matplotlib inline\nprint(f'{n} of 64 KB')\n```",
    "The first half of the chapter, the other half of the budget, half-way, one-to-one.",
    "Fill it with 0s and 1s, 2 lines at a time. A factor of 0 ends the path, one of 1 does not.",
    "The cost is {given}`64 KB`, {given}`about 2x`, {given}`three times`, {given}`0.2689`.",
    "It costs {glue:text}`n`, or {glue}`n`, or {glue:text}`other::n:s`.",
    "The code `x[1:3] * 2.0000`, `nbytes = 65536`, `1e-6` and ```a `64 KB` literal```.",
    "The formula $4 \\cdot 10^{-6} \\times n$ and\n\n$$\n64\\,n = 2\\times 32n\n$$\n",
    "See [the page](https://example.org/64KB/2x \"a title\") or <https://example.org/16GB>.",
    "<span title=\"Words\">Words</span>\n\n<div data-size=\"64 KB\">\n</div>",
    "% a comment of 64 KB\n\n(size-64KB)=\n## Words",
    "+++ {\"note\": \"64 KB\"}\n\nWords.",
    "```text\n64 KB\n```\n\n```console\n$ echo 64 KB\n```",
    "```{code-block} toml\nsize = \"64 KB\"\n```",
    "```{literalinclude} ../src/x.py\n:pyobject: f\n:language: python\n```",
    "```{code-cell} python3\n:tags: [hide-input]\nprint(size('64 KB'), 2.0000)\n```",
    "```{figure} x.png\n:alt: A plain picture\n:width: 50%\n:name: fig-64KB\n\nIts point.\n```",
    "```{code-cell} python3\n---\nmystnb: {figure: {caption: c}, image: {alt: a}}\n---\nx\n```",
    "![A plain picture](x.png) <img src=\"y.png\" alt=\"Another\">",
    "{ref}`the budget <64KB>`, {doc}`order`, {term}`KiB`, {cite}`knuth1000000`.",
    "```{raw} latex\n64 KB\n```\n\n```{math}\n2\\times\n```",
]  # fmt: skip


def found(text: str, **known: object) -> list[Finding]:
    """Lint ``text`` as the chapter ``book/x.md`` whose cells recorded n."""
    known.setdefault("elsewhere", {"other": {"n"}})
    return lint_text(text, path="book/x.md", known=Known(**known))  # type: ignore[arg-type]


@pytest.mark.parametrize(("seen", "rule"), NUMBERS)
def test_typed_number_is_found(seen: str, rule: str) -> None:
    [finding] = found(f"{HEAD}# Title\n\nFirst line,\nthen about {seen} more of it.\n")
    assert (finding.path, finding.line, finding.rule) == ("book/x.md", 8, rule)
    assert f"\u201c{seen}\u201d" in finding.message
    assert f"{{given}}`{seen}`" in finding.message


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_prose_is_clean(text: str) -> None:
    assert found(f"{HEAD}# Title\n\n{text}\n") == []


def test_finding_says_where_what_and_how_to_mend() -> None:
    for seen in ("64 KB", f"2{TIMES}"):
        [finding] = found(f"# Title\n\nIt costs about {seen}.\n")
        text = str(finding)
        assert text.startswith("book/x.md:3: typed-")
        assert f"\u201c{seen}\u201d is typed by hand" in text
        assert 'figure("a_name", value, unit)' in text
        assert "{glue:text}`a_name`" in text
        assert f"{{given}}`{seen}`" in text
    assert "kB is 1000 bytes, KiB is 1024" in found("It costs 64 KB.")[0].message


# Every place where prose can stand; the line of "64 KB" is looked up in the text itself.
PLACES = {
    "heading": "# Costs 64 KB\n",
    "setext heading": "Costs 64 KB\n===\n",
    "second line of a paragraph": "First\nand 64 KB\n",
    "after a code span over two lines": "The `a\nb` costs 64 KB.\n",
    "after a role over two lines": "The {term}`a\nb` costs 64 KB.\n",
    "over a line break": "Costs 64\nKB.\n",
    "split by markup": "Costs **64** KB.\n",
    "dressed as code": "Costs `64` KB.\n",
    "wholly dressed as code": "Costs `64 KB`.\n",
    "dressed as mathematics": "Costs $64$ KB.\n",
    "wholly dressed as mathematics": "Costs $64\\,\\text{KB}$.\n",
    "entity": "Costs 64&nbsp;KB.\n",
    "inline HTML": "Costs <b>64 KB</b>.\n",
    "link text": "See [64 KB](x.md).\n",
    "title of a link": 'See [it](x.md "Costs 64 KB").\n',
    "title of a reference": "See {ref}`64 KB of it <x>`.\n",
    "alternative text": "![Costs 64 KB](x.png)\n",
    "paragraph of HTML": "<p>Costs 64 KB</p>\n",
    "table in HTML": "<table>\n<tr><td>a</td>\n<td>64&nbsp;<b>KB</b></td></tr>\n</table>\n",
    "details in HTML": "<details>\n<summary>Words</summary>\nCosts\n64 KB\n</details>\n",
    "raw HTML": "```{raw} html\n<p>Words\n<i>cost</i> 64 KB</p>\n```\n",
    "alt in HTML": '<p>Words\n<img src="x.png"\n alt="Costs 64 KB"></p>\n',
    "alt in a line": 'See <img src="x.png" alt="Costs 64 KB">.\n',
    "title in HTML": 'See <span title="Costs 64 KB">words</span>.\n',
    "display mathematics": "$$\nn\n= 64\\,\\text{KB}\n$$\n",
    "display mathematics in one line": "$$n = 64\\,\\text{KB}$$\n",
    "display mathematics with a label": "$$\nn = 64~\\mathrm{KB}\n$$ (eq)\n",
    "display mathematics in a line": "Words $$n = 64\\,\\text{KB}$$\n",
    "inline mathematics": "So $n = 64\\,\\text{KB}$.\n",
    "role of mathematics": "So {math}`n = 64\\,\\text{KB}`.\n",
    "directive of mathematics": "```{math}\n:label: x\n\nn\n= 64\\,\\text{ KiB}\n```\n",
    "amsmath": "\\begin{align}\nn &= 2 \\\\\n&= 64\\;\\text{bytes}\n\\end{align}\n",
    "zero width": "Costs 64\u200b KB, \u2060that is.\n",
    "soft hyphen": "Costs 64 K&shy;B.\n",
    "printed": "```{code-cell} python3\n:tags: [x]\n\nprint(n)\nprint('Adam needs 64 KB', n)\n```\n",
    "printed without placeholder": "```{code-cell}\nif n:\n    print(f'needs 64 KB')\n```\n",
    "printed in two parts": "```{code-cell}\nprint('needs ' + '64 KB')\n```\n",
    "printed by a template": "```{code-cell}\nprint('needs 64 KB' % ())\n```\n",
    "printed by format": "```{code-cell}\nprint('needs 64 KB'.format(n))\n```\n",
    "shown": "```{code-cell}\nMarkdown(\n  \"\"\"Words\ncost 64 KB\"\"\")\n```\n",
    "shown as HTML": "```{code-cell}\n%load x\nd.display(d.HTML('<p>64 KB</p>'))\n```\n",
    "prompt of a cell": "```{code-cell}\n---\nmystnb:\n  code_prompt_show: Show 64 KB\n---\nx\n```\n",
    "list": "- one\n- two\n\n  more, 64 KB\n",
    "quotation": "> one\n> 64 KB\n",
    "table head": "| a | 64 KB |\n|---|---|\n| c | d |\n",
    "table": "| a | b |\n|---|---|\n| c | d |\n| e | 64 KB |\n",
    "definition": "Term\n: Costs 64 KB\n",
    "footnote": "Word[^1]\n\n[^1]: Costs 64 KB\n",
    "admonition": "```{note}\nOne\n\nand 64 KB\n```\n",
    "first line of an admonition": "```{note} Costs 64 KB\n```\n",
    "title of an admonition": "```{admonition} Costs 64 KB\n:class: dropdown\n\nWords\n```\n",
    "after options": "```{admonition} Title\n:class: tip\n:name: x\n\nCosts 64 KB\n```\n",
    "after YAML options": "```{admonition} Title\n---\nclass: tip\n---\nCosts 64 KB\n```\n",
    "colon fence": ":::{tip}\nCosts 64 KB\n:::\n",
    "tabs": "::::{tab-set}\n:::{tab-item} Words\n:sync: a\n\nCosts 64 KB\n:::\n::::\n",
    "title of a tab": "::::{tab-set}\n\n:::{tab-item} Costs 64 KB\nWords\n:::\n::::\n",
    "nested admonition": "````{note}\nWords\n```{tip}\nCosts 64 KB\n```\n````\n",
    "admonition in a list": "- one\n\n  ```{note}\n  Costs 64 KB\n  ```\n",
    "exercise": "```{exercise}\n:label: x\n\nWhat costs 64 KB?\n```\n",
    "solution": "```{solution} x\n:class: dropdown\n\nIt costs 64 KB.\n```\n",
    "epigraph": "```{epigraph}\nCosts 64 KB\n```\n",
    "margin": "```{margin} Words\nCosts 64 KB\n```\n",
    "list table": "```{list-table} Title\n* - a\n  - 64 KB\n```\n",
    "title of a table": "```{table} Costs 64 KB\n| a |\n|---|\n| b |\n```\n",
    "unknown directive": "```{new-thing}\nCosts 64 KB\n```\n",
    "caption": "```{figure} x.png\n:alt: words\n\nCosts 64 KB\n```\n",
    "alt option": "```{figure} x.png\n:name: x\n:alt: Costs: 64 KB\n```\n",
    "caption option": "```{literalinclude} x.py\n:pyobject: f\n:caption: Costs 64 KB\n```\n",
    "caption of a cell": "```{code-cell} python3\n---\nmystnb:\n  figure:\n    caption: |\n"
    "      Words\n      cost 64 KB\n  image: {alt: words}\n---\nx\n```\n",
    "alt of a cell": "```{code-cell}\n---\nmystnb:\n  image: {alt: Costs 64 KB}\n---\nx\n```\n",
}  # fmt: skip


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_prose_is_found_wherever_it_stands(text: str) -> None:
    whole = f"{HEAD}Words.\n\n{text}\nLast words.\n"
    line = next(at for at, source in enumerate(whole.split("\n"), 1) if "64" in source)
    assert [(finding.line, finding.rule) for finding in found(whole)] == [(line, "typed-number")]


GLUED = [
    ("{glue:text}`n:.1s` KiB", ["glue-format", "typed-number"]),
    ("{glue:text}`n:.1s`", ["glue-format"]),
    ("{glue:text}`n:s`", ["glue-format"]),
    ("{glue:text}`other::n:.2s`", ["glue-format"]),
    ("```{glue:text} n:.1f\n```", ["glue-format"]),
    ("{glue:text}`n` GB", ["typed-number"]),
    ("{glue:text}`n` **KiB**", ["typed-number"]),
    ("{glue:text}`n`kB", ["typed-number"]),
    ("{glue:text}`n` `KiB`", ["typed-number"]),
    ("{glue:text}`n` $\\text{KiB}$", ["typed-number"]),
    ("{glue:text}`n` *MB*", ["typed-number"]),
    ("{glue:text}`n` %", ["typed-number"]),
    ("{glue:text}`n` percent", ["typed-number"]),
    ("{glue:text}`n` kilobytes", ["typed-number"]),
    ("{glue:text}`n` million", ["typed-number"]),
    ("{glue:text}`n`0", ["typed-number"]),
    ("{glue:text}`n`.5", ["typed-number"]),
    ("1{glue:text}`n`", ["typed-number"]),
    ("1,{glue:text}`n`", ["typed-number"]),
    (f"{{glue:text}}`n`{TIMES}", ["typed-ratio"]),
    ("{glue:text}`n`x", ["typed-ratio"]),
]


@pytest.mark.parametrize(("text", "rules"), GLUED)
def test_figure_comes_whole(text: str, rules: list[str]) -> None:
    findings = found(f"{HEAD}# Title\n\n{text}\n")
    assert [(finding.line, finding.rule) for finding in findings] == [(7, rule) for rule in rules]
    assert all("figure(" in finding.message for finding in findings)


@pytest.mark.parametrize("file", ["x.txt", "../README.md", "/CHANGELOG.md", "_static/x.md"])
def test_inclusion_that_nothing_reads_is_found(file: str) -> None:
    [finding] = found(f"# Title\n\n```{{include}} {file}\n```\n")
    assert (finding.line, finding.rule) == (3, "inclusion")
    assert file in finding.message


def test_ratio_by_its_name_is_no_clock() -> None:
    assert [finding.rule for finding in found("The ratio is 16:10.\n")] == ["typed-ratio"]


def test_derivative_is_told_how_to_be_written() -> None:
    assert "$2x$" in found("The slope is 2x.\n")[0].message
    assert found("The slope is $2x$.\n") == []


@pytest.mark.parametrize(
    "key", ["description lang=en", "property=og:description", "twitter:description"]
)
def test_description_of_the_page_is_prose(key: str) -> None:
    front = f'---\nmyst:\n  html_meta:\n    "{key}": Costs 64 KB\n---\n'
    [finding] = found(f"{front}# Title\n")
    assert (finding.line, finding.rule) == (4, "typed-number")
    assert "no role works in this place" in finding.message


LISTINGS = {
    "```python\nx = 1\n```": "a python listing is typed by hand",
    "```py\nx = 1\n```": "a py listing",
    "~~~python\nx = 1\n~~~": "a python listing",
    "```ipython\nx\n```": "a ipython listing",
    "```pycon\n>>> 1\n```": "a pycon listing",
    "```{code-block} python\nx = 1\n```": "a python listing",
    "```{code-block}\n:caption: Words\nx = 1\n```": "names no language",
    "```\nx = 1\n```": "names no language",
    "    x = 1": "indented text",
    "````{note}\n```python\nx\n```\n````": "a python listing",
    "````{note}\n```{code-cell} python3\nx\n```\n````": "does not run",
}


@pytest.mark.parametrize(("text", "seen"), LISTINGS.items())
def test_listing_that_nothing_holds_is_found(text: str, seen: str) -> None:
    [finding] = found(f"{HEAD}# Title\n\n{text}\n")
    assert finding.rule == "listing"
    assert finding.line == (8 if text.startswith("````") else 7)
    assert seen in finding.message
    assert "{literalinclude}" in finding.message


@pytest.mark.parametrize("option", ["lines: 3-5", "start-line: 2", "emphasize-lines: 2"])
def test_listing_by_line_number_is_found(option: str) -> None:
    [finding] = found(f"# Title\n\n```{{literalinclude}} x.py\n:{option}\n```\n")
    assert (finding.line, finding.rule) == (3, "listing-lines")


PICTURES = [
    "![](x.png)",
    "![ ](x.png)",
    "```{image} x.png\n:width: 50%\n```",
    "```{figure} x.png\nWords\n```",
    "```{figure} x.png\n:alt:\n\nWords\n```",
    "```{glue:figure} n\n:name: x\n```",
    '<img src="x.png">',
    '<p>\n<img src="x.png" alt="">\n</p>',
    "```{code-cell} python3\n---\nmystnb:\n  figure: {caption: Words}\n---\nx\n```",
]


@pytest.mark.parametrize("text", PICTURES)
def test_picture_without_words_is_found(text: str) -> None:
    [finding] = found(f"{HEAD}# Title\n\n{text}\n")
    assert finding.rule == "alt-text"
    assert finding.line == (8 if text.startswith("<p>") else 7)


@pytest.mark.parametrize(
    ("front", "lacks"),
    [
        ("", "file_format: mystnb (or jupytext) and kernelspec"),
        ("---\nfile_format: mystnb\n---\n", "kernelspec"),
        ("---\nkernelspec: {name: python3}\n---\n", "file_format: mystnb (or jupytext)"),
    ],
)
def test_cells_need_a_notebook(front: str, lacks: str) -> None:
    [finding] = found(f"{front}# Title\n\n```{{code-cell}} python3\nx\n```\n")
    assert (finding.line, finding.rule) == (1, "front-matter")
    assert f"lacks {lacks};" in finding.message


def test_keys_that_are_undefined_or_unused() -> None:
    text = (
        f"{HEAD}# Title\n\n"
        "```{code-cell} python3\n"
        'figure("linear_x", 1)\nfigure("spare", 2)\nfigure("lent", 3)\n'
        "```\n\n"
        "Words {glue:text}`linear_y` and\n{glue:text}`linear_x`, {glue:text}`other::m:s`.\n"
    )
    findings = found(text, keys={"linear_x", "spare", "lent"}, used={"lent"})
    assert [(finding.line, finding.rule) for finding in findings] == [
        (9, "unused-key"),
        (13, "undefined-key"),
        (14, "undefined-key"),
    ]
    assert "it does record 'linear_x'" in findings[1].message
    assert "no cell of other records 'm'" in findings[2].message


def test_keys_are_left_alone_where_they_are_unknown() -> None:
    assert found("Words {glue:text}`linear_y`.\n") == []


def test_directives_show_keys_too() -> None:
    text = "```{glue} n\n```\n\n```{glue:figure} m\n:alt: words\n```\n\n```{glue:math} l\n```\n"
    assert found(text, keys={"n", "m", "l"}) == []


def test_every_rule_has_a_planted_drift() -> None:
    planted = {rule for _, rule in NUMBERS}
    planted |= {"glue-format", "inclusion", "listing", "listing-lines", "alt-text", "front-matter"}
    planted |= {"undefined-key", "unused-key", "duplicate-key", "no-formula", "not-built"}
    planted |= {rule for _, rule, _, _ in EXERCISES.values()}
    beside = Path(__file__).parent.glob("test_lint_*.py")
    elsewhere = "".join(path.read_text(encoding="utf-8") for path in beside)
    assert {rule for rule in RULES if rule in planted or f'"{rule}"' in elsewhere} == set(RULES)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    before=st.lists(st.sampled_from([*INNOCENT, "Words.", "- item"]), max_size=4),
    place=st.sampled_from(sorted(PLACES)),
    after=st.lists(st.sampled_from(INNOCENT), max_size=2),
)
def test_innocent_neighbours_change_no_finding(
    before: list[str], place: str, after: list[str]
) -> None:
    whole = HEAD + "\n\n".join(["# T", *before, PLACES[place].rstrip(), *after]) + "\n"
    start = whole.index(PLACES[place].rstrip())
    line = whole.count("\n", 0, whole.index("64", start)) + 1
    assert [(finding.line, finding.rule) for finding in found(whole)] == [(line, "typed-number")]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(alphabet="ab1 24.,:x%`*_[]()<>{}$\\\n#|-~^!\u00d7KB", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    lines = text.count("\n") + 1
    for finding in found(text):
        assert 1 <= finding.line <= lines
        assert finding.rule in RULES


# A book on disk, with what its cells are supposed to have recorded.


def record(name: str) -> object:
    return v4.new_output(
        "display_data",
        {"application/papermill.record/text/plain": "64 KiB"},
        metadata={"scrapbook": {"name": name}},
    )


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n  - chapters:\n      - file: book/a\n"
    )
    (tmp_path / "book/index.md").write_text("# Index\n\nSee {glue:text}`a::x:s`.\n")
    cells = "".join(f'\n```{{code-cell}} python3\nfigure("{key}", 1)\n```\n' for key in "xyy")
    (tmp_path / "book/a.md").write_text(f"{HEAD}# A\n{cells}\nWords {{glue:text}}`y`.\n")
    (tmp_path / "book/draft.md").write_text("# Draft\n\nCosts 64 KB.\n")

    def executed(path: Path) -> object:
        if path.name != "a.md":
            raise cache.NotBuilt(f"{path.name} is not built")
        codes = [v4.new_code_cell(f'figure("{key}", 1)', outputs=[record(key)]) for key in "xyy"]
        codes[0].outputs.append(v4.new_output("display_data", {"image/svg+xml": "<svg/>"}))
        return v4.new_notebook(cells=codes)

    monkeypatch.setattr(cache, "executed", executed)
    return tmp_path


def test_book_is_linted_chapter_by_chapter(tiny: Path) -> None:
    findings = lint.by_chapter(tiny)
    assert list(findings) == ["index", "a", "draft"]
    assert findings["index"] == []
    assert [(f.path, f.line, f.rule) for f in findings["a"]] == [
        ("book/a.md", 7, "alt-text"),
        ("book/a.md", 15, "duplicate-key"),
    ]
    assert [str(f).split(": ")[0] for f in findings["draft"]] == ["book/draft.md:3"]
    assert lint.lint_book(tiny) == [f for made in findings.values() for f in made]


@pytest.mark.parametrize(
    ("value", "formula", "lines"), [(1, "", [7]), (1.5, "", [7]), (1, "one", []), ("fits", "", [])]
)
def test_a_number_says_how_it_comes_about(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, value: object, formula: str, lines: list[int]
) -> None:
    notebook = cache.executed(tiny / "book/a.md")
    output = notebook.cells[0].outputs[0]
    output.metadata["bookproof"] = {"value": value, "formula": formula}
    monkeypatch.setattr(cache, "executed", lambda path: notebook)
    unexplained = [each for each in lint.by_chapter(tiny)["a"] if each.rule == "no-formula"]
    assert [each.line for each in unexplained] == [line + 1 for line in lines]


def test_claim_is_looked_for_in_the_last_build(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (tiny / "book/a.md").read_text()
    claimed = '\n```{code-cell} python3\nclaim("so", 1 < 2)\n```\n\nIt is {claim}`so <so>`.\n'
    (tiny / "book/a.md").write_text(text + claimed)
    notebook = cache.executed(tiny / "book/a.md")
    notebook.cells.append(v4.new_code_cell('claim("so", 1 < 2)'))
    monkeypatch.setattr(cache, "executed", lambda path: notebook)
    idle = [finding for finding in lint.by_chapter(tiny)["a"] if finding.rule == "idle-claim"]
    assert [finding.line for finding in idle] == [
        (text + claimed).split("claim(")[0].count("\n") + 1
    ]


def test_chapter_that_is_not_built_is_a_finding(tiny: Path) -> None:
    (tiny / "book/draft.md").write_text(f"{HEAD}# Draft\n\nWords {{glue:text}}`n`.\n")
    [finding] = lint.by_chapter(tiny)["draft"]
    assert (finding.rule, finding.message) == ("not-built", "draft.md is not built")


def test_page_that_is_not_there_is_named(tiny: Path) -> None:
    (tiny / "book/a.md").unlink()
    with pytest.raises(book.BookError, match="names book/a, and there is no such page"):
        book.chapters(tiny)
