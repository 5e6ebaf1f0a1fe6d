"""The engine at its edges: threads, copies, empty arrays, learners' rules, odd seeds."""

import copy
import math
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, Value, memory
from bytegrad.tensor import wrap


def leaf(*shape: int) -> Tensor:
    return Tensor(np.ones(shape), requires_grad=True)


def rule(apply: Callable[[Any], Any]) -> type[bg.Function]:
    """Return a learner's rule, with neither an __init__ nor a word about what it saves."""
    body = {"__init__": lambda self, x, output=None: None, "apply": lambda self, g: apply(g)}
    return type("LearnersRule", (bg.Function,), body)


def identity(apply: Callable[[Any], Any]) -> Callable[..., Any]:
    return bg.tracked(lambda x: wrap(x.data), rule(apply))


def test_a_decorated_function_serves_two_threads() -> None:
    x, seen = leaf(2), {}
    inside_a, inside_b, leave_a, leave_b = (threading.Event() for _ in range(4))

    @bg.no_grad()
    def work(inside: threading.Event, leave: threading.Event) -> None:
        inside.set()
        leave.wait(10)

    def a() -> None:
        with bg.no_grad():
            work(inside_a, leave_a)
            seen["a"] = (x * 2).requires_grad

    def b() -> None:
        work(inside_b, leave_b)
        seen["b"] = (x * 2).requires_grad

    threads = threading.Thread(target=a), threading.Thread(target=b)
    threads[0].start()
    inside_a.wait(10)
    threads[1].start()
    inside_b.wait(10)
    leave_a.set()
    threads[0].join()
    leave_b.set()
    threads[1].join()
    assert seen == {"a": False, "b": True}


def test_a_function_that_returns_its_input_leaves_the_input_alone() -> None:
    reverse = bg.tracked(lambda x: x, rule(lambda g: (-g,)))
    x = leaf(2)
    y = reverse(x)
    assert x.is_leaf
    assert y is not x
    (x * 3 + y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2, 2]


def test_a_tensor_by_keyword_is_refused() -> None:
    product = bg.tracked(lambda a, b: wrap(a.data * b.data), bg.RULES["__mul__"])
    with pytest.raises(bg.DtypeError, match="b="):
        product(Tensor([1.0]), b=leaf(1))


@pytest.mark.parametrize(
    ("apply", "shape"),
    [
        (lambda g: g, (1, 3)),
        (lambda g: g, (3,)),
        (lambda g: (g[0],), (2, 3)),
        (lambda g: (g.T,), (2, 3)),
        (lambda g: (g, g), (2,)),
    ],
)
def test_what_a_rule_may_not_return_is_named(apply: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(bg.ShapeError, match=r"LearnersRule.apply returned"):
        identity(apply)(leaf(*shape)).sum().backward()


def test_a_rule_may_return_none_or_a_number() -> None:
    x = leaf(2)
    identity(lambda g: (None,))(x).sum().backward()
    assert x.grad is None
    y = leaf()
    identity(lambda g: (3.0,))(y).backward()
    assert y.grad == 3


def test_a_gradient_is_nobody_elses_array() -> None:
    constant = np.ones(2)
    f = identity(lambda g: (constant,))
    a, b = leaf(2), leaf(2)
    f(a).sum().backward()
    f(b).sum().backward()
    assert not np.shares_memory(a.grad, b.grad)  # type: ignore[arg-type]
    assert not np.shares_memory(a.grad, constant)  # type: ignore[arg-type]


def test_no_rule_writes_into_the_callers_gradient() -> None:
    def double(g: Any) -> tuple[Any]:
        g *= 2
        return (g,)

    given = np.ones(2)
    identity(double)(leaf(2)).backward(given)
    assert given.tolist() == [1, 1]


@pytest.mark.parametrize("gradient", [np.array([1j, 1]), [None, 1], ["a", "b"]])
def test_a_seed_is_real_numbers(gradient: Any) -> None:
    with pytest.raises(bg.DtypeError):
        (leaf(2) * 2).backward(gradient)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, pickle.dumps, Tensor])
def test_a_copy_of_a_result_would_lose_the_graph(duplicate: Any) -> None:
    with pytest.raises(bg.GraphError, match="detach"):
        duplicate(leaf(2) * 2)
    duplicate(leaf(2))


def test_complex_numbers_are_refused_and_not_cut() -> None:
    with pytest.raises(bg.DtypeError, match="complex128"):
        Tensor(np.array([1j]), dtype="float32")


@pytest.mark.parametrize("wrong", [5, "MulBackward", bg.RULES["__mul__"](1, 2)])
def test_a_rule_is_a_class(wrong: Any) -> None:
    with pytest.raises(TypeError, match="subclass"):
        bg.enable_autograd(rules={"__mul__": wrong})
    x = leaf()
    (x * 2).backward()
    assert x.grad == 2


def test_small_gradients_are_checked_and_float32_is_refused() -> None:
    class Wrong(bg.RULES["exp"]):  # type: ignore[misc, name-defined]
        def apply(self, g: Any) -> tuple[Any, ...]:
            return (super().apply(g)[0] * 1.001,)

    f = bg.tracked(lambda x: wrap(np.exp(x.data)), Wrong)
    with pytest.raises(bg.GradcheckError):
        bg.gradcheck(f, Tensor(np.array([-10.0]), requires_grad=True))
    with pytest.raises(bg.DtypeError, match="float32"):
        bg.numerical_gradient(lambda x: x * x, Tensor(3.0))
    with pytest.raises(ValueError, match="nothing to check"):
        bg.gradcheck(lambda x: x, Tensor(np.ones(1)))


def test_the_mean_of_many_float16() -> None:
    x = Tensor(np.full(70_000, 0.1, "float16"), requires_grad=True)
    x.reshape(7, 10_000).mean().backward()
    assert x.grad is not None
    assert x.grad[0] > 0


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "pow"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float16"])
def test_both_sides_of_an_operation_follow_one_dtype_policy(op: str, dtype: str) -> None:
    x = Tensor(np.ones(2, dtype))
    assert getattr(x, f"__{op}__")(1).dtype == getattr(x, f"__r{op}__")(1).dtype


def test_a_sum_along_the_axis_that_a_number_has_not() -> None:
    x = leaf()
    x.sum(axis=0).backward()
    assert x.grad == 1


def test_values_at_their_edges() -> None:
    assert (Value(2) - np.uint8(1)).data == 1
    assert (Value(0) - np.int8(-128)).data == 128
    assert (1 / Value(1e-160)).data == 1e160
    assert (Value(-1e200) ** 3).data == -math.inf
    with pytest.raises(TypeError, match="holds one number"):
        Value(2) - "s"  # type: ignore[operator]
    with pytest.raises(ValueError, match="no real"):
        Value(-2) ** math.inf
    with pytest.raises(OverflowError, match="float"):
        Value(10**400)


def test_pictures_of_little_and_of_much() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    with memory.ledger() as led:
        pass
    led.plot()
    x = y = Value(1.0, label="<&>")
    for _ in range(2_000):
        y = y + 1
    assert bg.draw(y).nodes == 4_001
    assert "&lt;&amp;&gt;" in bg.draw(x + 1).svg
