"""A resolved page as blocks of Markdown, with a mark wherever a code cell stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.locale import admonitionlabels

from bookproof.mathematics import display_tex
from bookproof.spans import Links, Spans, tex

# What would make a heading, a list or a rule of the first words of a paragraph.
_OPENING = re.compile(r"^(#{1,6}(?=\s|$)|[-+](?=\s|$)|>|=+\s*$|-{2,}|:{3})")
_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")
_LANGUAGES = {"ipython3": "python", "python3": "python", "default": "", "none": "", "myst-ansi": ""}
_SIDES = {"text-left": ":--", "text-center": ":-:", "text-right": "--:"}
_FOLDED = {"dropdown", "toggle", "toggle-shown"}


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
    """The translator of one page.

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
        self.spans = Spans(links, self._unknown)
        self._depth = 0

    def of(self, node: nodes.Element) -> list[Block]:
        """Return the children of ``node`` as blocks; words that stand alone make a paragraph."""
        made: list[Block] = []
        for inline, children in groupby(node.children, self._is_inline):
            if inline:
                text = "".join(map(self.spans.one, children)).strip()
                made += [_guarded(text)] if text else []
            else:
                for child in children:
                    made += self._one(child)
        return made

    def _is_inline(self, node: nodes.Node) -> bool:
        known = any(hasattr(self, f"_{kind.__name__}") for kind in type(node).__mro__)
        return not known and isinstance(node, nodes.Text | nodes.Inline)

    def _one(self, node: nodes.Node) -> list[Block]:
        assert isinstance(node, nodes.Element)
        for kind in type(node).__mro__:
            method = getattr(self, f"_{kind.__name__}", None)
            if method is not None:
                made: list[Block] = method(node)
                return made
        self._unknown(node)
        return self.of(node)

    def _unknown(self, node: nodes.Node) -> None:
        self.warn(
            f"the node {type(node).__name__!r} has no counterpart in a notebook; its reader would see the "
            "bare words; write it another way, or teach bookproof.blocks or bookproof.spans to "
            "translate it",
            node,
        )

    # Text

    def _section(self, node: nodes.Element) -> list[Block]:
        self._depth += 1
        made: list[Block] = [] if node.line is None else [Line(node.line)]
        for child in node.children:
            # docutils does not number the lines of what it moves about; those tell nothing.
            if child.line is not None and not isinstance(child, nodes.title | nodes.section):
                made.append(Line(child.line))
            made += self._titled(child)
        self._depth -= 1
        return made

    def _titled(self, child: nodes.Node) -> list[Block]:
        if isinstance(child, nodes.title):
            return [self._heading(self.spans.of(child), self._depth)]
        return self._one(child) if not self._is_inline(child) else [self.spans.one(child)]

    def _heading(self, text: str, depth: int) -> Heading:
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
        return list(_each_run(self.of(node), quoted))

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
            made.append(_hung(mark, self._joined(item)))
        loose = any("\n\n" in text for text in made)
        return [("\n\n" if loose else "\n").join(made)]

    def _joined(self, node: nodes.Element) -> str:
        """Return the children as one text; a code cell cannot stand where that is asked for."""
        parts = []
        for block in self.of(node):
            if isinstance(block, str):
                parts.append(block)
            elif isinstance(block, Code):
                self.warn(
                    "a code cell stands in a list or a table; a notebook has cells of its own only "
                    "between paragraphs; move the cell out",
                    node,
                )
        return "\n\n".join(parts)

    def _definition_list(self, node: nodes.Element) -> list[Block]:
        made = []
        for item in node.children:
            assert isinstance(item, nodes.Element)
            terms = [
                self.spans.of(term).strip()
                for term in item.findall(nodes.term)
                if term.parent is item
            ]
            said = [self._joined(part) for part in item if isinstance(part, nodes.definition)]
            text = ", ".join(f"**{term}**" for term in terms) + ": " + "\n\n".join(said)
            made.append(_hung("- ", text))
        return ["\n".join(made)]

    def _glossary(self, node: nodes.Element) -> list[Block]:
        return self.of(node)

    def _footnote(self, node: nodes.Element) -> list[Block]:
        label, *rest = node.children
        text = "\n\n".join(
            block for part in rest for block in self._one(part) if isinstance(block, str)
        )
        return [rf"\[{self.spans.one(nodes.Text(label.astext()))}\] {text}"]

    _citation = _footnote

    # Pictures and tables

    def _image(self, node: nodes.Element) -> list[Block]:
        return [self.spans.one(node)]

    def _figure(self, node: nodes.Element) -> list[Block]:
        made: list[Block] = []
        for child in node.children:
            caption = isinstance(child, nodes.caption)
            made += [self.caption(node, child)] if caption else self._one(child)
        return made

    _legend = _target

    def caption(self, node: nodes.Element, words: nodes.Node, kind: str = "figure") -> str:
        """Return the caption of a figure or table, with its number."""
        assert isinstance(words, nodes.Element)
        number = self.number(kind, node)
        name = {"figure": "Fig.", "table": "Table"}[kind]
        return (f"**{name} {number}** " if number else "") + self.spans.of(words)

    def _table(self, node: nodes.Element) -> list[Block]:
        titles = [self.caption(node, title, "table") for title in node.findall(nodes.title)]
        heads = [row for head in node.findall(nodes.thead) for row in head.findall(nodes.row)]
        rows = [row for body in node.findall(nodes.tbody) for row in body.findall(nodes.row)]
        width = max((len(row) for row in [*heads, *rows]), default=0)
        lines = [self._cells(row) for row in heads] or ["|" + "  |" * width]
        sides = [_side(entry) for entry in (heads or rows)[0]]
        lines.insert(1, f"| {' | '.join(sides)} |")
        return [*titles, "\n".join([*lines, *map(self._cells, rows)])]

    def _cells(self, row: nodes.Element) -> str:
        cells = []
        for entry in row:
            assert isinstance(entry, nodes.Element)
            text = self._joined(entry)
            if "\n" in text.replace("\n\n", "") or entry.get("morecols") or entry.get("morerows"):
                self.warn(
                    "a table's cell holds more than paragraphs, or spans several cells; a table in "
                    "Markdown cannot show that; use a list, or one cell for each thing",
                    entry,
                )
            cells.append(text.replace("\n\n", "<br>").replace("\n", " "))
        return f"| {' | '.join(cells)} |"

    # Boxes

    def _Admonition(self, node: nodes.Element) -> list[Block]:  # noqa: N802 - the class's own name
        # The writer of the page gives a note its title; other boxes have had theirs from the start.
        first = node.children[0] if node.children else None
        title = first if isinstance(first, nodes.title) else None
        words = self.spans.of(title) if title else admonitionlabels.get(type(node).__name__, "")
        inner = self._without(node, title)
        if _FOLDED & set(node["classes"]):
            plain = self.spans.plain(title) if title else words
            return list(_each_run(inner, lambda text: folded(plain, text)))
        return list(_each_run([f"**{words}**", *inner] if words else inner, quoted))

    _topic = _sidebar = _Admonition

    def _without(self, node: nodes.Element, title: nodes.Node | None) -> list[Block]:
        """Return all children but the title, which stays where it is in the tree."""
        return [
            block
            for child in node.children
            if child is not title
            for block in (
                self._one(child) if not self._is_inline(child) else [self.spans.one(child)]
            )
        ]

    def _exercise_node(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        number = self.number("exercise", node)
        named = title.get("title", "").replace("%s", number) + self.spans.of(title)
        return [self._heading(named.strip(), self._depth + 1), *self._without(node, title)]

    _exercise_enumerable_node = _exercise_node

    def _solution_node(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        inner = [
            Code(block.index, folded=True) if isinstance(block, Code) else block
            for block in self._without(node, title)
        ]
        words = self.spans.plain(title)
        first = next((block for block in inner if not isinstance(block, Line)), None)
        opened = isinstance(first, Code)
        rest = f"{words}, in words" if opened else words
        made = list(_each_run(inner, lambda text: folded(rest, text)))
        return (
            [f"**{self.spans.of(title)}** is in the folded cell below.", *made] if opened else made
        )

    def _dropdown_main(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        words = self.spans.plain(title).strip()
        return list(_each_run(self._without(node, title), lambda text: folded(words, text)))

    def _sd_tab_input(self, node: nodes.Element) -> list[Block]:
        return []

    def _sd_tab_label(self, node: nodes.Element) -> list[Block]:
        return [f"**{self.spans.of(node)}**"]

    def _compound(self, node: nodes.Element) -> list[Block]:
        # The site's table of contents stands beside each of its pages; a notebook is one page.
        return [] if "toctree-wrapper" in node["classes"] else self.of(node)

    def _container(self, node: nodes.Element) -> list[Block]:
        if node.get("nb_element") != "cell_code":
            return self.of(node)
        made: list[Block] = [Code(node["cell_index"])]
        for figure in node.findall(nodes.figure):
            made += [
                self.caption(figure, words) for words in figure if isinstance(words, nodes.caption)
            ]
        return made

    _document = _target


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


def _each_run(blocks: Iterable[Block], wrap: Callable[[str], str]) -> Iterator[Block]:
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


def _side(entry: nodes.Node) -> str:
    assert isinstance(entry, nodes.Element)
    return next((mark for name, mark in _SIDES.items() if name in entry["classes"]), "---")
