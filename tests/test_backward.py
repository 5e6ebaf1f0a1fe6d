"""The backward pass: what it accumulates, frees, refuses, and never shares."""

import copy
import gc
import pickle
import sys
import threading
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, memory, no_grad
from bytegrad.engine import execution_order


def test_the_worked_comparison() -> None:
    x = Tensor([[1, 2]], requires_grad=True)
    w = Tensor([[3], [4]], requires_grad=True)
    ((x @ w) ** 2).sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    assert x.grad.tolist() == [[66, 88]]
    assert w.grad.tolist() == [[22], [44]]


def test_gradients_accumulate_until_zeroed() -> None:
    x = Tensor(3.0, requires_grad=True)
    for expected in (6.0, 12.0):
        (x * x).backward()
        assert x.grad == expected
    x.zero_grad()
    assert x.grad is None


def test_gradient_argument() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    given = np.array([1.0, 10.0])
    (x * 3).backward(given)
    assert x.grad is not None
    assert x.grad.tolist() == [3, 30]
    (x * 3).backward(gradient=Tensor([1.0, 0.0]))
    assert x.grad.tolist() == [6, 30]
    assert given.tolist() == [1, 10]


def test_a_leaf_is_its_own_result() -> None:
    x = Tensor(2.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad == 2


def test_leaves_and_intermediates() -> None:
    x = Tensor(2.0, requires_grad=True)
    y = x * 2
    assert (x.is_leaf, y.is_leaf, y.requires_grad) == (True, False, True)
    assert type(y.grad_fn).__name__ == "MulBackward"
    assert y.grad_fn is y._grad_fn
    y.backward()
    assert y.grad is None
    d = y.detach()
    assert d.is_leaf
    assert not d.requires_grad
    assert d.data is y.data


@pytest.mark.parametrize(
    ("act", "error", "parts"),
    [
        (lambda x: (x * 2).backward(), bg.ShapeError, ["(2,)", "gradient"]),
        (lambda x: (x * 2).backward(np.ones(3)), bg.ShapeError, ["(3,)", "(2,)"]),
        (lambda x: Tensor([1.0, 2.0]).sum().backward(), bg.GraphError, ["requires no gradient"]),
        (lambda x: x.detach().sum().backward(), bg.GraphError, ["requires no gradient"]),
        (lambda x: Tensor(np.arange(3), requires_grad=True), bg.DtypeError, ["int64", "float"]),
        (lambda x: Tensor([True], requires_grad=True), bg.DtypeError, ["bool"]),
        (lambda x: setattr(Tensor([True]), "requires_grad", True), bg.DtypeError, ["bool"]),
        (lambda x: setattr(x * 2, "requires_grad", False), bg.GraphError, ["Mul", "detach"]),
    ],
)
def test_refusals(act: Any, error: type[Exception], parts: list[str]) -> None:
    with pytest.raises(error) as raised:
        act(Tensor([1.0, 2.0], requires_grad=True))
    for part in parts:
        assert part in str(raised.value)


def test_a_second_backward_needs_the_graph() -> None:
    x = Tensor(2.0, requires_grad=True)
    for y in (x * x, x + 1):  # one that saved something, one that saved nothing
        y.backward(retain_graph=True)
        y.backward()
        with pytest.raises(bg.GraphError, match="retain_graph=True"):
            y.backward()


def test_a_freed_part_is_found_before_anything_is_added() -> None:
    x = Tensor(2.0, requires_grad=True)
    shared = x * x
    (shared + 1).backward()
    x.zero_grad()
    with pytest.raises(bg.GraphError, match="MulBackward"):
        (shared * 2 + x).backward()
    assert x.grad is None


def test_a_rule_by_hand() -> None:
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0])
    rule = bg.RULES["__mul__"](a, b)
    grad_a, grad_b = rule.apply(np.ones(2, dtype="float32"))
    assert grad_a.tolist() == [3, 4]
    assert grad_b is None
    for name in ("exp", "tanh", "relu", "sigmoid"):  # no output given: computed again
        y = getattr(a, name)()
        (by_hand,) = bg.RULES[name](a).apply(np.ones(2))
        (recorded,) = y.grad_fn.apply(np.ones(2))
        np.testing.assert_array_equal(by_hand, recorded)
    rule.free()
    with pytest.raises(bg.GraphError, match="freed"):
        rule.apply(np.ones(2))


def test_no_grad_is_a_context_a_decorator_and_local() -> None:
    x = Tensor(2.0, requires_grad=True)
    with no_grad():
        assert not (x * 2).requires_grad
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @no_grad()
    def double() -> Tensor:
        return x * 2

    assert not double().requires_grad


