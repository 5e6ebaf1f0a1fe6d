"""What each rule keeps is at most what PyTorch keeps, and the record of that is PyTorch's own word."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import functional, memory
from tests.tools import program

ROOT = Path(__file__).parents[1]
RECORD = json.loads((ROOT / "book" / "torch" / "saved.json").read_text(encoding="utf-8"))


def kept(record: dict[str, Any]) -> tuple[int, Any]:
    """Run a recorded call here; return the bytes that the ledger finds kept, and the rule that keeps them."""
    inputs = {}
    for name in record["inputs"].split():
        dtype, _, shape = RECORD["inputs"][name].partition(" ")
        number = 0.5 if dtype.startswith("float") else 0
        array = np.full(tuple(map(int, shape.split("×"))), number, dtype=dtype)
        asks = name in record["grads"].split()
        inputs[name] = bg.Tensor(array, requires_grad=asks)
    with memory.ledger() as led:
        output = eval(record["call"], {"F": functional, **inputs})
        return led.current, type(output.grad_fn)


def called(record: dict[str, Any]) -> str:
    return f"{record['call']} for {record['grads']}"


ONE_RULE = [record for record in RECORD["calls"] if record["method"] in bg.RULES]


@pytest.fixture(scope="module")
def asking() -> ModuleType:
    """The program that wrote the record."""
    return program("oracle/saved")


def test_every_rule_is_on_record() -> None:
    """An operation that was not held against PyTorch cannot land."""
    assert {record["method"] for record in ONE_RULE} == set(bg.RULES)


@pytest.mark.parametrize("record", ONE_RULE, ids=called)
def test_no_rule_keeps_more_than_pytorch(record: dict[str, Any]) -> None:
    nbytes, rule = kept(record)
    assert rule is bg.RULES[record["method"]]
    assert nbytes <= record["kept"]


def test_a_rule_that_keeps_more_is_caught() -> None:
    """The check itself is tested: an addition that keeps an operand must fail it."""

    class GreedyBackward(bg.RULES["__add__"]):  # type: ignore[misc]
        def __init__(self, a: Any, b: Any, output: Any = None) -> None:
            self.save(a)

    bg.enable_autograd(rules={"__add__": GreedyBackward}, quiet=True)
    record = next(record for record in ONE_RULE if record["method"] == "__add__")
    nbytes, rule = kept(record)
    assert rule is GreedyBackward
    assert nbytes > record["kept"]


def test_the_record_is_of_the_calls_that_its_program_names(asking: ModuleType) -> None:
    """Without PyTorch the numbers cannot be asked for again, but what was asked can be compared."""
    asked = asking.asked()
    assert [{k: row[k] for k in asked[0]} for row in RECORD["calls"]] == asked
    assert len(set(map(asking.key, asked))) == len(asked)
    assert RECORD["inputs"] == asking.INPUTS


def test_pytorch_says_so_still(asking: ModuleType) -> None:
    """Where PyTorch is installed, it is asked again; if it keeps something else by now: make oracle."""
    pytest.importorskip("torch")
    fresh = asking.record(ROOT / "book" / "torch")
    assert fresh["calls"] == RECORD["calls"]


def test_without_pytorch_the_program_says_what_to_do() -> None:
    """It ends with one line, and leaves the record alone."""
    before = record_text()
    blocked = (
        "import runpy, sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "sys.argv = ['oracle', 'saved']; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", blocked],
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot ask PyTorch: this Python has no package torch")
    assert "pip install torch" in done.stderr
    assert record_text() == before


def record_text() -> str:
    return (ROOT / "book" / "torch" / "saved.json").read_text(encoding="utf-8")
