"""Random programs, each written twice: for bytegrad and for PyTorch.

`build(seed)` gives a `Program`, a list of steps. A step is one statement (or a small function) as Python source in
both dialects, with what it reads, makes and edits. So what ran is what is printed when the two disagree, and that
can be pasted into a file and run. `Machine` runs the steps of one dialect one by one.

Numbers stay tame: every value has a known bound, and what grows is squashed. Where an operation has a kink or ties
(relu, maximum, max), it either works on exact numbers, multiples of 1/4 on which both libraries agree to the bit, or on
numbers that were moved apart first: a tie of rounded numbers would be decided by their last bit.
"""

import math
import random
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: The words that both dialects share, in bytegrad's.
MINE = """
import copy
import numpy as np
from bytegrad import Tensor, checkpoint, enable_grad, grad, no_grad
from bytegrad.functional import concatenate, split, stack, where

log = []
array = np.array

def leaf(values, requires_grad=False):
    return Tensor(np.array(values), requires_grad=requires_grad)

def seen(g):
    return np.array(g.data if isinstance(g, Tensor) else g)
"""

#: The same in PyTorch's.
THEIRS = """
import copy
from functools import partial
import numpy as np
import torch
from torch import enable_grad, no_grad, split, stack, where
from torch.autograd import grad
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

log = []
checkpoint = partial(checkpoint, use_reentrant=False)
concatenate = torch.cat

def array(values):
    return torch.tensor(np.array(values))

def leaf(values, requires_grad=False):
    return array(values).requires_grad_(requires_grad)

def seen(g):
    return g.detach().clone().numpy(force=True)
"""

#: What is the same to the letter.
BOTH = """
def hook(name, factor=None):
    def called(g):
        log.append((name, seen(g)))
        return None if factor is None else g * factor
    return called

def after(name):
    return lambda leaf: log.append((name, None if leaf.grad is None else seen(leaf.grad)))

def squares(grads):
    return sum([(g * g).sum() for g in grads if g is not None], leaf(0.0))
"""

#: What a statement may raise when the library refuses it.
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)


@dataclass(frozen=True)
class Step:
    """One statement of a program.

    Attributes:
        kind: "op", or what else it does: "leaf", "edit", "hook", "mode", "pass", "attempt", "recorded", "bind".
        op: the operation, or the variety of the kind.
        mine: the source for bytegrad.
        theirs: the source for PyTorch.
        reads: the variables that it uses.
        makes: the variables that it defines.
    """

    kind: str
    op: str
    mine: str
    theirs: str
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()

    @property
    def may_fail(self) -> bool:
        """Whether a refusal is part of the program; an operation must run."""
        return self.kind not in ("op", "leaf")


@dataclass(frozen=True)
class Program:
    """Steps in order.

    Attributes:
        memory: for each variable a number; those with the same number look at the same memory.
    """

    seed: int
    steps: tuple[Step, ...]
    memory: dict[str, int]

    def __str__(self) -> str:
        """Return both sources, ready to run."""
        switch = "import bytegrad\nbytegrad.enable_autograd(quiet=True)"
        mine = "\n".join([switch, MINE.strip(), BOTH, *(step.mine for step in self.steps)])
        theirs = "\n".join([THEIRS.strip(), BOTH, *(step.theirs for step in self.steps)])
        return (
            f"# program {self.seed}, bytegrad\n{mine}\n\n# program {self.seed}, PyTorch\n{theirs}\n"
        )

    def sharers(self, name: str) -> set[str]:
        """Return the variables that look at the same memory."""
        return {other for other, number in self.memory.items() if number == self.memory[name]}


class Machine:
    """Runs the statements of one dialect."""

    def __init__(self, prelude: str) -> None:
        self.names: dict[str, Any] = {}
        exec(prelude + BOTH, self.names)
        self.log: list[tuple[str, np.ndarray]] = self.names["log"]

    def run(self, source: str) -> Exception | None:
        """Run a statement; return what it raised, if it was refused."""
        try:
            exec(compile(source, "<program>", "exec"), self.names)
        except REFUSALS as error:
            return error
        return None


@dataclass
class Memory:
    """What the variables share that look at the same numbers.

    Attributes:
        bound: no element is larger.
        edited: it was edited in place.
        fixed: it must not be edited any more, because of what PyTorch makes of that, or since one library may
            have copied where the other made a view.
    """

    number: int
    bound: float
    fixed: bool = False
    edited: bool = False


