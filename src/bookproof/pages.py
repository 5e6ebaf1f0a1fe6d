"""What the theme does not do for a page by itself: buttons with an address, downloads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bookproof import resolved

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from bookproof.course import Course
    from bookproof.repository import Repository

_SUMMARY = re.compile(
    r'<summary aria-label="Toggle hidden content">(?P<inner>.*?)</summary>', re.DOTALL
)


def theme_options(settings: Course, place: Repository | None) -> dict[str, Any]:
    """The theme's options that follow from the address; without one, no button that needs it."""
    options: dict[str, Any] = {
        "navbar_persistent": [],  # the theme already shows a search field
        "show_toc_level": 2,
        "use_download_button": True,
        "launch_buttons": {},
        "repository_url": "",
        "use_repository_button": False,
        "use_edit_page_button": False,
        "use_issues_button": False,
    }
    if place is not None:
        options |= {
            "repository_url": place.url,
            "repository_branch": place.branch,
            "repository_provider": place.provider,
            "path_to_docs": "",
            "use_repository_button": True,
            "use_edit_page_button": True,
            "use_issues_button": place.provider in ("github", "gitlab"),
        }
        if settings.launch.binder:
            options["launch_buttons"] = {
                "notebook_interface": "jupyterlab",
                "binderhub_url": settings.launch.binder.rstrip("/"),
            }
    return options


def _download(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the chapter's notebook for download, also where there is no launch button."""
    if _is_chapter(app, page, doctree):
        context["ipynb_source"] = f"{page}.ipynb"


def _publish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the resolved notebook where the button leads; the theme may have copied another there."""
    if _is_chapter(app, page, doctree):
        resolved.publish(app, page, doctree)


def _is_chapter(app: Sphinx, page: str, doctree: Any) -> bool:
    return doctree is not None and "kernelspec" in app.env.metadata.get(page, {})


def _launch(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let launch buttons open the published notebook: its text holds values where the source holds roles."""
    if _is_chapter(app, page, doctree):
        notebook = resolved.place(Path(), page).as_posix()
        for button in _buttons(context.get("header_buttons", ())):
            button["url"] = button["url"].replace(f"lab/tree/{page}.md", f"lab/tree/{notebook}")


def _buttons(groups: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for button in groups:
        if button["type"] == "group":
            yield from _buttons(button["buttons"])
        elif "url" in button:
            yield button


def _summaries(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let a folded cell be called what it shows: its text is its name, in phrasing content."""
    if "body" in context:
        context["body"] = _SUMMARY.sub(_named_by_its_text, context["body"])


def _named_by_its_text(match: re.Match[str]) -> str:
    inner = match["inner"].replace("<p class=", "<span class=").replace("</p>", "</span>")
    return f"<summary>{inner}</summary>"


def _forget(app: Sphinx, exception: Exception | None) -> None:
    """Remove the pages of an earlier build whose source is gone: their figures are nobody's."""
    if exception is not None or app.builder.format != "html":
        return
    for folder, suffix in ((Path(app.outdir), ".html"), (Path(app.outdir, "_sources"), "")):
        for path in folder.joinpath("book").rglob(f"*{suffix}"):
            page = path.relative_to(folder).as_posix().split(".")[0]
            if path.is_file() and page not in app.env.found_docs:
                path.unlink()


def setup(app: Sphinx) -> None:
    """Connect the hooks; the theme adds its buttons at priority 501."""
    app.connect("html-page-context", _download, priority=500)
    app.connect("html-page-context", _publish, priority=600)
    app.connect("html-page-context", _launch, priority=600)
    app.connect("build-finished", _forget)
    app.connect("html-page-context", _summaries)
