"""The page of checked claims: each statement has one verdict, a run of its own, and the chapter that explains it."""

import re

import pytest
import yaml

from bookproof import prose
from tests.tiny_book import REPO

TEXT = (REPO / "book/claims.md").read_text(encoding="utf-8")
TOC = yaml.safe_load((REPO / "_toc.yml").read_text(encoding="utf-8"))
PARTS = {
    part["caption"]: [page["file"].removeprefix("book/") for page in part["chapters"]]
    for part in TOC["parts"]
}
CHAPTERS = [name for part, names in PARTS.items() if part != "Back matter" for name in names]
VERDICTS = ("holds", "holds with a correction", "does not hold", "None of the three holds")
LISTED = 24
"""How many widespread statements the course set out to check; several say more than one thing."""
CLAIM = re.compile(r"\{claim\}`([^`<]+) <(\w+)>`")
OPENING, *GROUPS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
ROWS = {
    re.sub(
        r"\{term\}`([^`<]+?)(?: <[\w-]+>)?`", r"\1", quoted
    ): verdict  # the table comes first, and links the terms
    for quoted, verdict in re.findall(r"^\| (“.+”) \| (.+) \|$", OPENING, re.MULTILINE)
}


def statements(group: str) -> dict[str, str]:
    """Return the text below each statement of a group."""
    _, *sections = re.split(r"^### ", group, flags=re.MULTILINE)
    return {head: body for head, _, body in (section.partition("\n") for section in sections)}


SECTIONS = {head: body for group in GROUPS for head, body in statements(group).items()}
every_statement = pytest.mark.parametrize("statement", SECTIONS)


def test_groups_are_the_parts_of_the_book() -> None:
    groups = [group.partition("\n")[0] for group in GROUPS]
    assert groups == [part for part in PARTS if part not in ("Start here", "Back matter")]
    assert all(statements(group) for group in GROUPS)


def test_every_statement_of_the_list_is_there_and_has_its_line_in_the_table() -> None:
    assert len(SECTIONS) == TEXT.count("\n### ") >= LISTED
    assert list(ROWS) == list(SECTIONS)


@every_statement
def test_statement_is_quoted_and_has_one_verdict_which_the_table_repeats(statement: str) -> None:
    assert re.fullmatch("“.+”", statement)
    marked = CLAIM.findall(SECTIONS[statement])
    assert [words for words, _ in marked] == [words for words, _ in CLAIM.findall(ROWS[statement])]
    [(words, name)] = marked
    assert words in VERDICTS
    assert ROWS[statement] == f"{{claim}}`{words} <{name}>`"


@every_statement
def test_verdict_is_borne_out_by_a_run_of_its_own_section(statement: str) -> None:
    [(_, name)] = CLAIM.findall(SECTIONS[statement])
    sources = [cell.source for cell in prose.read(SECTIONS[statement]).cells]
    assert sum(f'claim("{name}", ' in source for source in sources) == 1


@every_statement
def test_statement_links_to_a_chapter_that_explains_it(statement: str) -> None:
    links = re.findall(r"\[\]\(([\w-]+)\.md\)", SECTIONS[statement])
    assert set(links) & {*CHAPTERS, "kept"}


@every_statement
def test_statement_takes_no_more_than_a_screen(statement: str) -> None:
    lines = SECTIONS[statement].splitlines()
    assert len(lines) <= 70, len(lines)
