"""The scalar engine."""

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytegrad.budget
import bytegrad.value
from bytegrad.value import Value, topological_order

FUNCTIONS: list[tuple[Any, float, float]] = [
    (lambda x: x + x * 3 + 2, -3, 3),
    (lambda x: 5 - x, -3, 3),
    (lambda x: 1 / x, 0.5, 3),
    (lambda x: x / 4 - x, -3, 3),
    (lambda x: 2**x, -3, 3),
    (lambda x: x**3, -3, 3),
    (lambda x: x**-0.5, 0.5, 3),
    (lambda x: x**x, 0.5, 3),
    (lambda x: (-x).exp(), -3, 3),
    (lambda x: x.log(), 0.5, 3),
    (lambda x: x.tanh(), -3, 3),
    (lambda x: (x * x + 1).relu(), -3, 3),
    (lambda x: sum([x, x * x]), -3, 3),
]


@pytest.mark.parametrize("case", FUNCTIONS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(fraction=st.floats(0, 1))
def test_slope_is_the_finite_difference(case: tuple[Any, float, float], fraction: float) -> None:
    f, low, high = case
    at, eps = low + (high - low) * fraction, 1e-6
    x = Value(at)
    f(x).backward()
    expected = (f(Value(at + eps)).data - f(Value(at - eps)).data) / (2 * eps)
    assert x.grad == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_the_courses_first_figures() -> None:
    x = Value(2.0)
    ((3 * x + 1) ** 2).backward()
    assert x.grad == 42
    a, b = Value(2.0), Value(3.0)
    ((a + b) * b).backward()
    assert (a.grad, b.grad) == (3, 8)


def test_a_second_backward_adds_to_leaves_alone() -> None:
    a, b = Value(2.0), Value(3.0)
    c = (a + b) * b
    c.backward()
    c.backward()
    assert (a.grad, b.grad, c.grad) == (6, 16, 1)


def test_a_hundred_doublings_and_a_million_operations() -> None:
    x = Value(1.0)
    y = x
    for _ in range(100):
        y = y + y
    assert len(topological_order(y)) == 101
    y.backward()
    assert x.grad == 2.0**100
    x = y = Value(1.0)
    for _ in range(1_000_000):
        y = y + 1
    y.backward()
    assert x.grad == 1


def test_every_node_comes_after_its_children() -> None:
    x = Value(1.5)
    y = (x * x + x).tanh() * x
    order = topological_order(y)
    place = {id(node): i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[id(c)] < place[id(node)] for node in order for c in node.children)


def test_numpy_numbers_and_labels() -> None:
    x = Value(np.float32(2.0), label="x")
    assert (np.float64(3) * x).data == 6
    assert repr(x) == "Value(data=2, grad=0)"
    assert (x > 1, x >= 2, x < Value(2), x <= 2) == (True, True, False, True)


@pytest.mark.parametrize(
    ("compute", "error", "part"),
    [
        (lambda: Value("3"), TypeError, "str"),
        (lambda: Value([1, 2]), TypeError, "list"),
        (lambda: Value(1) + "2", TypeError, "str"),
        (lambda: Value(0) ** -1, ZeroDivisionError, "Keep the base away from 0"),
        (lambda: 1 / Value(0), ZeroDivisionError, "0 ** -1"),
        (lambda: Value(-8) ** (1 / 3), ValueError, "negative base"),
        (lambda: Value(-2) ** Value(2), ValueError, "positive base"),
        (lambda: Value(0).log(), ValueError, "above 0"),
        (lambda: Value(1000).exp(), OverflowError, "beyond the largest float"),
        (lambda: Value(1, (Value(2),)), ValueError, "children: 1, slopes: 0"),
    ],
)
def test_errors_say_what_was_seen(compute: Any, error: type[Exception], part: str) -> None:
    with pytest.raises(error) as raised:
        compute()
    assert part in str(raised.value)


def test_edges_of_the_domain() -> None:
    for n, slope in [(2, 0.0), (1, 1.0), (0.5, math.inf), (0, 0.0)]:
        x = Value(0.0)
        (x**n).backward()
        assert x.grad == slope
    assert math.isnan(Value(math.nan).relu().data)


@pytest.mark.parametrize(
    ("module", "allowed"), [(bytegrad.value, {"math"}), (bytegrad.budget, set())]
)
def test_what_runs_in_the_page_imports_nothing_else(module: Any, allowed: set[str]) -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == allowed
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
