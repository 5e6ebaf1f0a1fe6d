"""Claims in words: they hold or they raise, the lock keeps words beside assertion, and neither changes alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbformat import v4

from bookproof import ClaimError, FigureError, cache, claim, lock
from bookproof.claims import assertions
from bookproof.locked import LockedClaim
from bookproof.prose import read

TEXT = """\
---
file_format: mystnb
kernelspec: {name: python3}
---
# Title

```{code-cell}
claim("flat_keeps_more", flat > deep)
```

The flat one {claim}`keeps more <flat_keeps_more>`, as said.
"""


@pytest.mark.parametrize("holds", [True, np.True_, np.array(3) > 2, np.ones(3).all()])
def test_a_claim_that_holds_says_nothing(holds: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert claim("it_holds", holds) is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("holds", [False, np.False_, np.array(False)])
def test_a_claim_that_does_not_hold_raises(holds: object) -> None:
    with pytest.raises(
        AssertionError, match=r"^claim 'it_holds' does not hold; what the text marks"
    ):
        claim("it_holds", holds)


@pytest.mark.parametrize("holds", [1, 0, 3.2, None, "yes", np.array([True, True]), np.array(1.0)])
def test_a_claim_is_true_or_false(holds: object) -> None:
    with pytest.raises(ClaimError, match="a claim holds or it does not; write a comparison"):
        claim("it_holds", holds)


def test_a_claims_name_is_a_key() -> None:
    with pytest.raises(FigureError, match=r"^claim\('Not A Key', …\): the name is malformed"):
        claim("Not A Key", True)


def test_assertions_are_found_with_what_they_assert() -> None:
    source = 'x = 1\nclaim("one", x  ==  1)\nif x:\n    claim("two", (x > 0))\nclaim(name, x)\n'
    assert list(assertions(source)) == [("one", "x == 1", 1), ("two", "x > 0", 3)]
    assert list(assertions("%timeit x")) == []


def recorded(*names: str) -> Any:
    """Return an executed notebook in which these claims held, each in a cell of its own."""
    cells = []
    for name in names:
        metadata = {"scrapbook": {"name": f"claim:{name}"}, "bookproof": {"claim": name}}
        output = v4.new_output("display_data", {"text/plain": "holds"}, metadata=metadata)
        cells.append(v4.new_code_cell("", outputs=[output]))
    return v4.new_notebook(cells=cells)


def locked(text: str) -> dict[str, LockedClaim]:
    return lock.claims(recorded("flat_keeps_more"), read(text))


def test_the_lock_keeps_the_words_beside_the_assertion() -> None:
    (kept,) = locked(TEXT).items()
    assert kept == ("claim flat_keeps_more", LockedClaim(("keeps more",), "flat > deep", 1))
    assert kept[1].line() == '{says = ["keeps more"], asserts = "flat > deep"}'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "keeps more <",
            "keeps less <",
            "memory, cell 1: claim flat_keeps_more: “keeps more” → “keeps less”",
        ),
        (
            "flat > deep",
            "flat >= deep",
            (
                "memory, cell 1: claim flat_keeps_more: “keeps more”, but it asserted 'flat > deep' and asserts "
                "'flat >= deep'"
            ),
        ),
        (
            "{claim}`keeps more <flat_keeps_more>`",
            "keeps more",
            "memory, cell 1: claim flat_keeps_more: “keeps more” → no words",
        ),
    ],
)
def test_neither_words_nor_assertion_change_alone(old: str, new: str, said: str) -> None:
    now = locked(TEXT.replace(old, new))
    assert [*map(str, lock.differences({"memory": locked(TEXT)}, {"memory": now}))] == [said]


def test_a_lost_assertion_is_a_difference() -> None:
    (gone,) = lock.differences({"memory": locked(TEXT)}, {"memory": {}})
    assert str(gone) == "memory: claim flat_keeps_more: gone, “keeps more”"


def test_the_lock_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/memory\n", encoding="utf-8")
    (tmp_path / "book/memory.md").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(cache, "executed", lambda path: recorded("flat_keeps_more"))
    made = lock.collect(tmp_path)
    lock.write(tmp_path, made)
    assert '"claim flat_keeps_more" = {says = ["keeps more"]' in (tmp_path / lock.FILE).read_text(
        "utf-8"
    )
    assert lock.differences(lock.read(tmp_path), made) == []
