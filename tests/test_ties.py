"""What a reader sees of the proof: links to the cells, their notes, and counts that are true."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Browser, Page, expect

from bookproof import book, provenance
from bookproof.cache import executed
from tests.test_pages import OVERFLOW, SITE
from tests.tiny_book import HEAD, REPO, TinyBook

TIED = (
    HEAD
    + """# The {glue:text}`answer` of it

In a line {glue:text}`size`, again {glue:text}`size`, as a verdict {glue:text}`verdict`; it
{claim}`stays below a <b> hundred <below>`. On another page it takes {glue:text}`one.md::one_bytes:s`, and
[in a link {glue:text}`size`](one.md) it is text. Measured, it took {glue:text}`took`.

## Heading {glue:text}`size`

- in a list {glue:text}`size`

| in a table |
|:--|
| {glue:text}`wide` |

:::{dropdown} Folded {glue:text}`size`
In an answer {glue:text}`answer`.
:::

::::{tab-set}
:::{tab-item} Tab {glue:text}`size`
In a tab.
:::
::::

```{figure} _static/logo.svg
:alt: nothing
In a caption {glue:text}`answer`.
```

```{code-cell} ipython3
:tags: [hide-input]
from bookproof import claim, figure
from tiny.one import answer

figure("size", 1024 * answer(), "KiB", formula="1024 · <answer>")
figure("answer", answer())
figure("verdict", "fits" if answer() < 50 else "does not")
figure("wide", 1.25, "million parameters of a model with a long unit", formula="long " * 30)
claim("below", answer() < 100)
```

Between.

```{code-cell} ipython3
answer()
```

```{code-cell} ipython3
:tags: [hide-cell]
took = figure("took", 0.5, "s", measured=True)
print("here")
```

