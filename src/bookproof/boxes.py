"""What frames text on a resolved page, as Markdown: pictures, tables, boxes, exercises and cells."""

from __future__ import annotations

from docutils import nodes
from sphinx.locale import admonitionlabels

from bookproof.blocks import Block, Blocks, Code, Line, each_run, folded, quoted

_SIDES = {"text-left": ":--", "text-center": ":-:", "text-right": "--:"}
_FOLDED = {"dropdown", "toggle", "toggle-shown"}


class Boxes(Blocks):
    """The translator of a whole page."""

    # Pictures and tables

    def _image(self, node: nodes.Element) -> list[Block]:
        return [self.spans.one(node)]

    def _figure(self, node: nodes.Element) -> list[Block]:
        made: list[Block] = []
        for child in node.children:
            caption = isinstance(child, nodes.caption)
            made += [self.caption(node, child)] if caption else self.one(child)
        return made

    def _legend(self, node: nodes.Element) -> list[Block]:
        return self.of(node)

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
            text = self.joined(entry)
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
        inner = self.of(node, but=title)
        if _FOLDED & set(node["classes"]):
            plain = self.spans.plain(title) if title else words
            return list(each_run(inner, lambda text: folded(plain, text)))
        return list(each_run([f"**{words}**", *inner] if words else inner, quoted))

    _topic = _sidebar = _Admonition

    def _exercise_node(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        number = self.number("exercise", node)
        named = title.get("title", "").replace("%s", number) + self.spans.of(title)
        return [self.heading(named.strip(), self.depth + 1), *self.of(node, but=title)]

    _exercise_enumerable_node = _exercise_node

    def _solution_node(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        inner = [
            Code(block.index, folded=True) if isinstance(block, Code) else block
            for block in self.of(node, but=title)
        ]
        words = self.spans.plain(title)
        first = next((block for block in inner if not isinstance(block, Line)), None)
        opened = isinstance(first, Code)
        rest = f"{words}, in words" if opened else words
        made = list(each_run(inner, lambda text: folded(rest, text)))
        return (
            [f"**{self.spans.of(title)}** is in the folded cell below.", *made] if opened else made
        )

    def _dropdown_main(self, node: nodes.Element) -> list[Block]:
        title = node.children[0]
        assert isinstance(title, nodes.Element)
        words = self.spans.plain(title).strip()
        return list(each_run(self.of(node, but=title), lambda text: folded(words, text)))

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

    _document = _legend


def _side(entry: nodes.Node) -> str:
    assert isinstance(entry, nodes.Element)
    return next((mark for name, mark in _SIDES.items() if name in entry["classes"]), "---")
