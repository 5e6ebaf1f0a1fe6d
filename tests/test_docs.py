"""Docstrings: every public name says what it promises, takes, raises and leans on, and shows itself at work."""

import ast
import builtins
import dataclasses
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import bytegrad as bg
from bytegrad import (
    budget,
    data,
    faults,
    functional,
    hooks,
    memory,
    nn,
    optim,
    parallel,
    pictures,
    planner,
    random,
    watch,
)
from bytegrad.composites import Composites
from bytegrad.edits import Editable
from bytegrad.elements import Elements
from bytegrad.errors import GraphError
from bytegrad.fused import Fused
from bytegrad.patch import _AWAKE
from bytegrad.recompute import CheckpointBackward
from bytegrad.reductions import Reductions
from bytegrad.shaping import Shapes

ROOT = Path(__file__).parents[1]

#: Where public names live.
ROOMS = (
    bg,
    functional,
    nn,
    optim,
    data,
    random,
    memory,
    budget,
    planner,
    parallel,
    pictures,
    faults,
)

#: The classes whose methods are the operations of Tensor.
OPERATIONS = (Elements, Reductions, Shapes, Fused, Composites, Editable, bg.Tensor)

#: Parameters that mean the same everywhere: the operand, and how an array of results is laid out.
PLAIN = {"x", "other", "axis", "keepdims", "dtype", "requires_grad", "target", "reduction", "seed"}

#: What stands on someone's shoulders says on whose.
SOURCES = {
    "Composites.logsumexp": "blanchard2021",
    "Elements.gelu": "hendrycks2016",
    "Fused.layer_norm": "ba2016",
    "Reductions.log_softmax": "blanchard2021",
    "Reductions.softmax": "blanchard2021",
    "awake backward": "griewank2008",
    "bytegrad.budget.training_states": "micikevicius2018",
    "bytegrad.budget.transformer_block_activations": "korthikanti2023",
    "bytegrad.checkpoint": "griewank2000",
    "bytegrad.checkpoint_sequential": "chen2016",
    "bytegrad.data.digits": "alpaydin1998",
    "bytegrad.functional.dropout": "srivastava2014",
    "bytegrad.functional.gelu": "hendrycks2016",
    "bytegrad.functional.layer_norm": "ba2016",
    "bytegrad.functional.scaled_dot_product_attention": "vaswani2017",
    "bytegrad.nn.Linear": "glorot2010",
    "bytegrad.nn.MultiHeadAttention": "vaswani2017",
    "bytegrad.nn.TransformerBlock": "radford2019",
    "bytegrad.optim.Adam": "kingma2015",
    "bytegrad.optim.AdamW": "loshchilov2019",
    "bytegrad.optim.CosineAnnealingLR": "loshchilov2017",
    "bytegrad.optim.SGD": "polyak1964",
    "bytegrad.optim.clip_grad_norm_": "pascanu2013",
    "bytegrad.planner.checkpoint_peak": "chen2016",
    "bytegrad.planner.ring_all_reduce_bytes": "patarasuk2009",
}

Finding: TypeAlias = str
Check: TypeAlias = Callable[..., Iterator[Finding]]


def own(room: types.ModuleType) -> dict[str, Any]:
    """Return the functions and classes that a room offers, by name."""
    listed = getattr(room, "__all__", None)
    names = listed or [
        name
        for name, thing in vars(room).items()
        if callable(thing) and thing.__module__ == room.__name__ and name[0] != "_"
    ]
    things = {name: getattr(room, name) for name in names}
    return {
        f"{room.__name__}.{name}": thing
        for name, thing in things.items()
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }


def offered() -> dict[str, Any]:
    """Return every public function and class, by name."""
    found: dict[str, Any] = {}
    for room in ROOMS:
        found |= own(room)
    return {**found, "hooks.Handle": hooks.Handle, "watch.Watcher": watch.Watcher}


