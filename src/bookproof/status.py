"""The directive ``{proof-of-build}``: the whole book's proof of build, chapter by chapter, in totals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookproof import cache, facts, footer, provenance
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
    rows = [(_link(env, page, chapter, app), facts.of(env, chapter)) for chapter in pages]
    total = sum((fact for _, fact in rows), Facts())
    table = nodes.table(classes=["proof-of-build"])
    group = nodes.tgroup(cols=len(_HEADS))
    group += [nodes.colspec(colwidth=3 if at == 0 else 1) for at, _ in enumerate(_HEADS)]
    group += nodes.thead("", _row([nodes.paragraph(text=head) for head in _HEADS]))
    body = nodes.tbody()
    for named, fact in rows:
        body += _row([nodes.paragraph("", "", named), *_cells(fact)])
    body += _row([nodes.paragraph("", "", nodes.strong(text="The book")), *_cells(total)])
    group += body
    table += group
    return table


def _cells(fact: Facts) -> list[nodes.Node]:
    counts = (fact.cells, fact.folded, fact.figures, fact.places, fact.claims, fact.exercises)
    return [nodes.paragraph(text=f"{said}") for said in (*counts, f"{fact.seconds:.1f}")]


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def _link(env: BuildEnvironment, page: str, chapter: str, app: Sphinx) -> nodes.Node:
    words = env.titles[chapter].astext()
    address = app.builder.get_relative_uri(page, chapter)
    return nodes.reference("", words, internal=True, refuri=address)


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
