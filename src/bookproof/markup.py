"""What the reader of a piece of HTML sees or is told, and its pictures."""

from html.parser import HTMLParser

from bookproof.flat import Flat
from bookproof.page import Passage, Picture
from bookproof.quantities import OBJECT

_LINE = "a abbr b bdi cite code em i kbd mark q s small span strong sub sup u var"
_INLINE = frozenset(_LINE.split())
_UNREAD = frozenset(("code", "kbd", "pre", "samp", "script", "style", "svg"))
_SPOKEN = {"alt", "aria-label", "label", "placeholder", "title"}
"""Elements within a line of HTML, those that hold no prose, and attributes that do."""


class Html(HTMLParser):
    """Collects what the reader of a piece of HTML sees or is told, and its pictures."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.first = line
        self.pictures: list[Picture] = []
        self.passages: list[Passage] = []
        self.flat = Flat()
        self.hidden: list[str] = []

    def block(self) -> None:
        """Close the passage that is being read."""
        if self.flat.length:
            self.passages.append(self.flat.passage(takes_roles=False))
            self.flat = Flat()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note pictures and spoken attributes; a block element ends the passage before it."""
        line = self.first + self.getpos()[0] - 1
        values = {name: value or "" for name, value in attrs}
        if tag == "img":
            hidden = values.get("aria-hidden") == "true" or values.get("role") == "presentation"
            alt = "decoration" if hidden else values.get("alt", "")
            self.pictures.append(Picture(values.get("src", ""), alt, line))
        for name in _SPOKEN & set(values):
            # The line of a word in an attribute is that of the tag, or of the text in it.
            said = Flat()
            source = self.get_starttag_text() or ""
            found = source.find(values[name])
            at = line + source.count("\n", 0, max(0, found))
            for offset, text in enumerate(values[name].split("\n")):
                said.say(text + "\n", at + offset)
            self.passages.append(said.passage(takes_roles=False))
        if tag not in _INLINE:
            self.block()
        if tag in _UNREAD:
            self.hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """End the passage with a block, and the silence of an element that is no prose."""
        if tag not in _INLINE:
            self.block()
        if self.hidden and self.hidden[-1] == tag:
            self.hidden.pop()
            self.flat.add(OBJECT, self.first + self.getpos()[0] - 1)

    def handle_data(self, data: str) -> None:
        """Add what the reader sees."""
        if self.hidden:
            return
        for offset, text in enumerate(data.split("\n")):
            line = self.first + self.getpos()[0] - 1 + offset
            self.flat.say(" " + text if offset else text, line)