def members(cls: type) -> Iterator[tuple[str, Any, type]]:
    """Yield the public methods and properties that a class has from this package."""
    for part in cls.__mro__:
        if part.__module__.startswith("bytegrad"):
            for name, thing in vars(part).items():
                described = inspect.isfunction(thing) or isinstance(thing, property)
                if described and not name.startswith("_"):
                    yield f"{part.__name__}.{name}", thing, part


def methods() -> dict[str, tuple[Any, type | None]]:
    """Return every public method with its class."""
    classes = [thing for thing in (offered() | rules()).values() if inspect.isclass(thing)]
    return {name: (thing, cls) for c in classes for name, thing, cls in members(c)}


def awake() -> dict[str, Any]:
    """Return what takes the place of methods of Tensor while autograd is on."""
    return {f"awake {name}": method for name, method in _AWAKE.items()}


def rules() -> dict[str, Any]:
    """Return the rules by name."""
    return {rule.__name__: rule for rule in (*bg.RULES.values(), CheckpointBackward)}


def public() -> dict[str, tuple[Any, type | None]]:
    """Return all that must be described, with the class that it belongs to."""
    alone = offered() | awake() | rules()
    return {name: (thing, None) for name, thing in alone.items()} | methods()


def shown() -> dict[str, Any]:
    """Return what needs an example: all that is offered, and the methods of Tensor."""
    found = {name: thing for part in OPERATIONS for name, thing, _ in members(part)}
    asleep = {f"Tensor.{name}" for name in _AWAKE}
    methods = {
        n: thing for n, thing in found.items() if inspect.isfunction(thing) and n not in asleep
    }
    return offered() | awake() | methods


# What a docstring says.


def text_of(thing: Any) -> str:
    """Return a docstring without indentation; "" where there is none of its own."""
    return inspect.cleandoc(thing.__doc__ or "")


def section(text: str, title: str) -> set[str]:
    """Return the names that stand under ``Args:``, ``Raises:`` or ``Attributes:``; the title is a pattern."""
    body = re.search(rf"^{title}:\n((?:    .*\n|\n(?=    ))*)", text + "\n", re.MULTILINE)
    heads = re.findall(
        r"^    (\w+(?:, \w+)*)(?: \([^)]*\))?:", body[1] if body else "", re.MULTILINE
    )
    return {name for head in heads for name in head.split(", ")}


def plain(thing: Any) -> Any:
    """Return the function that was written, without what decorates it; for a class its `__init__`."""
    written = thing.__init__ if inspect.isclass(thing) else getattr(thing, "fget", thing)
    function = inspect.unwrap(written)
    if not inspect.isfunction(function) or function.__code__.co_filename.startswith("<"):
        return None  # made by a decorator such as dataclass
    return function if function.__module__.startswith(("bytegrad", "tests")) else None


def parameters(thing: Any) -> list[str]:
    """Return what a function, or the making of a class, takes."""
    function = plain(thing)
    names = inspect.signature(function).parameters if function else ()
    return [name for name in names if name not in ("self", "cls")]


def same(thing: Any, cls: type | None) -> list[Any]:
    """Return the methods of this name in the classes above."""
    name = getattr(plain(thing), "__name__", "")
    return [vars(part)[name] for part in getattr(cls, "__mro__", ()) if name in vars(part)]


def shared(thing: Any, cls: type | None, title: str) -> set[str]:
    """Return what is said once for many: by the method above, or under ``Args (all of them):`` by its class or room."""
    name = getattr(plain(thing), "__name__", "")
    classes = [part for part in getattr(cls, "__mro__", ()) if name in vars(part)]
    return set().union(
        *(section(text_of(vars(part)[name]), title) for part in classes),
        *(
            section(text_of(each), rf"{title} \(.*\)")
            for each in (*classes, inspect.getmodule(plain(thing)))
        ),
    )