@dataclass
class Var:
    """A variable, as far as it is known without running anything.

    Attributes:
        bits: every element is a multiple of 2**-bits; None where it is rounded.
        plain: its elements lie in order, so that reshape gives a view.
        above: what it was computed from.
        used: a backward pass went through the graph that made it, and did not retain it.
    """

    name: str
    shape: tuple[int, ...]
    memory: Memory
    requires: bool = False
    leaf: bool = False
    bits: int | None = None
    plain: bool = True
    above: "tuple[Var, ...]" = ()
    used: bool = False

    @property
    def bound(self) -> float:
        """No element is larger."""
        return self.memory.bound

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass
class Builder:
    """Writes a program: each method appends steps."""

    rng: random.Random
    steps: list[Step] = field(default_factory=list)
    vars: list[Var] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    hooks: list[str] = field(default_factory=list)
    ended: list[Var] = field(default_factory=list)
    recording: bool = True
    inside: int = 0
    count: int = 0

    # Words.

    def name(self, letter: str = "x") -> str:
        """Return a new name."""
        self.count += 1
        return f"{letter}{self.count}"

    def chance(self, p: float) -> bool:
        """Return True in this share of cases."""
        return self.rng.random() < p

    def numbers(self, shape: tuple[int, ...], exact: bool, limit: float = 1.5) -> Any:
        """Return nested lists of multiples of 1/4, or of numbers that all differ."""
        size = math.prod(shape)
        if exact:
            steps = round(limit * 4)
            values = [self.rng.randint(-steps, steps) / 4 for _ in range(size)]
        else:
            values = [
                round(limit * (self.rng.random() * 2 - 1), 2) + 0.001 * (i + 1) + 0.0003
                for i in range(size)
            ]
        return np.array([round(x, 4) for x in values]).reshape(shape).tolist()

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        """Return a small shape: 0-d, size 1, and others."""
        if rank is None:
            rank = self.rng.choice((0, 1, 1, 2, 2, 2, 3))
        return tuple(self.rng.choice((1, 2, 2, 3, 3, 4)) for _ in range(rank))

    def pick(self, fits: Callable[[Var], bool] = lambda x: True) -> Var | None:
        """Return a variable that fits: rather one that requires grad, rather a new one."""
        fitting = [x for x in self.vars if fits(x)]
        if not fitting:
            return None
        wanted = [x for x in fitting if x.requires] if self.chance(0.8) else []
        pool = wanted or fitting
        if self.chance(0.97):
            pool = [x for x in pool if not x.used] or pool
        return self.rng.choice(pool[-4:] if self.chance(0.5) else pool)

    def shared(self, x: Var) -> bool:
        """Tell whether another variable looks at the same memory."""
        return any(y is not x and y.memory is x.memory for y in self.vars)

    # Steps.

    def say(
        self,
        kind: str,
        op: str,
        mine: str,
        theirs: str | None = None,
        reads: Iterable[Var] = (),
        makes: Sequence[str] = (),
    ) -> None:
        """Append a statement."""
        self.steps.append(
            Step(kind, op, mine, theirs or mine, tuple(x.name for x in reads), tuple(makes))
        )

    def enter(self, var: Var) -> Var:
        """Make a variable known."""
        self.vars.append(var)
        self.memory[var.name] = var.memory.number
        return var

    def new_leaf(self, shape: tuple[int, ...], requires: bool, exact: bool | None = None) -> Var:
        """Append a leaf or, without a gradient, a constant."""
        exact = self.chance(0.5) if exact is None else exact
        requires = requires and (not self.inside or self.chance(0.1))
        name = self.name("w" if requires else "c")
        tail = ", requires_grad=True" if requires else ""
        self.say("leaf", "leaf", f"{name} = leaf({self.numbers(shape, exact)}{tail})", makes=[name])
        memory = Memory(self.count, 2.0)
        return self.enter(Var(name, shape, memory, requires, True, 2 if exact else None))

    def op(
        self,
        op: str,
        mine: str,
        reads: Sequence[Var],
        shape: tuple[int, ...],
        bound: float,
        theirs: str | None = None,
        bits: int | None = None,
        view: Var | None = None,
        plain: bool = False,
    ) -> Var:
        """Append an operation, perhaps on an island without recording, and squash what has grown.

        `mine` and `theirs` are the expressions; `view` is the variable whose memory the result looks at; `plain` says
        that the result lies in order if its inputs do.
        """
        requires = self.recording and any(x.requires for x in reads)
        name = self.name()
        before, indent = "", ""
        if self.chance(0.04 if view is None else 0.01):
            before, indent, requires = "with no_grad():\n", "    ", False
            if view is not None:
                view.memory.fixed = True
            if self.chance(0.25):
                before, requires = (
                    "with no_grad(), enable_grad():\n",
                    any(x.requires for x in reads),
                )
        texts = [f"{before}{indent}{name} = {text}" for text in (mine, theirs or mine)]
        self.say("op", op, texts[0], texts[1], reads, [name])
        plain = plain and all(x.plain for x in reads)
        memory = Memory(self.count, bound) if view is None else view.memory
        used = any(x.used for x in reads)
        above = tuple(reads) if requires else ()
        made = self.enter(
            Var(name, shape, memory, requires, False, bits, plain, above, requires and used)
        )
        if bound > 12:
            self.vars.remove(made)
            self.op("tanh", f"{name}.tanh()", [made], shape, 1.0, plain=True)
        return made

    def apart(self, x: Var) -> Var:
        """Return x if it is exact, or x with its elements moved apart, so that there is no tie by rounding."""
        if x.bits is not None:
            return x
        other = self.new_leaf(x.shape, False, exact=False)
        return self.op("+", f"{x.name} + {other.name}", [x, other], x.shape, x.bound + 2)

    def segment(self) -> None:
        """Append a function and a checkpoint of it."""
        reads = [x for x in (self.pick(), self.pick()) if x is not None]
        outer = self.vars, self.steps, self.ended
        inputs = [
            Var(self.name("p"), x.shape, x.memory, x.requires, False, x.bits, x.plain)
            for x in reads
        ]
        for x in inputs:
            self.memory[x.name] = x.memory.number
        # it may read what it was not given, too
        self.vars, self.steps, self.ended = [*outer[0][:2], *inputs], [], []
        self.inside += 1
        for _ in range(self.rng.randint(1, 4)):
            self.operation()
            if self.chance(0.25):
                self.hook()
        last = self.vars[-1]
        last = self.op("sin", f"{last.name}.sin()", [last], last.shape, 1.0, plain=True)
        self.inside -= 1
        body = self.steps
        self.vars, self.steps, self.ended = outer
        function, name = self.name("f"), self.name()
        arguments = ", ".join([function, *(x.name for x in reads)])
        texts = []
        for side in ("mine", "theirs"):
            lines = "\n".join([*(getattr(step, side) for step in body), f"return {last.name}"])
            head = f"def {function}({', '.join(x.name for x in inputs)}):\n"
            texts.append(
                head + textwrap.indent(lines, "    ") + f"\n{name} = checkpoint({arguments})"
            )
        inner = {read for step in body for read in step.reads}
        known = [x for x in self.vars if x in reads or x.name in inner]
        self.say("op", "checkpoint", texts[0], texts[1], known, [name])
        memory = Memory(self.count, last.bound)
        made = Var(name, last.shape, memory, last.requires, plain=False, above=tuple(known))
        made.used = any(x.used for x in known)
        self.enter(made)

    def operation(self) -> None:
        """Append one operation at random."""
        while not self.rng.choices(list(OPERATIONS), list(OPERATIONS.values()))[0](self):
            pass

    def edit(self) -> None:
        """Append an edit in place: under no_grad, or outside, where that may be refused."""
        x = self.pick(lambda x: not x.memory.fixed)
        if x is None:
            return
        value = self.numbers(x.shape, True)
        how = self.rng.choice(
            (
                f"{x.name}.add_(0.25)",
                f"{x.name}.mul_(0.5)",
                f"{x.name}.sub_(array({value}))",
                f"{x.name}.zero_()",
                f"{x.name}.fill_(0.5)",
                f"{x.name}.copy_(leaf({value}))",
                f"{x.name}[...] = 0.75",
                f"{x.name}[0] = 0.25" if x.shape else f"{x.name}[()] = 0.25",
            )
        )
        x.memory.bound += 2
        x.memory.edited = True
        for y in self.vars:
            if y.memory is x.memory:
                y.bits = None
        if not x.requires and self.chance(0.3):
            self.say("edit", "plain", how, reads=[x])
        elif x.leaf and x.requires and self.chance(0.1):
            self.say("attempt", "edit a leaf", how, reads=[x])
        else:
            self.say("edit", "no_grad", f"with no_grad():\n    {how}", reads=[x])

    def hook(self) -> None:
        """Append a hook, its removal, or what asks for the gradient of an intermediate result."""
        # PyTorch crashes on some hooks of views that were edited
        x = self.pick(lambda x: (x.requires or self.chance(0.05)) and not x.memory.edited)
        if x is None or (self.inside and (x.leaf or not x.requires or x.name[0] == "p")):
            return
        kind = self.rng.random()
        if kind < 0.15 and self.hooks and not self.inside:
            gone = self.rng.choice(self.hooks)
            self.say("hook", "remove", f"{gone}.remove()")
        elif kind < 0.35 and not self.inside:
            self.say("hook", "retain", f"{x.name}.retain_grad()", reads=[x])
        else:
            name = self.name("h")
            if kind < 0.55 and not self.inside:
                text = f'{x.name}.register_post_accumulate_grad_hook(after("{name}"))'
            else:
                factor = self.rng.choice(("", ", 2.0", ", -0.5", ", 0.0"))
                text = f'{x.name}.register_hook(hook("{name}"{factor}))'
            self.say("hook", "register", f"{name} = {text}", reads=[x], makes=[name])
            if not self.inside and x.requires and ("post" not in text or x.leaf):
                self.hooks.append(name)

    def mode(self) -> None:
        """Append a freeze or a thaw, a forgotten gradient, or the end of a variable."""
        x = self.pick(lambda x: x.leaf or self.chance(0.2))
        if x is None:
            return
        kind = self.rng.random()
        if kind < 0.5:
            if not x.leaf:
                self.say("mode", "thaw", f"{x.name}.requires_grad_(True)", reads=[x])
            elif not x.memory.edited and (x.requires or not self.shared(x)):
                x.memory.fixed = True  # PyTorch crashes where a view of a frozen leaf was edited
                x.requires = not x.requires
                self.say("mode", "freeze", f"{x.name}.requires_grad = {x.requires}", reads=[x])
        elif kind < 0.75:
            if x.leaf:
                self.say("mode", "forget", f"{x.name}.grad = None", reads=[x])
        elif not x.leaf and len(self.vars) > 3:
            self.say("mode", "drop", f"del {x.name}", reads=[x])
            self.vars.remove(x)
            self.ended = [y for y in self.ended if y is not x]

    def attempt(self) -> None:
        """Append a statement that both libraries refuse."""
        x, y = self.pick(), self.pick()
        if x is None or y is None:
            return
        a, b = x.name, y.name
        wide = (*x.shape[:-1], 41)
        other = f"leaf({np.ones(wide).tolist()})"
        fits = x.shape and x.shape[-1] > 1
        tries = [
            f"{a}.reshape({x.size + 1})",
            f"{a}.permute(({', '.join(['0'] * (len(x.shape) + 1))},))",
            f"{a}.transpose(0, 7)",
            f"{a}.sum(axis=5)",
            f"{a}.softmax(4)",
            f"{a}.log_softmax(-6)",
            f"{a}.broadcast_to((2, 7, 7, 7))" if fits else f"{a}.broadcast_to(())[0]",
            f"{a}[99]",
            f"{a}[array([0, 99])]",
            f"{a}[(0,) * 9]",
            f"{a} @ leaf([[1.0]] * 97)",
            f"concatenate([{a}, {b}], axis=6)",
            f"stack([{a}, leaf([[[[[1.0]]]]])])",
            f"{a} - None",
            f"hash({a}) and bool(leaf([1.0, 2.0]))",
            "leaf([1.0, 2.0]).item()",
            "leaf([1, 2], requires_grad=True)",
        ]
        if fits:
            tries += [
                f"{a} + {other}",
                f"{a} / {other}",
                f"{other} - {a}",
                f"where(True, {a}, {other})",
            ]
        if x.requires:
            tries += [f"{a}.numpy()"]
            if not x.leaf:
                tries += [f"copy.deepcopy({a})", f"{a}.requires_grad = False"]
        self.say("attempt", "refused", f"_ = {self.rng.choice(tries)}", reads=[x, y])

    # Passes.

    def result(self) -> Var | None:
        """Return what to differentiate: one number, mostly."""
        x = None
        if self.ended and self.chance(0.25):
            x = self.again()
        x = x or self.pick(lambda x: x.requires or self.chance(0.05))
        if x is None or x.size == 1 or self.chance(0.15):
            return x
        kind = self.rng.random()
        if kind < 0.4:
            return self.op("sum", f"{x.name}.sum()", [x], (), 1.0)
        if kind < 0.6:
            return self.op("mean", f"({x.name} * {x.name}).mean()", [x], (), 1.0)
        other = self.new_leaf(x.shape, False)
        return self.op("sum", f"({x.name} * {other.name}).sum()", [x, other], (), 1.0)

    def again(self) -> Var:
        """Return what was differentiated before; rarely where the graph was not retained."""
        fresh = [x for x in self.ended if not x.used] if self.chance(0.85) else []
        return self.rng.choice(fresh or self.ended)

    def use(self, *outs: Var) -> None:
        """Note that a pass went through and retained nothing."""
        stack = [x for x in outs if not x.leaf]
        while stack:
            x = stack.pop()
            if not x.used:
                x.used = True
                stack += [y for y in x.above if not y.leaf]

    def differentiate(self) -> None:
        """Append a backward pass."""
        y = self.result()
        if y is None:
            return
        kind = self.rng.random()
        keep = self.chance(0.6)
        given = y.size != 1 and self.chance(0.8)
        shape = (*y.shape, 2) if self.chance(0.05) else y.shape
        gradient = f"array({self.numbers(shape, True)})" if given else "None"
        if kind < 0.5:
            words = [gradient] if given else []
            words += ["retain_graph=True"] if keep else []
            self.say("pass", "backward", f"{y.name}.backward({', '.join(words)})", reads=[y])
        elif kind < 0.75:
            self.slopes(y, gradient, keep)
        else:
            self.curvature(y)
        if not keep or kind >= 0.75:
            self.use(y)
        if y.requires and y in self.vars:
            self.ended.append(y)

    def slopes(self, y: Var, gradient: str, keep: bool) -> None:
        """Append a call of grad()."""
        wrt = self.inputs()
        outs, givens = [y], [gradient]
        if self.chance(0.2) and (other := self.pick(lambda x: x.requires and x.size == 1)):
            outs.append(other)
            givens.append("None")
        names = [self.name("g") for _ in wrt]
        words = [f"grad([{', '.join(x.name for x in outs)}]", f"[{', '.join(x.name for x in wrt)}]"]
        words.append(f"[{', '.join(givens)}]")
        words += ["retain_graph=True"] if keep else []
        words += ["allow_unused=True"] if self.chance(0.7) else []
        text = f"{', '.join(names)}, = {', '.join(words)})"
        self.say("pass", "grad", text, reads=[*outs, *wrt], makes=names)
        if not keep:
            self.use(*outs)

    def curvature(self, y: Var) -> None:
        """Append a derivative of a derivative."""
        if y.size != 1:
            y = self.op("sum", f"{y.name}.sum()", [y], (), 1.0)
        wrt, slopes, p = self.inputs(), self.name("s"), self.name("p")
        names = ", ".join(x.name for x in wrt)
        text = f"{slopes} = grad({y.name}, [{names}], create_graph=True, allow_unused=True)\n"
        if self.chance(0.5):
            text += f"{p} = squares({slopes}) + {y.name}.sum()\n{p}.backward()"
            self.say("pass", "curvature", text, reads=[y, *wrt])
        else:
            bends = [self.name("g") for _ in wrt]
            text += f"{p} = squares({slopes})\n"
            text += f"{', '.join(bends)}, = grad({p}, [{names}], allow_unused=True)"
            self.say("pass", "bare curvature", text, reads=[y, *wrt], makes=bends)

    def inputs(self) -> list[Var]:
        """Return what to differentiate with respect to."""
        fitting = [x for x in self.vars if x.requires or self.chance(0.01)]
        leaves = [x for x in fitting if x.leaf]
        chosen = self.rng.sample(fitting, min(len(fitting), self.rng.randint(1, 3)))
        return list({x.name: x for x in (*leaves[:1], *chosen)}.values()) or self.vars[:1]

    def last_words(self) -> None:
        """Append a statement after which the two libraries go separate ways (see the differences)."""
        x = self.pick(lambda x: x.requires and not x.memory.fixed)
        if x is None:
            return
        kind = self.rng.random()
        if kind < 0.7 and not x.leaf:
            self.say("recorded", "edit a result", f"{x.name}.mul_(0.5)", reads=[x])
        elif kind < 0.35:
            c = self.new_leaf(x.shape, False)
            self.say("recorded", "write a result", f"{c.name}.copy_({x.name})", reads=[x, c])
        elif kind < 0.6 and x.leaf:
            self.say("recorded", "augmented", f"{x.name} += 1.0", reads=[x])
        elif x.leaf:
            text = f"{x.name}.data = {x.name}.data * 2.0"
            self.say("bind", "data", text, reads=[x])


