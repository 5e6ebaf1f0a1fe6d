"""A resolved page as blocks of Markdown, with a mark wherever a code cell stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from docutils import nodes

from bookproof.mathematics import display_tex
from bookproof.spans import Links, Spans, tex

# What would make a heading, a list or a rule of the first words of a paragraph.
_OPENING = re.compile(r"^(#{1,6}(?=\s|$)|[-+](?=\s|$)|>|=+\s*$|-{2,}|:{3})")
_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")
_LANGUAGES = {"ipython3": "python", "python3": "python", "default": "", "none": "", "myst-ansi": ""}


@dataclass(frozen=True, slots=True)
class Heading:
    """The first line of a section or an exercise: a cell of Markdown begins here."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """The code cell with this index in the chapter's notebook; ``folded`` where it is a solution."""

    index: int
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """What follows comes from this line of the chapter, or from one below it."""

    number: int


Block = str | Heading | Code | Line


class Blocks:
    """The translator of a page's text and lists; `bookproof.boxes` has the rest.

    ``number`` gives the number of a figure, table, formula or exercise; ``warn`` is told of what cannot be
    translated, whose words stay.
    """

    def __init__(
        self,
        links: Links,
        number: Callable[[str, nodes.Element], str],
        warn: Callable[[str, nodes.Node], None],
    ) -> None:
        self.number = number
        self.warn = warn
        self.spans = Spans(links, self.unknown)
        self.depth = 0

    def of(self, node: nodes.Element, but: nodes.Node | None = None) -> list[Block]:
        """Return the children of ``node``, all ``but`` one, as blocks; bare words make a paragraph."""
        made: list[Block] = []
        children = (child for child in node.children if child is not but)
        for inline, run in groupby(children, self._is_inline):
            if inline:
                text = "".join(map(self.spans.one, run)).strip()
                made += [_guarded(text)] if text else []
            else:
                for child in run:
                    made += self.one(child)
        return made

    def _is_inline(self, node: nodes.Node) -> bool:
        known = any(hasattr(self, f"_{kind.__name__}") for kind in type(node).__mro__)
        return not known and isinstance(node, nodes.Text | nodes.Inline)

    def one(self, node: nodes.Node) -> list[Block]:
        """Return one node that is no part of a line."""
        assert isinstance(node, nodes.Element)
        for kind in type(node).__mro__:
            method = getattr(self, f"_{kind.__name__}", None)
            if method is not None:
                made: list[Block] = method(node)
                return made
        self.unknown(node)
        return self.of(node)

    def unknown(self, node: nodes.Node) -> None:
        """Warn of a node that has no counterpart."""
        self.warn(
            f"the node {type(node).__name__!r} has no counterpart in a notebook; its reader would see the "
            "bare words; write it another way, or teach bookproof.blocks or bookproof.spans to "
            "translate it",
            node,
        )

    # Text

    def _section(self, node: nodes.Element) -> list[Block]:
        self.depth += 1
        made: list[Block] = [] if node.line is None else [Line(node.line)]
        for child in node.children:
            # docutils does not number the lines of what it moves about; those tell nothing.
            if child.line is not None and not isinstance(child, nodes.title | nodes.section):
                made.append(Line(child.line))
            made += self._titled(child)
        self.depth -= 1
        return made

    def _titled(self, child: nodes.Node) -> list[Block]:
        if isinstance(child, nodes.title):
            return [self.heading(self.spans.of(child), self.depth)]
        return self.one(child) if not self._is_inline(child) else [self.spans.one(child)]

    def heading(self, text: str, depth: int) -> Heading:
        """Return a heading, not deeper than Markdown goes."""
        return Heading("#" * min(depth, 6) + " " + text)

    def _paragraph(self, node: nodes.Element) -> list[Block]:
        text = self.spans.of(node).strip()
        return [_guarded(text)] if text else []

    def _rubric(self, node: nodes.Element) -> list[Block]:
        return [f"**{self.spans.of(node)}**"]

    def _caption(self, node: nodes.Element) -> list[Block]:
        return [f"*{self.spans.of(node)}*"]

    def _literal_block(self, node: nodes.Element) -> list[Block]:
        language = node.get("language", "")
        return [fenced(node.astext().rstrip("\n"), _LANGUAGES.get(language, language))]

    _doctest_block = _literal_block

    def _math_block(self, node: nodes.Element) -> list[Block]:
        assert isinstance(node, nodes.math_block)
        number = self.number("displaymath", node) if node.get("number") else ""
        tag = rf" \tag{{{number}}}" if number else ""
        return [f"$$\n{tex(display_tex(node))}{tag}\n$$"]

    def _transition(self, node: nodes.Element) -> list[Block]:
        return ["---"]

    def _raw(self, node: nodes.Element) -> list[Block]:
        text = node.astext().strip()
        return [text] if text and "html" in node["format"].split() else []

    def _block_quote(self, node: nodes.Element) -> list[Block]:
        return list(each_run(self.of(node), quoted))

    def _attribution(self, node: nodes.Element) -> list[Block]:
        return ["— " + self.spans.of(node)]

    def _line_block(self, node: nodes.Element) -> list[Block]:
        return ["<br>\n".join(self.spans.of(line) for line in node.findall(nodes.line))]

    def _Invisible(self, node: nodes.Element) -> list[Block]:  # noqa: N802 - the class's own name
        return []

    _index = _meta = _Invisible

    def _target(self, node: nodes.Element) -> list[Block]:
        return self.of(node)

    # Lists

    def _bullet_list(self, node: nodes.Element) -> list[Block]:
        return self._list(node.children, ["- "] * len(node))

    def _enumerated_list(self, node: nodes.Element) -> list[Block]:
        start = node.get("start", 1)
        return self._list(node.children, [f"{start + n}. " for n in range(len(node))])

    def _list(self, items: Iterable[nodes.Node], marks: list[str]) -> list[Block]:
        made = []
        for item, mark in zip(items, marks, strict=True):
            assert isinstance(item, nodes.Element)
            made.append(_hung(mark, self.joined(item)))
        loose = any("\n\n" in text for text in made)
        return [("\n\n" if loose else "\n").join(made)]

    def joined(self, node: nodes.Element, but: nodes.Node | None = None) -> str:
        """Return the children as one text; a code cell cannot stand where that is asked for."""
        parts = []
        for block in self.of(node, but):
            if isinstance(block, Code):
                self.warn(
                    "a code cell stands in a list or a table; a notebook has cells of its own only "
                    "between paragraphs; move the cell out",
                    node,
                )
            elif not isinstance(block, Line):
                parts.append(block.text if isinstance(block, Heading) else block)
        return "\n\n".join(parts)

    def _definition_list(self, node: nodes.Element) -> list[Block]:
        made = []
        for item in node.children:
            assert isinstance(item, nodes.Element)
            said = [part for part in item.children if isinstance(part, nodes.definition)]
            terms = [part for part in item.children if isinstance(part, nodes.term)]
            for part in item.children:
                if part not in [*terms, *said]:
                    self.unknown(part)
            words = ", ".join(f"**{self.spans.of(term).strip()}**" for term in terms)
            made.append(_hung("- ", f"{words}: " + "\n\n".join(map(self.joined, said))))
        return ["\n".join(made)]

    def _glossary(self, node: nodes.Element) -> list[Block]:
        return self.of(node)

    def _footnote(self, node: nodes.Element) -> list[Block]:
        label = node.children[0]
        return [rf"\[{self.spans.one(nodes.Text(label.astext()))}\] {self.joined(node, but=label)}"]

    _citation = _footnote