def borrowed(thing: Any) -> set[str]:
    """Return the arguments of what a docstring refers to as "The arguments are those of `f`"."""
    found = re.search(r"arguments are those of `(Tensor\.)?(\w+)`", text_of(thing))
    if not found:
        return set()
    lender = getattr(bg.Tensor, found[2]) if found[1] else plain(thing).__globals__[found[2]]
    return section(text_of(lender), "Args")


def is_rule(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, bg.Function) and thing is not bg.Function


def first_line(thing: Any, _: type | None = None) -> Iterator[Finding]:
    """A first line that is a sentence of at most 120 columns."""
    line = (thing.__doc__ or "").splitlines()[:1]
    if not line or not line[0].strip():
        yield "no docstring"
    elif not line[0].endswith("."):
        yield f"the first line does not end with a full stop: {line[0]}"
    elif len(line[0]) + 7 > 120:
        yield f"the first line is longer than 120 columns: {line[0]}"


def arguments(thing: Any, cls: type | None = None) -> Iterator[Finding]:
    """Every argument described, and none that is not there; one or two may be named in the sentence."""
    text, taken = text_of(thing), parameters(thing)
    if dataclasses.is_dataclass(thing) or hasattr(thing, "_fields"):
        missing = set(thing.__annotations__) - section(text, "Attributes")
        yield from (f"attribute {name} is not described" for name in sorted(missing))
        return
    if is_rule(cls or thing):
        return  # a rule takes what its operation takes
    described = section(text, "Args")
    yield from (f"{name} is no argument" for name in sorted(described - set(taken)))
    said = described | section(text, "Attributes") | shared(thing, cls, "Args") | borrowed(thing)
    unsaid = [name for name in taken if name not in said]
    if not described:
        unsaid = [name for name in unsaid if name not in PLAIN]
    if not described and len(unsaid) <= 2:
        prose = "\n".join(map(text_of, [thing, *same(thing, cls)]))
        unsaid = [name for name in unsaid if not re.search(rf"\b{name}\b", prose)]
    yield from (f"argument {name} is not described" for name in unsaid)


def raised(function: Any, cls: type | None, seen: frozenset[Any] = frozenset()) -> set[type]:
    """Return what a function raises on purpose, itself or through functions and private methods of this package."""
    if not inspect.isfunction(function) or function in seen or plain(function) is None:
        return set()
    scope, found = function.__globals__, set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        named: Any = getattr(node, "exc" if isinstance(node, ast.Raise) else "func", None)
        called: Any = None
        if isinstance(named, ast.Name):
            called = scope.get(named.id, getattr(builtins, named.id, None))
        elif isinstance(named, ast.Attribute) and named.attr[0] == "_":
            called = getattr(
                cls if getattr(named.value, "id", "") == "self" else None, named.attr, None
            )
        if isinstance(called, type) and issubclass(called, Exception):
            found.add(called)
        found |= raised(inspect.unwrap(called), cls, seen | {function}) if called else set()
    return found - {NotImplementedError}


def errors(thing: Any, cls: type | None = None) -> Iterator[Finding]:
    """Every error named that is raised on purpose, or one that it is a kind of."""
    function = plain(thing)
    if function is None or is_rule(cls or thing):
        return  # what a rule is given has been checked by its operation
    named = section(text_of(thing), r"Raises(?: \(.*\))?") | shared(thing, cls, "Raises")
    for error in sorted(raised(function, thing if inspect.isclass(thing) else cls), key=str):
        if not named & {base.__name__ for base in error.__mro__}:
            yield f"raises {error.__name__}, and does not say so"


def example(thing: Any, _: type | None = None) -> Iterator[Finding]:
    """An example that runs."""
    if ">>> " not in text_of(thing):
        yield "no example"


def kept(rule: type, _: type | None = None) -> Iterator[Finding]:
    """What a rule keeps."""
    if "Keeps " not in text_of(rule):
        yield "does not say what it keeps"


