"""The list of mutants that live: each names code that is there, and nothing may live or die unsaid."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.tools import program

ROOT = Path(__file__).resolve().parents[1]


mutants = program("mutants")
TEXT = f"""
{mutants.counts(39, 40)}

```diff
@@ engine.py: _Pass.run @@
- if fn.number < latest:
+ if fn.number <= latest:
```
"""
ONE = mutants.Mutant(
    "engine", "_Pass.run", ("- if fn.number < latest:", "+ if fn.number <= latest:")
)
OTHER = mutants.Mutant("fitting", "_fit", ("- return grad", "+ return None"))


def test_a_list_is_read_back() -> None:
    assert mutants.listed(TEXT) == Counter([ONE])
    assert mutants.listed(f"```diff\n{ONE}\n{OTHER}\n```") == Counter([ONE, OTHER])
    with pytest.raises(ValueError, match="no mutant is named by: @@ somewhere"):
        mutants.listed("```diff\n@@ somewhere\n- a\n+ b\n```")


def test_what_a_diff_changes() -> None:
    diff = (
        "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n     x = 1\n-        return x\n+        return None"
    )
    assert mutants.changed(diff) == ("- return x", "+ return None")


def test_a_run_that_is_as_listed_is_fine() -> None:
    assert mutants.complaints(TEXT, 39, Counter([ONE])) == []


@pytest.mark.parametrize(
    ("killed", "live", "said"),
    [
        (39, [ONE, OTHER], ["No test kills this", "ought to say: Of 41 mutants"]),
        (78, [ONE, ONE], ["No test kills this", "ought to say: Of 80 mutants"]),
        (40, [], ["lists this, and it does not live", "ought to say: Of 40 mutants"]),
        (18, [ONE], ["At least 95% ought to be", "ought to say: Of 19 mutants"]),
    ],
)
def test_a_run_that_is_not_as_listed_is_refused(
    killed: int, live: list[object], said: list[str]
) -> None:
    found = mutants.complaints(TEXT, killed, Counter(live))
    assert len(found) == len(said)
    for complaint, part in zip(found, said, strict=True):
        assert part in complaint


def test_every_mutant_on_the_list_changes_code_that_is_there() -> None:
    """The run takes minutes; that a list has been left behind by the code shows at once."""
    for mutant in mutants.listed(mutants.LIST.read_text(encoding="utf-8")):
        source = (ROOT / "src" / "bytegrad" / f"{mutant.module}.py").read_text(encoding="utf-8")
        lines = {line.strip() for line in source.splitlines()}
        taken = {line[2:] for line in mutant.lines if line.startswith("- ")}
        assert taken <= lines, str(mutant)


def test_what_is_changed_and_run_is_there() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "mutmut"
    ]
    for name in settings["only_mutate"] + settings["pytest_add_cli_args_test_selection"]:
        assert (ROOT / name).is_file()