#: The operations, each with how often it is taken; one returns False where nothing fits it.
OPERATIONS: dict[Callable[[Builder], bool], int] = {}


def operation(weight: int) -> Callable[[Callable[[Builder], bool]], Callable[[Builder], bool]]:
    """Enter an operation."""

    def entered(function: Callable[[Builder], bool]) -> Callable[[Builder], bool]:
        OPERATIONS[function] = weight
        return function

    return entered


#: Functions of each element: the text, the bound as a function of the input's, and the largest input.
SMOOTH: dict[str, tuple[str, str | None, Callable[[float], float], float]] = {
    "exp": ("{x}.exp()", None, math.exp, 2.5),
    "log": ("({x} * {x} + 0.5).log()", None, lambda b: math.log(b * b + 2), 99),
    "sqrt": ("({x} * {x} + 0.5).sqrt()", None, lambda b: b + 1, 99),
    "sin": ("{x}.sin()", None, lambda b: 1, 99),
    "cos": ("{x}.cos()", None, lambda b: 1, 99),
    "erf": ("{x}.erf()", None, lambda b: 1, 99),
    "tanh": ("{x}.tanh()", None, lambda b: 1, 99),
    "sigmoid": ("{x}.sigmoid()", None, lambda b: 1, 99),
    "gelu": ("{x}.gelu()", "F.gelu({x})", lambda b: b, 99),
    "gelu tanh": ('{x}.gelu("tanh")', 'F.gelu({x}, approximate="tanh")', lambda b: b, 99),
    "softplus": ("{x}.softplus()", "F.softplus({x})", lambda b: b + 1, 99),
    "square": ("{x}.square()", None, lambda b: b * b, 99),
    "cube": ("{x} ** 3", None, lambda b: b**3, 3),
    "power": ("({x} * {x} + 0.5) ** -1.5", None, lambda b: 3, 99),
    "power 0": ("{x} ** 0", None, lambda b: 1, 99),
    "power 1": ("{x} ** 1", None, lambda b: b, 99),
    "power of 2": ("2.0 ** {x}", None, lambda b: 2**b, 3),
    "clone": ("{x}.clone()", None, lambda b: b, 99),
    "neg": ("-{x}", None, lambda b: b, 99),
    "+ 1": ("{x} + 1", None, lambda b: b + 1, 99),
    "1 -": ("1.5 - {x}", None, lambda b: b + 1.5, 99),
    "2 *": ("2 * {x}", None, lambda b: 2 * b, 99),
    "/ 3": ("{x} / 3", None, lambda b: b, 99),
    "2 /": ("2.0 / ({x} * {x} + 1)", None, lambda b: 2, 99),
    "reciprocal": ("1.0 / {x}", None, lambda b: 4, -1),
    "cast": (
        '{x}.astype("float32").astype("float64")',
        "{x}.to(torch.float32).to(torch.float64)",
        lambda b: b,
        99,
    ),
}

