"""Random programs give PyTorch's values, gradients, hook calls and refusals; the differences are named here."""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor
from tests.programs import MINE, THEIRS, Machine, Program, Step, build, edit_after

torch: Any = pytest.importorskip("torch")

BATCHES, EACH = 32, 250


@dataclass(frozen=True)
class Mismatch:
    """Where the two libraries part.

    Attributes:
        program, index: the step.
        what: "refusal", "value", "flag", "grad" or "hook".
        name: the variable or hook.
        mine, theirs: the errors, or None; or the two values.
        names: bytegrad's variables.
    """

    program: Program
    index: int
    what: str
    name: str
    mine: Any
    theirs: Any
    names: dict[str, Any]

    @property
    def step(self) -> Step:
        """The step after which it shows."""
        return self.program.steps[self.index]

    @property
    def before(self) -> tuple[Step, ...]:
        """The steps up to this one."""
        return self.program.steps[: self.index]

    @property
    def edited(self) -> set[str]:
        """The variables whose memory was edited before this step."""
        return {y for x in self.reads("edit") for y in self.program.sharers(x)}

    def reads(self, kind: str, op: str = "") -> set[str]:
        """Return what steps of a kind read up to here."""
        steps = [s for s in self.before if s.kind == kind and op in ("", s.op)]
        return {x for step in steps for x in step.reads}

    def only_mine(self, *texts: str) -> bool:
        """Tell whether bytegrad alone refused, with these words."""
        return _refused(self, self.mine, self.theirs, texts)

    def only_theirs(self, *texts: str) -> bool:
        """Tell whether PyTorch alone refused, with these words."""
        return _refused(self, self.theirs, self.mine, texts)

    def __str__(self) -> str:
        return (
            f"step {self.index}, {self.what} {self.name}\n{self.step.mine}\n"
            f"bytegrad: {self.mine!r}\nPyTorch: {self.theirs!r}\n\n{self.program}"
        )


def _refused(mismatch: Mismatch, one: Any, other: Any, texts: tuple[str, ...]) -> bool:
    return mismatch.what == "refusal" and other is None and all(text in str(one) for text in texts)


@dataclass(frozen=True)
class Difference:
    """A difference that is meant.

    Attributes:
        name: what the book calls it: what happens here, and what in PyTorch, stands there.
        shows: whether a mismatch is this difference.
    """

    name: str
    shows: Callable[[Mismatch], bool]

    def __str__(self) -> str:
        return self.name


#: The passes that ask for gradients, and do not leave them in `grad`.
ASKING = ("grad", "curvature", "bare curvature")

#: The book's words for all this: its page on the differences is made of them.
WRITTEN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "book/torch/differences.json").read_text(encoding="utf-8")
)

#: What PyTorch keeps for the backward pass, and bytegrad does not, by operation of the generator.
KEPT_THERE: dict[str, str] = WRITTEN["kept there"]

#: What bytegrad keeps and PyTorch does not: the rule, and the operations of the generator that it serves.
KEPT_HERE: dict[str, tuple[str, ...]] = {
    "CheckpointBackward": ("checkpoint",),
    "CrossEntropyBackward": ("classes", "probabilities"),
    "LeakyReLUBackward": ("leaky_relu",),
    "DivBackward": ("reciprocal",),
    "MatmulBackward": ("@",),
}


def _touched(m: Mismatch, ops: Iterable[str]) -> bool:
    """Tell whether one of these operations read or made what was edited."""
    edited = m.edited
    return any(s.op in ops and edited & {*s.reads, *s.makes} for s in m.before)


def _kept_there(m: Mismatch) -> bool:
    return m.only_theirs("modified by an inplace operation") and _touched(m, KEPT_THERE)


def _kept_here(m: Mismatch) -> bool:
    rule = str(m.mine).split(" ", maxsplit=1)[0]
    return m.only_mine("edited in place") and rule in KEPT_HERE and _touched(m, KEPT_HERE[rule])


def _numbers(m: Mismatch) -> bool:
    return m.only_theirs("modified by an inplace operation", "DoubleTensor []]") and bool(m.edited)


def _views(m: Mismatch) -> bool:
    """Tell whether a pass asks for a view that was edited, or has hooks there."""
    products = {x for step in m.before if step.op in ("@", "linear") for x in step.makes}
    shared = {x for x in m.edited if x in products or len(m.program.sharers(x)) > 1}
    asked = set(m.step.reads[1:]) if m.step.op in ASKING else set()
    return m.step.kind == "pass" and bool(shared & (asked | m.reads("hook")))