def test_off_and_on() -> None:
    bg.disable_autograd()
    plain = dict(vars(Tensor))
    x = Tensor(2.0, requires_grad=True)
    y = x * 3
    assert not y.requires_grad
    with pytest.raises(bg.GraphError, match=r"enable_autograd\(\)"):
        y.backward()
    bg.enable_autograd(quiet=True)
    bg.enable_autograd(quiet=True)
    assert bg.autograd_enabled()
    (x * 3).backward()
    assert x.grad == 3
    bg.disable_autograd()
    bg.disable_autograd()
    after = dict(vars(Tensor))
    assert list(after) == list(plain)
    assert all(after[name] is plain[name] for name in plain)  # the class is as it was, bit for bit


def test_a_rule_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    class Triple(bg.Function):
        def __init__(self, a: Any, b: Any, output: Any = None) -> None:
            self.save(a, b)

        def apply(self, g: Any) -> tuple[Any, ...]:
            a, b = self.saved_tensors
            return 3 * g * b, 3 * g * a

    bg.enable_autograd(rules={"__mul__": Triple})
    assert "autograd is on" in capsys.readouterr().out
    x = Tensor(2.0, requires_grad=True)
    (x * 5).backward()
    assert x.grad == 15
    with pytest.raises(ValueError, match="__nul__"):
        bg.enable_autograd(rules={"__nul__": Triple})


def test_gradients_never_share_memory() -> None:
    a = Tensor(np.ones((2, 2)), requires_grad=True)
    b = Tensor(np.ones((2, 2)), requires_grad=True)
    g = np.ones((2, 2))
    ((a + b).T.reshape(4).reshape(2, 2) + a).backward(g)
    kept = [a.grad, b.grad, g, a.data, b.data]
    for i, one in enumerate(kept):
        for other in kept[:i]:
            assert not np.shares_memory(one, other)  # type: ignore[arg-type]
    assert all(grad.flags.writeable for grad in kept if grad is not None)

    class Same(bg.Function):
        def __init__(self, a: Any, b: Any, output: Any = None) -> None:
            self.save(a)

        def apply(self, g: Any) -> tuple[Any, ...]:
            both = g * 2
            return both, both

    a.zero_grad()
    b.zero_grad()
    bg.tracked(lambda a, b: Tensor(a.data + b.data), Same)(a, b).sum().backward()
    assert not np.shares_memory(a.grad, b.grad)  # type: ignore[arg-type]


def test_a_tensor_does_not_share_its_source() -> None:
    source = np.ones(3)
    x = Tensor(source)
    x.data[0] = 5
    assert source[0] == 1


def test_dtype_policy() -> None:
    assert Tensor(1).dtype == Tensor(1.5).dtype == Tensor([1, 2]).dtype == np.float32
    assert Tensor(np.float64(1)).dtype == np.float64
    assert Tensor(np.arange(3)).dtype == np.int64
    assert Tensor([True]).dtype == bool
    assert Tensor(np.arange(3), dtype="float32", requires_grad=True).requires_grad
    whole = Tensor(np.array([1, 2]))
    assert (whole + 1).dtype == np.int64
    assert (whole + 0.5).dtype == (whole / whole).dtype == (whole / 2).dtype == np.float32
    assert (2.5 - whole).dtype == (1 / whole).dtype == np.float32
    assert (whole.mean().dtype, whole.exp().dtype) == (np.float32, np.float32)
    assert (Tensor([1.0]) + Tensor(np.ones(1))).dtype == np.float64
    mixed = Tensor([1.0], requires_grad=True)
    (mixed * Tensor(np.ones(1))).sum().backward()
    assert mixed.grad is not None
    assert mixed.grad.dtype == np.float32


def test_a_hundred_doublings_take_a_hundred_steps() -> None:
    x = Tensor(np.ones(2), requires_grad=True)
    y = x
    for _ in range(100):
        y = y + y
    assert len(execution_order(y.grad_fn)) == 100
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0**100] * 2


def test_a_million_operations_are_an_ordinary_input() -> None:
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1
    y.backward()
    assert x.grad == 1
    for _ in range(100_000):  # a deep graph that is dropped unused must not recurse either
        y = y + x
    del y


def steps(length: int) -> int:
    """Count the Python calls of a backward pass over a chain and a ladder of the given length."""
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(length):
        y = y * 0.25 + y * 0.5
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        y.backward()
    finally:
        sys.setprofile(None)
    return calls


def test_work_is_linear_in_length() -> None:
    """Counted in calls, not in seconds: ten times the graph takes ten times the calls."""
    few, many = steps(200), steps(2000)
    assert 9 < many / few < 11


