"""Terms in the lint: in the glossary, and linked where a chapter first uses them."""

from pathlib import Path

import pytest

from bookproof.lint import Known, lint_book, lint_text
from bookproof.prose import read

GLOSSARY = ["batch", "leaf", "Adam", "chain rule", "gradient", "gradient accumulation", "no_grad"]
GLOSSARY += ["Function", "SGD"]


def places(text: str) -> list[tuple[int, str]]:
    findings = lint_text(text, path="book/x.md", known=Known(glossary=GLOSSARY))
    return [(finding.line, finding.rule) for finding in findings]


def test_term_that_the_glossary_lacks() -> None:
    text = "# T\n\nThe {term}`batches <batch>`,\nthe {term}`chain-rule`.\n"
    [finding] = lint_text(text, path="book/x.md", known=Known(glossary=GLOSSARY))
    assert (finding.line, finding.rule) == (4, "undefined-term")
    assert "no term 'chain-rule' (it does have 'chain rule')" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "A batch comes.\n\nThe {term}`batch`.",
        "Two batches come.\n\nThe {term}`batch`.",
        "Its leaves come.\n\nThe {term}`leaf`.",
        "Words, use Adam.",
        "Adam comes first, then Adam again.",
        "Plain SGD.",
        "By the chain rule.",
        "Under no_grad it does not.",
        "Two gradient accumulations.",
        "The gradient.\n\nThe {term}`Gradients <gradient>`.",
    ],
)
def test_term_used_before_it_is_linked(text: str) -> None:
    assert places(f"# T\n\n{text}\n") == [(3, "unlinked-term")]


@pytest.mark.parametrize(
    "text",
    [
        "A {term}`batch`, then a batch.",
        "Functions are everyday words. Function or not: Function.",
        "The option sgd.",
        "Everyday words: a batch, its leaves, a gradient.",
        "By the {term}`chain rule`, and by the chain rule again.",
        "By the {term}`chain rule <Chain Rule>`, and by the chain rule again.",
        "The {term}`gradient accumulation` comes before the {term}`gradient`.",
        "## Adam and the chain rule\n\nWords.",
        "- use Adam\n- and the chain rule",
        "```{chapter-card}\n:tier: Words\n\nYou need the chain rule.\n```",
        "```{figure} x.png\n:alt: The chain rule.\n```\n\nThe {term}`chain rule`.",
        "Call `no_grad()` or adam, a batchwise thing.\n\nThe {term}`batch`.",
        "```{glossary}\nchain rule\n  Along a path.\n```\n\nUse Adam.",
    ],
)
def test_term_that_is_linked_or_none(text: str) -> None:
    assert places(f"# T\n\n{text}\n") == []


def test_list_of_objectives_is_only_in_the_opening() -> None:
    text = "# T\n\n- say what Adam is\n\n## S\n\n- use Adam\n"
    assert places(text) == [(7, "unlinked-term")]


def test_glossary_is_read() -> None:
    page = read("```{glossary}\nchain rule\n  Along a path.\n\nAdam : n\n  A rule.\n```\n")
    assert page.glossary == ["chain rule", "Adam"]


def test_glossary_of_one_page_serves_the_book(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n", encoding="utf-8")
    (book / "index.md").write_text("# I\n\nUse {term}`tape`, {term}`tap`.\n", encoding="utf-8")
    (book / "words.md").write_text("```{glossary}\ntape\n  A list.\n```\n", encoding="utf-8")
    assert [str(found).split("; ")[0] for found in lint_book(tmp_path)] == [
        "book/index.md:3: undefined-term: the glossary has no term 'tap' (it does have 'tape')"
    ]
