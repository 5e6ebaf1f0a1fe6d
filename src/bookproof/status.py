"""The directive ``{proof-of-build}``: the whole book's proof of build, chapter by chapter, in totals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookproof import cache, facts, footer, provenance, tables
from bookproof.facts import Facts

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_HEADS = ("Chapter", "Cells run", "Folded", "Figures", "Places", "Claims", "Exercises", "Seconds")


class Proof(nodes.General, nodes.Element):
    """The place that is filled when all pages are read."""


class ProofOfBuild(SphinxDirective):
    """Put what the build was made of here, and what ran in each chapter."""

    def run(self) -> list[nodes.Node]:
        """Return the place; note that this page is the one."""
        self.env.metadata[self.env.docname][footer.STATUS] = True
        return [Proof()]


def _fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for place in list(doctree.findall(Proof)):
        place.replace_self([_build(app), _chapters(app, page)])


def _build(app: Sphinx) -> nodes.Node:
    """Return the list of what the build was made of."""
    moment = app.config.bookproof_built
    told = {
        "Built": nodes.raw("", footer.clock(moment), format="html"),
        "Commit": nodes.Text(provenance.commit(Path(app.srcdir))),
        "Engine": nodes.Text(footer.engine(app.env)),
        "Versions": nodes.Text(", ".join(provenance.versions(*cache.PACKAGES))),
    }
    fields = nodes.field_list(classes=["proof-of-build"])
    for name, body in told.items():
        if body.astext():
            paragraph = nodes.paragraph("", "", body)
            fields += nodes.field("", nodes.field_name("", name), nodes.field_body("", paragraph))
    return fields


def _chapters(app: Sphinx, page: str) -> nodes.table:
    """Return the table of the chapters that run, and their sums."""
    env = app.env
    pages = facts.chapters(env)
    rows = [(tables.link(app, page, chapter), facts.of(env, chapter)) for chapter in pages]
    total = sum((fact for _, fact in rows), Facts())
    rows.append((nodes.strong(text="The book"), total))
    return tables.table(_HEADS, [(first, _said(fact)) for first, fact in rows], "proof-of-build")


def _said(fact: Facts) -> tuple[object, ...]:
    counts = (fact.cells, fact.folded, fact.figures, fact.places, fact.claims, fact.exercises)
    return (*counts, f"{fact.seconds:.1f}")


def _again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the page anew whatever else is: its numbers are those of the other pages."""
    page = footer.status_page(app)
    return [page] if page else []


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_node(Proof)
    app.add_directive("proof-of-build", ProofOfBuild)
    app.connect("doctree-resolved", _fill)
    app.connect("env-updated", _again)