```{exercise-start} Try
:label: try
```
```{code-cell} ipython3
answer() + 1
```
```{exercise-end}
```
"""
)
STATUS = "# Proof\n\n```{proof-of-build}\n```\n"
# The contrast of each text with the nearest ground that is painted.
CONTRASTS = """() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor);
    return a === 1 || !e.parentElement ? [r, g, b] : ground(e.parentElement);
  };
  const light = rgb => rgb.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.querySelectorAll(".tie > a, .tie-how, .tie-where")].map(e => {
    const two = [light(parts(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
    return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
  });
}"""
# Notes that do not lie whole in the window, each link having the focus in its turn.
OUTSIDE = """() => {
  document.querySelectorAll("details").forEach(d => d.open = true);
  const links = [...document.querySelectorAll(".tie > a")].filter(a => a.checkVisibility({
    visibilityProperty: true
  }));
  return links.filter(a => {
    a.scrollIntoView({block: "center"});
    a.focus({preventScroll: true});
    const note = a.nextElementSibling.getBoundingClientRect();
    return !note.width || note.left < 0 || note.right > innerWidth || note.top < 0
      || note.bottom > innerHeight;
  }).map(a => a.textContent);
}"""
COLUMNS = ("cells", "folded", "figures", "places", "claims", "exercises")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    root = tmp_path_factory.mktemp("ties") / "book"
    book = TinyBook.create(root, ("status", STATUS), ("tied", TIED))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOURCE_DATE_EPOCH", "1790000000")
        done = book.build()
    assert done.status == 0, done.text
    return book


@pytest.fixture(scope="module")
def tied(tiny: TinyBook) -> BeautifulSoup:
    return soup(tiny.root / "_build/html", "tied")


@pytest.fixture
def page(tiny: TinyBook, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page with scripts off, at the width that a test names."""
    width = getattr(request, "param", 1440)
    context = browser.new_context(
        viewport={"width": width, "height": 700}, java_script_enabled=False, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto((tiny.root / "_build/html/book/tied.html").as_uri())
    yield page
    context.close()


def soup(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"book/{name}.html").read_text(encoding="utf-8"), "html.parser")


def ties(tied: BeautifulSoup, key: str) -> list[Tag]:
    return tied.select(f'[data-figure="{key}"], [data-claim="{key}"]')


def note(tied: BeautifulSoup, link: Tag) -> str:
    found = tied.find(id=link["aria-describedby"])
    assert isinstance(found, Tag)
    assert found["role"] == "tooltip"
    assert found not in link.descendants  # what is said about the link is not its name
    return " | ".join(part.get_text() for part in found.select("span"))


@pytest.mark.parametrize(
    ("key", "words", "target", "said"),
    [
        ("size", "42 KiB", "#cell-1", "42 KiB = 1024 · <answer> | 43,008 B, computed in cell 1"),
        ("answer", "42", "#cell-1", "computed in cell 1"),
        ("verdict", "fits", "#cell-1", "computed in cell 1"),
        ("took", "0.5 s", "#cell-3", "measured in cell 3 of this build; another run may differ"),
        ("below", "stays below a <b> hundred", "#cell-1", "answer() < 100 | asserted in cell 1"),
        (
            "book/one::one_bytes",
            "42 KiB",
            "one.html#cell-1",
            "42 KiB = 1024 · answer | 43,008 B, computed in cell 1 of “One”",
        ),
    ],
)
def test_words_link_to_their_cell_and_a_note_says_how_they_come_about(
    tied: BeautifulSoup, key: str, words: str, target: str, said: str
) -> None:
    links = [link for link in ties(tied, key) if link.name == "a"]
    assert {link.get_text().replace("\N{NO-BREAK SPACE}", " ") for link in links} == {words}
    assert {link["href"] for link in links} == {target}
    assert {note(tied, link).replace("\N{NO-BREAK SPACE}", " ") for link in links} == {said}


def test_a_figure_may_stand_anywhere_and_no_link_stands_in_another(tied: BeautifulSoup) -> None:
    sizes = ties(tied, "size")
    assert [link.name for link in sizes] == ["a", "a", "span", "a", "a", "span", "span"]
    for link, place in zip(sizes, ("p", "p", "a", "h2", "li", "summary", "label"), strict=True):
        assert link.find_parent(place), link
    assert {tag.name for link in ties(tied, "answer") for tag in link.parents} >= {
        *("h1", "details", "figcaption"),
    }
    assert ties(tied, "wide")[0].find_parent("td")
    assert not tied.select("a a, summary a, label a")
    ids = [tag["id"] for tag in tied.select("[id]")]
    assert len(ids) == len(set(ids))


def test_titles_contents_and_search_hold_the_words_alone(
    tiny: TinyBook, tied: BeautifulSoup
) -> None:
    assert tied.title is not None
    assert tied.title.get_text().startswith("The 42 of it")
    for place in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-footer"):
        for name in ("tied", "one"):
            contents = soup(tiny.root / "_build/html", name).select(place)
            assert not [tag for part in contents for tag in part.select(".tie, .tie-note")]
    assert "The 42 of it" in tied.select(".bd-sidebar-primary")[0].get_text()
    heading = tied.select(".bd-sidebar-secondary")[0].get_text()
    assert "Heading 42\N{NO-BREAK SPACE}KiB" in heading
    index = (tiny.root / "_build/html/searchindex.js").read_text(encoding="utf-8")
    assert "verdict" in index
    assert "43,008" not in index
    assert "tooltip" not in index


def test_the_place_of_a_cell_is_its_code_inside_the_fold(tied: BeautifulSoup) -> None:
    places = tied.select("[id^=cell-]")
    assert [place["id"] for place in places] == ["cell-1", "cell-2", "cell-3", "cell-4"]
    assert all("cell_input" in place["class"] for place in places)
    assert [bool(place.find_parent("details")) for place in places] == [True, False, True, False]


def test_a_link_opens_the_folded_cell_without_scripts(page: Page) -> None:
    for key, place in (("verdict", "#cell-1"), ("took", "#cell-3")):
        code = page.locator(place)
        expect(code).to_be_hidden()
        page.locator(f"a[data-figure={key}]").click()
        expect(code).to_be_visible()
        expect(code).to_be_in_viewport()
        assert page.locator(place).evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_a_link_to_another_page_goes_there(page: Page) -> None:
    page.locator('a[data-figure="book/one::one_bytes"]').click()
    expect(page).to_have_url(re.compile(r"/book/one\.html#cell-1$"))
    expect(page.locator("#cell-1")).to_be_in_viewport()


@pytest.mark.parametrize("page", [1440, 390], indirect=True)
def test_the_note_comes_with_pointer_and_focus_and_goes_with_them(page: Page) -> None:
    link = page.locator("a[data-figure=wide]")
    said = page.locator(f"#{link.get_attribute('aria-describedby')}")
    expect(said).to_be_hidden()
    link.hover()
    expect(said).to_be_visible()
    expect(said).to_be_in_viewport(ratio=1)
    assert page.evaluate(OVERFLOW) == ""
    # It can be read and marked: it stays while the pointer goes over to it.
    box, mark = said.bounding_box(), link.bounding_box()
    assert box is not None
    assert mark is not None
    if page.viewport_size and page.viewport_size["width"] > 1000:
        x, y = mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2
        for step in range(11):
            page.mouse.move(x, y + (box["y"] + box["height"] / 2 - y) * step / 10)
            expect(said).to_be_visible()
    page.mouse.move(5, 5)
    expect(said).to_be_hidden()
    link.evaluate("e => e.scrollIntoView({block: 'center'})")
    page.locator("li a[data-figure=size]").focus()
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(said).to_be_visible()
    page.keyboard.press("Shift+Tab")
    expect(said).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_notes_stand_out_from_their_ground(
    tiny: TinyBook, browser: Browser, theme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(color_scheme=theme)
    page.goto((tiny.root / "_build/html/book/tied.html").as_uri())
    ratios = page.evaluate(CONTRASTS)
    page.close()
    assert len(ratios) > 10
    assert min(ratios) >= 4.5


def test_no_note_is_printed(page: Page) -> None:
    page.locator("a[data-figure=verdict]").focus()
    page.emulate_media(media="print")
    assert page.locator(".tie-note").evaluate_all("a => a.every(e => !e.offsetParent)")
    expect(page.locator("#tie-4")).to_be_hidden()


def test_a_link_is_named_by_its_words_and_described_by_its_note(page: Page) -> None:
    link = page.locator("a[data-figure=size]").first
    expect(link).to_have_accessible_name("42\N{NO-BREAK SPACE}KiB")
    expect(link).to_have_accessible_description(re.compile("1024 · <answer> 43,008"))


def test_the_search_quotes_no_note(tiny: TinyBook, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((tiny.root / "_build/html/search.html").as_uri())
    html = (tiny.root / "_build/html/book/tied.html").read_text(encoding="utf-8")
    text = page.evaluate("html => Search.htmlToText(html)", html)
    page.close()
    assert "it stays below a <b> hundred. On another" in " ".join(text.split())
    assert "asserted in" not in text
    assert "computed in" not in text


def test_every_page_states_what_it_was_built_from(tiny: TinyBook, tied: BeautifulSoup) -> None:
    line = tied.select("p.proof-of-build")[0]
    root = tiny.root
    digest = provenance.digest(root / "src", ["tiny"])
    told = " ".join(line.get_text().split())
    assert told.startswith(
        "Proof of build: 4 cells of this page ran; 6 figures and 1 claim of its text were checked. "
        f"Built 2026-09-21 14:13 UTC from engine tiny {digest}, CPython 3."
    )
    assert ", NumPy " in told
    assert line.select('time[datetime="2026-09-21T14:13:20Z"]')
    assert [link["href"] for link in line.select("a")] == ["status.html"]
    assert not soup(root / "_build/html", "status").select("p.proof-of-build a")


def test_the_digest_is_of_paths_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.py").write_bytes(b"1")
    (tmp_path / "b.py").write_bytes(b"2")
    first = provenance.digest(tmp_path, ["one", "b.py"])
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert provenance.digest(tmp_path, ["b.py", "one"]) == first
    (tmp_path / "one" / "a.py").rename(tmp_path / "one" / "c.py")
    moved = provenance.digest(tmp_path, ["one", "b.py"])
    (tmp_path / "b.py").write_bytes(b"3")
    assert len({first, moved, provenance.digest(tmp_path, ["one", "b.py"])}) == 3
    assert provenance.digest(tmp_path, []) == ""


def counted(site: Path, name: str) -> list[int]:
    """What a reader of the page itself would count, in the order of the status page's columns."""
    page = soup(site, name)
    cells = [cell for cell in page.select("div.cell") if cell.select("div.cell_input")]
    figures = [tag["data-figure"] for tag in page.select("[data-figure]")]
    return [
        len(cells),
        sum(bool(cell.select("details div.cell_input")) for cell in cells),
        len(set(figures)),
        len(figures),
        len({tag["data-claim"] for tag in page.select("[data-claim]")}),
        len(page.select("div.exercise")),
    ]


def stated(site: Path) -> dict[str, list[int]]:
    """The rows of the status page by the page that they link to; the sums under an empty name."""
    rows = soup(site, "status").select("table.proof-of-build tbody tr")
    found = {}
    for row in rows:
        link = row.select_one("a")
        name = Path(str(link["href"])).stem if link else ""
        found[name] = [int(cell.get_text()) for cell in row.select("td")[1 : 1 + len(COLUMNS)]]
    return found


@pytest.mark.parametrize("which", ["tiny", "real"])
def test_the_status_page_counts_what_the_pages_show(which: str, tiny: TinyBook) -> None:
    site = tiny.root / "_build/html" if which == "tiny" else SITE
    rows = stated(site)
    sums = rows.pop("")
    assert rows == {name: counted(site, name) for name in rows}
    assert sums == [sum(column) for column in zip(*rows.values(), strict=True)]
    others = {path.stem for path in (site / "book").glob("*.html")} - set(rows)
    assert not [name for name in others if any(counted(site, name))]
    if which == "tiny":
        assert rows == {
            "tied": [4, 2, 6, 14, 1, 1],
            "one": [3, 0, 1, 1, 0, 0],
            "two": [1] + [0] * 5,
        }


@pytest.mark.parametrize(
    ("shown", "instead"),
    [
        ('class="cell_input', 'class="cell_gone'),
        ('data-figure="verdict"', ""),
        ("data-claim", "data-x"),
    ],
)
def test_a_page_that_shows_less_than_was_counted_is_noticed(
    tiny: TinyBook, tmp_path: Path, shown: str, instead: str
) -> None:
    site = tiny.copy(tmp_path / "book").root / "_build/html"
    path = site / "book/tied.html"
    html = path.read_text(encoding="utf-8")
    assert shown in html
    path.write_text(html.replace(shown, instead, 1), encoding="utf-8")
    assert counted(site, "tied") != stated(site)["tied"]


def test_the_status_page_of_the_book_names_commit_and_versions() -> None:
    text = soup(SITE, "status").select("dl.proof-of-build")[0].get_text(" ", strip=True)
    assert f"bytegrad {provenance.digest(REPO / 'src', ['bytegrad'])}" in text
    assert re.search(r"Versions.*CPython 3\.\d+\.\d+, numpy \d", text)


def test_every_figure_of_the_book_leads_to_the_cell_that_made_it() -> None:
    pages = {path.stem: soup(SITE, path.stem) for path in (SITE / "book").glob("*.html")}
    links = [(name, link) for name, page in pages.items() for link in page.select(".tie > a")]
    assert links
    for name, link in links:
        target, _, place = str(link["href"]).partition("#")
        there = Path(target).stem if target else name
        assert isinstance(pages[there].find(id=place), Tag), (name, link)
        kind = "figure" if link.get("data-figure") else "claim"
        key = str(link[f"data-{kind}"]).split("::")[-1]
        assert place == f"cell-{made(there)[kind, key]}", (name, link)


@cache
def made(chapter: str) -> dict[tuple[str, str], int]:
    """Return the number of the cell that made each figure and each claim of a chapter."""
    notebook = executed(REPO / "book" / f"{chapter}.md")
    figures = {("figure", record.name): record.cell for record in book.records(notebook)}
    return figures | {("claim", name): cell for name, cell in book.claims(notebook).items()}


@pytest.mark.parametrize("width", [1440, 390])
def test_no_note_of_the_book_leaves_the_window(browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    outside = {}
    for path in (SITE / "book").glob("*.html"):
        page.goto(path.as_uri())
        outside[path.stem] = page.evaluate(OUTSIDE)
        assert page.evaluate(OVERFLOW) == "", path.stem
    page.close()
    assert outside
    assert not any(outside.values()), outside
