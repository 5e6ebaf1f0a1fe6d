"""Ties: a figure or a claim of the text is a link to the cell that bears it out.

``{glue:text}`key` `` and ``{claim}`words <key>` `` become nodes that know their cell. In HTML each is a plain link,
with a note beside it that says how the figure comes about, or what is asserted; style sheets alone
show and hide the note. Other builders print the words.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from myst_nb.core.variables import RetrievalError
from myst_nb.ext.glue.crossref import generate_text_nodes, read_glue_cache
from myst_nb.ext.glue.roles import PasteTextRole
from myst_nb.ext.glue.utils import PendingGlueReference, retrieve_glue_data
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from bookproof import origins, units

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

_SIZES = {unit for unit, scale in units.SCALES.items() if unit.endswith("B") and scale > 1}
_FOLDS = {"dropdown_title", "sd_tab_label"}
_NAMED = re.compile(r"(?P<words>.*\S)\s*<(?P<key>[^<>]+)>", re.DOTALL)

# Sphinx's search quotes from the text of a page; the notes are no part of it.
_WITHOUT_NOTES = r"""
document.addEventListener("DOMContentLoaded", () => {
  const text = Search.htmlToText;
  const note = /<span class="tie-note".*?<span class="tie-where">[^<]*<\/span><\/span>/gs;
  Search.htmlToText = (html, anchor) => text(html.replace(note, ""), anchor);
});
"""


class Tie(nodes.inline):
    """Words of the text, with the ``kind`` of what bears them out, its ``key``, ``page`` and ``noted``."""


def tie(kind: str, key: str, page: str, noted: dict[str, Any], words: str) -> Tie:
    """Return the node for ``words``, borne out by what a cell of ``page`` ``noted``."""
    return Tie(words, words, kind=kind, key=key, page=page, noted=dict(noted))


class FigureRole(PasteTextRole):  # type: ignore[misc]
    """The role ``glue:text``: as myst-nb reads it, with a tie to the figure's cell."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the figure's text; that of another page is put in when all pages are read."""
        made, messages = super().run()
        if made and isinstance(made[0], nodes.inline):
            key = self.text.rsplit(":", 1)[0]
            noted = retrieve_glue_data(self.document, key).metadata.get(origins.FIELD)
            if noted is not None:
                page = self.document.settings.env.docname
                made = [tie("figure", key, page, noted, made[0].astext())]
                self.set_source_info(made[0])
        return made, messages


class ClaimRole(SphinxRole):
    """The role ``claim``: words that hold because a cell of the page asserted them."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the words, tied to the assertion; warn where there is none."""
        named = _NAMED.fullmatch(self.text.strip())
        if named is None:
            self._warn(
                f"the claim {self.text!r} names no assertion; nothing would bear it out; write "
                "{claim}`words of the sentence <name>`"
            )
            return [nodes.Text(self.text)], []
        key, words = named["key"].strip(), " ".join(named["words"].split())
        try:
            noted = retrieve_glue_data(self.inliner.document, f"claim:{key}").metadata
        except RetrievalError:
            self._warn(
                f"the claim {key!r} is made by no cell of this page; nothing bears out {words!r}; put "
                f'claim("{key}", …) into a cell, or mend the name'
            )
            return [nodes.Text(words)], []
        made = tie("claim", key, self.env.docname, noted[origins.FIELD], words)
        self.set_source_info(made)
        return [made], []

    def _warn(self, said: str) -> None:
        logger.warning(said, location=self.get_location(), type="bookproof", subtype="claim")


class OtherPages(SphinxPostTransform):
    """Tie figures of other pages, just before myst-nb would put in their text alone."""

    default_priority = 4

    def run(self, **kwargs: Any) -> None:
        """Replace the references whose figure is there; myst-nb tells of the rest."""
        folder = str(self.env.mystnb_config.output_folder)  # type: ignore[attr-defined]
        for node in list(self.document.findall(PendingGlueReference)):
            output = read_glue_cache(folder, node.refdoc).get(node.key)
            noted = output and output["metadata"].get(origins.FIELD)
            if node.gtype == "text" and noted:
                for made in generate_text_nodes(node, output):
                    words = made.astext()
                    node.replace_self(tie("figure", node.key, node.refdoc, noted, words))


