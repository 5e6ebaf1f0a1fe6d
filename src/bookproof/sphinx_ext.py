"""The Sphinx extension of the book: what `_config.yml` names as `bookproof.sphinx_ext`.

* name, author and every outside address follow `book/course.toml` (`bookproof.repository`);
* chapters run under a key that their engine is part of (`bookproof.cache`, `bookproof.execution`);
* formulas are typeset while building (`bookproof.mathematics`);
* pages ask no other host and work without a mouse (`bookproof.pages`);
* the directive ``{torch} name`` shows a recorded snippet of PyTorch (`bookproof.column`);
* each cell has a place that a link can lead to (`bookproof.anchors`), and each figure and claim of the
  text leads there (`bookproof.ties`);
* the directive ``{chapter-card}`` says before a chapter what it asks for (`bookproof.card`);
* each page says at its foot how much of it ran, and one page says it of the whole book
  (`bookproof.facts`, `bookproof.footer`, `bookproof.status`);
* the directive ``{chapter-times}`` puts all cards into one table (`bookproof.plan`);
* sources named in docstrings become citations (`bookproof.reference`);
* the role ``{given}`16 GB`​`` marks a premise: a number that is typed because the question sets it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.util import logging

from bookproof import (
    anchors,
    cache,
    card,
    column,
    course,
    execution,
    facts,
    footer,
    mathematics,
    pages,
    plan,
    reference,
    repository,
    status,
    ties,
)

if TYPE_CHECKING:
    from docutils.parsers.rst.states import Inliner
    from sphinx.application import Sphinx
    from sphinx.config import Config

logger = logging.getLogger(__name__)


def _from_course(app: Sphinx, config: Config) -> None:
    """Set what follows from `course.toml` (if there is one), the repository's address and versions."""
    root = Path(app.srcdir)
    stated = (root / course.FILE).is_file()
    try:
        settings = course.load(root / course.FILE) if stated else course.Course()
        place = repository.address(root)
    except course.CourseError as error:
        raise ConfigError(str(error)) from None
    if stated:
        config.project = config.html_title = settings.course.name
        config.author = settings.course.author
        config.copyright = f"{settings.course.year}, {settings.course.author}"
    config.bookproof_versions = cache.versions()
    config.html_theme_options = {
        **config.html_theme_options,
        **pages.theme_options(settings, place),
    }
    if place is None:
        logger.info(
            "bookproof: no repository address is known (book/course.toml, GITHUB_REPOSITORY, "
            "git remote origin): launch, edit and issue buttons are left out"
        )
    elif place.pages:
        config.html_baseurl = place.pages


def _depends(app: Sphinx, doctree: nodes.document) -> None:
    """Tell Sphinx what a chapter's outputs depend on: it is read again when that changes."""
    root = Path(app.srcdir)
    page = Path(app.env.doc2path(app.env.docname))
    if cache.is_notebook(page):
        for path in cache.dependencies(cache.read(page, root), root):
            app.env.note_dependency(str(path))


def _given(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: Any = None,
    content: Any = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role `given`: its text as it stands, in a span that the lint and the style sheet know."""
    return [nodes.inline(rawtext, text, classes=["given"])], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything."""
    execution.install()
    mathematics.setup(app)
    pages.setup(app)
    for part in (anchors, ties, column, facts, card, footer, status, plan, reference):
        part.setup(app)
    app.add_config_value("bookproof_versions", "", "env", types=str)
    if "comments_config" not in app.config:
        # Jupyter Book always sets this value, also where a book leaves out the extension that it is of.
        app.add_config_value("comments_config", {}, "html", types=dict)
    app.add_role("given", _given)
    # Before the extensions that read the theme's options and the site's name.
    app.connect("config-inited", _from_course, priority=100)
    app.connect("doctree-read", _depends)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
