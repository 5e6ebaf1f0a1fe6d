"""Every page of the built book in Chromium: whole at both widths and in both themes.

The site is served below a folder, as a project's pages are; a page that asks another host is red.
"""

import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.tiny_book import REPO

SITE = REPO / "_build" / "html"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.glob("book/*.html"))
THEMES = ("light", "dark")
WIDTHS = (1440, 390)

# What a reader must never see: a role or a formula that nobody turned into text, a path of a
# machine.
RAW = re.compile(
    r"\{(glue|doc|ref|eq|numref|term|given|cite)[:}`]|\\\(|\$\$|:::|\]\(#|/\.venv/|^\|.*\|$",
    re.MULTILINE,
)

# The element that sticks out at the right, if any, of a page wider than its window.
OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth, window_ = document.documentElement.clientWidth;
  if (wide <= window_) return "";
  const boxed = e => e && (getComputedStyle(e).overflowX !== "visible" || boxed(e.parentElement));
  const out = [...document.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > window_ + 1 && !boxed(e.parentElement));
  return `${wide} > ${window_}: ` + out.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ");
}"""


def chromium() -> str:
    """The browser to look with; a machine without one is told what to install."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(path).is_file():
        pytest.fail(
            f"no Chromium at {path}: the pages cannot be looked at; install the package `chromium` "
            "or set CHROMIUM to the program",
            pytrace=False,
        )
    return path


@dataclass
class Site:
    """The built site on a loopback port, and all that a browser did with it."""

    address: str
    browser: Browser
    troubles: list[str] = field(default_factory=list)

    def page(self, theme: str, width: int) -> Page:
        """A window of its own, whose every complaint lands in `troubles`."""
        self.troubles = []
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme
        )
        page = context.new_page()
        page.on(
            "console", lambda m: m.type in ("error", "warning") and self._say("console", m.text)
        )
        page.on("pageerror", lambda error: self._say("script", str(error)))
        page.on("request", self._request)
        page.on("requestfailed", lambda request: self._say("failed", request.url))
        page.on("response", lambda r: r.status >= 400 and self._say(f"status {r.status}", r.url))
        return page

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "file:")):
            self._say("asks another host", request.url)

    def _say(self, kind: str, what: str) -> None:
        self.troubles.append(f"{kind}: {what}")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing: what matters is in the browser."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not PAGES:
        pytest.fail(
            f"no pages in {SITE}: there is nothing to look at; run make book", pytrace=False
        )
    program = chromium()
    root = tmp_path_factory.mktemp("served")
    (root / "copy-of-the-book").symlink_to(SITE, target_is_directory=True)
    handler = functools.partial(_Quiet, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=program, args=FLAGS)
            yield Site(f"http://127.0.0.1:{server.server_port}/copy-of-the-book/", browser)
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_book_is_built() -> None:
    assert PAGES, f"no pages in {SITE}: run make book"
    assert (SITE / "index.html").is_file()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole(site: Site, width: int, theme: str) -> None:
    page = site.page(theme, width)
    faults = []
    for name in PAGES:
        page.goto(site.address + name, wait_until="load")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        if overflow := page.evaluate(OVERFLOW):
            faults.append(f"{name}: wider than the window: {overflow}")
        # Folded answers are text too.
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        # In code a role is quoted; anywhere else it was not understood.
        page.evaluate("document.querySelectorAll('code, pre').forEach(code => code.remove())")
        text = page.inner_text("body")
        faults += [
            f"{name}: {text[max(0, m.start() - 30) : m.end() + 30]!r}" for m in RAW.finditer(text)
        ]
        faults += [f"{name}: {trouble}" for trouble in site.troubles]
        site.troubles.clear()
    page.context.close()
    assert not faults, "\n".join(faults)


def test_the_first_page_opens_from_the_disk_too(site: Site) -> None:
    page = site.page("light", 1440)
    page.goto((SITE / PAGES[0]).as_uri(), wait_until="load")
    assert page.inner_text("h1")
    page.context.close()
    # A page opened as a file may not read others as data, so only what it asks for is looked at.
    assert not [trouble for trouble in site.troubles if "asks" in trouble or "failed" in trouble]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_other_host_as_a_source_and_says_what_it_is_about(name: str) -> None:
    html = (SITE / name).read_text(encoding="utf-8")
    sources = re.findall(
        r'<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="(https?://[^"]+)"', html
    )
    assert [url for url in sources if f'rel="canonical" href="{url}"' not in html] == []
    assert str(REPO) not in html
    if (REPO / name).with_suffix(".md").is_file():
        described = re.findall(r'<meta content="([^"]+)"[^>]* name="description"', html)
        assert [len(text) > 50 for text in described] == [True]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_offers_its_notebook_with_outputs(name: str) -> None:
    html = (SITE / name).read_text(encoding="utf-8")
    notebook = SITE / "_sources" / Path(name).with_suffix(".ipynb")
    source = (REPO / name).with_suffix(".md")
    if source.is_file() and "kernelspec:" in source.read_text(encoding="utf-8").split("\n---")[0]:
        assert f'{notebook.name}"' in html
        assert '"outputs"' in notebook.read_text(encoding="utf-8")
    else:
        assert not notebook.is_file()
