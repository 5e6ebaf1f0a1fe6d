"""Each profile of book/profiles builds strictly, and its pages differ where and only where its settings say so."""

import re
import tomllib
from copy import copy as copied
from dataclasses import dataclass
from functools import cache as kept_once
from functools import lru_cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from bookproof import book, cache, course, lock, locked
from tests.tiny_book import REPO
from tests.tools import program

drift = program("drift")
FOLDER = Path("book", "profiles")
NAMES = ["16-gb-card", "80-gb-card", "laptop"]
DEFAULT, *OTHERS = NAMES
ARTICLE = re.compile(r'<article class="bd-article.*?</article>', re.DOTALL)
# What a run gave: the numbers in prose, outputs and pictures; and the card, which counts the words of all that.
COMPUTED = "[data-figure], .tie-note, div.cell_output, figure img, figure svg, .chapter-card"
COUNTS = "status"  # the page that tells of the last build
PRINTS = "instructors"  # the page that shows the file itself


@dataclass(frozen=True)
class Built:
    """What a build with one profile shows and keeps."""

    pages: dict[str, str]
    kept: dict[str, dict[str, locked.Entry]]

    def parsed(self, name: str) -> Tag:
        """The article of a page, to be changed at will."""
        return copied(_parsed(self.pages[name]))


@lru_cache
def _parsed(text: str) -> Tag:
    page = BeautifulSoup(text, "html.parser").article
    assert page is not None
    return page


def shown(page: Tag) -> dict[str, str]:
    """Return what the text shows of each figure, by its name."""
    return {
        str(link["data-figure"]): link.get_text()
        for link in page.select("[data-figure]")
        if "::" not in str(link["data-figure"])  # of another chapter
    }


def words(page: Tag) -> str:
    """Return a page's text, with cells' code and alternative texts, and a mark in place of what is computed."""
    page = copied(page)
    alternatives = [str(image.get("alt")) for image in page.select("figure img")]
    for box in page.select(COMPUTED):
        box.replace_with("□")
    return "\n".join([" ".join(page.get_text().split()), *alternatives])


def typed(page: Tag, changing: dict[str, set[str]]) -> list[str]:
    """Return what prose says by hand that a figure says otherwise where the settings are others."""
    page = copied(page)
    for box in page.select(f"{COMPUTED}, div.cell_input, .given, .solution, .exercise"):
        box.replace_with("□")
    text = " ".join(page.get_text().split())
    # A bare number or a single word stands for many things; a verdict or a size with its unit for one.
    said = {" ".join(each.split()) for both in changing.values() for each in both}
    return sorted(
        each for each in said if " " in each and re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text)
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """The book built strictly with each profile and linted, in one copy of the repository."""
    copy = drift.Copy.make(tmp_path_factory.mktemp("profiles"))
    found = {}
    for name in NAMES:
        if name != DEFAULT:
            settings = (copy.root / FOLDER / f"{name}.toml").read_bytes()
            (copy.root / course.FILE).write_bytes(settings)
            assert not copy.red("build"), copy.said["build"]
        assert not copy.red("lint"), copy.said["lint"]
        found[name] = Built(
            {
                path.stem: ARTICLE.search(path.read_text(encoding="utf-8"))[0]  # type: ignore[index]
                for path in (copy.root / "_build/html/book").glob("*.html")
            },
            lock.collect(copy.root),
        )
    return found


