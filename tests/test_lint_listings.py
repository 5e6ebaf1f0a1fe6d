"""Listings in the lint: what is included exists, and no cell runs out of sight."""

from pathlib import Path

import pytest

from bookproof.lint import Finding, Known, lint_text
from bookproof.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
HEAD = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
"""


@pytest.fixture(scope="module")
def known() -> Known:
    return Known(vocabulary=Vocabulary(ROOT))


def found(text: str, known: Known) -> list[Finding]:
    return lint_text(text, path="book/x.md", known=known)


@pytest.mark.parametrize(
    ("target", "wanted", "seen"),
    [
        ("../src/bytegrad/valeu.py", "", "there is no such file (the nearest there is value.py)"),
        ("../src/nowhere/x.py", "", "there is no such file"),
        ("/src/bytegrad/valeu.py", "", "there is no such file (the nearest there is value.py)"),
        (
            "../src/bytegrad/value.py",
            "Value.backwards",
            "is included for Value.backwards, which it does not define (the nearest there is Value.backward)",
        ),
        (
            "../src/bytegrad/value.py",
            "topological_orders",
            "the nearest there is topological_order",
        ),
    ],
)
def test_listing_that_is_gone(target: str, wanted: str, seen: str, known: Known) -> None:
    option = f":pyobject: {wanted}\n" if wanted else ""
    text = f"# T\n\nWords.\n\n```{{literalinclude}} {target}\n:language: python\n{option}```\n"
    [finding] = found(text, known)
    assert (finding.line, finding.rule) == (5, "listing-gone")
    assert seen in finding.message


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("../src/bytegrad/value.py", "Value"),
        ("../src/bytegrad/value.py", "Value.backward"),
        ("/src/bytegrad/value.py", "topological_order"),
        ("course.toml", ""),
    ],
)
def test_listing_that_is_there(target: str, wanted: str, known: Known) -> None:
    option = f":pyobject: {wanted}\n" if wanted else ""
    assert found(f"# T\n\n```{{literalinclude}} {target}\n{option}```\n", known) == []


@pytest.mark.parametrize(
    "options",
    [
        ":tags: [remove-cell]\n",
        ":tags: [hide-output, remove-input]\n",
        ":tags: remove-cell\n",
        ':tags: ["remove-cell"]\n',
        "---\ntags: [remove-input]\n---\n",
    ],
)
def test_cell_that_no_reader_sees(options: str, known: Known) -> None:
    [finding] = found(f"{HEAD}# T\n\n```{{code-cell}} python3\n{options}1\n```\n", known)
    assert (finding.line, finding.rule) == (7, "unseen-cell")
    assert "hide-input" in finding.message


@pytest.mark.parametrize("tag", ["hide-input", "hide-cell", "remove-output", "raises-exception"])
def test_cell_that_can_be_opened(tag: str, known: Known) -> None:
    assert found(f"{HEAD}# T\n\n```{{code-cell}} python3\n:tags: [{tag}]\n1\n```\n", known) == []
