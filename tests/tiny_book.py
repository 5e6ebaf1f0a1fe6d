"""A small book with the real book's configuration, to plant faults in."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
HEAD = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
jupytext: {text_representation: {extension: .md, format_name: myst}}
---
"""

INDEX = "# Tiny\n\nA {given}`16 GB` card, and $x^2$.\n"
ONE = (
    HEAD
    + """(one)=
# One

The layer takes {glue:text}`one_bytes`. See [](two.md).

```{code-cell} ipython3
from bookproof import figure
from tiny.one import answer

answer_bytes = figure("one_bytes", 1024 * answer(), "KiB", formula="1024 · answer")
print("the answer is", answer())
```

```{code-cell} ipython3
:tags: [raises-exception]
1 / 0
```

```{code-cell} ipython3
import time

took = figure("one_took", time.perf_counter(), "s", formula="measured", measured=True)
took;
```

```{literalinclude} ../src/tiny/one.py
:language: python
:pyobject: answer
```
"""
)
TWO = (
    HEAD
    + """# Two

```{code-cell} ipython3
import tiny as t

t.double(4)
```

Back to {ref}`one`.
"""
)
CHANCE = HEAD + "# Chance\n\n```{code-cell} ipython3\nimport time\n\nprint(time.time_ns())\n```\n"
RAISES = (
    HEAD
    + """# Raises

```{code-cell} ipython3
import os

if "PYTEST_VERSION" in os.environ:
    raise ValueError("not twice")
```
"""
)
UNSEEN = (
    HEAD + '# Unseen\n\n```{code-cell} ipython3\n:tags: [nbval-ignore-output]\nprint("x")\n```\n'
)
FALSE = (
    HEAD
    + """# False

```{code-cell} ipython3
:tags: [raises-exception, remove-cell]
assert 2 + 2 == 5
```
"""
)
DRAWN = (
    HEAD
    + """# Drawn

```{code-cell} ipython3
import os
import time

from IPython.display import SVG, Image, display

box = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><rect width="{}" height="9"/></svg>'
display(SVG(box.format(40)))
```

```{code-cell} ipython3
if "PYTEST_VERSION" not in os.environ:
    display(SVG(box.format(30)))
```

```{code-cell} ipython3
:tags: [measured]
print(f"{2} walks took {time.perf_counter():.9f} s")
display(SVG(box.format(time.perf_counter() % 80)))
```
"""
)
UNTAGGED = (
    HEAD
    + """# Untagged

```{code-cell} ipython3
import time

print(f"{time.perf_counter():.9f} s")
```
"""
)
DRILL = (
    HEAD
    + """# Drill

```{exercise-start} Double
:label: ex-double
```
Double it.

```{code-cell} ipython3
def double(x):
    ...
```

```{code-cell} ipython3
from bookproof import right, self_check, wrong


@self_check
def check_double(attempt):
    if attempt(3) == 6:
        return right("it doubles.")
    return wrong("it does not.")


check_double(double)
```
```{exercise-end}
```

```{solution-start} ex-double
```
```{code-cell} ipython3
def double_solution(x):
    return 2 * x


check_double(double_solution)
```
```{solution-end}
```
"""
)
LENIENT = DRILL.replace("ex-double", "ex-lenient").replace(
    "if attempt(3) == 6:", "if attempt(3) != 7:"
)
THROWS = DRILL.replace("ex-double", "ex-throws").replace(
    'return wrong("it does not.")', "return False"
)

FILES = {
    "_toc.yml": (
        "format: jb-book\nroot: book/index\nchapters:\n- file: book/one\n- file: book/two\n"
    ),
    "book/course.toml": '[course]\nname = "Tiny"\nauthor = "Nobody"\nyear = 2026\n',
    "book/references.bib": "",
    "book/index.md": INDEX,
    "book/one.md": ONE,
    "book/two.md": TWO,
    "src/tiny/__init__.py": "from tiny.one import answer\nfrom tiny.two import double\n",
    "src/tiny/one.py": "def answer():\n    return 42\n",
    "src/tiny/two.py": "def double(x):\n    return 2 * x\n",
}


@dataclass(frozen=True)
class Build:
    """What a build said."""

    status: int
    text: str

    @property
    def executed(self) -> list[str]:
        """The chapters that ran in a kernel."""
        return sorted(re.findall(r"(\w+)\.md: Executed notebook", self.text))


class TinyBook:
    """The book in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path, *extra: tuple[str, str]) -> "TinyBook":
        """Write the book, with these extra chapters (name, text)."""
        book = cls(root)
        for name, text in FILES.items():
            book.write(name, text)
        for name, text in extra:
            book.write(f"book/{name}.md", text)
            book.replace("_toc.yml", "chapters:\n", f"chapters:\n- file: book/{name}\n")
        shutil.copy(REPO / "_config.yml", root)
        for folder in ("_static", "_templates"):
            shutil.copytree(REPO / "book" / folder, root / "book" / folder)
        return book

    def copy(self, root: Path) -> "TinyBook":
        """The same book, built as far as this one is."""
        shutil.copytree(self.root, root)
        return TinyBook(root)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def page(self, name: str) -> str:
        return (self.root / "_build/html/book" / f"{name}.html").read_text(encoding="utf-8")

    def build(self) -> Build:
        """Build as `make book` does."""
        program = Path(sys.executable).with_name("jupyter-book")
        command = [program, "build", ".", "-W", "-n", "--keep-going", "--all"]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment(self.root),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
        return Build(done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))


def environment(root: Path) -> dict[str, str]:
    """This process's environment with the tiny engine, without what CI or pytest set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "PYTEST_"))}
    path = [str(root / "src"), str(REPO / "src")]
    return kept | {"PYTHONPATH": os.pathsep.join(path)}