@kept_once
def readers() -> set[str]:
    """Return the chapters whose cells depend on the settings."""
    return {
        path.stem
        for path in book.chapters(REPO)
        if cache.is_notebook(path)
        and REPO / course.FILE in cache.dependencies(cache.read(path, REPO), REPO)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_a_whole_file(name: str) -> None:
    text = (REPO / FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    said = {section: set(keys) for section, keys in tomllib.loads(text).items()}
    assert said == {section: set(keys) for section, keys in course.RULES.items()}
    course.load(REPO / FOLDER / f"{name}.toml")


def test_the_first_profile_is_what_the_book_is_published_with() -> None:
    assert course.load(REPO / FOLDER / f"{DEFAULT}.toml") == course.load(REPO / course.FILE)
    assert {path.stem for path in (REPO / FOLDER).iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", OTHERS)
def test_pages_that_read_no_settings_are_the_same_to_the_byte(
    name: str, built: dict[str, Built]
) -> None:
    old, new = built[DEFAULT].pages, built[name].pages
    assert old.keys() == new.keys()
    differing = {page for page in old if old[page] != new[page]}
    assert differing <= readers() | {COUNTS, PRINTS}
    assert "budget" in readers()


@pytest.mark.parametrize("name", OTHERS)
def test_a_page_differs_in_what_is_computed_and_in_nothing_else(
    name: str, built: dict[str, Built]
) -> None:
    for page in readers():
        assert words(built[DEFAULT].parsed(page)) == words(built[name].parsed(page))


@pytest.mark.parametrize("name", OTHERS)
def test_the_figures_that_differ_are_those_the_lock_says(
    name: str, built: dict[str, Built]
) -> None:
    """The page is what a browser gets, the lock what the cells left."""
    for page in readers():
        old, new = (shown(built[each].parsed(page)) for each in (DEFAULT, name))
        before, after = (built[each].kept[page] for each in (DEFAULT, name))
        assert before.keys() == after.keys()
        assert {key for key in old if old[key] != new[key]} == {
            key
            for key in old
            if isinstance(before[key], locked.Locked) and before[key].said() != after[key].said()
        }


def differing(name: str, page: str, built: dict[str, Built]) -> dict[str, set[str]]:
    """Return the figures of a page that two profiles show in two ways, with both."""
    old, new = (shown(built[each].parsed(page)) for each in (DEFAULT, name))
    return {key: {old[key], new[key]} for key in old if old[key] != new[key]}


@pytest.mark.parametrize("name", OTHERS)
def test_no_sentence_says_by_hand_what_the_settings_decide(
    name: str, built: dict[str, Built]
) -> None:
    for page in readers():
        changing = differing(name, page, built)
        for each in (DEFAULT, name):
            assert typed(built[each].parsed(page), changing) == []


@pytest.mark.parametrize("key", ["verdict", "states", "tf_verdict"])
def test_a_conclusion_typed_by_hand_is_found(key: str, built: dict[str, Built]) -> None:
    page = built[DEFAULT].parsed("budget")
    links = page.select(f'[data-figure="{key}"]')
    said = " ".join(links[0].get_text().split())
    for link in links:
        link.replace_with(said)
    for note in page.select(".tie-note"):
        note.decompose()
    assert said in typed(page, differing("80-gb-card", "budget", built))


def test_what_differs_on_the_larger_card_is_what_hangs_on_card_and_transformer(
    built: dict[str, Built],
) -> None:
    changed = differing("80-gb-card", "budget", built)
    assert {"card", "verdict", "verdict_gb", "place", "most_gb", "gap", "tf_floor"} <= set(changed)
    assert not {"model", "states", "each", "adam_each", "gpt2_passed", "elements"} & set(changed)
    assert differing("80-gb-card", "memory", built) == {}


def test_the_verdicts_of_the_three_cards(built: dict[str, Built]) -> None:
    said = {name: shown(each.parsed("budget"))["verdict"] for name, each in built.items()}
    said = {name: " ".join(text.split()) for name, text in said.items()}
    assert said == {
        "16-gb-card": "fill the card exactly, and leave nothing for the activations",
        "80-gb-card": "fit, and leave 64 GB for the activations",
        # 8 · 2³⁰ B, less three numbers of 4 B for each of 10⁸ parameters
        "laptop": f"fit, and leave {(8 * 2**30 - 12 * 10**8) / 1e9:.2f} GB for the activations",
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_transformer_is_counted_as_the_settings_say(name: str, built: dict[str, Built]) -> None:
    settings = tomllib.loads((REPO / FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    shape = settings["transformer"]
    L, h, a, s = (shape[key] for key in ("layers", "hidden", "heads", "sequence"))  # noqa: N806
    parameters = L * (12 * h * h + 13 * h) + (shape["vocabulary"] + s) * h + 2 * h
    remembered = {"sgd": 0, "momentum": 1, "adam": 2}[settings["model"]["optimizer"]]
    states = parameters * (2 + 2 + 4 + 4 * remembered)
    row = L * s * h * (34 + 5 * a * s / h)
    card = (
        settings["hardware"]["card"]
        * {"GB": 10**9, "GiB": 2**30}[settings["hardware"]["card_unit"]]
    )
    largest = int((card - states) // row)
    said = shown(built[name].parsed("budget"))
    assert said["tf_largest"] == f"{largest:,}"
    assert said["tf_passed"] == f"{int(states // row) + 1:,}"
    short = states + shape["batch"] * row - card
    expected = (
        r"does not fit: it is ([\d.]+)\sGB" if short > 0 else r"fits, and leaves ([\d.]+)\sGB"
    )
    number = re.match(expected, said["tf_verdict"])
    assert number is not None, said["tf_verdict"]
    assert float(number[1]) == pytest.approx(abs(short) / 1e9, rel=0.01)


def test_the_three_transformers_show_both_verdicts(built: dict[str, Built]) -> None:
    said = {shown(each.parsed("budget"))["tf_verdict"].split(":")[0] for each in built.values()}
    assert "does not fit" in said
    assert any(text.startswith("fits") for text in said)
