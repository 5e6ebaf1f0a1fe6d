"""How long a page takes, and how dense it is: what a chapter's card states, and what it reckons with."""

from dataclasses import dataclass

from bookproof.units import counted

WORDS_PER_MINUTE = 200
"""What a student reads of a text that has formulas in it."""

LINES_PER_MINUTE = 20
"""Lines of code, read once."""

MINUTES_PER_CELL = 1
"""To guess, run the cell, and look."""

GRADES = {"Easy": 5, "Medium": 10, "Hard": 20, "Systems": 10}
"""Minutes for an exercise, by the word that it begins with."""

DENSITIES = (9, 12)
"""From so many lines of code to a hundred words on, difficulty is 2, and 3."""

_ROUNDED = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What a page has to read and to do, outside its exercises, whose ``grades`` stand for them.

    >>> load = Load(words=2000, cells=15, lines=200, grades=("Easy", "Hard"))
    >>> load.minutes, load.practice, load.difficulty
    (35, 25, 2)
    """

    words: int
    cells: int
    lines: int
    grades: tuple[str, ...]

    @property
    def minutes(self) -> int:
        """Minutes to read the page and run its cells."""
        return _to_five(
            self.words / WORDS_PER_MINUTE
            + self.lines / LINES_PER_MINUTE
            + self.cells * MINUTES_PER_CELL
        )

    @property
    def practice(self) -> int:
        """Minutes for its exercises."""
        return _to_five(sum(GRADES[grade] for grade in self.grades))

    @property
    def difficulty(self) -> int:
        """1, 2 or 3: how dense the code is."""
        density = 100 * self.lines / max(self.words, 1)
        return 1 + sum(density >= limit for limit in DENSITIES)

    def __str__(self) -> str:
        """Return the card's words."""
        read = f"{self.words:,} words, {counted(self.cells, 'cell')}"
        told = f"difficulty {self.difficulty} of 3 · about {self.minutes} minutes ({read})"
        if self.grades:
            told += f", and {self.practice} more for {counted(len(self.grades), 'exercise')}"
        return told


def _to_five(minutes: float) -> int:
    return max(_ROUNDED, _ROUNDED * round(minutes / _ROUNDED))