def sources(thing: Any, _: type | None = None) -> Iterator[Finding]:
    """Every key in brackets is that of an entry of the bibliography."""
    entries = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{(\w+),", entries, re.MULTILINE))
    cited = set(re.findall(r"\[([a-z]+\d{4}[a-z]?)\]", text_of(thing)))
    yield from (f"no source is called {key}" for key in sorted(cited - keys))


# The tests.


@pytest.mark.parametrize("check", [first_line, arguments, errors, sources])
def test_docstrings(check: Check) -> None:
    """All findings at once, so that a renamed argument is mended in one go."""
    assert [f"{n}: {x}" for n, (thing, cls) in public().items() for x in check(thing, cls)] == []


def test_examples() -> None:
    assert [name for name, thing in shown().items() for _ in example(thing)] == []


def test_rules_say_what_they_keep() -> None:
    assert [name for name, rule in rules().items() for _ in kept(rule)] == []


@pytest.mark.parametrize(("name", "key"), SOURCES.items())
def test_whose_shoulders(name: str, key: str) -> None:
    assert f"[{key}]" in text_of(public()[name][0])


def test_the_walk_finds_names() -> None:
    """A walk that found nothing would find no fault."""
    names = public().keys() | shown().keys()
    assert len(names) > 300
    assert names >= {
        "Elements.exp",
        "Ledger.kept",
        "Module.save",
        "MulBackward",
        "Tensor.item",
        "hooks.Handle",
    }


def test_types_are_shipped() -> None:
    assert (ROOT / "src" / "bytegrad" / "py.typed").exists()


# The test of the tests: each fault is planted in a docstring that has none.


def scaled(x: float, factor: float) -> float:
    """Return factor * x.

    Source: [kingma2015].

    Args:
        x: any number.
        factor: what to multiply by, 0 or more.

    Raises:
        ValueError: the factor is below 0.
        GraphError: the factor is above 9.

    >>> scaled(2, 3)
    6
    """
    if factor < 0:
        raise ValueError
    return _not_large(factor) * x


def _not_large(factor: float) -> float:
    if factor > 9:
        raise GraphError
    return factor


@dataclasses.dataclass
class Pair:
    """Two numbers.

    Attributes:
        first: the one.
        second: the other.
    """

    first: int
    second: int


class HalfBackward(bg.Function):
    """y = x / 2: g / 2. Keeps nothing."""


@pytest.mark.parametrize("check", [first_line, arguments, errors, sources, example])
def test_the_pattern_is_clean(check: Check) -> None:
    assert list(check(scaled)) == []


@pytest.mark.parametrize(
    ("check", "thing", "old", "new", "finding"),
    [
        (first_line, scaled, "* x.", "* x", "does not end with a full stop"),
        (first_line, scaled, "* x.", f"{'* x' * 40}.", "longer than 120 columns"),
        (
            arguments,
            scaled,
            "factor: what to multiply by, 0 or more.",
            "",
            "argument factor is not",
        ),
        (arguments, scaled, "factor: what", "factors: what", "factors is no argument"),
        (arguments, Pair, "second:", "third:", "attribute second is not"),
        (errors, scaled, "ValueError:", "TypeError:", "raises ValueError"),
        (errors, scaled, "GraphError:", "ShapeError:", "raises GraphError"),
        (sources, scaled, "kingma2015", "kingma2051", "no source is called kingma2051"),
        (example, scaled, ">>> ", "", "no example"),
        (kept, HalfBackward, "Keeps", "Holds", "does not say what it keeps"),
    ],
)
def test_a_fault_is_found(
    check: Check, thing: Any, old: str, new: str, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert old in thing.__doc__
    monkeypatch.setattr(thing, "__doc__", thing.__doc__.replace(old, new))
    assert any(finding in found for found in check(thing))


def test_a_docstring_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaled, "__doc__", None)
    assert list(first_line(scaled)) == ["no docstring"]
