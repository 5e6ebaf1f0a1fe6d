"""What gradcheck says of a wrong rule: each kind of mistake is told by its likeness, and the rule is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Function, Tensor
from bytegrad.diagnosis import calls_between, likeness, where_to_look
from bytegrad.faults import faulty

Rule = Callable[[Any, Any, Any], tuple[Any, ...]]


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).uniform(0.5, 2.0, shape), requires_grad=True)


def said_of(apply: Rule, a: Tensor, b: Tensor) -> str:
    """Return what gradcheck says of a product whose rule returns `apply(g, a, b)`."""

    class MulBackward(Function):
        def __init__(self, a: Any, b: Any, output: Any = None) -> None:
            self.save(a, b)

        def apply(self, g: Any) -> Any:
            return apply(g, *self.saved_tensors)

    bg.enable_autograd(rules={"__mul__": MulBackward}, quiet=True)
    with pytest.raises(bg.GradcheckError) as caught:
        bg.gradcheck(lambda a, b: a * b, a, b)
    return str(caught.value)


MISTAKES: dict[str, tuple[Rule, int, str]] = {
    "exchanged": (
        lambda g, a, b: (g * a, g * b),
        0,
        "It equals the gradient of input 1: are the two exchanged?",
    ),
    "no slope": (
        lambda g, a, b: (g, g * a),
        0,
        "It is the incoming gradient as it came: the local slope is missing.",
    ),
    "no g": (
        lambda g, a, b: (g * b, a),
        1,
        "It is the local slope alone: the rule leaves out the incoming gradient.",
    ),
    "g twice": (
        lambda g, a, b: (g * g * b, g * a),
        0,
        "It is too large by the incoming gradient: the rule multiplies by it twice.",
    ),
    "sign": (lambda g, a, b: (g * b, -g * a), 1, "Its sign is turned in every element."),
    "twice": (
        lambda g, a, b: (2 * g * b, g * a),
        0,
        (
            "It is 2 times what it should be, in every element: a factor too many, or a path that counts twice."
        ),
    ),
    "half": (
        lambda g, a, b: (g * b / 2, g * a),
        0,
        "It is 0.5 times what it should be, in every element: a factor is missing, or a path.",
    ),
    "sum for mean": (
        lambda g, a, b: (3 * g * b, g * a),
        0,
        "3 is the length of axis 1; is it a mean for a sum, or the reverse?",
    ),
    "mean for sum": (
        lambda g, a, b: (g * b / 9, g * a),
        0,
        "9 is the number of elements; is it a mean for a sum, or the reverse?",
    ),
    "none": (
        lambda g, a, b: (None, g * a),
        0,
        "None arrived: a rule on the way returns None for it, or the way is cut.",
    ),
    "zero": (
        lambda g, a, b: (g * b, 0 * a),
        1,
        "It is 0 in every element: a rule on the way passes nothing on.",
    ),
    "transposed": (
        lambda g, a, b: ((g * b).T, g * a),
        0,
        "It is the transpose of what it should be.",
    ),
    "elsewhere": (
        lambda g, a, b: ((g * b)[::-1], g * a),
        0,
        "It has the right numbers in the wrong places: look at the axes and the order.",
    ),
    "dropped": (
        lambda g, a, b: (g * b * np.array([1.0, 1.0, 0.0]), g * a),
        0,
        "Where it is wrong it is 0: the rule drops 3 of 9 elements.",
    ),
    "not finite": (
        lambda g, a, b: (g * b / np.array([1.0, 1.0, np.nan]), g * a),
        0,
        "3 of its elements are not finite:",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_by_its_likeness(mistake: str) -> None:
    apply, i, sentence = MISTAKES[mistake]
    a = leaf(1, 3) if mistake == "sum for mean" else leaf(3, 3)
    b = leaf(1, 3, seed=1) if mistake == "sum for mean" else leaf(3, 3, seed=1)
    said = said_of(apply, a, b)
    assert said.startswith(f"gradient of input {i} at [")
    assert sentence in said
    assert said.endswith("Check MulBackward, or whether the function has a kink here.")


def test_a_mistake_like_nothing_known_is_told_by_its_numbers_alone() -> None:
    said = said_of(lambda g, a, b: (g * b + 1, g * a), leaf(2, 2), leaf(2, 2, seed=1))
    assert "this one most). Check MulBackward" in said


def test_one_number_is_no_multiple_unless_by_a_whole_number() -> None:
    """Of a single number the ratio says nothing, so an odd one is not mentioned."""
    assert "times" not in said_of(lambda g, a, b: (1.3 * g * b, g * a), leaf(1), leaf(1, seed=1))
    assert "It is 2 times" in said_of(lambda g, a, b: (2 * g * b, g * a), leaf(1), leaf(1, seed=1))


def test_a_broadcast_input_is_told_as_well() -> None:
    said = said_of(lambda g, a, b: (g * b, g), leaf(2, 3), leaf(3, seed=1))
    assert "input 1" in said
    assert "It is the incoming gradient as it came" in said


def test_steps_are_told() -> None:
    class RoundBackward(Function):
        def apply(self, g: Any) -> tuple[Any, ...]:
            return (g,)

    rounded = bg.tracked(lambda x: Tensor(x.data.round()), RoundBackward)
    with pytest.raises(bg.GradcheckError, match=r"It should be 0 in every element.*RoundBackward"):
        bg.gradcheck(rounded, leaf(3))


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1,), ()], ids=str)
def test_a_gradient_of_another_shape_is_told(shape: tuple[int, ...]) -> None:
    """Where nothing is summed back, NumPy would broadcast the comparison, or fail at it."""
    with faulty("no un-broadcast"), pytest.raises(bg.GradcheckError) as caught:
        bg.gradcheck(lambda a, b: (a * b).exp(), leaf(4, 2, 3), leaf(*shape))
    assert str(caught.value) == (
        f"gradient of input 1: the engine gives an array of shape (4, 2, 3) for an input of shape {shape}. Each "
        "element has one slope, so the two cannot be compared. Return it in the input's shape, summed over the axes "
        "that broadcasting made; on the way: MulBackward, ExpBackward."
    )


def test_a_cut_graph_is_told() -> None:
    with pytest.raises(bg.GradcheckError, match="No recorded call leads from this input") as caught:
        bg.gradcheck(lambda x, y: y * Tensor(x.data.mean()), leaf(3), leaf(3, seed=1))
    assert "None arrived" not in str(caught.value)


def test_only_rules_on_the_way_are_named() -> None:
    x, y = leaf(3), leaf(3, seed=1)
    result = (x.exp() * y.tanh()).sum() + 1
    assert calls_between(result, x) == ["ExpBackward", "MulBackward", "SumBackward", "AddBackward"]
    assert calls_between(result, y) == ["TanhBackward", "MulBackward", "SumBackward", "AddBackward"]
    assert calls_between(result, leaf(3)) == calls_between(x, x) == []


def test_of_many_rules_the_first_few_are_named() -> None:
    said = where_to_look([f"{letter}Backward" for letter in "ABCDEFGH"])
    assert "(ABackward, BBackward, CBackward, DBackward, EBackward, FBackward and 2 more)" in said
    assert "more" not in where_to_look([f"{letter}Backward" for letter in "ABCDEF"])


def test_the_check_itself_uses_no_rule() -> None:
    """A wrong product or sum must not spoil the check of another operation."""

    class WrongBackward(Function):
        def apply(self, g: Any) -> tuple[Any, ...]:
            return (7 * g, 7 * g)

    bg.enable_autograd(rules={"__mul__": WrongBackward, "sum": WrongBackward}, quiet=True)
    assert bg.gradcheck(Tensor.tanh, leaf(2, 3))


def test_another_gradient_is_looked_for_among_those_that_were_checked() -> None:
    right = {0: np.array([1.0, 2.0]), 2: np.array([5.0, 7.0])}
    assert "input 2" in likeness(0, np.array([5.0, 7.0]), right, np.array([1.0, 1.3]))
    assert likeness(0, np.array([5.0, 7.1]), right, np.array([1.0, 1.3])) == ""


def test_a_turned_sign_is_not_taken_for_the_other_gradient() -> None:
    """Of a - b the one gradient is the other with its sign turned."""
    right = {0: np.array([1.0, 2.0]), 1: np.array([-1.0, -2.0])}
    said = likeness(1, right[0], right, np.ones(2))
    assert said == "Its sign is turned in every element."
