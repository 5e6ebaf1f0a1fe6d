"""The proof-of-build line at the foot of a page: how much of it ran, on what, and when."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bookproof import facts, provenance
from bookproof.facts import Facts
from bookproof.units import counted

if TYPE_CHECKING:
    from sphinx.application import Sphinx

STATUS = "proof_of_build"
"""The key, in the metadata of a page, that says that the whole book's proof stands there."""


def counts(page: Facts) -> str:
    """Return in a sentence what ran on the page and what its text owes to that.

    >>> counts(Facts(cells=3, figures=2, claims=1))
    '3 cells of this page ran; 2 figures and 1 claim of its text come from such runs'
    """
    if not page.cells:
        return "this page has no cells to run"
    tied = [
        counted(number, noun)
        for number, noun in ((page.figures, "figure"), (page.claims, "claim"))
        if number
    ]
    ran = f"{counted(page.cells, 'cell')} of this page ran"
    come = "comes from such a run" if page.figures + page.claims == 1 else "come from such runs"
    return f"{ran}; {' and '.join(tied)} of its text {come}" if tied else ran


def basis(root: Path) -> str:
    """Return what the pages were built from: engine, versions and commit, as far as they are known."""
    packages, digest = provenance.engine(root)
    commit = provenance.commit(root)
    told = [f"{packages} {digest}"] if digest else []
    told += provenance.versions("NumPy", "Matplotlib")
    return ", ".join(told + ([f"commit {commit}"] if commit else []))


def clock(moment: datetime) -> str:
    """Return a moment as HTML, to the minute for the eye and to the second for machines."""
    shown = moment.strftime("%Y-%m-%d %H:%M UTC")
    return f'<time datetime="{moment.strftime("%Y-%m-%dT%H:%M:%SZ")}">{shown}</time>'


def status_page(app: Sphinx) -> str:
    """Return the page that holds the whole book's proof; nothing where the book has none."""
    return next((page for page in app.env.found_docs if STATUS in app.env.metadata[page]), "")


def _add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if page not in app.env.found_docs:
        return
    title, target = "Proof of build", status_page(app)
    if target and target != page:
        title = f'<a href="{escape(app.builder.get_relative_uri(page, target))}">{title}</a>'
    said = f"{counts(facts.of(app.env, page))}. Built from {basis(Path(app.srcdir))}"
    built = clock(app.config.bookproof_built)
    context["theme_extra_footer"] = (
        f'<p class="proof-of-build">{title}: {escape(said)}; {built}.</p>'
    )


def _note_time(app: Sphinx) -> None:
    app.config.bookproof_built = provenance.moment()


def setup(app: Sphinx) -> None:
    """Connect the hooks; one time is stated by all pages of a build."""
    app.add_config_value("bookproof_built", None, "", types=(datetime,))
    app.connect("builder-inited", _note_time)
    app.connect("html-page-context", _add)
