"""Edits in place: never recorded, refused where a gradient would be lost, caught where one would be wrong."""

import gc
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, edits


def leaf(*numbers: float) -> Tensor:
    return Tensor(list(numbers), requires_grad=True)


EDITS = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_([1.0]),
    "mul_": lambda x: x.mul_(Tensor([3.0])),
    "copy_": lambda x: x.copy_(np.array([5])),
    "fill_": lambda x: x.fill_(4),
    "zero_": lambda x: x.zero_(),
    "setitem": lambda x: x.__setitem__(0, 9.0),
    "setitem by mask": lambda x: x.__setitem__(Tensor(x.data > 0), Tensor(7.0)),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_raises_the_version_of_every_view(name: str) -> None:
    x = Tensor([2.0])
    view = x.reshape(1, 1)
    EDITS[name](x)
    assert x.data.tolist() != [2.0]
    assert x._version == view._version == x.detach()._version == 1
    assert Tensor(x)._version == 0


@pytest.mark.parametrize("name", EDITS)
def test_what_a_rule_saved_must_not_be_edited(name: str) -> None:
    x = leaf(2.0)
    y = x * x
    with bg.no_grad():
        EDITS[name](x)
    with pytest.raises(bg.GraphError) as raised:
        y.sum().backward()
    assert str(raised.value) == (
        "MulBackward saved an array of shape (1,) at version 0, and it is at version 1 now: it was edited in place, "
        "and the gradient would be that of other numbers. Edit after backward(), edit a copy, or compute the result "
        "again."
    )
    with bg.no_grad():
        x.add_(1)
    (x * x).sum().backward()  # computed again


def test_rebinding_data_counts_as_an_edit() -> None:
    """The spelling of many training loops: fine between passes, caught inside one."""
    x = leaf(2.0)
    x.data -= 1
    assert x._version == 1
    y = x * x
    x.data = x.data - 1
    with pytest.raises(bg.GraphError, match="at version 1, and it is at version 2 now"):
        y.sum().backward()
    with pytest.raises(bg.DtypeError, match="requires_grad on int64"):
        x.data = np.array([1])
    with pytest.raises(bg.DtypeError, match="real numbers"):
        x.data = np.array(["a"])


def test_an_edit_of_what_no_rule_saved_is_fine() -> None:
    """X * 2 keeps the 2 alone; exp keeps its output, and not its input."""
    x = leaf(2.0)
    y = x * 2
    with bg.no_grad():
        x.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [2.0]
    z = x.exp()
    with bg.no_grad():
        x.add_(1)
    z.sum().backward(retain_graph=True)
    with bg.no_grad():
        z.mul_(2)
    with pytest.raises(bg.GraphError, match="ExpBackward saved"):
        z.sum().backward()


def test_the_second_derivative_is_guarded_too() -> None:
    x = leaf(2.0)
    y = x * x
    with bg.no_grad():
        x.add_(1)
    with pytest.raises(bg.GraphError, match="MulBackward saved"):
        bg.grad(y, x, np.ones(1), create_graph=True)


def test_a_checkpoint_guards_its_inputs_and_parameters() -> None:
    for edited in (0, 1):
        x, w = leaf(2.0), leaf(3.0)
        y = bg.checkpoint(lambda v, w=w: v * w, x)
        with bg.no_grad():
            (x, w)[edited].add_(1)
        with pytest.raises(bg.GraphError, match="CheckpointBackward saved an array"):
            y.sum().backward()


@pytest.mark.parametrize(
    ("edit", "remedy"),
    [
        (lambda x: x.add_(1), "x.add_(y) on {}: {} Write x = x + y; {}"),
        (lambda x: x.sub_(1), "x.sub_(y) on {}: {} Write x = x - y; {}"),
        (lambda x: x.mul_(1), "x.mul_(y) on {}: {} Write x = x * y; {}"),
        (lambda x: x.copy_(1), "x.copy_(y) on {}: {} Write x = y; {}"),
        (lambda x: x.fill_(1), "x.fill_(n) on {}: {} Write x = x * 0 + n; {}"),
        (lambda x: x.zero_(), "x.zero_() on {}: {} Write x = x * 0; {}"),
        (lambda x: x.__setitem__(0, 1), "x[…] = y on {}: {} Write x = y.where(mask, x); {}"),
    ],
)
def test_editing_what_requires_grad_is_refused(edit: Any, remedy: str) -> None:
    x = leaf(2.0)
    for tensor, what in [(x, "a leaf that requires grad"), (x * 2, "a result of <MulBackward>")]:
        with pytest.raises(bg.GraphError) as raised:
            edit(tensor)
        assert str(raised.value) == remedy.format(
            what,
            "an edit in place is not recorded, and the gradient would be that of the old numbers.",
            "or, if no gradient shall see it, edit under no_grad().",
        )
        assert tensor._version == 0