#: Functions with a kink, taken of exact numbers, or of such as were moved apart.
KINKED: dict[str, tuple[str, str | None]] = {
    "relu": ("{x}.relu()", None),
    "abs": ("{x}.abs()", None),
    "leaky_relu": ("{x}.leaky_relu(0.125)", "F.leaky_relu({x}, 0.125)"),
    "steep relu": ("{x}.leaky_relu(-0.5)", "F.leaky_relu({x}, -0.5)"),
    "clamp": ("{x}.clamp(-0.5, 0.75)", None),
    "clamp above": ("{x}.clamp(max=0.5)", None),
}


@operation(24)
def smooth(b: Builder) -> bool:
    """A function of each element."""
    name = b.rng.choice(list(SMOOTH))
    mine, theirs, bound, largest = SMOOTH[name]
    x = b.pick(lambda x: x.bound <= abs(largest))
    if x is None:
        return False
    if largest < 0:  # of numbers that are not near 0
        x = b.op("+", f"{x.name}.sigmoid() + 0.25", [x], x.shape, 1.0, plain=True)
    texts = [None if text is None else text.format(x=x.name) for text in (mine, theirs)]
    b.op(name, str(texts[0]), [x], x.shape, bound(x.bound), texts[1], plain=name != "cast")
    return True


