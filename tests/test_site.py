"""The build runs what changed, and only that; what is wrong is red however often it is built."""

import re
from pathlib import Path

import pytest

from tests.tiny_book import TinyBook


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    book = TinyBook.create(tmp_path_factory.mktemp("built") / "a tiny book")
    first = book.build()
    assert first.status == 0, first.text
    assert first.executed == ["one", "two"]
    return book


@pytest.fixture
def book(built: TinyBook, tmp_path: Path) -> TinyBook:
    return built.copy(tmp_path / "book")


def test_nothing_runs_when_nothing_changed_and_pages_and_downloads_stay_whole(
    book: TinyBook,
) -> None:
    page, download = book.page("one"), book.root / "_build/html/_sources/book/one.ipynb"
    cold = download.read_bytes()
    again = book.build()
    assert again.status == 0, again.text
    assert again.executed == []
    assert _plain(book.page("one")) == _plain(page)
    assert download.read_bytes() == cold
    assert again.text.count("launch, edit and issue buttons are left out") == 1
    assert "edit/" not in page
    assert "mybinder" not in page
    assert b"the answer is 42" in cold
    assert b"set_up()" in cold
    assert b'"bookproof": "' not in cold  # the cache's key is nobody else's business
    assert "one.ipynb" in page
    assert "42\N{NO-BREAK SPACE}KiB" in page
    assert '<span class="given">16 GB</span>' in book.page("index")
    assert "Proof of build: 3 cells of this page ran; 1 figure of its text was checked." in page
    assert "Proof of build: this page has no cells to run." in book.page("index")


def test_a_page_that_left_the_book_leaves_the_site(book: TinyBook) -> None:
    page = book.root / "_build/html/book/two.html"
    assert page.is_file()
    book.replace("_toc.yml", "- file: book/two\n", "")
    book.replace("book/one.md", " See [](two.md).", "")
    (book.root / "book/two.md").unlink()
    done = book.build()
    assert done.status == 0, done.text
    assert not page.is_file()
    assert not list((book.root / "_build/html/_sources/book").glob("two*"))


def test_only_the_chapter_that_depends_on_a_changed_module_runs_again(book: TinyBook) -> None:
    book.replace("src/tiny/one.py", "42", "43")
    changed = book.build()
    assert changed.status == 0, changed.text
    assert changed.executed == ["one"]
    assert "43\N{NO-BREAK SPACE}KiB" in book.page("one")


def test_formulas_are_typeset_without_a_script_and_styled_where_they_stand(book: TinyBook) -> None:
    page = book.page("index")
    assert 'class="katex-html"' in page
    assert "<math" in page
    assert "katex.min.css" in page
    assert "katex.min.css" not in book.page("two")
    assert not (book.root / "_build/html/_static/katex/katex.min.js").exists()


def test_an_error_shows_its_message_and_no_path_of_this_machine(book: TinyBook) -> None:
    assert "division by zero" in book.page("one")
    for page in (book.root / "_build/html").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "ipykernel_" not in text
        assert str(Path.home()) + "/" not in text
        assert "site-packages" not in text


def test_every_link_follows_the_one_address(book: TinyBook) -> None:
    text = '[repository]\nurl = "https://github.com/Owner/name.git"\nbranch = "trunk"\n'
    book.write("book/course.toml", f'[course]\nname = "Tiny"\n{text}')
    done = book.build()
    assert done.status == 0, done.text
    page = book.page("one")
    assert (book.root / "_build/html/_sources/book/one.ipynb").is_file()
    for link in (
        "https://github.com/Owner/name/edit/trunk/book/one.md",
        "https://github.com/Owner/name/issues/new",
        "https://mybinder.org/v2/gh/Owner/name/trunk?urlpath=lab/tree/_build/html/_sources/book/one.ipynb",
        'rel="canonical" href="https://owner.github.io/name/book/one.html"',
    ):
        assert link in page
    # The theme copies another notebook to the same place where there are launch buttons.
    download = (book.root / "_build/html/_sources/book/one.ipynb").read_text(encoding="utf-8")
    assert "set_up()" in download
    assert "[Two](https://owner.github.io/name/book/two.html)" in download


def _plain(page: str) -> str:
    """The page without its style sheets' check sums, known from the second build on, and its time."""
    return re.sub(r"\?v=[0-9a-f]+|<time .*?</time>", "", page)


WARNED = {
    "a reference": ("book/two.md", "{ref}`one`", "{ref}`gone`", "undefined label: 'gone'"),
    "a page": ("book/one.md", "(two.md)", "(three.md)", "target not found: 'three.md'"),
    "a figure": ("book/one.md", "`one_bytes`", "`no_bytes`", "No key 'no_bytes' found in glue"),
    "a listing": (
        "book/one.md",
        ":pyobject: answer",
        ":pyobject: reply",
        "Object named 'reply' not",
    ),
    "a claim of no cell": (
        "book/one.md",
        "The layer takes",
        "{claim}`The layer <unclaimed>` takes",
        "the claim 'unclaimed' is made by no cell of this page",
    ),
    "a claim without a name": (
        "book/two.md",
        "Back to",
        "{claim}`Back`, to",
        "the claim 'Back' names no assertion",
    ),
    "a heading": (
        "book/two.md",
        "# Two\n",
        "# Two and {glue:text}`one.md::one_bytes:s`\n",
        "a heading shows the figure 'one_bytes' of another page",
    ),
    "a formula": ("book/index.md", "$x^2$", "$x^2 \\frac$", "cannot typeset this formula"),
}


def test_every_warning_is_red_with_its_place_and_stays_red(book: TinyBook) -> None:
    for name, old, new, _ in WARNED.values():
        book.replace(name, old, new)
    for attempt in (book.build(), book.build()):
        assert attempt.status != 0
        for fault, (name, _, _, said) in WARNED.items():
            assert re.search(rf"{name}:\d+: WARNING: .*{said}", attempt.text), (fault, attempt.text)
        assert attempt.text.count("WARNING: ") == len(WARNED)


def test_a_cell_that_raises_is_red_and_stays_red(book: TinyBook) -> None:
    book.replace("book/two.md", "t.double(4)", "t.double(nothing)")
    for attempt in (book.build(), book.build()):
        assert attempt.status != 0
        assert "name 'nothing' is not defined" in attempt.text


def test_an_impossible_setting_is_red_with_its_line(book: TinyBook) -> None:
    book.write("book/course.toml", "[mlp]\nbatch = 0\n")
    attempt = book.build()
    assert attempt.status != 0
    assert "course.toml:2: [mlp] batch is 0" in attempt.text
    assert "Handler" not in attempt.text