def _retained(m: Mismatch) -> bool:
    asked = {step.op for step in (*m.before, m.step)} & set(ASKING)
    return m.what == "grad" and m.name in m.reads("hook", "retain") and bool(asked)


def _no_curvature(m: Mismatch) -> bool:
    if m.step.op != "bare curvature":
        return False
    if m.what == "value":
        return all(x is None or not np.any(x) for x in (m.mine, m.theirs))
    return m.only_mine("requires no gradient") or m.only_theirs("does not require grad")


def _written_in_results(m: Mismatch) -> bool:
    ops = {"logsumexp", "std", "classes", "probabilities", "leaky_relu", "reciprocal"}
    results = {x for step in m.before if step.op in ops for x in step.makes}
    hooked = {x for step in m.before if m.name in step.makes for x in step.reads}
    asked = {*m.step.reads[1:]}
    if "curvature" not in m.step.op or m.what == "refusal":
        return False
    asked |= m.reads("hook", "register")
    return bool(results & (hooked if m.what == "hook" else asked | {m.name}))


def _hooked_input(m: Mismatch) -> bool:
    hooked = bool(m.reads("hook", "register") & set(m.step.reads[1:]))
    return hooked and (m.what == "value" if m.step.op == "grad" else m.step.op in ASKING)


def _hooked_output(m: Mismatch) -> bool:
    hooked = {x for step in m.before if m.name in step.makes for x in step.reads}
    return m.what == "hook" and m.step.op in ASKING and m.step.reads[0] in hooked


def _checkpoint_hook(m: Mismatch) -> bool:
    checkpoints = [step for step in m.before if step.op == "checkpoint"]
    if any("register_hook" in s.mine for s in checkpoints):
        return m.what != "refusal" and "curvature" in m.step.op
    called_more = m.what == "hook" and len(m.mine) > len(m.theirs)
    return bool(checkpoints) and called_more and m.step.op in ASKING


def _frozen_hook(m: Mismatch) -> bool:
    hooked = {x for step in m.before if m.name in step.makes for x in step.reads}
    return m.what == "hook" and bool(hooked & m.reads("mode", "freeze"))


def _zero_power(m: Mismatch) -> bool:
    exponents = [s.reads[1] for s in m.before if s.op == "**"]
    found = [m.names[x] for x in exponents if x in m.names]
    return "curvature" in m.step.op and any(not x.data.all() for x in found)


def _read_only(m: Mismatch) -> bool:
    sharers = m.program.sharers(m.step.reads[0]) if m.step.kind == "edit" else set()
    repeated = any(s.op == "broadcast_to" and sharers & set(s.makes) for s in m.before)
    return repeated and m.only_mine()


DIFFERENCES = [
    Difference(
        "a used graph is refused",
        lambda m: m.only_mine("is gone, and what it saved"),
    ),
    Difference(
        "an edit is never recorded",
        lambda m: m.only_mine("an edit in place is not recorded") and m.step.kind == "recorded",
    ),
    Difference(
        "x += y makes a new tensor",
        lambda m: m.only_theirs("a leaf Variable that requires grad") and m.step.op == "augmented",
    ),
    Difference(
        "rebinding x.data is an edit",
        lambda m: m.step.kind == "pass" and any(s.kind == "bind" for s in m.before),
    ),
    Difference(
        "kept by PyTorch alone",
        _kept_there,
    ),
    Difference(
        "kept by bytegrad alone",
        _kept_here,
    ),
    Difference(
        "a constant number is kept as a number",
        _numbers,
    ),
    Difference(
        "an edited view keeps its place",
        _views,
    ),
    Difference(
        "no second derivative",
        _no_curvature,
    ),
    Difference(
        "second derivatives at results",
        _written_in_results,
    ),
    Difference(
        "a second derivative uses up less",
        lambda m: m.only_theirs("a second time") and any("curv" in s.op for s in m.before),
    ),
    Difference(
        "a power of exponent 0",
        _zero_power,
    ),
    Difference(
        "grad() leaves every grad alone",
        _retained,
    ),
    Difference(
        "grad() gives what the hooks left",
        _hooked_input,
    ),
    Difference(
        "grad() calls hooks on its way alone",
        _hooked_output,
    ),
    Difference(
        "hooks and checkpoints",
        _checkpoint_hook,
    ),
    Difference(
        "a frozen leaf's hooks rest",
        _frozen_hook,
    ),
    Difference(
        "a checkpoint with a frozen leaf",
        lambda m: (
            bool(m.reads("mode", "freeze"))
            and (
                m.only_theirs("A different number of tensors")
                or m.only_mine("other tensors than at first")
            )
        ),
    ),
    Difference(
        "a view under no_grad requires none",
        lambda m: m.what == "flag" and m.mine == (False, True) and "no_grad()" in m.step.mine,
    ),
    Difference(
        "what was broadcast is read-only",
        _read_only,
    ),
]


