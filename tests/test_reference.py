"""The API reference: every public name has its entry, written as its docstring means it, with its source."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from bs4 import BeautifulSoup
from sphinx.util.inventory import InventoryFile

import bookproof
import bytegrad
from bookproof import reference
from bytegrad import (
    budget,
    data,
    faults,
    functional,
    memory,
    nn,
    optim,
    parallel,
    pictures,
    planner,
    random,
    rules,
)
from tests.tiny_book import REPO

SITE = REPO / "_build/html"
ROOMS = (
    bytegrad, functional, nn, optim, data, parallel, random, memory, budget, planner, pictures, faults, rules,
    bookproof,
)  # fmt: skip
PAGES = sorted(SITE.glob("book/api-*.html"))


def public(room: ModuleType) -> set[str]:
    """Return a room's public names that are no rooms themselves; those it makes where it lists none."""
    names = getattr(room, "__all__", None) or [
        name
        for name, value in vars(room).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == room.__name__
    ]
    return {name for name in names if not isinstance(getattr(room, name), ModuleType)}


def entries() -> set[str]:
    with (SITE / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    return {
        name for domain, found in inventory.items() if domain.startswith("py:") for name in found
    }


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_every_public_name_has_an_entry(room: ModuleType) -> None:
    listed = {name.rpartition(".")[2] for name in entries()}
    assert public(room)
    assert public(room) - listed == set()


def test_every_operation_of_tensor_has_an_entry() -> None:
    methods = {
        f"bytegrad.Tensor.{name}"
        for name in dir(bytegrad.Tensor)
        if not name.startswith("_") and callable(getattr(bytegrad.Tensor, name))
    }
    assert methods - entries() == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_docstrings_read_as_text(path: Path) -> None:
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = page.select_one("article.bd-article")
    assert article is not None
    assert article.select("a.reference.internal .viewcode-link")
    for code in article.select("pre, code, .sig"):
        code.decompose()
    text = article.get_text()
    assert re.findall(r"``|:\w+:`|\[[a-z]+\d{4}\]|\\[*|]", text) == []


def test_pages_exist() -> None:
    assert len(PAGES) >= 8


def test_sources_become_citations_and_code_stays() -> None:
    marked = reference.marked("Source: [chen2016]; `a * [chen2016]`, f(*inputs) is |x|")
    assert marked == r"Source: :cite:t:`chen2016`; `a * [chen2016]`, f(\*inputs) is \|x\|"


def test_times_are_those_of_the_cards() -> None:
    page = BeautifulSoup(
        (SITE / "book/instructors.html").read_text(encoding="utf-8"), "html.parser"
    )
    rows = page.select("table.chapter-times tbody tr")
    minutes = 0
    for row in rows[:-1]:
        cells = [cell.get_text().strip() for cell in row.select("td")]
        address = row.select_one("a[href]")
        assert address is not None
        other = BeautifulSoup(
            (SITE / "book" / address["href"]).read_text(encoding="utf-8"), "html.parser"
        )
        card = other.select_one(".chapter-card")
        assert card is not None
        assert f"difficulty {cells[1]} of 3 · about {cells[2]} minutes" in card.get_text()
        minutes += int(cells[2])
    assert f"{minutes}" == rows[-1].select("td")[2].get_text().strip()
    assert {"book/instructors.html"} == {
        path.relative_to(SITE).as_posix()
        for path in SITE.glob("book/*.html")
        if "chapter-times" in path.read_text(encoding="utf-8")
    }
