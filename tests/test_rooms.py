"""The engine's house: imports point down, an op has one place, importing does nothing."""

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bookproof import course, style, units
from bytegrad import budget, rules, timeline

SRC = Path(bg.__file__).parent

#: The rooms from the ground floor up: a room may import what stands before it.
ROOMS = [
    "errors",
    "value",
    "budget",
    "planner",
    "layout",
    "timeline",
    "folding",
    "files",
    "svg",
    "watch",
    "modes",
    "random",
    "kernels",
    "arrays",
    "edits",
    "composites",
    "elements",
    "reductions",
    "shaping",
    "fused",
    "tensor",
    "sparse",
    "record",
    "either",
    "element_rules",
    "axis_rules",
    "fused_rules",
    "rules",
    "fitting",
    "engine",
    "hooks",
    "patch",
    "recompute",
    "diagnosis",
    "numeric",
    "anomaly",
    "rows",
    "owners",
    "memory",
    "nodes",
    "pictures",
    "joining",
    "functional",
    "states",
    "module",
    "activations",
    "layers",
    "transformer",
    "exchange",
    "nn",
    "admission",
    "clipping",
    "optimizer",
    "schedules",
    "optim",
    "meter",
    "handwriting",
    "story",
    "data",
    "launching",
    "parallel",
    "faults",
    "__init__",
]

#: The rooms that hold the parts of the class Tensor.
PARTS = ["tensor", "elements", "reductions", "shaping", "fused"]

#: Methods of Tensor that make a Tensor and have no derivative, each for a reason that its docstring gives.
WITHOUT_GRADIENT = {
    *("detach", "argmax", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"),
    "_meet",  # makes a Tensor of a number
}


def imports(room: str) -> set[str]:
    """Return the rooms that a room imports when it is loaded."""
    tree = ast.parse((SRC / f"{room}.py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "bytegrad":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bytegrad."):
            found.add(str(node.module).split(".")[1])
    return found


def test_every_room_is_on_the_plan() -> None:
    assert {path.stem for path in SRC.glob("*.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room: str) -> None:
    assert imports(room) <= set(ROOMS[: ROOMS.index(room)])


@pytest.mark.parametrize("room", ROOMS)
def test_the_engine_needs_only_numpy(room: str) -> None:
    tree = ast.parse((SRC / f"{room}.py").read_text(encoding="utf-8"))
    tops = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert tops - sys.stdlib_module_names <= {"numpy", "bytegrad"}


def methods(room: str) -> dict[str, ast.FunctionDef]:
    """Return the methods of the first class of a room by name."""
    tree = ast.parse((SRC / f"{room}.py").read_text(encoding="utf-8"))
    part = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    return {node.name: node for node in part.body if isinstance(node, ast.FunctionDef)}


def calls(node: Any) -> set[str]:
    """Return the names of the functions and methods that are called."""
    called = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {
        func.id if isinstance(func, ast.Name) else func.attr
        for func in called
        if isinstance(func, (ast.Name, ast.Attribute))
    }


def test_a_primitive_has_a_rule() -> None:
    """What makes a Tensor out of arrays has a line in RULES."""
    makers = {"wrap", "_wrap", "_elementwise", "_paired", "_reduced", "_loss"}
    primitives = {
        name for room in PARTS for name, node in methods(room).items() if calls(node) & makers
    }
    assert primitives - WITHOUT_GRADIENT == set(bg.RULES)


def test_a_composite_touches_no_array() -> None:
    """What is written with other operations needs no rule, and may not see what they work on."""
    source = (SRC / "composites.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not attributes & {"data", "_data", "_wrap"}
    assert not names & {"np", "numpy", "wrap", "kernels"}
    assert not set(methods("composites")) & set(bg.RULES)


def test_rules_are_named_after_their_operation() -> None:
    assert all(rule.__name__.endswith("Backward") for rule in bg.RULES.values())
    assert len(set(bg.RULES.values())) == len(bg.RULES)


COURSE = "Add Sub Mul Div Matmul Sum Reshape Transpose Permute Slice ReLU Sigmoid Softmax GELU MSE BCE CrossEntropy"


@pytest.mark.parametrize("name", COURSE.split())
def test_a_rule_works_by_hand(name: str) -> None:
    """Each rule under the course's name: made from inputs, applied to a gradient, it gives the engine's."""
    rule = getattr(rules, f"{name}Backward")
    method = next(method for method, other in bg.RULES.items() if other is rule)
    arguments: dict[str, list[Any]] = {
        "reshape": [(6,)],
        "permute": [(1, 0)],
        "__getitem__": [(slice(None), 1)],
        "bce": [np.full((2, 3), 0.25)],
        "cross_entropy": [np.array([0, 2])],
        "mse": [np.zeros((2, 3))],
    }
    rng = np.random.default_rng(0)
    a = bg.Tensor(rng.uniform(0.2, 0.8, (2, 3)), requires_grad=True)
    rest = arguments.get(method, [])
    if method in ("__add__", "__sub__", "__mul__", "__truediv__", "__matmul__"):
        shape = (3, 2) if method == "__matmul__" else (2, 3)
        rest = [bg.Tensor(rng.uniform(0.2, 0.8, shape), requires_grad=True)]
    y = getattr(a, method)(*rest)
    g = np.ones(y.shape)
    by_hand = rule(a, *rest).apply(g)
    y.backward(g)
    assert isinstance(by_hand, tuple)
    np.testing.assert_array_equal(by_hand[0], a.grad)


def test_public_names() -> None:
    assert sorted(bg.__all__) == sorted(set(bg.__all__))
    assert all(getattr(bg, name).__doc__ for name in bg.__all__ if name != "RULES")


def test_importing_does_nothing(run_python: Any) -> None:
    """No output, no autograd, no matplotlib, no random state touched."""
    program = (
        "import numpy as np; before = np.random.get_state()[1].tobytes()\n"
        "import bytegrad, sys\n"
        "assert not bytegrad.autograd_enabled()\n"
        "assert 'matplotlib' not in sys.modules\n"
        "assert np.random.get_state()[1].tobytes() == before"
    )
    assert run_python(program) == ""


def test_no_module_carries_a_functions_name() -> None:
    functions = {name for name in bg.__all__ if callable(getattr(bg, name))}
    assert not functions & set(ROOMS)


def test_what_stands_twice_agrees() -> None:
    """The proof may not import the engine, nor the engine the proof: their shared facts are compared here."""
    for unit, nbytes in budget.UNITS.items():
        assert units.SCALES[unit] == nbytes
    assert timeline.COLOURS == {
        "activation": style.ACTIVATIONS,
        "input": style.INPUT,
        "parameter": style.PARAMETERS,
        "gradient": style.GRADIENTS,
        "optimizer": style.OPTIMIZER_STATE,
    }
    assert set(course.OPTIMIZERS) <= set(budget.OPTIMIZERS)
    assert set(course.DTYPES) <= set(budget.DTYPES)