def test_writing_what_requires_grad_into_something_else_is_refused() -> None:
    x, w = Tensor([1.0]), leaf(2.0)
    with pytest.raises(bg.GraphError) as raised:
        x.add_(w)
    assert str(raised.value) == (
        "x.add_(y) where y requires grad: an edit in place is not recorded, and the gradient of y would be lost. "
        "Write x = x + y; or, if no gradient shall see it, use y.detach()."
    )
    with pytest.raises(bg.GraphError, match="where y requires grad"):
        x[0] = w
    with bg.no_grad():
        x[:] = w
    assert x.tolist() == [2.0]


def test_edits_that_do_not_fit_change_nothing() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(bg.ShapeError) as raised:
        x.add_(np.ones((3, 2)))
    assert str(raised.value) == (
        "x.add_(y) with x of shape (2,) and y of shape (3, 2): the result does not fit into x. Write x = x + y, or "
        "bring y to the shape of x."
    )
    whole = Tensor(np.array([1, 2]))
    with pytest.raises(bg.DtypeError) as wrong:
        whole.mul_(0.5)
    assert str(wrong.value) == (
        "x.mul_(y) with x of int64 and y of float64: the result does not fit into x. Make x floating first, or write "
        "x = x * y."
    )
    with pytest.raises(
        bg.ShapeError, match=r"x\[5\] = y with x of shape \(2,\) and y of shape \(\)"
    ):
        x[5] = 1
    with pytest.raises(bg.ShapeError, match="Make y fit what the key selects"):
        x[:] = [1, 2, 3]
    assert (x.tolist(), x._version) == ([1.0, 2.0], 0)


def test_plus_equals_makes_a_new_tensor() -> None:
    x = leaf(1.0)
    y = x
    y += 1
    assert (x.tolist(), y.tolist()) == ([1.0], [2.0])
    assert not y.is_leaf


@pytest.mark.parametrize(
    ("edit", "seen", "remedy"),
    [
        ("x += 1", "x += y", "x.add_(y)"),
        ("x -= 1", "x -= y", "x.sub_(y)"),
        ("x *= 2", "x *= y", "x.mul_(y)"),
        ("x /= 2", "x /= y", "x.mul_(1 / y)"),
    ],
)
def test_plus_equals_does_not_pretend_to_step(edit: str, seen: str, remedy: str) -> None:
    """Under no_grad it would leave the parameter as it was, without a word."""
    x = leaf(1.0)
    with bg.no_grad(), pytest.raises(bg.GraphError) as raised:
        exec(edit, {"x": x})
    assert str(raised.value) == (
        f"{seen} under no_grad() on a Tensor that requires grad: it makes a new tensor and gives it the name x, while "
        f"the old one, which a model or an optimizer holds, stays as it was. Write {remedy} to change that."
    )
    names = {"x": x}
    exec(edit, names)  # recorded, outside
    assert not names["x"].is_leaf
    plain = {"x": Tensor([4.0])}
    with bg.no_grad():
        exec(edit, plain)
    assert plain["x"].tolist() != [4.0]


def test_versions_are_forgotten_with_their_arrays() -> None:
    gc.collect()
    before = len(edits._histories)
    x = Tensor([1.0])
    for _ in range(1000):
        x.add_(1)
    assert x._version == 1000
    assert len(edits._histories) == before + 1
    del x
    gc.collect()
    assert len(edits._histories) == before


def test_many_edits_after_a_save_are_still_seen() -> None:
    x = leaf(1.0)
    y = x * x
    with bg.no_grad():
        for _ in range(200):
            x.add_(1)
    with pytest.raises(bg.GraphError, match="it is at version 200 now"):
        y.sum().backward()