class Race:
    """A program in both libraries, side by side.

    Attributes:
        steps: how many ran.
        passes: how many backward passes ran in both.
        refusals: how many statements both refused.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.mine, self.theirs = Machine(MINE), Machine(THEIRS)
        self.known: list[str] = []
        rounded = any("float32" in step.mine for step in program.steps)
        self.close = functools.partial(_close, close=1e-6 if rounded else 1e-9)
        self.steps = self.passes = self.refusals = 0

    def run(self) -> Mismatch | None:
        """Run until the end, or until the two part, and say how."""
        for i, step in enumerate(self.program.steps):
            self.steps += 1
            mine, theirs = self.mine.run(step.mine), self.theirs.run(step.theirs)
            mismatch = self.refusal(i, step, mine, theirs)
            if mismatch or (mine and step.kind == "pass"):
                return mismatch  # a refused pass may have come half-way
            if mine is None:
                new = () if step.kind == "hook" else step.makes
                self.known += new if step.kind in ("op", "leaf") else ()
                mismatch = next(self.values(i, new), None)
                if mismatch is None and step.kind == "pass":
                    self.passes += 1
                    mismatch = next(self.gradients(i), None) or next(self.hooks(i), None)
                if mismatch:
                    return mismatch
        return next(self.values(len(self.program.steps) - 1, self.known), None)

    def part(self, i: int, what: str, name: str, mine: Any, theirs: Any) -> Mismatch:
        """Return where the two part."""
        return Mismatch(self.program, i, what, name, mine, theirs, self.mine.names)

    def refusal(self, i: int, step: Step, mine: Any, theirs: Any) -> Mismatch | None:
        """Both must refuse, or neither; and bytegrad with an error of its own, or Python's."""
        mismatch = self.part(i, "refusal", step.op, mine, theirs)
        self.refusals += bool(mine and theirs)
        if bool(mine) != bool(theirs) or (mine and not step.may_fail):
            return mismatch
        if mine and not (isinstance(mine, bg.BytegradError) or type(mine) is TypeError):
            return mismatch
        return mismatch if step.kind == "attempt" and not mine else None

    def values(self, i: int, names: Iterable[str]) -> Any:
        """Compare these variables."""
        for name in names:
            if name not in self.mine.names:
                continue
            x, y = self.mine.names[name], self.theirs.names[name]
            a, b = (None if z is None else _array(z) for z in (x, y))
            if not self.close(a, b):
                yield self.part(i, "value", name, a, b)
            elif a is not None:
                flags = [(z.requires_grad, z.is_leaf) for z in (x, y)]
                if flags[0] != flags[1]:
                    yield self.part(i, "flag", name, *flags)

    def gradients(self, i: int) -> Any:
        """Compare every `grad`."""
        for name in self.known:
            if name in self.mine.names:
                x, y = self.mine.names[name], self.theirs.names[name]
                g = y.grad if y.is_leaf or y.retains_grad else None
                theirs = None if g is None else _array(g)
                if not self.close(x.grad, theirs):
                    yield self.part(i, "grad", name, x.grad, theirs)

    def hooks(self, i: int) -> Any:
        """Compare how often each hook was called, and with what."""
        mine, theirs = self.mine.log, self.theirs.log
        for name in dict.fromkeys([name for name, _ in (*mine, *theirs)]):
            a, b = ([g for other, g in log if other == name] for log in (mine, theirs))
            if len(a) != len(b) or not all(map(self.close, a, b)):
                yield self.part(i, "hook", name, a, b)


def _array(x: Any) -> np.ndarray:
    return x.data if isinstance(x, Tensor) else x.detach().numpy(force=True)


def _close(a: Any, b: Any, close: float = 1e-9) -> bool:
    """Compare within rounding: a part of the largest element, for sums that cancel."""
    if a is None or b is None:
        return a is b
    largest = np.abs(b).max() if b.size and b.dtype.kind == "f" else 0
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and np.allclose(a, b, rtol=close, atol=close * largest + 1e-11)
    )


