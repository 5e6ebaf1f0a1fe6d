"""The flat text of one passage, with the line of each of its characters."""

from typing import Literal

from bookproof.page import Mark, Passage
from bookproof.quantities import GLUE, LITERAL, OBJECT

# Characters that no reader sees, and the marks of this module, which no text may counterfeit.
UNSEEN = dict.fromkeys(map(ord, f"\u200b\u200c\u200d\ufeff\u00ad{OBJECT}{LITERAL}{GLUE}"))


class Flat:
    """Builds the flat text of one passage."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.lines: list[int] = []
        self.length = 0
        self.marks: list[Mark] = []

    def say(self, text: str, line: int) -> None:
        """Add words of the author's, without what no reader sees."""
        self.add(text.translate(UNSEEN), line)

    def add(self, text: str, line: int) -> None:
        """Add text as it is, marks of this module included."""
        self.starts.append(self.length)
        self.lines.append(line)
        self.parts.append(text)
        self.length += len(text)

    def mark(
        self,
        kind: Literal["claim", "code", "figure", "given", "term"],
        start: int,
        words: str,
        name: str = "",
    ) -> None:
        """Note what the text from ``start`` to here stands for."""
        self.marks.append(Mark(kind, start, self.length, words, name))

    def passage(
        self,
        *,
        takes_roles: bool,
        kind: Literal["formula", "printed", "prose"] = "prose",
        running: bool = False,
    ) -> Passage:
        """Return the passage that was built."""
        text = "".join(self.parts)
        places = tuple(self.starts), tuple(self.lines)
        return Passage(text, *places, takes_roles, kind, running, tuple(self.marks))