@operation(10)
def kinked(b: Builder) -> bool:
    """A function of each element that is not smooth."""
    if (x := b.pick()) is None:
        return False
    x = b.apart(x)
    name = b.rng.choice(list(KINKED))
    texts = [None if text is None else text.format(x=x.name) for text in KINKED[name]]
    bits = None if x.bits is None else x.bits + 3
    b.op(name, str(texts[0]), [x], x.shape, max(x.bound, 1), texts[1], bits=bits)
    return True


def _broadcast(b: Builder) -> tuple[Var, Var, tuple[int, ...]] | None:
    """Return two variables that broadcast with each other."""
    if (x := b.pick()) is None:
        return None
    if (y := b.pick(lambda y: _joint(x.shape, y.shape) is not None)) is None or b.chance(0.15):
        y = b.new_leaf(tuple(b.rng.choice((1, n)) for n in x.shape[b.rng.randint(0, 2) :]), False)
    shape = _joint(x.shape, y.shape)
    assert shape is not None
    return (x, y, shape) if math.prod(shape) <= 64 else None


def _joint(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


@operation(22)
def pair(b: Builder) -> bool:
    """Arithmetic with broadcasting."""
    if (two := _broadcast(b)) is None:
        return False
    x, y, shape = two
    bits = None if x.bits is None or y.bits is None else max(x.bits, y.bits)
    kind = b.rng.choice(("+", "-", "*", "*", "/", "**"))
    if kind in "+-":
        b.op(
            kind,
            f"{x.name} {kind} {y.name}",
            [x, y],
            shape,
            x.bound + y.bound,
            bits=bits,
            plain=True,
        )
    elif kind == "*":
        bits = None if bits is None or bits > 8 else (x.bits or 0) + (y.bits or 0)
        b.op("*", f"{x.name} * {y.name}", [x, y], shape, x.bound * y.bound, bits=bits, plain=True)
    elif kind == "/":
        text = f"{x.name} / ({y.name} * {y.name} + 1)"
        b.op("/", text, [x, y], shape, x.bound, plain=True)
    else:
        text = f"({x.name} * {x.name} + 0.5) ** {y.name}.tanh()"
        b.op("**", text, [x, y], shape, x.bound * x.bound + 2, plain=True)
    return True


@operation(8)
def choice(b: Builder) -> bool:
    """maximum, minimum and where; ties between exact numbers."""
    if (two := _broadcast(b)) is None:
        return False
    x, y, shape = two
    kind = b.rng.choice(("maximum", "minimum", "where", "masked_fill", "compared"))
    bound = max(x.bound, y.bound) + 2
    if kind in ("maximum", "minimum"):
        if x.bits is None or y.bits is None:
            x = b.apart(b.op("*", f"{x.name} * 0.75", [x], x.shape, x.bound))
        bits = None if x.bits is None or y.bits is None else max(x.bits, y.bits)
        theirs = f"torch.{kind}({x.name}, {y.name})"
        b.op(kind, f"{x.name}.{kind}({y.name})", [x, y], shape, bound, theirs, bits=bits)
        return True
    mask = f"array({(np.array(b.numbers(shape, True)) > 0).tolist()})"
    if kind == "masked_fill":
        shape, reads = x.shape, [x]
        mask = f"array({(np.array(b.numbers(shape, True)) > 0).tolist()})"
        b.op(kind, f"{x.name}.masked_fill({mask}, 0.5)", reads, shape, bound)
    elif kind == "where":
        b.op(kind, f"where({mask}, {x.name}, {y.name})", [x, y], shape, bound)
    else:
        text = f"where({x.name} > 0.1234, {x.name}, {y.name})"
        b.op("where", text, [x, y], shape, bound)
    return True


def _axis(b: Builder, x: Var) -> tuple[Any, tuple[int, ...], bool]:
    """Return axes to reduce, the shape that remains, and whether they are kept."""
    rank = len(x.shape)
    axis: Any = None
    if rank and b.chance(0.7):
        some = b.rng.sample(range(rank), b.rng.randint(1, rank))
        axis = some[0] - (rank if b.chance(0.4) else 0) if len(some) == 1 else tuple(some)
    gone = set(range(rank)) if axis is None else {i % rank for i in np.atleast_1d(axis).tolist()}
    kept = axis is not None and b.chance(0.4)
    shape = tuple(1 if i in gone else n for i, n in enumerate(x.shape) if kept or i not in gone)
    return axis, shape, kept


@operation(12)
def reduction(b: Builder) -> bool:
    """sum, mean, max, min, var, std, logsumexp."""
    if (x := b.pick()) is None:
        return False
    kind = b.rng.choice(("sum", "mean", "max", "min", "var", "std", "logsumexp"))
    axis, shape, kept = _axis(b, x)
    words = [] if axis is None else [f"axis={axis}"] + (["keepdims=True"] if kept else [])
    count = x.size // (math.prod(shape) or 1)
    if kind in ("sum", "mean"):
        bits = x.bits if kind == "sum" else None
        bound = x.bound * (count if kind == "sum" else 1)
        b.op(kind, f"{x.name}.{kind}({', '.join(words)})", [x], shape, bound, bits=bits)
    elif kind in ("max", "min"):
        x = b.apart(x)
        theirs = f"torch.a{kind}({', '.join([x.name, *words])})"
        mine = f"{x.name}.{kind}({', '.join(words)})"
        b.op(kind, mine, [x], shape, x.bound, theirs, bits=x.bits)
    elif kind == "logsumexp":
        if not x.shape:
            return False
        axis = b.rng.randrange(len(x.shape))
        shape = tuple(n for i, n in enumerate(x.shape) if i != axis)
        b.op(kind, f"{x.name}.logsumexp({axis})", [x], shape, x.bound + 3)
    else:
        correction = 1 if count > 1 and b.chance(0.5) else 0
        if kind == "std":
            x = b.apart(x)
        if count == 1:
            return False
        words = [f"axis={axis}", f"correction={correction}", f"keepdims={kept}"]
        text = f"{x.name}.{kind}({', '.join(words)})"
        b.op(kind, text, [x], shape, 4 * x.bound * (x.bound if kind == "var" else 1))
    return True


@operation(6)
def along(b: Builder) -> bool:
    """Softmax and log_softmax."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    kind = b.rng.choice(("softmax", "softmax", "log_softmax"))
    axis = b.rng.randrange(-len(x.shape), len(x.shape))
    bound = 1.0 if kind == "softmax" else 2 * x.bound + 2
    b.op(kind, f"{x.name}.{kind}({axis})", [x], x.shape, bound)
    return True


@operation(8)
def product(b: Builder) -> bool:
    """Matrix products, plain and in batches."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    k, rank = x.shape[-1], len(x.shape)
    y = b.pick(lambda y: len(y.shape) > 0 and (y.shape[-2:][0] == k))
    if y is None or b.chance(0.3):
        left = (2,) if b.chance(0.2) else ()
        last = b.shape(1)
        y = b.new_leaf((*left, k, *(last if left or b.chance(0.7) else ())), b.chance(0.6))
    try:
        shape = np.matmul(np.ones(x.shape), np.ones(y.shape)).shape
    except ValueError:
        return False
    if math.prod(shape) > 64:
        return False
    if rank and b.chance(0.4) and len(y.shape) == 2:
        bias = b.new_leaf(y.shape[1:], True) if b.chance(0.6) else None
        reads = [x, y] if bias is None else [x, y, bias]
        mine = f"{x.name}.linear({', '.join(z.name for z in reads[1:])})"
        theirs = f"F.linear({x.name}, {y.name}.T{'' if bias is None else ', ' + bias.name})"
        b.op("linear", mine, reads, shape, x.bound * y.bound * k + 2, theirs)
    else:
        b.op("@", f"{x.name} @ {y.name}", [x, y], shape, x.bound * y.bound * k)
    return True


#: What gives a view; what is named twice is taken twice as often.
VIEWS = (
    *("reshape", "reshape", "flatten", "squeeze", "unsqueeze", "basic", "basic"),
    *("transpose", "T", "permute", "broadcast_to", "detach"),
)


@operation(20)
def view(b: Builder) -> bool:
    """The same elements in another shape or order."""
    if (x := b.pick()) is None:
        return False
    rank, n = len(x.shape), x.name
    kind = b.rng.choice(VIEWS)
    order = b.rng.sample(range(rank), rank)
    if kind == "reshape":
        shape = tuple(x.shape[i] for i in order)
        shape = b.rng.choice([(x.size,), shape, (1, x.size), (*shape, 1)])
        text = f"{n}.reshape({shape})"
    elif kind == "flatten" and rank == 1:
        return False  # PyTorch's is the tensor itself
    elif kind == "flatten":
        shape, text = (x.size,), f"{n}.flatten()"
    elif kind == "squeeze":
        shape, text = tuple(m for m in x.shape if m != 1), f"{n}.squeeze()"
    elif kind == "unsqueeze":
        at = b.rng.randint(0, rank)
        shape, text = (*x.shape[:at], 1, *x.shape[at:]), f"{n}.unsqueeze({at})"
    elif kind == "broadcast_to":
        shape = tuple(b.rng.choice((2, 3)) if m == 1 else m for m in x.shape)
        shape = (2, *shape) if b.chance(0.4) else shape
        text = f"{n}.broadcast_to({shape})"
        if math.prod(shape) > 64:
            return False
    elif kind == "permute":
        shape, text = tuple(x.shape[i] for i in order), f"{n}.permute({(*order,)})"
    elif kind == "detach":
        shape, text = x.shape, f"{n}.detach()"
    elif kind == "basic":
        key, shape = _basic(b, x)
        text = f"{n}[{key}]"
    elif rank < 2:
        return False
    elif kind == "T":
        shape, text = (*x.shape[:-2], x.shape[-1], x.shape[-2]), f"{n}.T"
    else:
        i, j = order[:2]
        swapped = {i: j, j: i}
        shape = tuple(x.shape[swapped.get(axis, axis)] for axis in range(rank))
        text = f"{n}.transpose({i}, {j})"
    theirs = f"{n}.mT" if kind == "T" else None
    made = b.op(kind, text, [x], shape, x.bound, theirs, bits=x.bits, view=x)
    made.plain = x.plain and kind in ("reshape", "flatten", "squeeze", "unsqueeze", "detach")
    if kind in ("reshape", "flatten") and not x.plain:
        x.memory.fixed = True
    if kind == "detach":
        made.requires = False
        made.leaf = True
    return True


def _basic(b: Builder, x: Var) -> tuple[str, tuple[int, ...]]:
    """Return an index of numbers, slices, None and …, and the shape that it selects."""
    parts: list[Any] = []
    for n in x.shape[: b.rng.randint(0, len(x.shape))]:
        start = b.rng.randrange(n)
        parts.append(b.rng.choice([start, start - n, slice(start, None), slice(None), slice(0, n)]))
    if b.chance(0.3):
        parts.append(Ellipsis)
    if b.chance(0.2):
        parts.insert(b.rng.randint(0, len(parts)), None)
    words = [
        "..."
        if part is Ellipsis
        else f"{part.start or ''}:{part.stop or ''}"
        if isinstance(part, slice)
        else str(part)
        for part in parts
    ]
    key = ", ".join(words) + ("," if len(words) == 1 else "")
    return key or "...", np.empty(x.shape)[tuple(parts)].shape


@operation(7)
def fancy(b: Builder) -> bool:
    """Lists of indices, with repeats, and masks."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    n, rank, name = x.shape[0], len(x.shape), x.name
    rows = [b.rng.randrange(-n, n) for _ in range(b.rng.randint(1, 4))]
    kind = b.rng.choice(("rows", "mask", "row mask", "pairs", "columns", "embedding", "scatter"))
    theirs = None
    if kind == "rows":
        text, shape = f"{name}[array({rows})]", (len(rows), *x.shape[1:])
    elif kind == "pairs" and rank > 1:
        other = [b.rng.randrange(x.shape[1]) for _ in rows]
        text, shape = f"{name}[array({rows}), array({other})]", (len(rows), *x.shape[2:])
    elif kind == "columns" and rank > 1:
        other = [b.rng.randrange(x.shape[1]) for _ in rows]
        text, shape = f"{name}[:, array({other})]", (n, len(rows), *x.shape[2:])
    elif kind in ("mask", "row mask"):
        mask = np.array(b.numbers(x.shape if kind == "mask" else (n,), True)) > -0.5
        mask[0] = True
        text, shape = f"{name}[array({mask.tolist()})]", np.empty(x.shape)[mask].shape
    elif kind == "embedding" and rank == 2:
        rows = [i % n for i in rows]
        text, shape = f"{name}.embedding(array([{rows}]))", (1, len(rows), x.shape[1])
        theirs = f"F.embedding(array([{rows}]), {name})"
    elif kind == "scatter":
        places = [b.rng.randrange(n + 1) for _ in range(n)]
        shape = (n + 1, *x.shape[1:])
        text = f"{name}.scatter(array({places}), {shape})"
        zeros = f"torch.zeros({shape}, dtype=torch.float64)"
        theirs = f"{zeros}.index_put((array({places}),), {name}, accumulate=True)"
    else:
        return False
    bound = x.bound * n if kind == "scatter" else x.bound
    b.op(kind, text, [x], shape, bound, theirs, bits=x.bits)
    return True


@operation(3)
def by_tensor(b: Builder) -> bool:
    """Indices and masks that are tensors themselves, so that they can be edited."""
    if b.inside or (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    n, name = x.shape[0], b.name("i")
    mask = b.chance(0.5)
    values: Any = [b.rng.randrange(n) for _ in range(3)]
    if mask:
        values = [True, *(b.chance(0.6) for _ in range(n - 1))]
    b.say("leaf", "index", f"{name} = leaf({values})", _index(name, values), makes=[name])
    kept = sum(values) if mask else len(values)
    key = Var(name, (n if mask else 3,), Memory(b.count, n), leaf=True)
    b.memory[name] = b.count
    shape = (kept, *x.shape[1:])
    op = "tensor mask" if mask else "tensor index"
    b.op(op, f"{x.name}[{name}]", [x, key], shape, x.bound, bits=x.bits)
    if b.chance(0.3):
        b.say("edit", "index", f"{name}[0] = {values[0]}", reads=[key])
    return True


def _index(name: str, values: Any) -> str:
    return f"{name} = array({values})"


@operation(8)
def joined(b: Builder) -> bool:
    """concatenate, stack and split."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    axis = b.rng.randrange(len(x.shape))
    kind = b.rng.choice(("concatenate", "stack", "split"))

    def fits(y: Var) -> bool:
        if kind == "stack":
            return y.shape == x.shape
        rest = [m for i, m in enumerate(y.shape) if i != axis]
        return len(y.shape) == len(x.shape) and rest == [
            m for i, m in enumerate(x.shape) if i != axis
        ]

    if kind == "split":
        if x.shape[axis] < 2:
            return False
        first = b.rng.randint(1, x.shape[axis] - 1)
        lengths = [first, x.shape[axis] - first]
        i = b.rng.randrange(2)
        shape = (*x.shape[:axis], lengths[i], *x.shape[axis + 1 :])
        text = f"split({x.name}, {lengths}, {axis})[{i}]"
        b.op(kind, text, [x], shape, x.bound, bits=x.bits, view=x)
        x.memory.fixed = True  # PyTorch allows no edit of one of several views
        return True
    y = b.pick(fits)
    assert y is not None
    parts = [x, y, x] if b.chance(0.2) else [x, y]
    if kind == "stack":
        shape = (*x.shape[:axis], len(parts), *x.shape[axis:])
    else:
        shape = (*x.shape[:axis], sum(z.shape[axis] for z in parts), *x.shape[axis + 1 :])
    if math.prod(shape) > 64:
        return False
    bits = None if None in (x.bits, y.bits) else max(x.bits or 0, y.bits or 0)
    names = ", ".join(z.name for z in parts)
    b.op(kind, f"{kind}([{names}], {axis})", parts, shape, max(x.bound, y.bound), bits=bits)
    return True


@operation(5)
def normalized(b: Builder) -> bool:
    """layer_norm."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    x = b.apart(x) if x.bits is None else x
    n = x.shape[-1]
    weight = b.new_leaf((n,), b.chance(0.7)) if b.chance(0.7) else None
    bias = b.new_leaf((n,), b.chance(0.7)) if weight and b.chance(0.7) else None
    reads = [z for z in (x, weight, bias) if z is not None]
    mine = f"{x.name}.layer_norm({', '.join(z.name for z in reads[1:])})"
    theirs = f"F.layer_norm({', '.join([x.name, str((n,)), *(z.name for z in reads[1:])])})"
    b.op("layer_norm", mine, reads, x.shape, 5.0, theirs)
    return True


@operation(8)
def loss(b: Builder) -> bool:
    """The losses, in all reductions."""
    if (x := b.pick(lambda x: len(x.shape) > 0)) is None:
        return False
    kind = b.rng.choice(("mse", "bce", "bce_with_logits", "classes", "probabilities"))
    how = b.rng.choice(("mean", "mean", "sum", "none"))
    if kind in ("classes", "probabilities"):
        n, last = math.prod(x.shape[:-1]), x.shape[-1]
        flat = b.op("reshape", f"{x.name}.reshape({(n, last)})", [x], (n, last), x.bound, view=x)
        x.memory.fixed = x.memory.fixed or not x.plain
        reads = [flat]
        if kind == "classes":
            labels = [b.rng.choice((-100, *range(last))) for _ in range(n)]
            labels[0] = 0
            target = f"array({labels})"
        else:
            t = b.new_leaf((n, last), b.chance(0.5))
            t = b.op("softmax", f"{t.name}.softmax(-1)", [t], t.shape, 1.0)
            reads.append(t)
            target = t.name
        shape = (n,) if how == "none" else ()
        words = f'{target}, reduction="{how}"'
        theirs = f"F.cross_entropy({flat.name}, {words})"
        bound = (2 * x.bound + 2) * (n if how == "sum" else 1)
        b.op(kind, f"{flat.name}.cross_entropy({words})", reads, shape, bound, theirs)
        return True
    t = b.pick(lambda y: y.shape == x.shape) or x
    if kind != "mse":
        t = b.op("sigmoid", f"{t.name}.sigmoid()", [t], t.shape, 1.0, plain=True)
    if kind == "bce":
        x = b.op("*", f"{x.name}.sigmoid() * 0.8 + 0.1", [x], x.shape, 1.0, plain=True)
    shape = x.shape if how == "none" else ()
    names = {"mse": "mse_loss", "bce": "binary_cross_entropy"}
    function = names.get(kind, "binary_cross_entropy_with_logits")
    each = (x.bound + t.bound) ** 2 if kind == "mse" else x.bound + 3
    bound = each * (x.size if how == "sum" else 1)
    words = f'{t.name}, reduction="{how}"'
    theirs = f"F.{function}({x.name}, {words})"
    b.op(kind, f"{x.name}.{kind}({words})", [x, t], shape, bound, theirs)
    return True


def build(seed: int) -> Program:
    """Return the program of this number: the same one in every process."""
    b = Builder(random.Random(seed))
    shape = b.shape()
    for _ in range(b.rng.randint(2, 4)):
        kind = b.rng.random()
        # most of them broadcast with each other
        other = tuple(1 if kind < 0.45 else n for n in shape) if kind > 0.3 else b.shape()
        b.new_leaf(other[b.rng.randint(0, 1) :] if kind > 0.6 else other, b.chance(0.8))
    edits = b.chance(0.5)
    for _ in range(b.rng.randint(1, 3)):
        for _ in range(b.rng.randint(1, 6)):
            _act(b, edits)
        if edits and b.chance(0.5):
            b.edit()
        b.differentiate()
        if b.chance(0.3) and b.ended:
            y = b.again()
            words = f"array({b.numbers(y.shape, True)})"
            keep = ", retain_graph=True" if b.chance(0.6) else ""
            b.say("pass", "backward", f"{y.name}.backward({words}{keep})", reads=[y])
            if not keep:
                b.use(y)
    if b.chance(0.1):
        b.last_words()
        b.differentiate()
    return Program(seed, tuple(b.steps), b.memory)


def edit_after(op: str, seed: int) -> Program | None:
    """Return a program that edits what an operation read or made, and goes backward through it; None by chance."""
    b = Builder(random.Random(seed))
    b.new_leaf(b.shape(2), True)
    b.new_leaf(b.shape(3), True)
    at = None
    for _ in range(12):
        b.segment() if op == "checkpoint" else b.operation()
        at = next((step for step in b.steps if step.op == op), None)
        if at is not None:
            break
    y = None if at is None else next((x for x in b.vars if x.name in at.makes), None)
    if at is None or y is None or not y.requires:
        return None
    target = b.rng.choice([*at.reads, *at.makes])
    if any(x.memory.fixed and b.memory[target] == x.memory.number for x in b.vars):
        return None
    edit = f"{target}[0] = {target}[0]" if target[0] == "i" else f"{target}.mul_(0.5)"
    text = f"with no_grad():\n    {edit}"
    b.steps.append(Step("edit", "no_grad", text, text, (target,)))
    b.op("sum", f"{y.name}.sum()", [y], (), 1.0)
    b.say("pass", "backward", f"{b.vars[-1].name}.backward()", reads=[b.vars[-1]])
    return Program(seed, tuple(b.steps), b.memory)


def _act(b: Builder, edits: bool) -> None:
    """Append one of the things that a program does."""
    kind = b.rng.random()
    if kind < 0.68:
        b.operation()
    elif kind < 0.82:
        b.hook()
    elif kind < 0.88:
        if edits:
            b.edit()
    elif kind < 0.93:
        b.segment()
    elif kind < 0.96:
        b.attempt()
    else:
        b.mode()
