"""The engine's tab and PyTorch's, in Chromium without scripts: by pointer, by key and by link."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.test_pages import SITE

PAGE = (SITE / "book/value.html").as_uri()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(PAGE)
    yield page
    context.close()


def test_the_engine_is_shown_first_and_pytorch_on_a_click(page: Page) -> None:
    tabs = page.locator(".torch-column").first
    ours, theirs = tabs.locator(".sd-tab-content").all()
    expect(ours).to_be_visible()
    expect(theirs).to_be_hidden()
    tabs.locator("label", has_text="PyTorch").click()
    expect(theirs).to_be_visible()
    expect(theirs).to_contain_text("import torch")
    expect(ours).to_be_hidden()


def test_the_arrow_keys_change_tabs(page: Page) -> None:
    tabs = page.locator(".torch-column").first
    tabs.locator("input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.locator(".sd-tab-content").nth(1)).to_be_visible()
    assert tabs.locator("label").nth(1).evaluate("e => getComputedStyle(e).outlineStyle") != "none"


def test_a_link_into_the_other_tab_shows_both(page: Page) -> None:
    """PyTorch's tab names the cell that compared it, and that cell is in the tab beside it."""
    tabs = page.locator(".torch-column").first
    tabs.locator("label", has_text="PyTorch").click()
    tabs.locator(".torch-proof a").click()
    for content in tabs.locator(".sd-tab-content").all():
        expect(content).to_be_visible()
