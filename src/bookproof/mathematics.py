"""Mathematics typeset while the book is built: KaTeX runs here, and no script in the page.

Each formula becomes HTML with MathML beside it for screen readers. TeX that KaTeX cannot read is a
Sphinx warning with file and line. The style sheet goes to the pages that have a formula, and to no
other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

if TYPE_CHECKING:
    from py_mini_racer import MiniRacer
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

STYLE = "katex/katex.min.css"
# KaTeX would number these by itself; Sphinx already did, from the labels.
_NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|gather|alignat|multline)\}")
_RENDER = """
function render(tex, display) {
  try {
    return [true, katex.renderToString(tex, {
      displayMode: display, output: "htmlAndMathml", throwOnError: true, strict: "error"
    })];
  } catch (error) {
    return [false, error.message];
  }
}
"""


class Typesetter:
    """KaTeX in one JavaScript context, started with the first formula and closed with the build."""

    def __init__(self) -> None:
        self._context: MiniRacer | None = None
        self._done: dict[tuple[str, bool], tuple[bool, str]] = {}

    def __call__(self, script: Path, tex: str, display: bool) -> tuple[bool, str]:
        """(True, HTML), or (False, what is wrong with the TeX); each formula is typeset once."""
        if (tex, display) not in self._done:
            if self._context is None:
                from py_mini_racer import MiniRacer

                self._context = MiniRacer()
                self._context.eval(script.read_text(encoding="utf-8") + _RENDER)
            good, html = self._context.call("render", tex, display)
            self._done[tex, display] = bool(good), str(html)
        return self._done[tex, display]

    def close(self) -> None:
        """Stop the JavaScript engine, whose thread would otherwise outlive the build."""
        if self._context is not None:
            self._context.close()
            self._context = None


_typeset = Typesetter()


def _html(translator: HTML5Translator, node: nodes.Node, tex: str, display: bool) -> str:
    config = translator.builder.config
    script = Path(translator.builder.srcdir, config.bookproof_katex, "katex.min.js")
    good, html = _typeset(script, tex, display)
    if not good:
        logger.warning(
            "%s: KaTeX cannot typeset this formula; mend its TeX, or use commands that KaTeX knows",
            html,
            location=node,
            type="bookproof",
            subtype="math",
        )
        return f"<code>{translator.encode(tex)}</code>"
    return html


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in the line."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_html(self, node, node.astext(), display=False) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula of its own, in a box that scrolls by itself, with its number and a link to it."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(_html(self, node, display_tex(node), display=True) + "</div>\n")
    raise nodes.SkipNode


def display_tex(node: nodes.math_block) -> str:
    r"""The block's TeX as one formula: blank lines part equations, `\\` breaks a line."""
    text = node.astext()
    if node.get("nowrap"):
        return _NUMBERED.sub(r"\\\1{\2*}", text)
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    bare = all(r"\begin" not in part for part in parts)
    split = [
        rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part and bare else part for part in parts
    ]
    if len(split) == 1:
        return split[0]
    return r"\begin{gathered}" + r" \\ ".join(split) + r"\end{gathered}"


def _style(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page KaTeX's style sheet if a formula stands in it or in a title in its menu."""
    titles = app.env.titles.values()
    if 'class="katex' in context.get("body", "") or any(t.next_node(nodes.math) for t in titles):
        app.add_css_file(STYLE)


def _close(app: Sphinx, exception: Exception | None) -> None:
    _typeset.close()


def setup(app: Sphinx) -> None:
    """Register `html_math_renderer = "katex"`."""
    app.add_config_value("bookproof_katex", "book/_static/katex", "env")
    app.add_html_math_renderer(
        "katex", inline_renderers=(visit_math, None), block_renderers=(visit_math_block, None)
    )
    app.connect("html-page-context", _style)
    app.connect("build-finished", _close)
