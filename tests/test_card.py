"""A chapter's card: what is counted on the page, and what is refused."""

import re
from pathlib import Path

import pytest

from bookproof.pace import GRADES, Load
from tests.tiny_book import HEAD, TinyBook

WORDS = " ".join(["word"] * 400)
PAGE = (
    HEAD
    + f"""# Card

```{{chapter-card}}
:tier: Foundations

You need [](two.md).
```

{WORDS} `and code` $x^2$

```{{code-cell}} ipython3
a = 1
b = 2
```

```{{code-cell}} ipython3
:tags: [hide-input]
folded = 3
```

```{{exercise-start}} One
:label: ex-one
```
*Easy.* Do it.
```{{exercise-end}}
```

```{{exercise-start}} Two
:label: ex-two
```
*Systems.* Count it.
```{{exercise-end}}
```
"""
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    tiny = TinyBook.create(tmp_path_factory.mktemp("card") / "book", ("card", PAGE))
    done = tiny.build()
    assert done.status == 0, done.text
    return tiny


def test_card_counts_what_the_page_shows(built: TinyBook) -> None:
    card = re.search(r'class="chapter-card admonition".*?</div>', built.page("card"), re.S)
    assert card is not None
    said = " ".join(re.sub(r"<[^>]+>", "", card[0]).split())
    # 400 words, the 2 in backticks, the title's and the card's own; neither folded cell nor exercises are counted.
    assert re.search(
        r"Foundations · difficulty 1 of 3 · about 5 minutes \(4\d\d words, 1 cell\), and 15 more for 2 exercises · "
        r"You need",
        said,
    ), said


def test_more_words_cells_and_lines_take_longer() -> None:
    few = Load(words=1000, cells=10, lines=80, grades=("Easy",))
    assert (few.minutes, few.practice, few.difficulty) == (20, 5, 1)
    assert Load(words=3000, cells=10, lines=100, grades=()).minutes == 30
    assert Load(words=1000, cells=20, lines=100, grades=()).minutes == 30
    assert Load(words=1000, cells=10, lines=300, grades=()).minutes == 30
    assert Load(words=1000, cells=10, lines=100, grades=()).difficulty == 2
    assert Load(words=1000, cells=10, lines=130, grades=()).difficulty == 3
    assert Load(words=1, cells=0, lines=0, grades=tuple(GRADES)).practice == sum(GRADES.values())


def test_exercise_without_a_grade_and_card_without_text_are_red(
    built: TinyBook, tmp_path: Path
) -> None:
    tiny = built.copy(tmp_path / "book")
    tiny.replace("book/card.md", "*Systems.* Count", "*Tough.* Count")
    tiny.write("book/two.md", "# Two\n\n{ref}`one`\n\n```{chapter-card}\nYou need nothing.\n```\n")
    done = tiny.build()
    assert done.status != 0
    assert re.search(
        r"card\.md:\d+: WARNING: an exercise begins with 'Tough'; .*\*Easy\.\*", done.text
    )
    assert "{chapter-card}: it has no tier, or no text; " in done.text
