"""What a chapter consists of, as far as the lint is concerned."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Mark:
    """A role or inline code in a passage: its place in the flat text, and what it says.

    ``name`` is what it points to: a term, a claim's name; ``words`` is what the reader reads.
    """

    kind: Literal["claim", "code", "figure", "given", "term"]
    start: int
    end: int
    words: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of prose as one flat text, which knows the source line of each of its characters.

    ``takes_roles`` is false where the build prints the text as it stands (alternative text);
    ``kind`` says what else than prose it is: a formula, or a string that a cell prints.
    ``running`` is false outside the running text: headings, captions, the chapter's card, its
    objectives. ``marks`` tells what stood in the source where a role or code was.
    """

    text: str
    starts: tuple[int, ...]
    lines: tuple[int, ...]
    takes_roles: bool = True
    kind: Literal["prose", "formula", "printed"] = "prose"
    running: bool = True
    marks: tuple[Mark, ...] = ()

    def line(self, offset: int) -> int:
        """Return the source line of the character at ``offset``."""
        return self.lines[max(0, bisect_right(self.starts, offset) - 1)]


@dataclass(frozen=True, slots=True)
class Use:
    """A glue role or directive: which key it shows, of which document ("" is this one), and how."""

    key: str
    document: str
    line: int
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Words that the text marks as borne out by the claim of that name."""

    name: str
    words: str
    line: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A file whose text the build puts in this place."""

    target: str
    line: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Code on the page that no cell runs; of PyTorch's snippets the ``language`` is the name."""

    kind: Literal["fence", "indented", "included", "nested-cell", "snippet"]
    language: str
    options: dict[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell that runs: its source, its line, and the options that stand above the source."""

    source: str
    options: dict[str, object]
    line: int
    source_line: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the text places, and the words that stand in for it."""

    target: str
    alt: str
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """A directive, wherever on the page it stands: its name, argument, options and line."""

    name: str
    argument: str
    options: dict[str, str]
    line: int


@dataclass(slots=True)
class Page:
    """All that the lint wants to know about one chapter."""

    front: dict[str, object] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    glossary: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    inclusions: list[Inclusion] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