def test_nothing_stays_without_the_collector() -> None:
    """With the garbage collector off, the graph dies by reference counts alone."""
    gc.collect()
    gc.disable()
    try:
        w = Tensor(np.ones((64, 64)), requires_grad=True)
        with memory.ledger() as led:
            y = ((w @ w).tanh() * w).sigmoid().sum()
            watched = weakref.ref(y.grad_fn)
            assert led.current > 0
            y.backward()
            assert led.current == 0
            del y
            assert watched() is None
            dropped = (w @ w).exp().sum()
            assert led.current > 0
            del dropped
            assert led.current == 0
    finally:
        gc.enable()


def test_an_unsaved_intermediate_is_freed_at_once() -> None:
    x = Tensor(np.ones(200_000), requires_grad=True)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        y = (x + 1 + 1 + 1).sum()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert y.requires_grad
    assert kept < 10_000


def test_the_same_bits_in_every_process(run_python: Any) -> None:
    program = (
        "import numpy as np, bytegrad as bg; bg.enable_autograd(quiet=True)\n"
        "x = bg.Tensor(np.random.default_rng(0).normal(size=50), requires_grad=True)\n"
        "y = x\n"
        "for i in range(30): y = (y * x + (x - y / 3)).tanh() + y * 0.1\n"
        "y.sum().backward(); print(x.grad.tobytes().hex())"
    )
    assert len({run_python(program, PYTHONHASHSEED=seed) for seed in "123"}) == 1


def test_a_leaf_frozen_since_receives_nothing() -> None:
    x, w = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    y = (x * w).sum()
    w.requires_grad = False
    y.backward()
    assert w.grad is None
    assert x.grad is not None


def test_two_threads_may_add_to_one_leaf() -> None:
    x = Tensor(np.zeros(200_000), requires_grad=True)

    def add() -> None:
        for _ in range(20):
            (x * 1).sum().backward()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad is not None
    assert set(x.grad) == {80.0}


def test_calls_that_no_gradient_reaches_are_freed_as_well() -> None:
    class Stop(bg.Function):
        def apply(self, g: Any) -> tuple[None]:
            return (None,)

    x = Tensor([1.0], requires_grad=True)
    h = x * x
    y = bg.tracked(lambda v: Tensor(v.data), Stop)(h)
    y.sum().backward()
    assert x.grad is None
    assert h.grad_fn.edges is None


def test_a_rule_may_compute_with_tensors() -> None:
    """What it makes of a Tensor that it kept is no graph, and arrives as an array."""

    class Keeps(bg.Function):
        def __init__(self, x: Any, output: Any = None) -> None:
            self.x = x

        def apply(self, g: Any) -> tuple[Any, ...]:
            return (self.x * g * 2,)

    x = Tensor([3.0], requires_grad=True)
    bg.tracked(lambda v: Tensor(v.data**2), Keeps)(x).sum().backward()
    assert type(x.grad) is np.ndarray
    assert x.grad.tolist() == [6.0]


@pytest.mark.parametrize("wrong", [np.zeros((5, 3)), [1.0, 2.0, 3.0], 1.0])
def test_a_grad_of_another_shape_is_not_added_to(wrong: Any) -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x.grad = wrong
    with pytest.raises(bg.ShapeError) as raised:
        (x * 2).sum().backward()
    assert str(raised.value) == (
        f"the grad of a Tensor of shape (3,) was set to {type(wrong).__name__} of shape {np.shape(wrong)}: no gradient "
        "can be added to that. Set it to None, or to an array of that shape."
    )


def test_copies_of_a_leaf_have_hooks_of_their_own() -> None:
    x = Tensor([1.0], requires_grad=True)
    x.register_hook(lambda g: g * 10)
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        (twin * 2).sum().backward()
        assert twin.grad.tolist() == [2.0]
    (x * 2).sum().backward()
    assert x.grad.tolist() == [20.0]


def test_a_hook_that_holds_its_tensor_makes_no_cycle_that_lasts() -> None:
    gc.disable()
    try:
        x = Tensor(np.ones(1000), requires_grad=True)
        h = x * x
        h.register_hook(lambda g, h=h: g * h.data.mean())
        alive = weakref.ref(h)
        h.sum().backward()
        del h
        assert alive() is None
    finally:
        gc.enable()


def test_data_of_another_dtype_is_brought_to_the_leafs() -> None:
    x = Tensor([1.0], requires_grad=True)
    x.data = x.data - np.float64(0.5) * np.ones(1)
    assert (x.dtype, x.tolist()) == ("float32", [0.5])
