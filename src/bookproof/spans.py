"""What stands inside a line of a resolved page, as Markdown that every notebook viewer reads alike."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from docutils import nodes

# What Markdown would read as markup: an underscore only at the edge of a word.
_MARKUP = re.compile(r"[\\`*\[\]<$~|]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_BLANKS = re.compile(r"[ \t\r\n]+")  # a no-break space is none of them
_WRAPPED = {"subscript": "sub", "superscript": "sup"}


@dataclass(frozen=True)
class Links:
    """Where links of one page lead: to the ``site``, which is empty where nobody knows its address."""

    site: str
    page: str  # the page's own address on the site, book/value.html
    folder: Path  # where the paths of images start

    def absolute(self, node: nodes.Element) -> str:
        """Return the full address of a reference, or an empty string where there is none to give."""
        uri = str(node.get("refuri") or (f"#{node['refid']}" if node.get("refid") else ""))
        if not uri or urlsplit(uri).scheme:
            return uri
        return urljoin(urljoin(self.site, self.page), uri) if self.site else ""


def spaced(text: str) -> str:
    """Return ``text`` with each run of blanks and line ends as one space."""
    return _BLANKS.sub(" ", text)


class Spans:
    """The translator of inline nodes; ``unknown`` is told of each node that it cannot translate."""

    def __init__(self, links: Links, unknown: Callable[[nodes.Node], None]) -> None:
        self.links = links
        self.unknown = unknown

    def of(self, node: nodes.Element) -> str:
        """Return the children of ``node`` as one run of Markdown."""
        return "".join(map(self.one, node.children))

    def one(self, node: nodes.Node) -> str:
        """Return one inline node, or a text, as Markdown."""
        if isinstance(node, nodes.Text):
            return _MARKUP.sub(r"\\\g<0>", spaced(node.astext()))
        assert isinstance(node, nodes.Element)
        for kind in type(node).__mro__:
            method = getattr(self, f"_{kind.__name__}", None)
            if method is not None:
                made: str = method(node)
                return made
        self.unknown(node)
        return self.of(node)

    def plain(self, node: nodes.Element) -> str:
        """Return the words of ``node`` as HTML, for a place in which Markdown is not read."""
        made = []
        for child in node.children:
            if isinstance(child, nodes.math):
                made.append(f"${escape(child.astext(), quote=False)}$")
            elif isinstance(child, nodes.literal):
                made.append(f"<code>{escape(child.astext(), quote=False)}</code>")
            elif isinstance(child, nodes.Text):
                made.append(escape(spaced(child.astext()), quote=False))
            elif isinstance(child, nodes.Element) and not isinstance(child, nodes.raw):
                made.append(self.plain(child))
        return "".join(made)

    def _emphasis(self, node: nodes.Element) -> str:
        return self._marked(node, "*", "em")

    _title_reference = _emphasis

    def _strong(self, node: nodes.Element) -> str:
        return self._marked(node, "**", "strong")

    def _marked(self, node: nodes.Element, mark: str, tag: str) -> str:
        inner = self.of(node)
        return f"<{tag}>{inner}</{tag}>" if _in_a_word(node) else f"{mark}{inner}{mark}"

    def _literal(self, node: nodes.Element) -> str:
        text = spaced(node.astext())
        if {"std-doc", "std-ref", "std-numref"} & set(node["classes"]):
            return self.of(node)  # Sphinx's way to hold the words of a reference
        ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
        edge = " " if text[:1] == "`" or text[-1:] == "`" else ""
        # In a table a bar ends the cell even here; elsewhere none of the book's code has one.
        text = text.replace("|", r"\|") if _in_a_table(node) else text
        return f"{ticks}{edge}{text}{edge}{ticks}"

    def _math(self, node: nodes.Element) -> str:
        return f"${tex(node.astext().strip(), in_a_table=_in_a_table(node))}$"

    def _reference(self, node: nodes.Element) -> str:
        inner, address = self.of(node), self.links.absolute(node)
        if not address or not inner:
            return inner
        # Blanks at the edges belong outside: sphinx-exercise puts one before "Exercise".
        before, words, after = re.fullmatch(r"(\s*)(.*?)(\s*)", inner, re.DOTALL).groups()  # type: ignore[union-attr]
        address = f"<{address}>" if re.search(r"[()\s]", address) else address
        return f"{before}[{words}]({address}){after}"

    def _download_reference(self, node: nodes.Element) -> str:
        return self.of(node)

    def _inline(self, node: nodes.Element) -> str:
        # A figure is bold here as on the page, whether it is a tie to its cell or a bare text.
        if node.get("kind") == "figure" or "pasted-text" in node["classes"]:
            return self._strong(node)
        return self.of(node)

    def _footnote_reference(self, node: nodes.Element) -> str:
        return rf"\[{self.of(node)}\]"

    def _abbreviation(self, node: nodes.Element) -> str:
        meant = node.get("explanation", "")
        return f'<abbr title="{escape(meant)}">{self.of(node)}</abbr>' if meant else self.of(node)

    def _tagged(self, node: nodes.Element) -> str:
        tag = _WRAPPED[type(node).__name__]
        return f"<{tag}>{self.of(node)}</{tag}>"

    _subscript = _superscript = _tagged

    def _raw(self, node: nodes.Element) -> str:
        return node.astext() if "html" in node["format"].split() else ""

    def _target(self, node: nodes.Element) -> str:
        return self.of(node)

    def _Invisible(self, node: nodes.Element) -> str:  # noqa: N802 - the class's own name
        return ""

    _index = _Invisible

    def _image(self, node: nodes.Element) -> str:
        """Return an image with its bytes inside, so that it needs no file beside the notebook."""
        # The writer of the page has turned the uri into a path of the site; the candidates are sources.
        uri = str(next(iter(node.get("candidates", {}).values()), node["uri"]))
        alt = escape(str(node.get("alt", "")))
        if not urlsplit(uri).scheme:
            path = self.links.folder / uri
            kind = guess_type(path.name)[0] or "application/octet-stream"
            uri = f"data:{kind};base64,{b64encode(path.read_bytes()).decode('ascii')}"
        return f'<img alt="{alt}" src="{uri}">'


def tex(source: str, in_a_table: bool = False) -> str:
    """Return TeX as it can stand in Markdown: on one line, and in a table without a bar."""
    source = spaced(source)
    if in_a_table:
        source = source.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return source


def _in_a_table(node: nodes.Node) -> bool:
    while (parent := node.parent) is not None:
        if isinstance(parent, nodes.entry):
            return True
        node = parent
    return False


def _in_a_word(node: nodes.Element) -> bool:
    """Return whether letters touch the node, where Markdown's stars would stay stars."""
    parent = node.parent
    if parent is None:
        return False
    at = parent.index(node)
    before = parent[at - 1].astext()[-1:] if at else ""
    after = parent[at + 1].astext()[:1] if at + 1 < len(parent) else ""
    return before.isalnum() or after.isalnum()
