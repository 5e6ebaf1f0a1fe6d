"""The proof-of-build line at the foot of a page: how much of it ran, on what, and when."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bookproof import cache, facts, provenance
from bookproof.facts import Facts
from bookproof.units import counted

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

STATUS = "proof_of_build"
"""The key, in the metadata of a page, that says that the whole book's proof stands there."""


def counts(page: Facts) -> str:
    """Return in a sentence what ran on the page, and what of its text was checked by that.

    >>> counts(Facts(cells=3, figures=2, claims=1))
    '3 cells of this page ran; 2 figures and 1 claim of its text were checked'
    """
    if not page.cells:
        return "this page has no cells to run"
    pairs = ((page.figures, "figure"), (page.claims, "claim"))
    tied = " and ".join(counted(number, noun) for number, noun in pairs if number)
    were = "was" if page.figures + page.claims == 1 else "were"
    checked = f"; {tied} of its text {were} checked" if tied else ""
    return f"{counted(page.cells, 'cell')} of this page ran{checked}"


def engine(env: BuildEnvironment) -> str:
    """Return the names of the packages that the chapters run on, and their digest, if there are any."""
    paths = [Path(env.doc2path(page)) for page in facts.chapters(env)]
    told = provenance.engine(
        Path(env.srcdir), tuple(path for path in paths if cache.is_notebook(path))
    )
    return " ".join(filter(None, told))


def basis(env: BuildEnvironment) -> str:
    """Return what the pages were built from: commit, engine, versions, as far as they are known."""
    commit = provenance.commit(Path(env.srcdir))
    told = [f"commit {commit}"] if commit else []
    told += [f"engine {made_of}"] if (made_of := engine(env)) else []
    return ", ".join(told + provenance.versions("NumPy", "Matplotlib"))


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
    told, made_of = counts(facts.of(app.env, page)), basis(app.env)
    context["theme_extra_footer"] = (
        f'<p class="proof-of-build">{title}: {escape(told)}. Built '
        f"{clock(app.config.bookproof_built)} from {escape(made_of)}.</p>"
    )


def _note_time(app: Sphinx) -> None:
    app.config.bookproof_built = provenance.moment()


def setup(app: Sphinx) -> None:
    """Connect the hooks; one time is stated by all pages of a build."""
    app.add_config_value("bookproof_built", None, "", types=(datetime,))
    app.connect("builder-inited", _note_time)
    app.connect("html-page-context", _add)
