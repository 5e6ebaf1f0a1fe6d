"""Read a chapter as its reader does: which text is prose, at which line, and what stands beside it.

The text is parsed by MyST's own parser and walked token by token, into directives whose body is
MyST too. Code, mathematics and addresses are not prose; in the flat text they leave ``OBJECT``.
The text of HTML is prose, and so are those attributes that a browser shows or reads out.
"""

import re
from typing import Literal

import yaml
from markdown_it.token import Token

from bookproof.directives import (
    NO_BODY,
    NO_TITLE,
    PLAIN_OPTIONS,
    PROSE_OPTIONS,
    directive,
    prose_values,
)
from bookproof.flat import UNSEEN, Flat
from bookproof.markup import Html
from bookproof.page import Block, Cell, Claimed, Inclusion, Listing, Page, Picture, Use
from bookproof.parsing import parser
from bookproof.printed import printed
from bookproof.quantities import GLUE, LITERAL, OBJECT
from bookproof.units import SCALES

_CODE = frozenset(("code", "code-block", "sourcecode"))

_READ = """
    abbr abbreviation sub sup subscript superscript strong emphasis kbd guilabel menuselection span
    dfn title title-reference
"""
_PROSE_ROLES = frozenset(_READ.split())
"""Roles whose whole text the reader reads; of any other only an explicit title is prose."""

_CARD = "chapter-card"
"""The directive that says before a chapter what it asks for."""

_TITLED = re.compile(r"(.+?)\s*<([^<>]*)>", re.DOTALL)


# Code or mathematics that is nothing but a number, with or without a unit, is prose in disguise.
_DISGUISED = re.compile(
    r"[~\u2248\s]*[\d.,]*\d(?:\s?:\s?\d[\d.]*)?(?:\s?(?!x\b)[^\W\d_]{1,8}|\s?[%\u00d7])?\s*"
)
_TEX = (
    (re.compile(r"\\(?:text|mathrm|mathit|operatorname)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\times\b"), "\u00d7"),
    (re.compile(r"\\(?:approx|sim)\b"), "\u2248"),
    (re.compile(r"\\[,;:! ]|~|\{,\}"), lambda found: "," if found[0] == "{,}" else " "),
    (re.compile(r"\\%"), "%"),
)


def read(text: str) -> Page:
    """Return what ``text``, a chapter in MyST Markdown, consists of. Lines count from 1."""
    reader = _Reader()
    reader.block(text, 1, inside=False)
    return reader.page


