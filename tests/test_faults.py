"""The eight wrong engines: each is wrong, is found by a check made for it and by the tests of the right engine."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, engine, faults, fitting, record
from bytegrad.faults import FAULTS, Suspects, faulty, suspects
from tests import test_backward, test_edits, test_ops
from tests.cases import CASES


def leaf(*shape: int) -> Tensor:
    """Return a float64 leaf of seeded numbers."""
    return Tensor(np.random.default_rng(len(shape)).uniform(0.5, 2, shape), requires_grad=True)


def broadcast() -> None:
    a, b = leaf(2, 3), leaf(3)
    (a * b).sum().backward()
    assert b.grad is not None
    assert b.grad.shape == b.shape
    np.testing.assert_allclose(b.grad, a.data.sum(axis=0))


def unequal_ways() -> None:
    def two_ways(x: Tensor) -> Any:
        u = x.exp()
        return u + (u * u).sin()

    assert bg.gradcheck(two_ways, leaf(3))


def twice_the_same() -> None:
    assert bg.gradcheck(lambda x: x * x, leaf(3))


def through_the_mean() -> None:
    assert bg.gradcheck(lambda x: x * x.mean(), leaf(3))


def edited_in_between() -> None:
    x = leaf(3)
    y = x.exp()
    z = (y * 2).sum()
    with bg.no_grad():
        y.mul_(0)
    with pytest.raises(bg.GraphError, match="edited in place"):
        z.backward()


def power() -> None:
    assert bg.gradcheck(lambda x: x**3, leaf(3))


def rows_and_columns() -> None:
    assert bg.gradcheck(lambda x: x.sum(axis=0), leaf(3, 3))
    assert bg.gradcheck(lambda x: x.sum(axis=1), leaf(3, 3))


def memory_of_their_own() -> None:
    a, b = leaf(3), leaf(3)
    (a + b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert not np.shares_memory(a.grad, b.grad)


#: The check that was made for each fault.
CHECKS: dict[str, Callable[[], None]] = {
    "no un-broadcast": broadcast,
    "no order": unequal_ways,
    "overwrite instead of add": twice_the_same,
    "untracked mean": through_the_mean,
    "in-place after save": edited_in_between,
    "missing factor": power,
    "wrong axis": rows_and_columns,
    "aliased gradients": memory_of_their_own,
}


def case(method: str, tag: str = "") -> Any:
    return next(c for c in CASES if c.method == method and tag in c.tag)


#: A test of the right engine that turns red with it.
REGRESSIONS: dict[str, Callable[[], Any]] = {
    "no un-broadcast": lambda: test_ops.test_elementwise_shapes(case=case("__add__")),
    "no order": lambda: test_ops.test_value_and_gradients(case("layer_norm")),
    "overwrite instead of add": test_backward.test_gradients_accumulate_until_zeroed,
    "untracked mean": lambda: test_ops.test_value_and_gradients(case("mean")),
    "in-place after save": lambda: test_edits.test_what_a_rule_saved_must_not_be_edited("mul_"),
    "missing factor": lambda: test_ops.test_value_and_gradients(case("__pow__")),
    "wrong axis": lambda: test_ops.test_value_and_gradients(case("sum", "1 2")),
    "aliased gradients": test_backward.test_gradients_never_share_memory,
}


def pieces() -> list[Any]:
    """Return all that the engine is made of where a fault may reach it."""
    places = [engine, fitting, record, engine._Pass, Tensor, *bg.RULES.values()]
    return [dict(vars(place)) for place in places]


def test_each_has_its_check() -> None:
    assert list(FAULTS) == list(CHECKS) == list(REGRESSIONS)
    assert all(name == fault.name for name, fault in FAULTS.items())
    assert {fault.part for fault in FAULTS.values()} == {"rule", "recording", "walk"}


@pytest.mark.parametrize("name", FAULTS)
def test_the_right_engine_passes_and_the_wrong_one_does_not(name: str) -> None:
    CHECKS[name]()
    with faulty(name), pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[name]()
    CHECKS[name]()


@pytest.mark.parametrize("name", FAULTS)
def test_the_tests_of_the_engine_find_it(name: str) -> None:
    with faulty(name), pytest.raises(BaseException) as found:  # noqa: PT011 - a red test of any colour
        REGRESSIONS[name]()
    assert not isinstance(found.value, (KeyboardInterrupt, SystemExit, NameError))
    REGRESSIONS[name]()


@pytest.mark.parametrize("name", FAULTS)
def test_values_are_right_and_only_gradients_wrong(name: str) -> None:
    x = leaf(3, 3)

    def value() -> Any:
        h = x.exp() * 2
        return ((h + x.mean()).sum(axis=0) ** 2 + h).mean().item()

    right = value()
    with faulty(name):
        assert value() == right


@pytest.mark.parametrize("name", FAULTS)
def test_the_right_engine_is_back(name: str) -> None:
    before = pieces()
    with faulty(name) as fault:
        assert fault is FAULTS[name]
        assert pieces() != before
    assert pieces() == before
    with pytest.raises(ZeroDivisionError), faulty(name):
        1 / 0  # noqa: B018
    assert pieces() == before


def test_a_table_of_ones_own_stays() -> None:
    class Mine(bg.Function):
        def apply(self, g: Any) -> tuple[Any, ...]:
            return (7 * g,)

    bg.enable_autograd(rules={"exp": Mine}, quiet=True)
    with faulty("untracked mean"):
        pass
    x = leaf()
    x.exp().backward()
    assert x.grad == 7


def test_refusals() -> None:
    before = pieces()
    with pytest.raises(ValueError, match=r"no un-broadcast, no order, .*, aliased gradients"):
        faulty("nonsense").__enter__()
    with pytest.raises(RuntimeError, match=r"inside faulty\('no order'\)"), faulty("no order"):
        faulty("wrong axis").__enter__()
    assert pieces() == before
    with pytest.raises(ValueError, match="A, B, C"):
        suspects().engine("I").__enter__()


def test_letters_do_not_tell() -> None:
    named = [suspects(seed).reveal() for seed in range(20)]
    assert all(sorted(each.values()) == sorted(FAULTS) for each in named)
    assert len({tuple(each.values()) for each in named}) == 20
    assert suspects(3).reveal() == named[3]
    assert not any(name in repr(suspects(3)) for name in FAULTS)


def test_a_letter_is_its_fault() -> None:
    lab = suspects(seed=5)
    assert isinstance(lab, Suspects)
    for label, name in lab.reveal().items():
        with lab.engine(label):
            assert faults._on == [name]


def test_a_gradient_that_is_rows_of_an_embedding() -> None:
    """A leaf may still get a gradient of a few rows."""
    table = leaf(5, 2)
    with faulty("aliased gradients"):
        for _ in range(2):
            bg.functional.embedding(np.array([1, 1]), table, sparse=True).sum().backward()
    assert isinstance(table.grad, bg.RowSparse)


def test_second_derivatives_show_it_too() -> None:
    x = leaf(3)
    with faulty("missing factor"):
        (first,) = bg.grad((x**3).sum(), x, create_graph=True)
        assert first is not None
        np.testing.assert_allclose(first.data, x.data**2)