def _plain_titles(app: Sphinx, doctree: nodes.document) -> None:
    """Refuse in a heading what is only known when the table of contents is long made."""
    for title in doctree.findall(nodes.title):
        for node in list(title.findall(PendingGlueReference)):
            logger.warning(
                "a heading shows the figure %r of another page; tables of contents are made before "
                "that page is read; state it in the text below the heading",
                node.key,
                location=title,
                type="bookproof",
                subtype="tie",
            )
            node.replace_self(nodes.Text(node.key))


def _plain_contents(app: Sphinx, doctree: nodes.document) -> None:
    """Leave words alone in titles and tables of contents, which are links themselves."""
    env = app.env
    for contents in (env.titles, env.longtitles, env.tocs):
        for node in list(contents[env.docname].findall(Tie)):
            node.replace_self(nodes.Text(node.astext()))


def visit_tie(self: HTML5Translator, node: Tie) -> None:
    """Open the link, or a span where the words stand in a link or a label already."""
    kind = node["kind"]
    data = f'data-{kind}="{escape(name(node, self.builder.current_docname))}"'
    if _in_a_link(node) or self.builder.name not in ("html", "dirhtml"):
        self.body.append(f'<span class="tie" {data}>')
        self.context.append("</span>")
        return
    number = 1 + list(self.document.findall(Tie)).index(node)
    page = self.builder.current_docname
    path = "" if node["page"] == page else self.builder.get_relative_uri(page, node["page"])
    figure = isinstance(node["noted"].get("value"), int | float)
    self.body.append(
        f'<span class="tie{" tie-number" if figure else ""}">'
        f'<a class="tie-{kind}" href="{escape(path)}#cell-{node["noted"]["cell"]}" '
        f'aria-describedby="tie-{number}" {data}>'
    )
    self.context.append(
        f'</a><span class="tie-note" role="tooltip" id="tie-{number}">{_note(self, node)}</span></span>'
    )


def depart_tie(self: HTML5Translator, node: Tie) -> None:
    """Close the link, with its note behind it."""
    self.body.append(self.context.pop())


def name(node: Tie, page: str) -> str:
    """Return the key of the figure or claim, with the page that it is on if that is not ``page``."""
    key = str(node["key"])
    return key if node["page"] == page else f"{node['page']}::{key}"


def _in_a_link(node: nodes.Node) -> bool:
    """Return whether a link here would stand in a link, or in words that fold what is below them."""
    while (parent := node.parent) is not None:
        if isinstance(parent, nodes.reference) or type(parent).__name__ in _FOLDS:
            return True
        if isinstance(parent, nodes.title) and "dropdown" in parent.parent["classes"]:
            return True
        node = parent
    return False


def _note(self: HTML5Translator, node: Tie) -> str:
    """Return what the note says: how the words come about, then where."""
    noted, other = node["noted"], ""
    if node["page"] != self.builder.current_docname:
        other = f" of \u201c{self.builder.env.titles[node['page']].astext()}\u201d"
    place = f"cell {noted['cell']}{other}"
    if node["kind"] == "claim":
        return _lines(f"<code>{escape(noted['asserts'])}</code>", f"asserted in {place}")
    formula = noted["formula"] and f"{noted['shows']} = {noted['formula']}"
    return _lines(escape(formula), _provenance(noted, place))


def _lines(how: str, where: str) -> str:
    first = how and f'<span class="tie-how">{how}</span> '
    return f'{first}<span class="tie-where">{escape(where)}</span>'


def _provenance(noted: dict[str, Any], place: str) -> str:
    """Return the size in single bytes, where the unit counts in larger ones, and the cell."""
    if noted["measured"]:
        return f"measured in {place} of this build; another run may differ"
    value, unit = noted["value"], noted["unit"]
    if unit in _SIZES and value == int(value):
        return f"{units.show(int(value), 'B')}, computed in {place}"
    return f"computed in {place}"


def _search(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if page == "search":
        app.add_js_file(None, body=_WITHOUT_NOTES)


def setup(app: Sphinx) -> None:
    """Register node and roles; the role of myst-nb gives way."""
    app.setup_extension("myst_nb")
    app.add_node(Tie, html=(visit_tie, depart_tie))
    app.add_role_to_domain("glue", "text", cast(Any, FigureRole()), override=True)
    app.add_role("claim", ClaimRole())
    app.add_post_transform(OtherPages)
    # Sphinx collects titles and tables of contents from the page at priority 500.
    app.connect("doctree-read", _plain_titles, priority=400)
    app.connect("doctree-read", _plain_contents, priority=600)
    app.connect("html-page-context", _search)
