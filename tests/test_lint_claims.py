"""Claims in the lint: comparing words beside a figure, and claims that are not what they should be."""

import pytest

from bookproof.lint import Finding, Known, lint_text
from bookproof.prose import read

HEAD = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
"""


def found(text: str, **known: object) -> list[Finding]:
    return lint_text(text, path="book/x.md", known=Known(**known))  # type: ignore[arg-type]


def places(text: str, **known: object) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in found(text, **known)]


COMPARED = [
    ("It keeps {glue:text}`n`, more than before.", "more"),
    ("The first needs fewer bytes: {glue:text}`n`.", "fewer"),
    ("It is larger than {glue:text}`n`.", "larger"),
    ("The sum {glue:text}`n` fits.", "fits"),
    ("It exceeds the card by {glue:text}`n`.", "exceeds"),
    ("This halves them to {glue:text}`n`.", "halves"),
    ("At most {glue:text}`n` go in.", "most"),
    ("At least {glue:text}`n` are kept.", "least"),
    ("Only {glue:text}`n` are kept.", "Only"),
    ("Both take the same: {glue:text}`n`.", "same"),
    ("Both take the same number of bytes, {glue:text}`n`.", "same"),
    ("Both are equal to {glue:text}`n`.", "equal"),
    ("Of {glue:text}`n` calls none keeps it.", None),
    ("Of {glue:text}`n`, and none is wider.", "none"),
    ("Of {glue:text}`n`, None keeps it.", "None"),
    ("The kept bytes grow to {glue:text}`n`.", "grow"),
    ("It takes {glue:text}`n`, as much as the rest.", "as much as"),
    ("It is up to {glue:text}`n` here.", "up to"),
    ("It ends at {glue:text}`n`, a little under the limit.", "a little under"),
    ("Of these, {glue:text}`n` keep nothing.", "keep nothing"),
    ("The largest is {glue:text}`n`.", "largest"),
    ("The larger one is larger than {glue:text}`n`.", "larger"),
    ("It takes {glue:text}`n` (e.g. more on Mondays).", "more"),
    ("They differ from {glue:text}`n`.", "differ"),
]


@pytest.mark.parametrize(("text", "word"), COMPARED)
def test_comparing_word_beside_a_figure_is_found(text: str, word: str | None) -> None:
    findings = found(f"# T\n\nWords.\n{text}\n")
    if word is None:
        assert findings == []
        return
    assert (findings[0].line, findings[0].rule) == (4, "unmarked-claim")
    assert f"\u201c{word}\u201d stands in one sentence with a figure" in findings[0].message
    assert "{claim}`words <a_name>`" in findings[0].message


@pytest.mark.parametrize(
    "text",
    [
        "It keeps {glue:text}`n`. Now there is more of it; fewer of those.",
        "More is kept. It is {glue:text}`n`, as you see! The largest comes next.",
        "Is it more or less than {glue:text}`n`?",
        "The larger unit is {glue:text}`n`, and the shorter chain has the same call.",
        "It is no longer {glue:text}`n`, nor any longer a secret, and was said more than once.",
        "It shows how fast the loss grows: {glue:text}`n`.",
        "They differ by {glue:text}`n`, or {glue:text}`m` times as fast as it was.",
        "A slope needs none of them, which leaves {glue:text}`n`; it does the same, at {glue:text}`n`.",
        "More, fewer, larger, exceeds and twice, with no figure in the sentence.",
        "- more\n- {glue:text}`n`\n- fewer",
        "| more | {glue:text}`n` |\n|:--|:--|\n| fewer | {glue:text}`n` |",
        "The cost of `more + less` is {glue:text}`n`.",
    ],
)
def test_what_compares_no_figure_is_left_alone(text: str) -> None:
    assert found(f"# T\n\n{text}\n") == []


CELL = """
```{code-cell} python3
claim("keeps_more", a > b)
```
"""


def test_marked_words_may_compare() -> None:
    text = f"{HEAD}# T\n{CELL}\n{{claim}}`It keeps more <keeps_more>`, {{glue:text}}`n`.\n"
    assert found(text) == []
    assert places(text.replace("`n`.", "`n`, and fewer.")) == [(11, "unmarked-claim")]


def test_ratio_in_words_is_what_a_claim_is_for_and_a_number_is_not() -> None:
    cells = f"{HEAD}# T\n{CELL}\n"
    assert (
        found(f"{cells}It takes {{claim}}`twice as many, or half the bytes <keeps_more>`.\n") == []
    )
    for typed in (
        "64 KiB of them",
        "four bytes",
        "2\u00d7 the bytes",
        "10 times it",
        "0.2689 of it",
    ):
        [finding] = found(f"{cells}It takes {{claim}}`{typed} <keeps_more>`.\n")
        assert finding.line == 11
        assert finding.rule.startswith(("typed-", "bare-"))
    assert places(f"{cells}It takes {{claim}}`about 64 <keeps_more>` KiB.\n") == [
        (11, "typed-number")
    ]


def test_claim_that_no_cell_makes() -> None:
    text = f"{HEAD}# T\n{CELL}\n{{claim}}`so <keeps_more>`\n{{claim}}`more <keep_more>`.\n"
    [finding] = found(text)
    assert (finding.line, finding.rule) == (12, "undefined-claim")
    assert "claims 'keep_more' (it does claim 'keeps_more')" in finding.message


def test_claim_that_no_text_uses() -> None:
    [finding] = found(f"{HEAD}# T\n{CELL}")
    assert (finding.line, finding.rule) == (8, "unused-claim")
    assert "'keeps_more'" in finding.message


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("claim(name, a > b)", 8),
        ("x = 1\nclaim(f'{x}', a > b)", 9),
        ("claim('b_more')", 8),
        ("%time x\nclaim('keeps_more', 1)\nclaim('keeps_more', 2)", 10),
    ],
)
def test_claim_whose_name_cannot_be_told(source: str, line: int) -> None:
    text = f"{HEAD}# T\n\n```{{code-cell}} python3\n{source}\n```\n"
    if "keeps_more" in source:
        text += "\n{claim}`words <keeps_more>`\n"
    assert places(text) == [(line, "claim-form")]


def test_role_without_a_name() -> None:
    [finding] = found("# T\n\n{claim}`it keeps more`\n")
    assert (finding.line, finding.rule) == (3, "claim-form")
    assert "\u201cit keeps more\u201d is marked and names no claim" in finding.message


def test_claim_that_did_not_run() -> None:
    text = f"{HEAD}# T\n{CELL}\n{{claim}}`so <keeps_more>`\n"
    assert places(text, held={"keeps_more"}) == []
    assert places(text, held=None) == []
    assert places(text, held=()) == [(8, "idle-claim")]


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("For {given}`96` layers.", True),
        ("Take {given}`two` rows.", True),
        ("A start of {given}`0.5`.", True),
        ("Costs {given}`16 GB`.", False),
        ("Costs {given}`16` GB.", False),
        ("About {given}`2\u00d7`.", False),
        ("Costs {given}`0.0001`.", False),
        ("It takes {glue:text}`n`, {given}`more` than you think.", False),
        ("It takes {given}`more` than you think.", True),
    ],
)
def test_given_mark_that_guards_nothing(text: str, idle: bool) -> None:
    assert places(f"# T\n\nWords,\n{text}\n") == ([(4, "idle-given")] if idle else [])


def test_slides_and_notes_are_read() -> None:
    for name in ("slide", "notes", "speaker-notes"):
        text = f"# T\n\n```{{{name}}}\nWords.\n\nOnly {{glue:text}}`n`, and 64 KB.\n```\n"
        assert places(text) == [(6, "typed-number"), (6, "unmarked-claim")]


def test_reader_keeps_the_words_of_a_claim() -> None:
    page = read("It\nkeeps {claim}`more of\n it <keeps_more>` now.\n")
    [claimed] = page.claims
    assert (claimed.name, claimed.words, claimed.line) == ("keeps_more", "more of it", 2)
    assert page.passages[0].text == "It keeps more of it now."