def fenced(text: str, language: str = "") -> str:
    """Return ``text`` in a fence that nothing in it can close."""
    ticks = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def quoted(text: str) -> str:
    """Return ``text`` as a block quote."""
    return re.sub(r"^>? ?$", ">", re.sub("^", "> ", text, flags=re.MULTILINE), flags=re.MULTILINE)


def folded(title: str, text: str) -> str:
    """Return ``text`` folded below ``title`` (HTML); the blank lines let its Markdown be read."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def each_run(blocks: Iterable[Block], wrap: Callable[[str], str]) -> Iterator[Block]:
    """Yield the blocks, with each run of texts between code cells joined and wrapped."""
    for is_text, run in groupby(blocks, lambda block: isinstance(block, str | Line)):
        if is_text:
            texts: list[Any] = [block for block in run if isinstance(block, str)]
            if texts:
                yield wrap("\n\n".join(texts))
        else:
            yield from run


def _hung(mark: str, text: str) -> str:
    """Return ``text`` as an item of a list: below its mark, each line in from the margin."""
    return mark + re.sub(r"\n(?=[^\n])", "\n" + " " * len(mark), text)


def _guarded(text: str) -> str:
    """Return a paragraph whose first words Markdown cannot take for a list, a heading or a rule."""
    return _NUMBER.sub(r"\1\\\2", _OPENING.sub(r"\\\1", text))