class _Reader:
    """Walks the token tree and fills a :class:`Page`."""

    def __init__(self) -> None:
        self.page = Page()
        self.md = parser()
        self.opening = True  # before the first section, a list says what the chapter is for
        self.card = False

    def block(self, text: str, line: int, *, inside: bool) -> None:
        """Read ``text``, whose first line is source line ``line``."""
        here, heading, lists = 0, False, 0
        for token in self.md.parse(text):
            here = token.map[0] if token.map else here
            at = line + here
            if token.type == "heading_open":
                self.opening = self.opening and token.tag == "h1"
            heading = token.type == "heading_open" or (heading and token.type == "inline")
            lists += token.nesting if token.type.startswith("bullet_list") else 0
            if token.type == "inline":
                running = not (heading or self.card or (self.opening and lists))
                self.inline(token, at, running=running)
            elif token.type in ("fence", "colon_fence"):
                self.fence(token, at, inside=inside or token.level > 0)
            elif token.type == "code_block":
                self.page.listings.append(Listing("indented", "", {}, at))
            elif token.type == "html_block":
                self.html(token.content, at)
            elif token.type.startswith(("math_block", "amsmath")):
                self.formula(token.content, at)
            elif token.type == "front_matter" and not inside:
                self.front_matter(token.content, at + 1)

    def text(self, text: str, line: int, *, takes_roles: bool = True) -> None:
        """Read ``text`` as one paragraph that starts at source line ``line``."""
        for token in self.md.parseInline(text):
            self.inline(token, line, takes_roles=takes_roles)

    def inline(
        self, token: Token, line: int, *, takes_roles: bool = True, running: bool = False
    ) -> None:
        flat = Flat()
        self.flatten(token.children or [], token.content, line, flat)
        if flat.length:
            self.page.passages.append(flat.passage(takes_roles=takes_roles, running=running))

    def flatten(self, tokens: list[Token], source: str, line: int, flat: Flat) -> None:
        """Add the prose of inline ``tokens``, parsed from ``source``, to ``flat``."""
        at, address = line, False
        for token in tokens:
            if token.map:
                at = line + source.count("\n", 0, max(0, token.map[0]))
            if title := token.attrs.get("title"):
                self.text(str(title), at, takes_roles=False)
            if token.type == "link_open":
                address = token.info == "auto"
            elif token.type == "link_close":
                address = False
            elif token.type in ("text", "text_special"):
                flat.add(OBJECT, at) if address else flat.say(token.content, at)
            elif token.type in ("softbreak", "hardbreak"):
                flat.add(" ", at)
            elif token.type == "code_inline":
                flat.add(_undisguised(token.content, flat), at)
                flat.mark("code", flat.length - len(flat.parts[-1]), token.content)
            elif token.type.startswith("math"):
                self.formula(token.content, at, flat)
            elif token.type == "image":
                self.image(token, at)
                flat.add(OBJECT, at)
            elif token.type == "myst_role":
                self.role(token, at, flat)
            elif token.type == "html_inline":
                self.html(token.content, at)
            elif not token.nesting:
                flat.add(OBJECT, at)

    def image(self, token: Token, line: int) -> None:
        self.page.pictures.append(Picture(str(token.attrs.get("src", "")), token.content, line))
        self.inline(token, line, takes_roles=False)

    def role(self, token: Token, line: int, flat: Flat) -> None:
        name, content = str(token.meta["name"]), token.content
        titled = _TITLED.fullmatch(content)
        start = flat.length
        if name.startswith("glue"):
            self.use(content, line)
            flat.add(GLUE, line)
            flat.mark("figure", start, content)
            return
        if name == "claim":
            words, key = (titled[1], titled[2]) if titled else (content, "")
            words = " ".join(words.split())
            self.page.claims.append(Claimed(key.strip(), words, line))
            flat.say(words, line)
            flat.mark("claim", start, words, key.strip())
            return
        if name == "term":
            words, key = (titled[1], titled[2]) if titled else (content, content)
            flat.say(words, line)
            flat.mark("term", start, words, " ".join(key.split()))
            return
        if name in _PROSE_ROLES:
            flat.say(content, line)
            return
        if name == "math":
            self.formula(content, line, flat)
            return
        if titled and name != "given":
            flat.say(titled[1], line)
            return
        flat.add(OBJECT, line)
        if name == "given":
            flat.mark("given", start, content)

    def use(self, content: str, line: int) -> None:
        document, _, shown = content.strip().rpartition("::")
        key, _, spec = shown.partition(":")
        self.page.uses.append(Use(key.strip(), document.strip(), line, spec.strip()))

    def formula(self, content: str, line: int, flat: Flat | None = None) -> None:
        """Read a formula: as prose if it is a number in disguise, else for sizes alone."""
        self.page.formulas.append(content)
        plain = _undisguised(_plain_tex(content), flat) if flat else OBJECT
        if flat:
            flat.add(plain, line)
        if plain == OBJECT:
            self.words(content, line, kind="formula")

    def words(
        self, content: str, line: int, *, kind: Literal["formula", "printed", "prose"]
    ) -> None:
        """Keep ``content`` as a passage that is no MyST."""
        flat = Flat()
        for at, text in enumerate(content.split("\n")):
            flat.say(text + "\n", line + at)
        self.page.passages.append(flat.passage(takes_roles=False, kind=kind))

    def html(self, content: str, line: int) -> None:
        html = Html(line)
        html.feed(content)
        html.close()
        html.block()
        self.page.pictures += html.pictures
        self.page.passages += html.passages

    def printed(self, cell: Cell) -> None:
        """Read the strings without a placeholder that ``cell`` prints."""
        for text, line in printed(cell.source):
            self.words(text, cell.source_line + line, kind="printed")

    def front_matter(self, content: str, line: int) -> None:
        try:
            front = yaml.safe_load(content)
        except yaml.YAMLError:
            return  # the build itself reports it
        if isinstance(front, dict):
            self.page.front = front
            for text, at in prose_values(content, _in_front_matter):
                self.text(text, line + at, takes_roles=False)

    def fence(self, token: Token, line: int, *, inside: bool) -> None:
        found = directive(token.info, token.content)
        if found is None:
            language = token.info.split()[0] if token.info.split() else ""
            self.page.listings.append(Listing("fence", language.lower(), {}, line))
            return
        name, argument, options = found.name, found.argument, found.options
        self.page.blocks.append(Block(name, argument, options, line))
        if name == "code-cell":
            if inside:
                self.page.listings.append(Listing("nested-cell", "python", {}, line))
            else:
                cell = Cell(found.body, found.tree, line, line + found.body_line)
                self.page.cells.append(cell)
                self.printed(cell)
        elif name in _CODE:
            self.page.listings.append(Listing("fence", argument.lower(), options, line))
        elif name == "literalinclude":
            self.page.listings.append(Listing("included", argument, options, line))
        elif name == "torch":
            self.page.listings.append(Listing("snippet", argument, options, line))
        elif name in ("image", "figure", "glue:figure"):
            self.page.pictures.append(Picture(argument, options.get("alt", ""), line))
        elif name == "include":
            self.page.inclusions.append(Inclusion(argument, line))
        elif name == "math":
            self.formula(f"{argument}\n{found.body}", line + found.body_line - 1)
        elif name == "raw" and "html" in argument.lower().split():
            self.html(found.body, line + found.body_line)
        if name.startswith("glue"):
            self.use(argument, line)
        if argument and name not in NO_TITLE:
            self.text(argument, line)
        for text, at in prose_values(found.block, _in_options):
            self.text(text, line + found.block_line + at)
        for text, at in prose_values(found.block, lambda path: path[-1] in PLAIN_OPTIONS):
            self.text(text, line + found.block_line + at, takes_roles=False)
        if name == "glossary":
            heads = (head for head in found.body.split("\n") if head[:1].strip())
            self.page.glossary += [head.partition(" : ")[0].strip() for head in heads]
        if name not in NO_BODY:
            outside, self.card = self.card, self.card or name == _CARD
            self.block(found.body, line + found.body_line, inside=True)
            self.card = outside


def _undisguised(content: str, flat: Flat) -> str:
    """Return what only looks like code, a number or a figure's unit; else the mark of an object."""
    content = content.translate(UNSEEN)
    if content.strip() in SCALES and "".join(flat.parts).rstrip().endswith(GLUE):
        return content.strip()
    return LITERAL + content.strip() if _DISGUISED.fullmatch(content) else OBJECT


def _plain_tex(content: str) -> str:
    for pattern, plain in _TEX:
        content = pattern.sub(plain, content)
    return content


def _in_front_matter(path: list[str]) -> bool:
    """Return whether the reader, or a search engine, reads the front matter's value at ``path``."""
    name = path[-1].split()
    return (
        "substitutions" in path[:-1]
        or name[:1] in (["title"], ["subtitle"])
        or "description" in path[-1]
        or path[-1] in PLAIN_OPTIONS
    )


def _in_options(path: list[str]) -> bool:
    return path[-1] in PROSE_OPTIONS or "description" in path[-1]
