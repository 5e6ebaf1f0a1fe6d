"""MyST's own parser, set to rewrite nothing and to say where each piece of a paragraph stood."""

from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

EXTENSIONS = (
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "fieldlist",
    "html_image",
    "strikethrough",
    "substitution",
    "tasklist",
)
"""Everything MyST can read that does not rewrite the text (as smart quotes would)."""


class _Placed(StateInline):
    """Inline parsing that notes in ``token.map`` where in the paragraph each token starts."""

    def pushPending(self) -> Token:  # noqa: N802 - the parser's name
        start = self.pos - len(self.pending)
        token = super().pushPending()
        token.map = [start, start]
        return token

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        token.map = [self.pos, self.pos]
        return token


def parser() -> MarkdownIt:
    """Return a parser whose inline tokens hold their place in ``token.map``."""
    config = MdParserConfig(enable_extensions=set(EXTENSIONS))
    md = create_md_parser(config, RendererHTML)

    def parse(src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _Placed(src, md, env, tokens)
        md.inline.tokenize(state)
        for rule in md.inline.ruler2.getRules(""):
            rule(state)
        return state.tokens

    # Joining neighbouring texts would lose the place of all but the last: the walk joins them.
    md.core.ruler.disable("text_join")
    md.inline.ruler2.disable("fragments_join")
    md.inline.parse = parse  # type: ignore[method-assign]
    return md
