"""The flat text of one passage, with the line of each of its characters."""

from typing import Literal

from bookproof.page import Passage
from bookproof.quantities import CLAIM, GLUE, LITERAL, OBJECT

# Characters that no reader sees, and the marks of this module, which no text may counterfeit.
UNSEEN = dict.fromkeys(map(ord, f"\u200b\u200c\u200d\ufeff\u00ad{OBJECT}{LITERAL}{GLUE}{CLAIM}"))


class Flat:
    """Builds the flat text of one passage."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.lines: list[int] = []
        self.length = 0

    def say(self, text: str, line: int) -> None:
        """Add words of the author's, without what no reader sees."""
        self.add(text.translate(UNSEEN), line)

    def add(self, text: str, line: int) -> None:
        """Add text as it is, marks of this module included."""
        self.starts.append(self.length)
        self.lines.append(line)
        self.parts.append(text)
        self.length += len(text)

    def passage(
        self, *, takes_roles: bool, kind: Literal["formula", "printed", "prose"] = "prose"
    ) -> Passage:
        """Return the passage that was built."""
        text = "".join(self.parts)
        return Passage(text, tuple(self.starts), tuple(self.lines), takes_roles, kind)