@dataclass
class Outcome:
    """What a batch of programs came to."""

    failures: list[Mismatch]
    met: Counter[str]
    passes: int = 0
    refusals: int = 0


@functools.cache
def outcome(batch: int) -> Outcome:
    """Run a batch."""
    result = Outcome([], Counter())
    for seed in range(batch * EACH, (batch + 1) * EACH):
        race = Race(build(seed))
        mismatch = race.run()
        result.passes += race.passes
        result.refusals += race.refusals
        if mismatch:
            names = [known.name for known in DIFFERENCES if known.shows(mismatch)]
            result.met.update(names)
            if not names:
                result.failures.append(mismatch)
    return result


@pytest.mark.parametrize("batch", range(BATCHES))
def test_programs_agree(batch: int) -> None:
    """Each program gives the same values, gradients, hook calls and refusals, or a difference that is named above."""
    found = outcome(batch)
    if found.failures:
        pytest.fail(
            f"{len(found.failures)} programs; the first:\n{found.failures[0]}", pytrace=False
        )
    assert found.passes > EACH, "too few backward passes run to their end"
    assert found.refusals > EACH / 4, "too few statements are refused"


def test_every_difference_is_written_down() -> None:
    """The book names the same differences as this table."""
    assert [each["name"] for each in WRITTEN["differences"]] == list(map(str, DIFFERENCES))
    assert WRITTEN["kept here"].keys() == KEPT_HERE.keys()


@pytest.mark.parametrize("difference", DIFFERENCES, ids=str)
def test_a_difference_is_one(difference: Difference) -> None:
    """No difference stands in the list that the programs do not meet."""
    assert any(outcome(batch).met[difference.name] for batch in range(BATCHES))


@pytest.mark.parametrize("op", [*KEPT_THERE, *(op for ops in KEPT_HERE.values() for op in ops)])
def test_what_is_kept_differs(op: str) -> None:
    """What is said to be kept by one library alone is: an edit of it is refused by that one alone."""
    shows = _kept_there if op in KEPT_THERE else _kept_here
    programs = (edit_after(op, seed) for seed in range(4000))
    mismatches = (Race(program).run() for program in programs if program)
    assert any(m is not None and shows(m) and op in {s.op for s in m.before} for m in mismatches)


def _wrong_mul() -> type[bg.Function]:
    class Wrong(bg.RULES["__mul__"]):  # type: ignore[misc]
        def apply(self, g: Any) -> Any:
            return tuple(None if grad is None else grad * 1.000001 for grad in super().apply(g))

    return Wrong


def _overwritten(leaf: Tensor, grad: Any, fresh: bool) -> None:
    leaf.grad = np.array(grad)


def _first_rows(grad: Any, edge: Any, fn: Any, as_tensors: bool) -> Any:
    """Do what the engine does where a gradient fits, and forget the sum over what was broadcast."""
    extra = grad.ndim - len(edge.shape)
    grad = grad[(0,) * extra]
    return grad[tuple(slice(0, n) for n in edge.shape)]


FAULTS: dict[str, tuple[str, Any]] = {
    "un-broadcasting takes the first": ("bytegrad.fitting._fit", _first_rows),
    "hooks replace nothing": ("bytegrad.hooks.Hooks.replaced", lambda self, grad: grad),
    "edits are not looked for": ("bytegrad.engine._refuse_edited", lambda fn: None),
    "a second pass overwrites": ("bytegrad.engine._accumulate", _overwritten),
    "a graph is never used up": ("bytegrad.record.Function.free", lambda fn: None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault of the engine shows within one batch."""
    place, wrong = FAULTS[fault]
    monkeypatch.setattr(place, wrong)
    assert _finds_something(EACH)


def test_a_wrong_rule_is_found() -> None:
    """A product's gradient that is wrong by a millionth shows within 60 programs."""
    bg.enable_autograd(rules={"__mul__": _wrong_mul()}, quiet=True)
    assert _finds_something(60)


def _finds_something(programs: int) -> bool:
    mismatches = (Race(build(seed)).run() for seed in range(programs))
    return any(m and not any(d.shows(m) for d in DIFFERENCES) for m in mismatches)


def test_a_program_is_its_number() -> None:
    """The same number gives the same program, and what is printed runs in both libraries."""
    assert build(7) == build(7)
    mine, theirs = str(build(7)).split("# program 7, PyTorch")
    exec(mine, {})
    exec(theirs, {})
