"""What every chapter has."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from bookproof import book, lock, locked
from bookproof.pace import GRADES
from tests.tiny_book import REPO

BESIDE = "Back matter"
TOC = yaml.safe_load((REPO / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [
    REPO / f"{page['file']}.md"
    for part in TOC["parts"]
    if part["caption"] != BESIDE
    for page in part["chapters"]
]
INDEX = (REPO / "book/index.md").read_text(encoding="utf-8")
SECTIONS = [
    "Pitfalls",
    "Check your understanding",
    "Exercises",
    "Key takeaways",
    "What comes next",
    "Further reading",
]
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def sections(chapter: Path) -> dict[str, str]:
    """Return the text of each section by its heading; the text before the first under ""."""
    parts = re.split(r"^## (.+)$", chapter.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@every_chapter
def test_chapter_opens_with_its_card_a_question_and_objectives(chapter: Path) -> None:
    opening = sections(chapter)[""]
    assert "{chapter-card}" in opening
    assert "?" in opening, "no question"
    _, found, objectives = opening.partition("After this chapter you can")
    assert found
    assert len(re.findall(r"^- ", objectives, re.MULTILINE)) >= 3


@every_chapter
def test_chapter_ends_with_what_every_chapter_ends_with(chapter: Path) -> None:
    found = list(sections(chapter))
    assert [name for name in found if name in SECTIONS] == SECTIONS


@every_chapter
def test_questions_have_folded_answers(chapter: Path) -> None:
    text = sections(chapter)["Check your understanding"]
    questions = len(re.findall(r"^\d+\. ", text, re.MULTILINE))
    assert 3 <= questions <= 6
    assert text.count("{dropdown}") == questions


def grades(chapter: Path) -> list[str]:
    text = chapter.read_text(encoding="utf-8")
    return re.findall(r"\{exercise-start\}[^`]*```\s*\*(\w+)\.\*", text)


@pytest.mark.parametrize("chapter", [REPO / "book/index.md", *CHAPTERS], ids=lambda path: path.stem)
def test_exercises_rise_from_easy_to_hard_and_one_asks_of_the_system(chapter: Path) -> None:
    found = grades(chapter)
    text = chapter.read_text(encoding="utf-8")
    assert len(found) == text.count("{exercise-start}") >= 4
    steps = [list(GRADES).index(grade) for grade in found if grade != "Systems"]
    assert all(earlier <= later for earlier, later in pairwise(steps)), found
    assert "Systems" in found
    assert "Easy" in found


@every_chapter
def test_chapter_has_a_picture_index_entries_and_terms(chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")
    pictures = [key for key in lock.entries(chapter) if key.startswith(locked.PICTURE)]
    assert pictures
    assert text.count("{index}") >= 3
    assert text.count("{term}") >= 2
    assert text.count("{cite:t}") >= 2


NOT_READ = "div.cell, .highlight, .math, .katex, .headerlink, .tie-note, script, style, svg"


@every_chapter
def test_card_agrees_with_an_independent_count_of_the_built_page(chapter: Path) -> None:
    """The card counts nodes while Sphinx reads; this counts what a browser gets."""
    html = (REPO / f"_build/html/book/{chapter.stem}.html").read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    assert page is not None
    card = page.select_one(".chapter-card")
    assert card is not None
    said = re.search(r"about (\d+) minutes \(([\d,]+) words, (\d+) cells\)", card.get_text())
    assert said is not None
    minutes, words, cells = (int(number.replace(",", "")) for number in said.groups())
    for practice in page.select(".exercise, .solution"):
        practice.decompose()
    shown = [box for box in page.select("div.cell") if not box.select_one("details")]
    lines = sum(
        len(code.get_text().strip().splitlines())
        for box in shown
        for code in box.select(".cell_input pre")
    )
    for box in page.select(NOT_READ):
        box.decompose()
    assert cells == len(shown)
    assert words == pytest.approx(len(page.get_text(" ").split()), rel=0.06)
    assert minutes == pytest.approx(words / 200 + lines / 20 + cells, abs=3)


@every_chapter
def test_pytorch_stands_beside_what_it_shares(chapter: Path) -> None:
    assert "{torch}" in chapter.read_text(encoding="utf-8") or chapter.stem == "notation"


def test_sources_can_be_looked_up() -> None:
    """Each has a DOI, or an address where it never had one."""
    entries = (REPO / "book/references.bib").read_text(encoding="utf-8").split("\n@")[1:]
    assert entries
    for entry in entries:
        assert re.search(r"^\s*(doi|url|isbn)\s*=", entry, re.MULTILINE | re.IGNORECASE), entry


def test_chapters_are_those_of_the_six_parts() -> None:
    captions = [part["caption"] for part in TOC["parts"]]
    assert captions[-1] == BESIDE
    assert len(captions) == 7
    assert {path.name for path in CHAPTERS} < {path.name for path in book.chapters(REPO)}


def test_the_map_on_the_first_page_has_the_chapters_titles() -> None:
    """Its cell also runs in a notebook of its own, far from the chapters, so it cannot read them."""
    (cell,) = re.findall(r"^chapters = \{\n(.*?)^\}", INDEX, re.MULTILINE | re.DOTALL)
    shown = dict(re.findall(r'^    "([\w-]+)": \("([^"]+)",', cell, re.MULTILINE))
    titles = {
        name: re.findall("^# (.+)$", (REPO / f"book/{name}.md").read_text(encoding="utf-8"), re.M)[
            0
        ]
        for name in shown
    }
    assert shown == titles
    assert len(shown) >= len(CHAPTERS)
